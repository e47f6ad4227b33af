"""Publishing to a twofold registry: one address for both worlds."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import Release, hash_file, make_conda, make_wheel
from tests.servers.package_servers import FAULTS, make_hasty_policy, run_faulty_proxy
from twofold.errors import ProjectErrors, Refused, TwofoldError, Unreachable
from twofold.publish.order import Order, prepare
from twofold.publish.responses import RetryPolicy
from twofold.publish.run import IncompletePublicationError


def record_of(files: list[Path], project: Path) -> None:
    """The record `twofold build` leaves behind."""
    entries = [
        {"path": f.relative_to(project).as_posix(), "kind": "x", "sha256": hash_file(f)}
        for f in files
    ]
    record = project / "dist" / ".twofold-build.json"
    record.write_text(json.dumps({"version": 1, "artifacts": entries}))


def test_what_the_last_build_made_is_published_with_the_token_of_the_environment(
    twofold: Callable[..., Any], registry: Any, release: Release, tmp_path: Path
) -> None:
    record_of([release.wheel, release.sdist], tmp_path)
    token = {"TWOFOLD_TOKEN": registry.token}
    ran = twofold("publish", "--to", registry.channel, "--json", env=token)
    assert ran.code == 0, ran.err
    assert ran.json["uploaded"] == 2
    again = twofold("publish", "--to", registry.channel, "--json", env=token)
    assert again.code == 0, again.err
    assert again.json["uploaded"] == 0


def test_a_wheel_and_the_conda_package_twofold_made_of_it_go_side_by_side(
    twofold: Callable[..., Any], registry: Any, tmp_path: Path
) -> None:
    """The registry makes the conda twin of the wheel itself: the same bytes under one name."""
    assert twofold("new", "twin_pkg").code == 0
    project = tmp_path / "twin_pkg"
    built = twofold("build", cwd=project)
    assert built.code == 0, built.err
    token = {"TWOFOLD_TOKEN": registry.token}
    ran = twofold("publish", "--to", registry.channel, "--json", cwd=project, env=token)
    assert ran.code == 0, ran.err
    assert {Path(row["file"]).suffix for row in ran.json["files"]} == {".whl", ".gz", ".conda"}


def test_the_projects_own_conda_package_takes_the_place_of_the_converted_one(
    twofold: Callable[..., Any], registry: Any, tmp_path: Path
) -> None:
    """The same name with other dependencies than the registry's own conversion."""
    assert twofold("new", "own_pkg").code == 0
    project = tmp_path / "own_pkg"
    pyproject = project / "pyproject.toml"
    more = '\n[tool.twofold.conda]\ndepends = ["zlib"]\n'
    pyproject.write_text(pyproject.read_text() + more)
    token = {"TWOFOLD_TOKEN": registry.token}
    assert twofold("build", cwd=project).code == 0
    ran = twofold("publish", "--to", registry.channel, "--json", cwd=project, env=token)
    assert ran.code == 0, ran.err
    assert ran.json["uploaded"] == 3
    again = twofold("publish", "--to", registry.channel, "--json", cwd=project, env=token)
    assert (again.code, again.json["uploaded"]) == (0, 0)


def test_a_wrong_token_is_reported_with_a_hint_and_exit_code_one(
    twofold: Callable[..., Any], registry: Any, release: Release
) -> None:
    wrong = {"TWOFOLD_TOKEN": "twofold-wrongwrongwrong"}
    ran = twofold("publish", release.wheel, "--to", registry.channel, env=wrong)
    assert ran.code == 1
    assert "hint:" in ran.err
    assert "twofold-wrongwrongwrong" not in ran.err + ran.out
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("limit", [["--actions", "read"], ["--project", "other"]])
def test_a_token_without_the_right_is_reported_before_anything_is_sent(
    limit: list[str], twofold: Callable[..., Any], registry: Any, release: Release, tmp_path: Path
) -> None:
    """Not to the folder either, although it would take everything."""
    requested = ["admin", "token", "owner", *limit, "--data", registry.data, "--json"]
    made = twofold(*requested)
    assert made.code == 0, made.err
    env = {"TWOFOLD_TOKEN": made.json["token"]}
    places = ["--to", registry.channel, "--to", str(tmp_path / "static")]
    for dry in ([], ["--dry-run"]):
        ran = twofold("publish", release.wheel, *places, *dry, env=env)
        assert ran.code == 1
        assert "lacks permission to upload" in ran.out + ran.err
        assert not (tmp_path / "static").exists()


def test_no_token_at_all_is_reported(
    twofold: Callable[..., Any], registry: Any, release: Release
) -> None:
    ran = twofold("publish", release.wheel, "--to", registry.channel)
    assert ran.code == 1
    assert "token" in ran.err


def test_other_bytes_under_a_used_name_are_refused_before_anything_is_sent(
    twofold: Callable[..., Any], registry: Any, release: Release, tmp_path: Path
) -> None:
    token = {"TWOFOLD_TOKEN": registry.token}
    assert twofold("publish", release.wheel, "--to", registry.channel, env=token).code == 0
    (tmp_path / "other").mkdir()
    other = make_wheel(tmp_path / "other", "my_package", "1.0.0", code="x = 2\n")
    ran = twofold("publish", other, release.sdist, "--to", registry.channel, env=token)
    assert ran.code == 1
    assert hash_file(other) in ran.err
    assert hash_file(release.wheel) in ran.err
    dry = twofold("publish", release.sdist, "--to", registry.channel, "--dry-run", env=token)
    assert "upload" in dry.out


def test_a_dry_run_sends_nothing_and_says_what_would_happen(
    twofold: Callable[..., Any], registry: Any, release: Release
) -> None:
    token = {"TWOFOLD_TOKEN": registry.token}
    conda = make_conda(release.folder, "other_package", "1.0.0")
    files = [release.wheel, release.sdist, conda]
    words = ["publish", *files, "--to", registry.channel, "--dry-run"]
    first = twofold(*words, env=token)
    assert first.code == 0, first.err
    assert first.out.count("upload") == 3
    assert twofold(*words, env=token).out == first.out


def test_a_registry_that_is_not_there_is_reported(
    twofold: Callable[..., Any], release: Release
) -> None:
    ran = twofold("publish", release.wheel, "--to", "http://127.0.0.1:9/main", "--json")
    assert ran.code == 1
    assert "cannot be reached" in ran.json["errors"][0]["message"]
    assert ran.json["errors"][0]["hint"]


@pytest.fixture
def files(tmp_path: Path) -> Callable[[str], list[Path]]:
    def make(version: str) -> list[Path]:
        folder = tmp_path / version
        folder.mkdir()
        wheel = make_wheel(folder, "my_package", version)
        return [wheel, make_conda(folder, "other_package", version)]

    return make


QUICK = ("cut-after", "503", "wrong-bytes")


@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=[] if k in QUICK else pytest.mark.slow) for k in FAULTS]
)
def test_a_second_run_completes_what_a_fault_at_any_request_broke(
    registry: Any,
    files: Callable[[str], list[Path]],
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", registry.token)
    with run_faulty_proxy(registry.url) as (address, fault):
        fault.delay = 2.0
        channel = f"{address}/{registry.name}"
        for number in count(1):
            made = files(f"1.0.{number}")
            fault.kind, fault.at, fault.seen = kind, number, 0
            ended = False
            with contextlib.suppress(
                IncompletePublicationError, Unreachable, Refused, ProjectErrors
            ):
                publish(made, channel, make_hasty_policy(kind, number, late=1.0))
                ended = fault.seen < number
            fault.kind = ""
            planned, uploaded = publish(made, channel, RetryPolicy(sleep=lambda _: None))
            assert planned == uploaded
            assert publish(made, channel, RetryPolicy(sleep=lambda _: None)) == ([], [])
            if ended:
                assert number > 3
                return


def publish(files: list[Path], channel: str, patience: RetryPolicy) -> tuple[list[str], list[str]]:
    with prepare(Order(files, [channel], retry_policy=patience)) as publication:
        planned = [step.file.name for step in publication.plan.uploads]
        uploaded = publication.carry_out(lambda _: None)
        return planned, [step.file.name for step in uploaded]


def test_a_build_that_has_changed_since_is_not_published(
    twofold: Callable[..., Any], release: Release, tmp_path: Path
) -> None:
    record_of([release.wheel], tmp_path)
    release.wheel.write_bytes(release.wheel.read_bytes() + b"\0")
    ran = twofold("publish", "--to", "http://127.0.0.1:9/main")
    assert ran.code == 1
    assert "changed since it was built" in ran.err


def test_without_a_build_the_hint_says_to_build(twofold: Callable[..., Any]) -> None:
    ran = twofold("publish", "--to", "http://127.0.0.1:9/main")
    assert ran.code == 1
    assert "twofold build" in ran.err


def test_a_file_that_is_not_what_its_name_says_is_reported(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    bad = tmp_path / "my_package-1.0-py3-none-any.whl"
    bad.write_text("<html>not found</html>")
    ran = twofold("publish", bad, "--to", "http://127.0.0.1:9/main")
    assert ran.code == 1
    assert "Traceback" not in ran.err


def test_a_target_that_means_nothing_is_reported_with_the_names_that_do(
    release: Release,
) -> None:
    with pytest.raises(TwofoldError, match="no target 'pipy'") as caught:
        prepare(Order([release.wheel], ["pipy"]))
    assert "pypi" in caught.value.hint
