"""Indexes of every form behind a channel: escaped names, other hosts, zip sdists, older keys."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.packages import make_wheel, sha256_of
from tests.server.conftest import Place
from tests.servers.upstream import StaticServer, add_upstream
from tests.servers.upstream_reads import JSON, files_of
from twofold.errors import Refused
from twofold.server.proxy import config


def write_page(static: StaticServer, name: str, body: str) -> None:
    page = static.folder / "simple" / name / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(body)


def test_wheels_with_escaped_names_are_served_in_both_worlds(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "spam", "2.9.0+cpu")
    folder = static.folder / "whl" / "cpu"
    folder.mkdir(parents=True)
    (folder / wheel.name).write_bytes(wheel.read_bytes())
    written = wheel.name.replace("+", "%2B")
    write_page(static, "spam", f'<a href="/whl/cpu/{written}#sha256={sha256_of(wheel)}">x</a>')
    add_upstream(served, f"{static.url}/simple")
    assert files_of(served, "spam") == [wheel.name]
    (listed,) = served.get("/main/simple/spam/", Accept=JSON).json()["files"]
    got = served.get(f"/main/simple/spam/{listed['url']}")
    assert got.content == wheel.read_bytes()
    packages = served.get("/main/noarch/repodata.json").json()["packages.conda"]
    assert [record["version"] for record in packages.values()] == ["2.9.0+cpu"]


def test_a_page_without_a_usable_file_is_logged(
    served: Place, static: StaticServer, caplog: pytest.LogCaptureFixture
) -> None:
    write_page(static, "spam", '<a href="spam-1.0-py3-none-any.whl">no hash</a>')
    add_upstream(served, f"{static.url}/simple")
    files_of(served, "spam", 404)
    assert "none of the 1 files listed" in caplog.text


def make_zip_sdist(folder: Path, name: str, version: str, members: dict[str, str]) -> Path:
    path = folder / f"{name}-{version}.zip"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member, text in members.items():
            archive.writestr(f"{name}-{version}/{member}", text)
    path.write_bytes(buffer.getvalue())
    return path


def test_a_project_of_zip_sdists_is_served_and_no_such_file_is_taken_as_an_upload(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    metadata = "Metadata-Version: 1.1\nName: spam\nVersion: 1.0\n"
    sdist = make_zip_sdist(tmp_path, "spam", "1.0", {"PKG-INFO": metadata, "setup.py": ""})
    static.publish(sdist)
    add_upstream(served, f"{static.url}/simple")
    assert files_of(served, "spam") == [sdist.name]
    got = served.get(f"/main/files/{sha256_of(sdist)}/{sdist.name}")
    assert (got.status_code, got.content) == (200, sdist.read_bytes())
    assert files_of(served, "spam") == [sdist.name]
    assert served.upload(make_zip_sdist(tmp_path, "ham", "1.0", {})).status_code == 400


@pytest.mark.parametrize("members", [{"setup.py": ""}, {"PKG-INFO": "Name: other\n"}])
def test_a_zip_sdist_without_its_metadata_is_refused_for_good(
    served: Place, static: StaticServer, tmp_path: Path, members: dict[str, str]
) -> None:
    sdist = make_zip_sdist(tmp_path, "spam", "1.0", members)
    static.publish(sdist)
    add_upstream(served, f"{static.url}/simple")
    files_of(served, "spam")
    got = served.get(f"/main/files/{sha256_of(sdist)}/{sdist.name}")
    assert (got.status_code, got.json()["code"]) == (403, "upstream-refused")


def test_metadata_under_the_older_key_is_passed_on_without_the_wheel(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "spam", "1.0")
    static.publish(wheel)
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read("spam-1.0.dist-info/METADATA")
    (static.folder / "files" / f"{wheel.name}.metadata").write_bytes(metadata)
    hashed = hashlib.sha256(metadata).hexdigest()
    link = f'href="../../files/{wheel.name}#sha256={sha256_of(wheel)}"'
    write_page(static, "spam", f'<a {link} data-dist-info-metadata="sha256={hashed}">x</a>')
    add_upstream(served, f"{static.url}/simple")
    files_of(served, "spam")
    got = served.get(f"/main/files/{sha256_of(wheel)}/{wheel.name}.metadata")
    assert got.content == metadata
    assert f"/files/{wheel.name}" not in static.requested


@pytest.mark.parametrize("with_port", [True, False])
@pytest.mark.parametrize("by", ["link", "redirect"])
def test_files_at_a_host_the_operator_allowed_are_fetched(
    served: Place, static: StaticServer, tmp_path: Path, with_port: bool, by: str
) -> None:
    inside = StaticServer(tmp_path / "inside")
    wheel = make_wheel(tmp_path, "spam", "1.0")
    inside.publish(wheel)
    url = f"{inside.url}/files/{wheel.name}"
    static.publish(wheel, url=url if by == "link" else "")
    allowed = inside.url.removeprefix("http://") if with_port else "127.0.0.1"
    upstream = config.UpstreamConfig(f"{static.url}/simple", "pypi", files_at=(allowed,))
    config.add(served.registry, "owner", "main", upstream)
    files_of(served, "spam")
    static.fault = ("redirect", url) if by == "redirect" else None
    got = served.get(f"/main/files/{sha256_of(wheel)}/{wheel.name}")
    assert (got.status_code, got.content) == (200, wheel.read_bytes())
    inside.close()


def test_another_port_than_the_allowed_one_stays_forbidden(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    inside = StaticServer(tmp_path / "inside")
    wheel = make_wheel(tmp_path, "spam", "1.0")
    static.publish(wheel, url=f"{inside.url}/files/{wheel.name}")
    upstream = config.UpstreamConfig(f"{static.url}/simple", "pypi", files_at=("127.0.0.1:9",))
    config.add(served.registry, "owner", "main", upstream)
    files_of(served, "spam")
    got = served.get(f"/main/files/{sha256_of(wheel)}/{wheel.name}")
    assert (got.status_code, got.json()["code"]) == (502, "forbidden-address")
    assert inside.requested == []
    inside.close()


@pytest.mark.parametrize("host", ["", "a b", "user@host", "*.example", "host:port"])
def test_what_is_no_host_is_refused(served: Place, host: str) -> None:
    upstream = config.UpstreamConfig("http://127.0.0.1:9/simple", "pypi", files_at=(host,))
    with pytest.raises(Refused, match="not a host"):
        config.add(served.registry, "owner", "main", upstream)


def test_the_json_api_lists_what_is_stored_and_what_the_upstream_has(
    served: Place, behind: Place, tmp_path: Path
) -> None:
    for version in ("1.0", "2.0", "3.0rc1"):
        behind.publish(make_wheel(tmp_path, "spam", version, "Requires-Dist: eggs"))
    behind.publish(make_wheel(tmp_path, "other", "1.0"))
    add_upstream(served, f"{behind.channel}/simple/", "pypi", "priv")
    value = served.get("/main/pypi/spam/json").json()
    assert set(value["releases"]) == {"1.0", "2.0", "3.0rc1"}
    assert (value["info"]["version"], value["info"]["requires_dist"]) == ("2.0", ["eggs"])
    (listed,) = served.get("/main/pypi/Spam/1.0/json").json()["urls"]
    assert listed["url"].startswith(f"{served.url}/packages/main/files/")
    assert served.get(listed["url"].removeprefix(served.url)).status_code == 200
    again = served.get("/main/pypi/spam/json").json()
    assert set(again["releases"]) == {"1.0", "2.0", "3.0rc1"}
    assert again["info"]["version"] == "2.0"
    served.publish(make_wheel(tmp_path / "own", "other", "0.5"))  # private now
    assert set(served.get("/main/pypi/other/json").json()["releases"]) == {"0.5"}
    for absent in ("spam/9/json", "nothing/json", "priv-x/json"):
        assert served.get(f"/main/pypi/{absent}").status_code == 404


def test_a_new_upstream_is_tried_and_what_will_be_refused_is_reported(
    served: Place, static: StaticServer, tmp_path: Path, twofold: Callable[..., Any]
) -> None:
    inside = StaticServer(tmp_path / "inside")
    wheel = make_wheel(tmp_path, "spam", "1.0")
    static.publish(wheel, url=f"{inside.url}/files/{wheel.name}")

    def add(*words: str, kind: str = "pypi") -> str:
        named = ("upstream", "add", "main", f"{static.url}/simple", "--kind", kind, *words)
        ran = twofold("admin", "--data", served.settings.data, *named, "--json")
        assert ran.code == 0, ran.err
        return " ".join(ran.json["tried"])

    assert "no project 'pip'" in add()
    assert "are refused" in add("--try", "spam") and "1 usable files" in add("--try", "Spam")
    host = inside.url.removeprefix("http://")
    assert f"files at {host} are fetched" in add("--try", "spam", "--files-at", host)
    assert "no shards" in add(kind="conda")
    static.requested.clear()
    assert "not tried: 'Acme.x'" in add("--try", "Acme.x", "--private-prefix", "acme")
    served.publish(make_wheel(tmp_path / "own", "mine", "1.0"))
    assert "not tried: 'mine'" in add("--try", "mine") and static.requested == []
    static.fault = 500
    assert "cannot be used now" in add("--try", "spam")
    inside.close()
