"""The rest of anaconda-client's commands, as its help lists them; rattler-build's uploaders."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.clients.anaconda import CommandLine, client, second_user
from tests.factories.packages import make_conda, make_wheel
from tests.server.conftest import Place
from twofold.server.auth import accounts


@pytest.fixture
def anaconda(served: Place, tmp_path: Path) -> CommandLine:
    run = CommandLine(tmp_path)
    run("config", "--set", "url", f"{served.url}/api")
    run("login", "--username", "owner", "--password", served.token)
    return run


@pytest.mark.slow
def test_what_an_uploader_says_of_a_file_is_kept_and_shown(
    anaconda: CommandLine, served: Place, tmp_path: Path
) -> None:
    package = make_conda(tmp_path / "1", "one")
    message = ("--summary", "A summary", "--description", "A description", "--build-id", "b7")
    anaconda("upload", *message, "-l", "dev", "-l", "main", package)
    assert "A summary" in anaconda("show", "owner/one")
    assert "A description" in anaconda("show", "owner/one/1.0.0")
    shown = requests.get(
        f"{served.url}/api/dist/owner/one/1.0.0/noarch/{package.name}", timeout=120
    )
    output = shown.json()
    assert output["description"] == "A description"
    assert output["attrs"]["build_number"] == 0 and output["attrs"]["subdir"] == "noarch"
    assert output["labels"] == ["dev", "main"]
    changes = tmp_path / "changes.json"
    changes.write_text(json.dumps({"summary": "Another summary"}))
    anaconda("update", "owner/one", changes)
    assert "Another summary" in anaconda("show", "owner/one")
    anaconda("update", "--release", "owner/one/1.0.0", changes)
    shown = requests.get(shown.url, timeout=120)
    assert shown.json()["description"] == "A description"  # a release's words are not its files'


def test_a_private_package_is_refused_where_everybody_would_see_it(
    anaconda: CommandLine, served: Place, tmp_path: Path
) -> None:
    package = make_conda(tmp_path / "1", "one")
    output = anaconda("upload", "--private", package, code=1)
    assert "is public" in output
    assert served.get("/main/noarch/repodata.json").json()["packages.conda"] == {}
    assert served.owner.user is not None
    accounts.add_channel(served.registry, "owner", "secret", served.owner.user, public=False)
    anaconda("upload", "--private", "-u", "secret", package)
    assert served.get("/secret/noarch/repodata.json").status_code == 401


@pytest.mark.slow
def test_packages_are_registered_before_and_notebooks_are_refused(
    anaconda: CommandLine, tmp_path: Path
) -> None:
    package = make_conda(tmp_path / "1", "one")
    assert "does not exist" in anaconda("upload", "--no-register", package, code=1)
    anaconda("package", "--create", "--summary", "made before", "owner/one")
    anaconda("upload", "--no-register", package)
    notebook = tmp_path / "note.ipynb"
    notebook.write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    assert "Notebook" in anaconda("upload", notebook, code=2)
    anaconda("remove", "--force", "owner/one")
    assert "Anonymous" not in anaconda("org", "whoami")
    anaconda("org", "logout")
    assert "Anonymous" in anaconda("org", "whoami")


@pytest.mark.slow
def test_groups_are_the_roles_of_a_channel(
    anaconda: CommandLine, served: Place, tmp_path: Path
) -> None:
    bea = second_user(served)
    assert "'members_count': 1" in anaconda("org", "groups", "show", "owner")
    assert "bea" not in anaconda("org", "groups", "members", "owner/upload")
    anaconda("org", "groups", "add_member", "owner/upload/bea")
    assert "bea" in anaconda("org", "groups", "members", "owner/upload")
    anaconda("upload", make_conda(tmp_path / "1", "one"))
    assert "one" in anaconda("org", "groups", "packages", "owner/upload")
    assert "bea" in anaconda("package", "--list-collaborators", "owner/one")
    assert bea.actor.user is not None
    token, _ = accounts.issue_token_for(
        served.registry, "x", bea.actor.user, accounts.TokenRequest("x")
    )
    anaconda("-t", token, "upload", "-u", "owner", make_conda(tmp_path / "2", "two"))
    output = anaconda("-t", token, "org", "groups", "add_member", "owner/admin/bea", code=1)
    assert "lacks permission to admin" in output
    anaconda("org", "groups", "remove_member", "owner/upload/bea")
    assert "lacks permission" in anaconda(
        "-t", token, "upload", "-u", "owner", make_conda(tmp_path / "3", "three"), code=1
    )


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "group/owner/team"),
        ("PUT", "group/owner/upload/packages/x"),
        ("PUT", "packages/owner/x/collaborators/bea"),
        ("PUT", "group/owner/team/members/bea"),
        ("PUT", "group/owner/upload/members/nobody"),
        ("DELETE", "group/owner/upload/members/nobody"),
    ],
)
def test_what_groups_cannot_do_is_reported_with_what_can(
    served: Place, method: str, path: str
) -> None:
    headers = {"Authorization": f"token {served.token}"}
    output = requests.request(method, f"{served.url}/api/{path}", headers=headers, timeout=120)
    assert output.status_code in (400, 404) and output.json()["error"]
    assert requests.request(method, f"{served.url}/api/{path}", timeout=120).status_code == 401


def test_attributes_of_an_announcement_are_kept_but_never_replace_the_files_own(
    served: Place, tmp_path: Path
) -> None:
    package = make_conda(tmp_path, "one")
    own = client(served)
    own.add_package("owner", "one", summary="x")
    own.add_release("owner", "one", "1.0.0", [], "", {})
    attrs = {"operatingsystem": "linux", "subdir": "evil", "build_number": 99, "depends": []}
    with package.open("rb") as stream:
        place = ("owner", "one", "1.0.0", f"noarch/{package.name}")
        own.upload(*place, stream, "conda", "<b>described</b>", attrs=attrs)
    output = own.distribution("owner", "one", "1.0.0", f"noarch/{package.name}")
    assert output["description"] == "<b>described</b>"
    assert output["attrs"]["operatingsystem"] == "linux"
    assert output["attrs"]["subdir"] == "noarch" and output["attrs"]["build_number"] == 0
    assert output["attrs"]["depends"] == ["python"]


def rattler_build(code: str, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import rattler_build as it, sys; {code}", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_rattler_builds_uploaders_for_prefix_and_quetz_reach_a_channel(
    served: Place, tmp_path: Path
) -> None:
    one, two = make_conda(tmp_path / "1", "one"), make_conda(tmp_path / "2", "two")
    code = "it.upload_package_to_prefix([sys.argv[1]], sys.argv[2], 'main', api_key=sys.argv[3])"
    done = rattler_build(code, one, served.url, served.token)
    assert done.returncode == 0, done.stderr
    assert served.get(f"/main/noarch/{one.name}").content == one.read_bytes()
    code = "it.upload_package_to_quetz([sys.argv[1]], sys.argv[2], 'main', api_key=sys.argv[3])"
    done = rattler_build(code, two, served.url, served.token)
    assert done.returncode == 0, done.stderr
    assert served.get(f"/main/noarch/{two.name}").content == two.read_bytes()
    code = "it.upload_package_to_prefix([sys.argv[1]], sys.argv[2], 'main', api_key=sys.argv[3])"
    refused = rattler_build(code, make_conda(tmp_path / "3", "three"), served.url, "twofold-x")
    assert refused.returncode != 0 and served.token not in refused.stderr
    wheel = make_wheel(tmp_path / "4", "four")
    assert rattler_build(code, wheel, served.url, served.token).returncode in (0, 1)
