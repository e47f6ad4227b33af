"""The web pages and the search of a channel with an index show both sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories.packages import make_conda, make_wheel
from tests.server.conftest import Place
from tests.servers.upstream import StaticServer, add_upstream
from tests.servers.upstream_reads import JSON, files_of
from twofold.index.folder import index_folder
from twofold.server.proxy import config
from twofold.server.proxy.policy import Policy


@pytest.fixture
def front(served: Place, static: StaticServer, tmp_path: Path) -> Place:
    static.publish(*(make_wheel(tmp_path, "spam", version) for version in ("1.0", "10.0", "9.0")))
    static.publish(make_wheel(tmp_path, "acme_tools", "1.0"))
    add_upstream(served, f"{static.url}/simple", "pypi", "acme")
    return served


def test_a_project_that_nobody_fetched_has_a_page(front: Place) -> None:
    page = front.get("/main/project/Spam").text
    assert page.index("spam-10.0-py3") < page.index("spam-9.0-py3") < page.index("spam-1.0-py3")
    assert "/main/with/spam" in page and "pip install" in page
    assert front.get("/main/project/absent").status_code == 404


def test_a_project_of_both_sides_shows_what_is_here_and_what_is_not(
    front: Place, static: StaticServer
) -> None:
    files_of(front, "spam")
    url = front.get("/main/simple/spam/", Accept="application/vnd.pypi.simple.v1+json").json()
    for file in url["files"]:
        if "-9.0-" in file["filename"]:
            front.get(f"/main{file['url'].removeprefix('../..')}").raise_for_status()
    page = front.get("/main/project/spam").text
    here, _, upstream = page.partition("From the upstream")
    assert "spam-9.0-py_0.conda" in here and "spam-9.0" not in upstream
    assert "spam-10.0-py3" in upstream
    static.fault = "hangs up"
    assert front.get("/main/project/spam").status_code == 200


def test_the_reason_of_a_refusal_is_on_the_page(front: Place) -> None:
    config.set_policy(front.registry, "owner", "main", Policy(deny=("spam>=9",)))
    page = front.get("/main/project/spam").text
    assert page.count("Not served: the policy of this channel denies") == 2


@pytest.mark.parametrize(("text", "found"), [("spam", True), ("Spam", True), ("pam", False)])
def test_a_search_finds_a_project_of_the_upstream_by_its_name(
    front: Place, text: str, found: bool
) -> None:
    assert ("/main/project/spam" in front.get(f"/main?q={text}").text) is found
    files_of(front, "spam")
    assert "/main/project/spam" in front.get(f"/main?q={text}").text  # known from now on


def test_the_search_of_programs_shows_both_sides(
    front: Place, static: StaticServer, tmp_path: Path
) -> None:
    """Files of the channel and of the upstream, projects nobody fetched, and names in part."""
    front.publish(make_wheel(tmp_path, "spam_of_ours", "2.0"))
    found = {hit["name"]: hit for hit in front.get("/api/search?name=spam").json()}
    assert found["spam"]["versions"] == ["1.0", "9.0", "10.0"]
    assert found["spam"]["package_types"] == ["pypi"]
    assert found["spam_of_ours"]["latest_version"] == "2.0"
    files = front.get("/main/simple/spam/", Accept=JSON).json()["files"]
    url = next(file["url"] for file in files if "-9.0-" in file["filename"])
    front.get(f"/main{url.removeprefix('../..')}").raise_for_status()
    static.fault = "hangs up"
    (spam,) = front.get("/api/search?name=pam&type=conda").json()[:1]
    assert spam["versions"] == ["1.0", "9.0", "10.0"] and spam["conda_platforms"] == ["noarch"]


def test_a_search_for_no_name_and_for_a_private_one_asks_no_upstream(
    front: Place, static: StaticServer
) -> None:
    for text in ("a/../b", "..", "spam%20eggs", "%C3%A4", "acme", "ACME.Tools"):
        for path in (f"/api/search?name={text}", f"/main?q={text}"):
            assert front.get(path).status_code == 200
    assert front.get(f"/api/search?name={'x' * 200}").json() == []
    assert static.requested == []


@pytest.mark.parametrize("path", ["/main/project/acme-tools", "/main?q=acme", "/main?q=Acme_tools"])
def test_a_private_name_is_not_requested_by_pages_for_people(
    front: Place, static: StaticServer, path: str
) -> None:
    assert "project/acme-tools" not in front.get(path).text
    assert static.requested == []


def test_searches_list_the_packages_of_a_conda_upstream_and_ask_it_nothing(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    """Packages of the indexes that clients read; private ones never, and each has a page."""
    for name in ("cfitsio", "python_fits", "acme-fits", "fits-of-ours"):
        package = make_conda(tmp_path / name, name, "4.0")
        target = static.folder / "channel" / "noarch" / package.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(package.read_bytes())
    index_folder(static.folder / "channel")
    add_upstream(served, f"{static.url}/channel", "conda", "acme")
    served.publish(make_wheel(tmp_path, "fits_of_ours", "1.0"))
    served.get("/main/noarch/repodata_shards.msgpack.zst").raise_for_status()
    static.requested.clear()
    hits = {hit["name"]: hit for hit in served.get("/api/search?name=fits").json()}
    assert set(hits) == {"cfitsio", "python_fits", "fits_of_ours"}
    assert hits["cfitsio"]["conda_platforms"] == ["noarch"]
    text = served.get("/main?q=fits").text
    assert "/main/project/cfitsio" in text and "acme-fits" not in text
    assert static.requested == []
    page = served.get("/main/project/python_fits").text
    assert "noarch/python_fits-4.0" in page and "conda install" in page
    assert "pip install" not in page
    assert served.get("/main/project/acme-fits").status_code == 404
    assert not any("acme" in path for path in static.requested)
