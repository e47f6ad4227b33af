"""`publish --attestations` makes them by the identity of a CI run: a Sigstore on loopback."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import Release
from tests.servers.package_servers import TOKEN, PrefixServer, run_server
from tests.servers.registry import Registry
from tests.servers.sigstore import Sigstore, make_identity, run_sigstore
from twofold.errors import ProjectErrors
from twofold.publish.attestation_signing import TRUST_CONFIG
from twofold.publish.order import Order, prepare
from twofold.publish.plan import Action
from twofold.publish.trusted_publishing import CI_VARIABLES


@pytest.fixture(autouse=True)
def no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*CI_VARIABLES, "SIGSTORE_ID_TOKEN", TRUST_CONFIG):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def sigstore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sigstore]:
    """A Sigstore, and a job of GitLab's with an identity for it."""
    with run_sigstore() as running:
        (tmp_path / "trust.json").write_text(running.make_trust_config())
        monkeypatch.setenv(TRUST_CONFIG, str(tmp_path / "trust.json"))
        monkeypatch.setenv("GITLAB_CI", "true")
        monkeypatch.setenv("SIGSTORE_ID_TOKEN", make_identity())
        yield running


def list_attestations(release: Release) -> list[str]:
    return sorted(
        path.name
        for path in release.folder.iterdir()
        if path.name.endswith((".attestation", ".sigstore.json"))
    )


def test_without_an_identity_the_plan_says_why_none_is_made(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", TOKEN)
    with run_server(PrefixServer) as (address, store):
        order = Order([release.conda], [f"prefix+{address}/lab"], attests=True)
        with prepare(order) as publication:
            (step,) = publication.plan.steps
            assert step.action is Action.REFUSED
            assert step.reason == "no attestation can be made: no CI system gives an identity"
            assert "SIGSTORE_ID_TOKEN" in step.hint
            with pytest.raises(ProjectErrors, match="no CI system gives an identity"):
                publication.carry_out(lambda _: None)
        with prepare(replace(order, attests=False)) as publication:
            assert [step.action for step in publication.plan.steps] == [Action.UPLOAD]
        assert not store.history
    assert list_attestations(release) == []


@pytest.mark.slow
def test_they_are_made_after_the_plan_sent_and_used_again(
    twofold: Callable[..., Any], release: Release, registry: Registry, sigstore: Sigstore
) -> None:
    words = ["publish", *release.files, "--to", f"{registry.channel}", "--attestations"]
    env = {"TWOFOLD_TOKEN": registry.token}
    dry = twofold(*words, "--dry-run", env=env)
    assert dry.code == 0, dry.err
    assert dry.out.count("with an attestation that is made for it") == 2
    assert "; attestations are not supported there" in dry.out  # of the conda package
    assert (sigstore.entries, list_attestations(release)) == ([], [])
    ran = twofold(*words, "--yes", env=env)
    assert ran.code == 0, ran.err
    names = [f"{file.name}.publish.attestation" for file in (release.sdist, release.wheel)]
    assert list_attestations(release) == sorted(names)
    assert len(sigstore.entries) == 2
    asked = urllib.request.Request(
        f"{registry.channel}/simple/my-package/",
        headers={"Accept": "application/vnd.pypi.simple.v1+json"},
    )
    with urllib.request.urlopen(asked, timeout=10) as response:
        page = json.load(response)
    assert all(file.get("provenance") for file in page["files"]), page
    assert twofold(*words, "--yes", env=env).code == 0
    assert len(sigstore.entries) == 2


@pytest.mark.slow
def test_a_conda_package_gets_a_bundle(
    twofold: Callable[..., Any], release: Release, sigstore: Sigstore
) -> None:
    with run_server(PrefixServer) as (address, store):
        words = ["publish", release.conda, "--to", f"prefix+{address}/lab", "--attestations"]
        ran = twofold(*words, "--yes", env={"TWOFOLD_TOKEN": TOKEN})
        assert ran.code == 0, ran.err
        assert len(sigstore.entries) == 1
        bundle = json.loads((release.folder / f"{release.conda.name}.sigstore.json").read_text())
        assert bundle["mediaType"].startswith("application/vnd.dev.sigstore.bundle")
        assert store.history


@pytest.mark.slow
@pytest.mark.parametrize(
    ("identity", "refusal", "message"),
    [
        (make_identity("other"), 0, "no attestation can be made: Token audience claim mismatch"),
        (make_identity(age=3600), 0, "the identity token of this run is not one for Sigstore"),
        ("no token", 0, "no attestation can be made: Malformed token"),
        (make_identity(), 403, "Sigstore made no attestation"),
        (make_identity(), 500, "Sigstore made no attestation"),
    ],
)
def test_what_sigstore_refuses_stops_before_anything_is_uploaded(
    identity: str,
    refusal: int,
    message: str,
    twofold: Callable[..., Any],
    release: Release,
    sigstore: Sigstore,
) -> None:
    sigstore.refusal = refusal
    with run_server(PrefixServer) as (address, store):
        words = ["publish", release.conda, "--to", f"prefix+{address}/lab", "--attestations"]
        env = {"TWOFOLD_TOKEN": TOKEN, "SIGSTORE_ID_TOKEN": identity}
        ran = twofold(*words, "--yes", env=env)
        assert (ran.code, message in ran.err) == (1, True), ran.err
        assert "hint:" in ran.err
        assert identity not in ran.err and "Traceback" not in ran.err
        assert not store.history
    assert list_attestations(release) == []
