"""What users mistype or forget: a message with a hint, the right exit code, never a traceback, and
never the secret they typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import make_sdist
from tests.servers.package_servers import TOKEN, FakeServer, run_server
from twofold.cli import main
from twofold.errors import TwofoldError, UsageError
from twofold.publish.addresses import redact_url, split_login
from twofold.publish.config import read_targets
from twofold.publish.order import Order, prepare
from twofold.publish.resolve import resolve_targets


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("http://[::1/main", "http://[::1/main is not a valid URL"),
        ("http://host:99999/main", "http://host:99999/main is not a valid URL"),
        ("http://host:1/main?token=zq-secret", "it has a query"),
        ("http://host:abc/main", "http://host:abc/main is not a valid URL"),
        ("legacy+http://me:zq-secret@[::1/x/", "http://[::1/x/ is not a valid URL"),
        ("ftp://me:zq-secret@host/x", "'ftp://host/x' is not a target URL"),
        ("https:///zq", "the host is missing"),
        ("s3://", "the host is missing"),
        ("registry+s3://bucket/x", "is not a target URL"),
        ("s3+http://host/x", "is not a target URL"),
        ("quetz+http://host", "has no channel"),
        ("anaconda:", "has no owner"),
        ("pipy", "there is no target 'pipy'"),
        ("PyPI", "did you mean 'pypi'?"),
        ("README.md", "there is no target 'README.md'"),
    ],
)
def test_a_target_that_is_none_is_reported_without_its_secret(word: str, expected: str) -> None:
    with pytest.raises(TwofoldError) as caught:
        resolve_targets([word], {})
    assert expected in str(caught.value)
    assert caught.value.hint
    assert "zq-secret" not in str(caught.value)


@pytest.mark.parametrize("word", ["", " "])
def test_an_empty_target_is_wrong_usage_and_not_this_folder(word: str) -> None:
    """As `--to "$PLACE"` gives it where PLACE is not set."""
    with pytest.raises(UsageError, match="the target is empty"):
        resolve_targets([word], {})


@pytest.mark.parametrize("url", ["http://u:zq-secret@[::1/t/zq-other/x?zq-more", "//[zq:s@h"])
def test_an_address_that_cannot_be_taken_apart_is_shown_without_secrets(url: str) -> None:
    assert "zq" not in redact_url(url)
    with pytest.raises(TwofoldError, match="is not a valid URL"):
        split_login(url)


def test_an_address_in_the_configuration_that_is_none_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[targets.lab]\nurl = "http://[::1/main"\n')
    with pytest.raises(TwofoldError, match="is not a valid URL"):
        read_targets(file)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--attempts", "0"], "pass 1 or more"),
        (["--attempts", "-3"], "pass 1 or more"),
        (["--attempts", "x"], "pass 1 or more"),
        (["--ignore", "TF999"], "there is no rule 'TF999'"),
        (["--to", ""], "the target is empty"),
    ],
)
@pytest.mark.parametrize("command", ["publish", "release"])
def test_a_wrong_option_is_wrong_usage_before_anything_is_done(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    words: list[str],
    expected: str,
) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "zq"\nversion = "1"\n')
    project = ["--project", str(tmp_path), "--to", str(tmp_path / "static")]
    version = ["1.1"] if command == "release" else []
    assert _exit_code([command, *version, *project, *words]) == 2
    stated = capsys.readouterr().err
    assert expected in stated
    assert "hint:" in stated
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pyproject.toml"]


def _exit_code(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as ended:
        return int(ended.code or 0)


def test_a_channel_that_is_not_there_is_reported_at_login_and_nothing_is_stored(
    registry: Any, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "twofold", "login", f"{registry.url}/nowhere"],
        input=registry.token,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert "There is no channel 'nowhere'" in done.stderr
    assert "hint:" in done.stderr
    assert not (tmp_path / "twofold-config" / "config.toml").exists()


def test_a_key_that_the_project_allows_is_published_as_it_was_built(tmp_path: Path) -> None:
    """`allow` of [tool.twofold.check] counts for the sdist as it did for the build."""
    key = "-----BEGIN RSA " + "PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA" * 4
    sdist = make_sdist(tmp_path, "my_package", "1.0.0", more={"certs/key.pem": key})
    order = Order([sdist], [str(tmp_path / "static")], tmp_path)
    with prepare(order) as publication:
        assert [f.code for f in publication.findings if f.is_error] == ["TF201"]
    (tmp_path / "pyproject.toml").write_text('[tool.twofold.check]\nallow = ["certs/*.pem"]\n')
    with prepare(order) as publication:
        assert [f.code for f in publication.findings if f.is_error] == []


class Website(FakeServer):
    """Answers everything with a page, as a web site does at a wrong address."""

    def do_GET(self) -> None:
        self.send_answer(200, data=b"<html>Welcome</html>")

    def do_POST(self) -> None:
        raise AssertionError("nothing may be sent")


def test_a_web_site_is_no_registry_and_gets_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", TOKEN)
    file = make_sdist(tmp_path, "my_package", "1.0")
    with run_server(Website) as (address, _), prepare(Order([file], [f"{address}/main"])) as found:
        (problem,) = found.plan.problems
    assert problem.message == "that server is not a twofold registry"


def test_a_file_in_a_folders_place_is_reported_in_the_plan(tmp_path: Path) -> None:
    file = make_sdist(tmp_path, "my_package", "1.0")
    (tmp_path / "static").write_text("")
    with prepare(Order([file], [str(tmp_path / "static")])) as found:
        (problem,) = found.plan.problems
    assert "is a file, not a folder" in problem.message


def test_certificates_that_are_not_there_are_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWINE_CERT", str(tmp_path / "none.pem"))
    file = make_sdist(tmp_path, "my_package", "1.0")
    with pytest.raises(
        TwofoldError, match=r"the CA bundle .*none\.pem .* does not exist"
    ) as caught:
        prepare(Order([file], ["legacy+https://127.0.0.1:9/legacy/"]))
    assert caught.value.hint
