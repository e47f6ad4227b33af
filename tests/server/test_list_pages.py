"""Pages that list: paging, sorting, search with filters, labels, who sees which channel."""

from __future__ import annotations

from pathlib import Path

from tests.factories.packages import make_conda, make_wheel
from tests.server.conftest import Place
from twofold.server.auth import accounts
from twofold.server.registry import labels, lifecycle
from twofold.server.registry.labels import Selection


def positions(page: str, *names: str) -> list[int]:
    return [page.index(f'/project/{name}"') for name in names]


def test_a_channel_is_paged_and_sorted(served: Place, tmp_path: Path) -> None:
    summary = "Keywords: geometry"
    for name in ("beta", "alpha", "gamma"):
        served.publish(make_wheel(tmp_path, name, "1.0", summary))
    page = served.get("/main").text
    assert positions(page, "alpha", "beta", "gamma") == sorted(
        positions(page, "alpha", "beta", "gamma")
    )
    newest = served.get("/main?sort=newest").text
    places = positions(newest.partition('id="projects"')[2], "gamma", "alpha", "beta")
    assert places == sorted(places)
    assert "Uploaded" in page and "<small>x</small>" in page
    for beyond in (
        "/main?page=9",
        "/main?page=x",
        "/main?page=-1",
        "/main?sort=no",
        "/main?page=²",
    ):
        assert served.get(beyond).status_code == 200, beyond


def test_the_search_reads_all_channels_that_the_caller_may(served: Place, tmp_path: Path) -> None:
    assert served.owner.user is not None
    accounts.add_channel(served.registry, "owner", "secret", served.owner.user, public=False)
    served.publish(make_wheel(tmp_path, "open-mesh", "1.0", "Keywords: geometry"))
    served.publish(make_conda(tmp_path, "rope", "1.0"))
    served.publish(make_wheel(tmp_path, "hidden-mesh", "1.0"), channel="secret")
    page = served.get("/-/search?q=mesh").text
    assert "open-mesh" in page and "hidden-mesh" not in page
    assert "hidden-mesh" in served.get("/-/search?q=mesh", token=served.token).text
    assert "open-mesh" in served.get("/-/search?q=geometry").text
    assert "rope" not in served.get("/-/search?world=pip&q=").text
    assert "open-mesh" not in served.get("/-/search?q=mesh&license=MIT").text
    evil = served.get("/-/search?q=%22%3E%3Cb%3E&world=%22%3E%3Cb%3E").text
    assert "<b>" not in evil and "No project matches" in evil
    assert served.get("/-/search?q=x&channel=nosuch").status_code in (401, 404)
    assert served.get("/-/search").status_code == 200


def test_a_label_has_a_page(served: Place, tmp_path: Path) -> None:
    for version in ("1.0", "2.0rc1"):
        served.publish(make_wheel(tmp_path, "my_package", version))
    served.publish(make_wheel(tmp_path, "other", "1.0"))
    labels.add_label(served.registry, served.owner, "main", "dev", Selection("my_package", "1.0"))
    page = served.get("/main/label/dev").text
    assert f"conda install -c {served.channel}/label/dev NAME" in page
    assert f"pip install --index-url {served.channel}/label/dev/simple/ NAME" in page
    assert 'href="/main/project/my-package/1.0"' in page
    assert "2.0rc1" not in page and "other" not in page
    assert "2.0rc1" in served.get("/main/label/pre/").text
    assert served.get("/main/label/main").url == f"{served.url}/main"
    assert served.get("/main/label/nosuch").status_code == 404


def test_the_newest_version_in_a_list_is_one_that_installs(served: Place, tmp_path: Path) -> None:
    for version in ("1.0", "1.1", "2.0rc1"):
        served.publish(make_wheel(tmp_path, "my_package", version))
    lifecycle.yank(served.registry, served.owner, "main", "my-package", "1.1")
    for path in ("/", "/main", "/-/search?q=my-package"):
        page = served.get(path).text
        assert "1.0" in page and "1.1<" not in page and "2.0rc1" not in page, path


def test_a_private_channel_has_no_pages_for_others(served: Place) -> None:
    assert served.owner.user is not None
    accounts.add_channel(served.registry, "owner", "secret", served.owner.user, public=False)
    for path in ("/secret", "/secret/label/pre", "/secret/project/x"):
        assert served.get(path).status_code == 401
