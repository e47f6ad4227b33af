"""A folder as target: static index and channel, for pip and for conda."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import Release, hash_file, make_conda
from twofold.errors import ProjectErrors, TwofoldError
from twofold.publish.order import Order, prepare


def publish(files: list[Path], target: Path) -> list[str]:
    with prepare(Order(files, [str(target)])) as publication:
        return [step.file.name for step in publication.carry_out(lambda _: None)]


def test_a_release_in_a_folder_is_an_index_and_a_channel(release: Release, tmp_path: Path) -> None:
    place = tmp_path / "static"
    assert len(publish(release.files, place)) == 3
    repodata = json.loads((place / "noarch" / "repodata.json").read_text())
    assert repodata["packages.conda"][release.conda.name]["sha256"] == hash_file(release.conda)
    index = (
        (place / "simple" / "my-package" / "index.html")
        .as_uri()
        .removesuffix("my-package/index.html")
    )
    env = tmp_path / "downloads"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", str(env)]
    subprocess.run([*command, "--index-url", index, "my_package"], check=True)
    assert hash_file(env / release.wheel.name) == hash_file(release.wheel)


def test_a_second_run_does_nothing(release: Release, tmp_path: Path) -> None:
    publish(release.files, tmp_path / "static")
    assert publish(release.files, tmp_path / "static") == []


def test_a_kill_before_the_pages_were_written_is_mended_by_the_second_run(
    release: Release, tmp_path: Path
) -> None:
    place = tmp_path / "static"
    publish([release.wheel], place)
    (place / "noarch").mkdir()
    (place / "noarch" / release.conda.name).write_bytes(release.conda.read_bytes())
    assert publish(release.files, place) == [release.sdist.name, release.conda.name]
    assert release.conda.name in (place / "noarch" / "repodata.json").read_text()


def test_other_bytes_never_replace_a_file(release: Release, tmp_path: Path) -> None:
    place = tmp_path / "static"
    publish([release.conda], place)
    (tmp_path / "other").mkdir()
    other = make_conda(tmp_path / "other", "my_package", "1.0.0", code="x = 2\n")
    with pytest.raises(ProjectErrors, match="other contents"):
        publish([other], place)
    assert hash_file(place / "noarch" / other.name) == hash_file(release.conda)


@pytest.mark.parametrize("has_links", [True, False])
@pytest.mark.parametrize(
    ("content", "age", "replaced"),
    [(None, 0, True), (b"", 3600, True), (b"", 0, False), (b"other", 3600, False)],
)
def test_a_file_that_another_publisher_wrote_meanwhile_is_never_replaced(
    has_links: bool,
    content: bytes | None,
    age: int,
    replaced: bool,
    release: Release,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between plan and copy; `os.link` fails as on FAT, which a test cannot mount."""
    place = tmp_path / "static"
    with prepare(Order([release.wheel], [str(place)])) as publication:
        if content is not None:
            place.mkdir()
            there = place / release.wheel.name
            there.write_bytes(content)
            os.utime(there, (time.time() - age,) * 2)
        if not has_links:

            def fail(*_: object) -> None:
                raise PermissionError(1, "Operation not permitted")

            monkeypatch.setattr(os, "link", fail)
        if replaced:
            publication.carry_out(lambda _: None)
            assert hash_file(place / release.wheel.name) == hash_file(release.wheel)
        else:
            with pytest.raises(TwofoldError):
                publication.carry_out(lambda _: None)
            assert (place / release.wheel.name).read_bytes() == content
    assert not list(place.glob(".*.part"))


@pytest.mark.parametrize(
    ("page", "content"),
    [("simple/my-package/index.json", "[1]"), ("noarch/repodata.json", "{not json")],
)
def test_a_page_that_is_none_is_named_by_status(
    page: str, content: str, twofold: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "out" / page).parent.mkdir(parents=True)
    (tmp_path / "out" / page).write_text(content)
    ran = twofold("status", "my_package", "--to", tmp_path / "out")
    assert ran.code == 1
    assert f"{page}: it is not the page of an index" in ran.err
    assert "hint: make the pages again" in ran.err


def test_the_project_says_where_its_releases_go(
    twofold: Callable[..., Any], release: Release, tmp_path: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.twofold.publish]\nto = ["./a", "./b"]\n')
    ran = twofold("publish", release.wheel, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["uploaded"] == 2
    assert (tmp_path / "a" / release.wheel.name).is_file()
    assert (tmp_path / "b" / release.wheel.name).is_file()


def test_nothing_is_sent_anywhere_when_one_target_would_refuse(
    release: Release, tmp_path: Path
) -> None:
    publish([release.conda], tmp_path / "a")
    (tmp_path / "other").mkdir()
    other = make_conda(tmp_path / "other", "my_package", "1.0.0", code="x = 2\n")
    with (
        prepare(Order([other], [str(tmp_path / "b"), str(tmp_path / "a")])) as publication,
        pytest.raises(ProjectErrors),
    ):
        publication.carry_out(lambda _: None)
    assert not (tmp_path / "b" / "noarch").exists()


def test_attestations_that_a_target_has_no_place_for_are_named_in_the_plan(
    release: Release, tmp_path: Path
) -> None:
    for file in (release.wheel, release.conda):
        (release.folder / f"{file.name}.publish.attestation").write_text("{}")
    with prepare(Order(release.files, [str(tmp_path / "static")])) as publication:
        reasons = {s.file.name: s.reason for s in publication.plan.steps}
    assert reasons[release.wheel.name] == "new; attestations are not supported there"
    assert reasons[release.conda.name] == "new; attestations are not supported there"
    assert reasons[release.sdist.name] == "new"


def test_a_publication_to_a_folder_imports_no_client_and_no_keyring(
    release: Release, tmp_path: Path
) -> None:
    code = (
        "import sys; from twofold.cli import main; code = main(sys.argv[1:]); "
        "heavy = ('keyring', 'requests', 'twine', 'urllib3', 'tomlkit', 'id'); "
        "sys.exit(code or ' '.join(name for name in heavy if name in sys.modules) or 0)"
    )
    words = ["publish", str(release.wheel), "--to", str(tmp_path / "out")]
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
