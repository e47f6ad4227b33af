"""A registry behind a proxy: its public URL stands in everything that names one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from tests.factories.packages import make_conda, make_wheel
from tests.server.conftest import Place, serve
from twofold.errors import TwofoldError
from twofold.server.web.origin import parse_public_url

PUBLIC = "https://packages.example/pkgs"


@pytest.fixture
def behind_proxy(place: Place) -> Iterator[Place]:
    place.settings = replace(place.settings, public_url=PUBLIC)
    with serve(place):
        yield place


def get(place: Place, path: str, **options: str) -> requests.Response:
    headers = {"Host": "evil.example", **options}
    return requests.get(f"{place.url}{path}", headers=headers, timeout=60, allow_redirects=False)


@pytest.mark.parametrize("prefix", ["", "/pkgs"], ids=["taken away", "passed on"])
def test_every_url_is_the_public_one(behind_proxy: Place, tmp_path: Path, prefix: str) -> None:
    place = behind_proxy
    wheel = make_wheel(tmp_path)
    place.publish(wheel)
    for path in (
        "/",
        "/main",
        "/main/project/my-package",
        "/main/pypi/my-package/json",
        "/main/pypi/my-package/1.0.0/json",
        "/.well-known/pytp?discover=/main/legacy/",
        "/api/openapi.json",
    ):
        answer = get(place, prefix + path)
        assert answer.status_code == 200, path
        assert PUBLIC in answer.text, path
        assert "evil.example" not in answer.text and "127.0.0.1" not in answer.text, path
        rest = re.findall(r"https?://packages\.example(?!/pkgs)[^\s\"<]*", answer.text)
        assert rest == [], path


@pytest.mark.parametrize("prefix", ["", "/pkgs"], ids=["taken away", "passed on"])
def test_clients_find_everything_below_the_prefix(
    behind_proxy: Place, tmp_path: Path, prefix: str
) -> None:
    place = behind_proxy
    wheel = make_wheel(tmp_path)
    done = place.publish(wheel)
    paths = (
        "/main/simple/",
        "/main/simple/my-package/",
        f"/main/files/{done.file.sha256}/{wheel.name}",
        f"/main/files/{done.file.sha256}/{wheel.name}.metadata",
        "/main/noarch/repodata.json",
        f"/main/{done.converted[0].basename}",
        f"/t/{place.token}/main/simple/my-package/",
        "/api/package/main/my_package",
        "/healthz",
    )
    for path in paths:
        assert get(place, prefix + path).status_code == 200, path
    moved = get(place, f"{prefix}/main/simple")
    assert (moved.status_code, moved.headers["location"]) == (301, "simple/")
    moved = get(place, f"{prefix}/main/simple/My_Package/")
    assert (moved.status_code, moved.headers["location"]) == (301, "../my-package/")
    again = requests.post(f"{place.url}{prefix}/main/legacy", timeout=60, allow_redirects=False)
    assert (again.status_code, again.headers["location"]) == (308, f"{PUBLIC}/main/legacy/")


def test_uploads_in_three_steps_go_to_the_public_url(behind_proxy: Place, tmp_path: Path) -> None:
    place = behind_proxy
    conda = make_conda(tmp_path)
    headers = {"Authorization": f"token {place.token}"}
    url = f"{place.url}/api/stage/owner/my_package/1.0.0/noarch/{conda.name}"
    stage = requests.post(url, json={}, headers=headers, timeout=60).json()
    assert stage["post_url"].startswith(f"{PUBLIC}/api/staged/")
    path = stage["post_url"].removeprefix(PUBLIC)
    files = {"file": (conda.name, conda.read_bytes())}
    assert requests.post(f"{place.url}{path}", files=files, timeout=60).status_code == 201


def test_pages_of_the_public_url_are_no_other_site(behind_proxy: Place) -> None:
    url = f"{behind_proxy.url}/nowhere"
    own = requests.post(url, headers={"Origin": "https://packages.example"}, timeout=60)
    assert own.json()["code"] != "cross-site"
    foreign = requests.post(url, headers={"Origin": behind_proxy.url}, timeout=60)
    assert (foreign.status_code, foreign.json()["code"]) == (403, "cross-site")


def test_the_audience_of_identities_is_the_public_url(behind_proxy: Place) -> None:
    assert get(behind_proxy, "/_/oidc/audience").json() == {"audience": PUBLIC}


@pytest.mark.parametrize(
    "text",
    [
        "packages.example",
        "ftp://x",
        "https://",
        "https://x/?a",
        "https://u:p@x/",
        "https://x:y",
        "https://x y",
        "https://x/\u00e4",
        "https://x/../y",
        "https://x/a//b",
        "https://x:99999",
    ],
)
def test_what_is_no_public_url_is_refused(text: str) -> None:
    with pytest.raises(TwofoldError, match="not a public URL"):
        parse_public_url(text)


@pytest.mark.parametrize(
    ("public", "name", "path"),
    [
        ("https://packages.example/pkgs", "__Secure-twofold-session", "/pkgs"),
        ("https://packages.example/a/b", "__Secure-twofold-session", "/a/b"),
        ("https://packages.example", "__Host-twofold-session", "/"),
        ("https://packages.example:8443", "__Host-twofold-session", "/"),
        ("http://packages.internal/pkgs", "twofold-session", "/pkgs"),
    ],
)
def test_a_session_belongs_to_the_public_address_behind_a_proxy_that_ends_tls(
    place: Place, public: str, name: str, path: str
) -> None:
    """The proxy speaks http to the registry; its readers have https, and one prefix."""
    place.settings = replace(place.settings, public_url=public)
    origin, prefix = re.match(r"(https?://[^/]+)(.*)", public).groups()  # type: ignore[union-attr]
    with serve(place):
        page = requests.get(f"{place.url}{prefix}/-/sign-in", timeout=60)
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert csrf
        form = page.headers["set-cookie"]
        answer = requests.post(
            f"{place.url}{prefix}/-/sign-in",
            data={
                "csrf": csrf[1],
                "user": "owner",
                "password": place.token,
                "next": "/-/account",
            },
            headers={"Cookie": form.partition(";")[0], "Origin": origin},
            allow_redirects=False,
            timeout=60,
        )
        assert (answer.status_code, answer.headers["location"]) == (303, f"{prefix}/-/account")
        kept = [one.strip() for one in answer.raw.headers.getlist("set-cookie")[0].split(";")]
        assert kept[0].partition("=")[0] == name
        assert f"Path={path}" in kept and "HttpOnly" in kept and "SameSite=lax" in kept
        assert ("Secure" in kept) is public.startswith("https")
        assert not any(one.startswith("Domain") for one in kept)
        account = requests.get(
            f"{place.url}{prefix}/-/account", headers={"Cookie": kept[0]}, timeout=60
        )
        assert account.ok and f'action="{prefix}/-/sign-out"' in account.text
