"""Attestations beside files go with them where they are taken; one that is about something else
stops everything before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.factories.attestations import SLSA, make_bundle, make_pep_740_attestation
from tests.factories.releases import Release, make_conda
from tests.servers.package_servers import (
    TOKEN,
    AnacondaServer,
    ArtifactoryServer,
    PrefixServer,
    QuetzServer,
    Store,
    run_server,
)
from twofold.errors import Problem, ProjectErrors
from twofold.publish.order import Order, prepare

#: What the tools call the bundle of my_package-1.0.0-py_0.conda.
NAMES = [
    "my_package-1.0.0-py_0.conda.sigstore.json",
    "my_package-1.0.0-py_0.conda.sigstore",
    "my_package-1.0.0-py_0.conda.attestation.json",
    "my_package-1.0.0-py_0.attestation.json",
    "my_package-1.0.0-py_0.conda.attestation",
    "my_package-1.0.0-py_0.conda.publish.attestation",
]


@pytest.fixture
def prefix(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Store]]:
    """The channel as target, and what its server holds."""
    monkeypatch.setenv("TWOFOLD_TOKEN", TOKEN)
    with run_server(PrefixServer) as (address, store):
        yield f"prefix+{address}/lab", store


def publish(files: list[Path], *targets: str) -> list[str]:
    """Publish; returns the reasons of the plan."""
    with prepare(Order(files, targets)) as publication:
        publication.carry_out(lambda _: None)
        return [step.reason for step in publication.plan.steps]


def refused(files: list[Path], *targets: str) -> Problem:
    with pytest.raises(ProjectErrors) as caught:
        publish(files, *targets)
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize("name", NAMES)
def test_a_bundle_beside_a_conda_package_is_sent_with_it_under_every_usual_name(
    prefix: tuple[str, Store], release: Release, name: str
) -> None:
    target, store = prefix
    (release.folder / name).write_text(make_bundle(release.conda))
    assert publish([release.conda], target) == [f"new, with {name}"]
    assert store.other[release.conda.name].decode() == make_bundle(release.conda)


def test_bundles_named_with_the_files_belong_to_them(
    twofold: Callable[..., Any], prefix: tuple[str, Store], release: Release
) -> None:
    """As `dist/*` names them."""
    target, store = prefix
    (release.folder / NAMES[0]).write_text(make_bundle(release.conda))
    ran = twofold("publish", *sorted(release.folder.iterdir()), "--to", target)
    assert ran.code == 0, ran.err
    assert f"new, with {NAMES[0]}" in ran.err
    assert list(store.files) == [f"/lab/noarch/{release.conda.name}"]


@pytest.mark.parametrize(
    ("changed", "reported"),
    [
        ({"predicateType": SLSA}, "its predicateType is"),
        (
            {"_type": "https://in-toto.io/Statement/v0.1"},
            "its statement is not an in-toto statement",
        ),
        ({"subject": []}, "it is about nothing, not about my_package-1.0.0-py_0.conda alone"),
        (
            {"subject": [{"name": "other-1.0-py_0.conda", "digest": {"sha256": "0" * 64}}]},
            "it is about other-1.0-py_0.conda",
        ),
        (
            {"subject": [{"name": "my_package-1.0.0-py_0.conda", "digest": {"sha256": "0" * 64}}]},
            "it is for other contents: sha256 000",
        ),
        ({"subject": [{"name": "my_package-1.0.0-py_0.conda"}]}, "it is not a sigstore bundle"),
    ],
)
def test_a_bundle_about_something_else_stops_the_publication_before_anything_is_sent(
    prefix: tuple[str, Store],
    release: Release,
    tmp_path: Path,
    changed: dict[str, Any],
    reported: str,
) -> None:
    target, store = prefix
    (release.folder / NAMES[0]).write_text(make_bundle(release.conda, **changed))
    problem = refused([release.conda], str(tmp_path / "static"), target)
    assert reported in problem.message
    assert f"the attestation {NAMES[0]} does not match" in problem.message
    assert "remove the attestation" in problem.hint
    assert problem.where.startswith(f"{release.conda.name} -> http")
    assert store.writes == []
    assert not (tmp_path / "static").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "\x00", '{"dsseEnvelope": {"payload": "%"}}'])
def test_what_is_no_bundle_at_all_is_reported(
    prefix: tuple[str, Store], release: Release, text: str
) -> None:
    target, store = prefix
    (release.folder / NAMES[0]).write_text(text)
    problem = refused([release.conda], target)
    assert "does not match: it is no" in problem.message
    assert store.writes == []


def test_two_bundles_of_one_package_are_one_too_many_for_prefix(
    prefix: tuple[str, Store], release: Release
) -> None:
    target, store = prefix
    for name in NAMES[:2]:
        (release.folder / name).write_text(make_bundle(release.conda))
    assert refused([release.conda], target).hint == "remove all but one"
    assert store.writes == []


def test_the_plan_says_which_targets_take_no_bundles(
    registry: Any, release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There it is not looked into either."""
    (release.folder / NAMES[0]).write_text("{")
    with (
        run_server(QuetzServer) as (quetz, _),
        run_server(ArtifactoryServer) as (artifactory, _),
        run_server(AnacondaServer) as (anaconda, _),
    ):
        places = {
            f"quetz+{quetz}/lab": TOKEN,
            f"artifactory+{artifactory}/conda/lab": TOKEN,
            f"anaconda+{anaconda}/api/me": TOKEN,
            registry.channel: registry.token,
            str(tmp_path / "static"): TOKEN,
        }
        for place, token in places.items():
            monkeypatch.setenv("TWOFOLD_TOKEN", token)
            assert publish([release.conda], place) == ["new; attestations are not supported there"]


def test_a_package_does_not_take_the_bundle_of_one_whose_name_begins_like_it(
    prefix: tuple[str, Store], tmp_path: Path
) -> None:
    target, store = prefix
    first = make_conda(tmp_path, "my_package", "1.0")
    longer = make_conda(tmp_path, "my_package", "1.0.1")
    (tmp_path / f"{longer.name}.sigstore.json").write_text(make_bundle(longer))
    publish([first, longer], target)
    assert list(store.other) == [longer.name]


def test_a_stale_attestation_of_a_wheel_is_reported_in_the_plan(
    twofold: Callable[..., Any], registry: Any, release: Release
) -> None:
    """PEP 740: made before the wheel was built again. Nothing goes anywhere."""
    digest = {"sha256": "0" * 64}
    stale = make_pep_740_attestation(
        release.wheel, subject=[{"name": release.wheel.name, "digest": digest}]
    )
    (release.folder / f"{release.wheel.name}.publish.attestation").write_text(stale)
    token = {"TWOFOLD_TOKEN": registry.token}
    words = ["publish", release.wheel, "--to", "./static", "--to", registry.channel]
    ran = twofold(*words, "--json", env=token)
    assert ran.code == 1
    assert "it is for other contents" in ran.json["errors"][0]["message"]
    dry = twofold(*words, "--dry-run", "--json", env=token)
    assert [(row["action"], row["rules"]) for row in dry.json["files"]] == [
        ("upload", []),
        ("refused", ["attestation"]),
    ]
