"""Trusted publishing into a real registry over TLS, by the command, as GitHub's and GitLab's CI
run it: an issuer on loopback signs identities, the registry trusts its runs of one repository."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.factories.releases import Release, make_wheel
from tests.servers.identity_provider import REQUEST_TOKEN, Issuer, run_issuer


@dataclass(frozen=True)
class Trusting:
    """The registry's channel, the issuer, and the environment in which both are trusted."""

    channel: str
    issuer: Issuer
    environment: dict[str, str]

    def github(self, **claims: Any) -> dict[str, str]:
        """What GitHub sets for a job with `id-token: write`."""
        self.issuer.claims = claims
        return self.environment | {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.issuer.url}/github?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN,
        }

    def gitlab(self, **claims: Any) -> dict[str, str]:
        """What GitLab sets for `id_tokens: {TWOFOLD_ID_TOKEN: {aud: twofold}}`."""
        return self.environment | {
            "GITLAB_CI": "true",
            "TWOFOLD_ID_TOKEN": self.issuer.token(**claims),
        }


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trusting]:
    folder = tmp_path_factory.mktemp("trusting")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    bundle = str(folder / "ca.pem")
    trusts = {"SSL_CERT_FILE": bundle, "REQUESTS_CA_BUNDLE": bundle}
    environment = {**os.environ, **trusts}
    command = [sys.executable, "-m", "twofold"]
    serve = ["serve", "--port", "0", "--data", str(folder / "data"), "--json"]
    serve += ["--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem")]
    log = (folder / "log").open("wb")
    with run_issuer(authority) as issuer:
        process = subprocess.Popen(
            [*command, *serve], stdout=subprocess.PIPE, stderr=log, env=environment
        )
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            admin = ["admin", "--data", str(folder / "data"), "publisher", "main", "my_package"]
            admin += ["--issuer", issuer.url, "--claim", "repository=org/project"]
            subprocess.run([*command, *admin], check=True, env=environment, capture_output=True)
            yield Trusting(f"{url}/main", issuer, trusts)
        finally:
            process.terminate()
            process.wait(timeout=20)
            log.close()


@pytest.mark.parametrize(("ci", "version"), [("github", "1.1.0"), ("gitlab", "1.2.0")])
def test_a_run_of_the_trusted_repository_publishes_without_a_stored_token(
    trusting: Trusting, twofold: Callable[..., Any], ci: str, version: str, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "my_package", version)
    environment = getattr(trusting, ci)()
    done = twofold("publish", wheel, "--to", trusting.channel, "--json", env=environment)
    assert done.code == 0, done.err
    assert done.json["uploaded"] == 1
    events = [json.loads(line)["event"] for line in done.err.splitlines()]
    assert events[-1] == "verified"
    for secret in (REQUEST_TOKEN, environment.get("TWOFOLD_ID_TOKEN", REQUEST_TOKEN)):
        assert secret not in done.out + done.err


def test_the_build_goes_up_in_both_worlds_with_one_identity(
    trusting: Trusting, twofold: Callable[..., Any], tmp_path: Path
) -> None:
    assert twofold("new", "my_package").code == 0
    project = tmp_path / "my_package"
    assert twofold("build", cwd=project).code == 0
    words = ["publish", "--to", trusting.channel, "--json"]
    done = twofold(*words, cwd=project, env=trusting.github())
    assert done.code == 0, done.err
    assert {row["action"] for row in done.json["files"]} <= {"upload", "nothing"}


@pytest.mark.parametrize("ci", ["github", "gitlab"])
def test_a_run_of_another_repository_is_refused_before_anything_is_sent(
    trusting: Trusting, twofold: Callable[..., Any], release: Release, ci: str
) -> None:
    environment = getattr(trusting, ci)(repository="org/other")
    done = twofold("publish", release.wheel, "--to", trusting.channel, env=environment)
    assert done.code == 1
    assert "hint: add this repository" in done.err
    assert "uploading" not in done.err


def test_an_identity_that_was_used_is_reported_to_be_good_once(
    trusting: Trusting, twofold: Callable[..., Any], tmp_path: Path
) -> None:
    """GitLab gives a job one identity; the registry takes each once."""
    environment = trusting.gitlab()
    wheel = make_wheel(tmp_path, "my_package", "1.3.0")
    words = ["publish", wheel, "--to", trusting.channel, "--dry-run"]
    assert twofold(*words, env=environment).code == 0
    again = twofold(*words, env=environment)
    assert again.code == 1
    assert "run the job again" in again.err


def test_another_project_than_the_trusted_one_is_refused(
    trusting: Trusting, twofold: Callable[..., Any], tmp_path: Path
) -> None:
    other = make_wheel(tmp_path, "other_package", "1.0")
    done = twofold("publish", other, "--to", trusting.channel, env=trusting.github())
    assert done.code == 1
    assert "trusted publisher" in done.err  # where the token came from
    assert "hint:" in done.err
