"""`publish --try` from a server whose certificate is the target's own authority's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from tests.factories.releases import Release, make_conda
from twofold.errors import Unreachable
from twofold.install.auth import custom_ca_bundle
from twofold.publish.order import Order, prepare
from twofold.publish.responses import RetryPolicy


@pytest.mark.slow
def test_both_worlds_trust_the_authority_of_the_target(
    twofold: Callable[..., Any], release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    (tmp_path / "chain.pem").write_bytes(b"".join(p.bytes() for p in issued.cert_chain_pems))
    # Somebody's bundle for everything else does not stand in the way of the target's own.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", DEFAULT_CA_BUNDLE_PATH)
    words = ["serve", "--port", "0", "--data", str(tmp_path / "data"), "--json"]
    words += ["--tls-cert", str(tmp_path / "chain.pem"), "--tls-key", str(tmp_path / "key.pem")]
    command = [sys.executable, "-m", "twofold", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            monkeypatch.setenv("TWOFOLD_TOKEN", ready["token"])
            url = f"{ready['url']}/main"
            with pytest.raises(Unreachable, match="is not trusted"):
                prepare(Order(release.files, [url], retry_policy=RetryPolicy(attempts=1)))
            config = tmp_path / "twofold-config" / "config.toml"
            config.parent.mkdir()
            ca = (tmp_path / "ca.pem").as_posix()
            config.write_text(f'[targets.lab]\nurl = "{url}"\nca = "{ca}"\n')
            newer = make_conda(release.folder, "my_package", "2.0.0")
            ran = twofold("publish", release.wheel, newer, "--to", "lab", "--try")
        finally:
            process.terminate()
    assert ran.code == 0, ran.out + ran.err
    assert ran.out.count("ok   import my_package") == 2


def test_the_usual_certificates_stay_trusted_and_the_environment_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(own))
    monkeypatch.setenv("SSL_CERT_FILE", DEFAULT_CA_BUNDLE_PATH)
    monkeypatch.delenv("PIP_CERT", raising=False)
    with custom_ca_bundle(str(own)):
        bundle = Path(os.environ["PIP_CERT"])
        assert os.environ["SSL_CERT_FILE"] == str(bundle)
        assert own.read_bytes() in bundle.read_bytes()
        assert Path(DEFAULT_CA_BUNDLE_PATH).read_bytes() in bundle.read_bytes()
    assert not bundle.exists()
    assert "PIP_CERT" not in os.environ
    assert os.environ["SSL_CERT_FILE"] == DEFAULT_CA_BUNDLE_PATH
