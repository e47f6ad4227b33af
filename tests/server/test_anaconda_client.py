"""The document's commands with the real `anaconda`, from the first setting to the last removal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.anaconda import CommandLine, second_user
from tests.factories.packages import make_conda, make_sdist, make_wheel
from tests.server.conftest import Place


@pytest.fixture
def anaconda(served: Place, tmp_path: Path) -> CommandLine:
    """Pointed at the registry and logged in as its owner, with the token as password."""
    run = CommandLine(tmp_path)
    run("config", "--set", "url", f"{served.url}/api")
    run("login", "--username", "owner", "--password", served.token)
    return run


@pytest.mark.slow
def test_a_user_uploads_shows_labels_moves_copies_and_removes(
    anaconda: CommandLine, served: Place, tmp_path: Path
) -> None:
    files = [
        make_conda(tmp_path / "1", "one"),
        make_wheel(tmp_path / "2", "two"),
        make_sdist(tmp_path / "2", "two"),
    ]
    second_user(served)
    assert "Username: owner" in anaconda("org", "whoami")

    anaconda("upload", *files)
    output = anaconda("upload", files[0], code=1)
    assert "already exists" in output
    assert "Skipping" in anaconda("upload", "--skip-existing", *files)
    anaconda("upload", "--force", files[0])  # the same bytes: it ends where it began
    conda = files[0].name
    assert served.get(f"/main/noarch/{conda}").content == files[0].read_bytes()

    assert "one" in anaconda("show", "owner")
    assert "1.0.0" in anaconda("show", "owner/one")
    assert conda in anaconda("show", "owner/one/1.0.0")
    assert "subdir" in anaconda("show", f"owner/one/1.0.0/noarch/{conda}")
    assert "Found 1 packages" in anaconda("search", "tw")

    anaconda("move", "owner/one/1.0.0", "--from-label", "main", "--to-label", "dev")
    assert conda in anaconda("label", "--show", "dev")
    assert served.get("/main/noarch/repodata.json").json()["packages.conda"].keys() == {
        "two-1.0.0-py_0.conda"
    }
    anaconda("label", "--copy", "dev", "test")
    assert " + test" in anaconda("label", "--list")
    anaconda("label", "--lock", "test")
    assert "test[locked]" in anaconda("label", "--list")
    anaconda("label", "--remove", "test", code=1)
    anaconda("label", "--unlock", "test")
    anaconda("label", "--remove", "test")
    assert "test" not in anaconda("label", "--list")

    anaconda("copy", "owner/one/1.0.0", "--from-label", "dev", "--to-label", "main")
    assert f"Copied file: noarch/{conda}" in anaconda(
        "copy", "owner/one/1.0.0", "--to-owner", "owner", "--to-label", "stable"
    )
    anaconda("download", "owner/one")
    assert (tmp_path / "noarch" / conda).read_bytes() == files[0].read_bytes()

    anaconda("remove", "--force", f"owner/one/1.0.0/noarch/{conda}")
    anaconda("remove", "--force", "owner/two/1.0.0")
    assert served.get("/main/noarch/repodata.json").json()["packages.conda"] == {}
    assert served.get(f"/main/noarch/{conda}").status_code == 404


@pytest.mark.slow
def test_tokens_are_made_listed_used_and_removed(
    anaconda: CommandLine, served: Place, tmp_path: Path
) -> None:
    assert "conda:download" in anaconda("auth", "--list-scopes")
    made = anaconda(
        "auth",
        "--create",
        "--name",
        "ci",
        "--scopes",
        "conda:download channel:main",
        "--max-age",
        "3600",
        "--out",
        "token",
        says=f"{served.token}\n",
    )
    assert "error" not in made.lower()
    token = (tmp_path / "token").read_text().strip()
    listed = anaconda("auth", "--list")
    assert "ci" in listed and "conda:download" in listed and "59 minutes" in listed

    reads_only = ("-t", token, "upload", make_conda(tmp_path / "1", "one"))
    output = anaconda(*reads_only, code=1)
    assert "lacks permission to upload" in output
    assert "one" not in anaconda("-t", token, "search", "one").replace("Found", "")

    anaconda("auth", "--remove", "ci")
    assert "has been revoked" in anaconda("-t", token, "org", "whoami", code=1)
    anaconda("org", "logout")
