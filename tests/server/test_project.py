"""PyPI's JSON API, a project's page, provenance (PEP 740), reserved prefixes (PEP 752), status."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from twofold.server.auth import accounts
from twofold.server.model import Action
from twofold.server.registry import administration, lifecycle

JSON = "application/vnd.pypi.simple.v1+json"


def test_the_json_api_describes_a_project_and_a_release(served: Place, tmp_path: Path) -> None:
    more = ("Requires-Dist: numpy", "Author: Me", "Keywords: a,b")
    for version in ("1.0", "1.10", "1.9", "2.0rc1"):
        served.publish(make_wheel(tmp_path, "My_Package", version, *more))
    value = served.get("/main/pypi/my-package/json").json()
    assert value["info"]["name"] == "My_Package"
    assert value["info"]["version"] == "1.10"
    assert value["info"]["requires_dist"] == ["numpy"]
    assert value["info"]["keywords"] == "a,b"
    assert set(value["releases"]) == {"1.0", "1.10", "1.9", "2.0rc1"}
    (url,) = value["urls"]
    assert served.get(url["url"].removeprefix(served.url)).status_code == 200
    release = served.get("/main/pypi/my-package/1.0/json").json()
    assert release["info"]["version"] == "1.0"
    assert "releases" not in release
    assert served.get("/main/pypi/my-package/9/json").status_code == 404
    assert served.get("/main/pypi/nothing/json").status_code == 404


@pytest.mark.parametrize("status", ["archived", "quarantined"])
def test_a_project_that_is_closed_takes_no_files(
    served: Place, tmp_path: Path, status: str
) -> None:
    wheel = make_wheel(tmp_path)
    served.upload(wheel).raise_for_status()
    lifecycle.set_status(served.registry, served.owner, "main", "my_package", status)
    assert served.upload(wheel).status_code == 200  # the same file again changes nothing
    answer = served.upload(make_wheel(tmp_path, "my_package", "1.1"))
    assert (answer.status_code, answer.json()["code"]) == (403, f"project-{status}")
    lifecycle.set_status(served.registry, served.owner, "main", "my_package", "active")
    assert served.upload(make_wheel(tmp_path, "my_package", "1.1")).status_code == 200


def test_a_quarantined_project_offers_nothing_in_either_world(
    served: Place, tmp_path: Path
) -> None:
    done = served.upload(make_wheel(tmp_path)).json()
    served.upload(make_wheel(tmp_path, "my_package", "1.1")).raise_for_status()
    registry, owner = served.registry, served.owner
    lifecycle.yank(registry, owner, "main", "my_package", "1.1", "it breaks")
    paths = (
        f"/main/files/{done['sha256']}/{done['filename']}",
        f"/main/files/{done['sha256']}/{done['filename']}.metadata",
        "/main/noarch/my_package-1.0.0-py_0.conda",
    )
    assert [served.get(path).status_code for path in paths] == [200, 200, 200]
    lifecycle.set_status(registry, owner, "main", "my_package", "quarantined", "malware")
    page = served.get("/main/simple/my-package/", accept=JSON).json()
    assert page["files"] == []
    assert page["project-status"] == {"status": "quarantined", "reason": "malware"}
    assert served.get("/main/noarch/repodata.json").json()["packages.conda"] == {}
    for path in paths:
        answer = served.get(path)
        assert (answer.status_code, "quarantined: malware" in answer.reason) == (403, True), path
    lifecycle.set_status(registry, owner, "main", "my_package", "active")
    assert [served.get(path).status_code for path in paths] == [200, 200, 200]
    files = served.get("/main/simple/my-package/", accept=JSON).json()["files"]
    assert [file["yanked"] for file in files] == [False, "it breaks"]
    assert len(served.get("/main/noarch/repodata.json").json()["packages.conda"]) == 1


def test_a_projects_status_is_shown(served: Place, tmp_path: Path) -> None:
    served.publish(make_wheel(tmp_path))
    lifecycle.set_status(served.registry, served.owner, "main", "my_package", "archived", "done <3")
    page = served.get("/main/simple/my-package/", accept=JSON).json()
    assert page["project-status"] == {"status": "archived", "reason": "done <3"}
    text = served.get("/main/simple/my-package/").text
    assert 'name="pypi:project-status" content="archived"' in text
    assert "done &lt;3" in text


def test_a_reserved_prefix_is_for_its_owner(served: Place, tmp_path: Path) -> None:
    registry = served.registry
    team = accounts.add_user(registry, "owner", "team", kind="organisation")
    insider = accounts.add_user(registry, "owner", "insider")
    outsider = accounts.add_user(registry, "owner", "outsider")
    administration.set_member(registry, "owner", team, insider, Action.UPLOAD)
    for user in (insider, outsider):
        administration.set_role(registry, "owner", "main", user, Action.UPLOAD)
    administration.reserve_prefix(registry, "owner", "main", "acme", team)
    tokens = {
        user.name: accounts.issue_token_for(registry, "owner", user, accounts.TokenRequest("t"))[0]
        for user in (insider, outsider)
    }
    wheel = make_wheel(tmp_path, "acme-tools")
    refused = served.upload(wheel, token=tokens["outsider"])
    assert (refused.status_code, refused.json()["code"]) == (403, "private-prefix")
    assert served.upload(wheel, token=tokens["insider"]).status_code == 200
    free = make_wheel(tmp_path, "acmetools-other")
    assert served.upload(free, token=tokens["outsider"]).status_code == 200
