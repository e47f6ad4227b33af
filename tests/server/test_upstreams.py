"""A channel in front of an index: two registries, and a static server with faults."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.factories.packages import make_conda, make_sdist, make_wheel, sha256_of
from tests.server.conftest import Place
from tests.servers.upstream import StaticServer, add_upstream
from tests.servers.upstream_reads import JSON, advance_clock, audited, files_of
from twofold.errors import Refused, Unreachable
from twofold.fetching.client import Endpoint, fetch_page
from twofold.names import normalize_name
from twofold.names.platforms import Target
from twofold.server.proxy import sync
from twofold.server.registry import lifecycle
from twofold.server.resolver import find_resolver
from twofold.server.store import accounts as stored_people


def test_pip_installs_from_a_registry_through_another_and_the_converted_package_stays(
    served: Place, behind: Place, tmp_path: Path
) -> None:
    behind.publish(make_wheel(tmp_path / "1", "spam", "1.0", "Requires-Dist: eggs"))
    behind.publish(make_wheel(tmp_path / "1", "eggs", "2.0"))
    behind.publish(make_sdist(tmp_path / "1", "eggs", "2.1"))
    add_upstream(served, f"{behind.channel}/simple/")
    assert served.get("/main/noarch/repodata.json").json()["packages.conda"] == {}
    command = [sys.executable, "-m", "pip", "download", "--isolated", "--no-cache-dir", "-q"]
    command += ["--only-binary", ":all:", "-d", str(tmp_path / "out")]
    command += ["--index-url", f"{served.channel}/simple/", "spam"]
    subprocess.run(command, check=True, timeout=120)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "spam-1.0-py3-none-any.whl",
        "eggs-2.0-py3-none-any.whl",
    }
    packages = served.get("/main/noarch/repodata.json").json()["packages.conda"]
    assert set(packages) == {"spam-1.0-py_0.conda", "eggs-2.0-py_0.conda"}
    assert served.get("/main/noarch/spam-1.0-py_0.conda").status_code == 200


def test_html_pages_of_a_dumb_server_are_read_and_what_has_no_hash_is_not_offered(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    static.publish(make_wheel(tmp_path, "spam", "1.0"))
    page = static.folder / "simple" / "spam" / "index.html"
    page.write_text(page.read_text() + '<a href="spam-9.0-py3-none-any.whl">unpinned</a>')
    add_upstream(served, f"{static.url}/simple")
    assert files_of(served, "spam") == ["spam-1.0-py3-none-any.whl"]
    assert "spam-1.0" in served.get("/main/simple/spam/", Accept="text/html").text
    files_of(served, "nothing", 404)


@pytest.mark.parametrize("fault", [404, 500, "hangs up", "cut", "gone"])
def test_cached_files_are_served_while_the_upstream_is_down(
    served: Place, static: StaticServer, tmp_path: Path, fault: object
) -> None:
    wheel, other = make_wheel(tmp_path, "spam", "1.0"), make_wheel(tmp_path, "spam", "2.0")
    static.publish(wheel, other)
    add_upstream(served, f"{static.url}/simple")
    address = f"/main/files/{sha256_of(wheel)}/{wheel.name}"
    assert len(files_of(served, "spam")) == 2
    assert served.get(address).content == wheel.read_bytes()
    advance_clock(served)
    static.fault = fault
    if fault == "gone":
        static.close()
    assert wheel.name in files_of(served, "spam")
    assert served.get(address).content == wheel.read_bytes()
    assert served.get("/main/noarch/spam-1.0-py_0.conda").status_code == 200
    if fault == "cut":  # perhaps after the first bytes
        with suppress(requests.RequestException):
            response = served.get(f"/main/files/{sha256_of(other)}/{other.name}")
            assert response.status_code == 503
    else:
        response = served.get(f"/main/files/{sha256_of(other)}/{other.name}")
        assert response.status_code in (502, 503) and response.json()["error"]
    files_of(served, "never-heard-of", 404 if fault == 404 else 503)


@pytest.mark.parametrize(
    ("first", "second"),
    [("oo", "o0"), ("h11", "hll"), ("uri_template", "uritemplate"), ("git.python", "git-python1")],
)
def test_projects_of_an_upstream_are_fetched_whatever_they_look_like(
    served: Place, static: StaticServer, tmp_path: Path, first: str, second: str
) -> None:
    wheels = [make_wheel(tmp_path, name, "1.0") for name in (first, second)]
    static.publish(*wheels)
    add_upstream(served, f"{static.url}/simple")
    for name, wheel in zip((first, second), wheels, strict=True):
        files_of(served, normalize_name(name))
        assert served.get(f"/main/files/{sha256_of(wheel)}/{wheel.name}").status_code == 200


def test_a_fetched_project_does_not_block_a_name_of_ones_own(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    fetched = make_wheel(tmp_path, "oo", "1.0")
    static.publish(fetched, make_wheel(tmp_path, "o_o", "1.0"))
    add_upstream(served, f"{static.url}/simple")
    files_of(served, "oo")
    served.get(f"/main/files/{sha256_of(fetched)}/{fetched.name}")
    assert served.upload(make_wheel(tmp_path, "o0", "1.0")).status_code == 200
    refused = served.upload(make_wheel(tmp_path, "oo", "2.0"))  # begun again, beside o0
    assert (refused.status_code, refused.json()["code"]) == (400, "confusable-name")
    files_of(served, "o-o")
    answer = served.get(
        f"/main/files/{sha256_of(tmp_path / 'o_o-1.0-py3-none-any.whl')}/o_o-1.0-py3-none-any.whl"
    )
    assert answer.status_code == 200


def test_a_silent_upstream_times_out(static: StaticServer) -> None:
    static.fault = "silent"
    source = Endpoint(static.url, internal=True, timeout=0.2)
    with pytest.raises(Unreachable, match="timed out"):
        fetch_page(source, f"{static.url}/x", "*/*")


@pytest.mark.parametrize("fault", [None, 404, 500, "hangs up"])
def test_a_private_name_is_never_requested_from_the_upstream(
    served: Place, static: StaticServer, tmp_path: Path, fault: object
) -> None:
    static.publish(make_wheel(tmp_path / "evil", "mine", "99.0"))
    static.publish(make_wheel(tmp_path / "evil", "acme_tools", "99.0"))
    add_upstream(served, f"{static.url}/simple", "pypi", "acme-*")
    served.publish(make_wheel(tmp_path, "mine", "1.0"))
    static.fault = fault
    assert files_of(served, "mine") == ["mine-1.0-py3-none-any.whl"]
    files_of(served, "acme-tools", 404)
    evil = tmp_path / "evil" / "mine-99.0-py3-none-any.whl"
    assert served.get(f"/main/files/{sha256_of(evil)}/{evil.name}").status_code == 404
    assert static.requested == []


def test_a_page_of_the_upstream_offers_files_of_its_own_project_alone(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    served.publish(make_wheel(tmp_path, "mine", "1.0"))
    good = [make_wheel(tmp_path, "spam", "1.0"), make_sdist(tmp_path, "spam", "2.0")]
    static.publish(*good)
    page = static.folder / "simple" / "spam" / "index.html"
    for evil in (make_wheel(tmp_path / "x", "mine", "9.0"), make_sdist(tmp_path, "mine", "9.0")):
        link = f'<a href="../../files/{evil.name}#sha256={sha256_of(evil)}">{evil.name}</a>'
        page.write_text(page.read_text() + link)
    add_upstream(served, f"{static.url}/simple")
    assert files_of(served, "spam") == [path.name for path in good]


def test_a_name_stays_private_when_its_files_are_deleted(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    static.publish(make_wheel(tmp_path / "evil", "mine", "99.0"))
    add_upstream(served, f"{static.url}/simple")
    mine = make_wheel(tmp_path, "mine", "1.0")
    served.publish(mine)
    lifecycle.delete(served.registry, served.owner, "main", "", mine.name)
    files_of(served, "mine", 404)
    assert static.requested == []


def test_a_name_becomes_private_with_its_first_upload_and_known_addresses_end(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    first, second = make_wheel(tmp_path, "spam", "1.0"), make_wheel(tmp_path, "spam", "2.0")
    odd = make_sdist(tmp_path, "spam", "1.0").rename(tmp_path / "spam-1.0-post1.tar.gz")
    static.publish(first, second, odd)
    add_upstream(served, f"{static.url}/simple")
    assert len(files_of(served, "spam")) == 3
    assert served.get(f"/main/files/{sha256_of(first)}/{first.name}").status_code == 200
    served.publish(make_wheel(tmp_path, "spam", "0.5"))
    assert set(files_of(served, "spam")) == {first.name, "spam-0.5-py3-none-any.whl"}
    for known in (second, odd):
        assert served.get(f"/main/files/{sha256_of(known)}/{known.name}").status_code == 404
        assert f"/files/{known.name}" not in static.requested


def test_a_changed_hash_is_refused_and_reported(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "spam", "1.0")
    static.publish(wheel)
    add_upstream(served, f"{static.url}/simple")
    first = sha256_of(wheel)
    assert files_of(served, "spam") == [wheel.name]
    poisoned = make_wheel(tmp_path / "2", "spam", "1.0", code="evil = 1\n")
    (static.folder / "files" / wheel.name).write_bytes(poisoned.read_bytes())
    response = served.get(f"/main/files/{first}/{wheel.name}")
    assert (response.status_code, response.json()["code"]) == (502, "upstream-changed")
    assert "has changed" in response.reason
    (static.folder / "simple" / "spam" / "index.html").unlink()
    static.publish(poisoned)
    advance_clock(served)
    files_of(served, "spam", 404)
    address = f"/main/files/{sha256_of(poisoned)}/{wheel.name}"
    assert served.get(address).status_code == 404
    details = [change.detail for change in audited(served, "upstream-changed")]
    assert [detail and detail["first_seen"] for detail in details] == [first, first]


def test_a_malformed_file_of_the_upstream_is_not_taken(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    bad = tmp_path / "spam-1.0-py3-none-any.whl"
    bad.write_bytes(b"PK no zip")
    static.publish(bad)
    add_upstream(served, f"{static.url}/simple")
    files_of(served, "spam")
    response = served.get(f"/main/files/{sha256_of(bad)}/{bad.name}")
    assert (response.status_code, response.json()["code"]) == (403, "upstream-refused")
    assert "no zip" in response.reason or "zip" in response.text
    requested = len(static.requested)
    again = served.get(f"/main/files/{sha256_of(bad)}/{bad.name}")
    assert (again.status_code, again.reason) == (403, response.reason)
    assert len(static.requested) == requested  # remembered: not fetched again
    (listed,) = served.get("/main/simple/spam/", Accept=JSON).json()["files"]
    assert listed["yanked"] == listed["_refused"]
    assert audited(served, "upstream-refused")


# Where nobody should be led to


def test_files_on_other_hosts_must_be_public(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    inside = StaticServer(tmp_path / "inside")
    wheel = make_wheel(tmp_path, "spam", "1.0")
    inside.publish(wheel)
    static.publish(wheel, url=f"{inside.url}/files/{wheel.name}")
    add_upstream(served, f"{static.url}/simple")
    files_of(served, "spam")
    response = served.get(f"/main/files/{sha256_of(wheel)}/{wheel.name}")
    assert (response.status_code, response.json()["code"]) == (502, "forbidden-address")
    assert inside.requested == []
    inside.close()


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/x",
        "http://[::1]:1/x",
        "http://[::ffff:127.0.0.1]:1/x",
        "http://localhost:1/x",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/x",
        "http://0.0.0.0:1/x",
        "http://2130706433/x",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "http://user@127.0.0.1:1/x",
        "gopher://127.0.0.1/x",
    ],
)
def test_a_redirect_leads_nowhere_that_is_not_public(static: StaticServer, address: str) -> None:
    static.fault = ("redirect", address)
    with pytest.raises(Refused, match="Refused to fetch") as refused:
        fetch_page(
            Endpoint(f"{static.url}/simple", internal=True), f"{static.url}/simple/x/", "*/*"
        )
    assert refused.value.code == "forbidden-address"


def test_an_upstream_that_was_public_cannot_become_an_inner_address(static: StaticServer) -> None:
    source = Endpoint(f"{static.url}/simple", internal=False)
    with pytest.raises(Refused, match="not public"):
        fetch_page(source, f"{static.url}/simple/x/", "*/*")
    assert static.requested == []


def test_the_metadata_address_of_clouds_is_never_an_upstream() -> None:
    source = Endpoint("http://169.254.169.254/simple", internal=True)
    with pytest.raises(Refused, match="it leads to"):
        fetch_page(source, "http://169.254.169.254/simple/x/", "*/*")


def test_endless_redirects_end(static: StaticServer) -> None:
    static.fault = ("redirect", "/again")
    with pytest.raises(Unreachable, match="redirects more than"):
        fetch_page(Endpoint(static.url, internal=True), f"{static.url}/x", "*/*")


# The conda side


def test_a_channel_proxies_a_conda_channel(served: Place, behind: Place, tmp_path: Path) -> None:
    conda, other = (
        make_conda(tmp_path / "1", "one", "1.0"),
        make_conda(tmp_path / "1", "two", "1.0"),
    )
    behind.publish(conda)
    behind.publish(other)
    add_upstream(served, behind.channel, "conda")
    served.publish(make_conda(tmp_path / "2", "two", "0.5"))
    packages = served.get("/main/noarch/repodata.json").json()["packages.conda"]
    assert set(packages) == {conda.name, "two-0.5-py_0.conda"}
    assert served.get("/main/noarch/repodata_shards.msgpack.zst").status_code == 200
    assert served.get(f"/main/noarch/{conda.name}").content == conda.read_bytes()
    assert served.get(f"/main/noarch/{other.name}").status_code == 404
    advance_clock(served)
    behind_url, behind.url = behind.url, ""
    add_upstream(served, f"{behind_url}/nowhere", "conda")
    packages = served.get("/main/noarch/repodata.json").json()["packages.conda"]
    assert conda.name in packages


# Following


def test_a_project_is_fetched_with_its_dependencies_and_kept_current(
    served: Place, behind: Place, tmp_path: Path
) -> None:
    windows = "Requires-Dist: winonly; sys_platform == 'win32'"
    for wheel in (
        make_wheel(tmp_path, "spam", "1.0", "Requires-Dist: eggs>=2", windows),
        make_wheel(tmp_path, "eggs", "1.0"),
        make_wheel(tmp_path, "eggs", "2.0", "Requires-Dist: speed; extra == 'fast'"),
        make_wheel(tmp_path, "eggs", "3.0", "Requires-Python: >=3.99"),
        make_wheel(tmp_path, "speed", "1.0"),
        make_wheel(tmp_path, "speed", "2.0", tag="cp312-cp312-win_amd64"),
    ):
        behind.publish(wheel)
    add_upstream(served, f"{behind.channel}/simple/")
    target = Target.parse("3.12", "linux-64")
    done = sync.sync_projects(served.registry, served.owner, "main", ["spam", "eggs[fast]"], target)
    brought = {name.split("-py")[0] for name in done.fetched}
    assert brought == {"spam-1.0", "eggs-2.0", "speed-1.0"}
    assert done.missing == {}
    packages = served.get("/main/noarch/repodata.json").json()["packages.conda"]
    assert {record["name"] for record in packages.values()} == {"spam", "eggs", "speed"}
    behind.publish(make_wheel(tmp_path, "speed", "1.1"))
    behind.publish(make_wheel(tmp_path, "spam", "2.0", "Requires-Dist: absent"))
    advance_clock(served)
    again = sync.resync(served.registry, served.owner, "main")
    assert {name.split("-py")[0] for name in again.fetched} == {"spam-2.0", "speed-1.1"}
    assert "absent" in again.missing["absent"]


def test_uv_finds_releases_that_fit_together_where_the_newest_do_not(
    served: Place, behind: Place, tmp_path: Path
) -> None:
    for wheel in (
        make_wheel(tmp_path, "spam", "1.0", "Requires-Dist: eggs", "Requires-Dist: ham"),
        make_wheel(tmp_path, "ham", "1.0", "Requires-Dist: eggs<2"),
        make_wheel(tmp_path, "eggs", "1.0"),
        make_wheel(tmp_path, "eggs", "2.0"),
        make_wheel(tmp_path, "eggs", "1.5", tag="cp312-cp312-win_amd64"),
        make_sdist(tmp_path, "eggs", "1.9"),
        make_sdist(tmp_path, "source", "1.0"),
    ):
        behind.publish(wheel)
    assert behind.owner.user is not None
    add_upstream(served, f"{behind.channel}/simple/")
    resolve = find_resolver(served.registry, served.settings)
    assert resolve is not None
    target = Target.parse("3.12", "linux-64")
    place = (served.registry, served.owner, "main")
    done = sync.sync_projects(*place, ["spam"], target, resolve)
    assert {name.split("-py")[0] for name in done.fetched} == {"spam-1.0", "ham-1.0", "eggs-1.0"}
    assert done.missing == {}
    again = sync.resync(*place, resolve)
    assert (again.fetched, again.missing) == ([], {})
    windows = sync.sync_projects(*place, ["eggs<2"], Target.parse("3.12", "win-64"), resolve)
    assert windows.fetched == ["eggs-1.5-cp312-cp312-win_amd64.whl"]
    done = sync.sync_projects(*place, ["source"], target, resolve)
    assert "sdists" in done.missing["source"]
    done = sync.sync_projects(*place, ["spam", "eggs>=2"], target, resolve)
    assert "<2,>=2" in done.missing["eggs"]
    with served.registry.database.read() as db:
        tokens = stored_people.list_tokens(db, served.owner.user.id if served.owner.user else 0)
    assert [token for token in tokens if token.name == "follow"] == []  # revoked


@pytest.mark.slow
def test_the_command_line_adds_lists_follows_and_removes(
    served: Place, behind: Place, tmp_path: Path, twofold: Callable[..., Any]
) -> None:
    behind.publish(make_wheel(tmp_path, "spam", "1.0"))

    def admin(*words: str, code: int = 0) -> Any:
        ran = twofold("admin", "--data", served.settings.data, *words, "--json")
        assert ran.code == code, ran.err
        return ran.json if ran.out else None

    admin("upstream", "add", "main", f"{behind.channel}/simple/", "--kind", "pypi")
    assert admin("upstream", "list")[0]["channel"] == "main"
    done = admin("follow", "spam", "--python", "3.12", "--platform", "linux-64")
    assert done["brought"] == ["spam-1.0-py3-none-any.whl"]
    admin("follow", "spam", code=1)
    admin("upstream", "remove", "main", "--kind", "pypi")
    assert admin("upstream", "list") == []
    assert files_of(served, "spam") == ["spam-1.0-py3-none-any.whl"]
