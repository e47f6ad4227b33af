"""Channels in front of indexes that others wrote, and of pages in their form."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.clients.rattler import solve_specs
from tests.factories.packages import make_python, make_sdist, make_wheel, sha256_of
from tests.server.conftest import Place
from tests.servers.devpi import PASSWORD, USER, run_devpi
from tests.servers.pypiserver import end_server, start_server
from tests.servers.raw_upstream import RawUpstream, make_answer
from tests.servers.upstream import add_upstream
from tests.servers.upstream_reads import files_of

#: Product -> its page of a project, as it writes it. `{name}` is the file, `{sha256}` its hash.
PAGES = {
    "GitLab": (
        "/api/v4/projects/7/packages/pypi/simple",
        "<!DOCTYPE html>\n<html>\n  <head>\n    <title>Links</title>\n  </head>\n  <body>\n"
        '    <h1>Links for spam</h1>\n    <a href="{host}/api/v4/projects/7/packages/pypi/files/'
        '{sha256}/{name}#sha256={sha256}" data-requires-python="&gt;=3.6" data-gpg-sig="false">'
        "{name}</a><br>\n  </body>\n</html>\n",
        "/api/v4/projects/7/packages/pypi/files/{sha256}/{name}",
    ),
    "Artifactory": (
        "/artifactory/api/pypi/pypi-local/simple",
        '<!DOCTYPE html>\n<html><head><meta name="api-version" value="2"/><title>Index</title>'
        '</head><body>\n<a href="../../packages/ab/cd/{sha256}/{name}#sha256={sha256}" '
        'rel="internal" data-requires-python="">{name}</a>\n<br/></body></html>',
        "/artifactory/api/pypi/pypi-local/packages/ab/cd/{sha256}/{name}",
    ),
    "PyTorch": (
        "/whl/cpu",
        "<!DOCTYPE html>\n<html>\n  <body>\n    <h1>Links for spam</h1>\n"
        '    <a href="/whl/cpu/{escaped}#sha256={sha256}" '
        'data-dist-info-metadata="sha256={metadata}" data-core-metadata="sha256={metadata}">'
        "{name}</a><br/>\n  </body>\n</html>\n"
        "<!--TIMESTAMP 1731427436-->",
        "/whl/cpu/{escaped}",
    ),
    "Nexus": (
        "/repository/pypi-hosted/simple",
        '<html lang="en">\n<head><title>Links</title>\n  <meta name="api-version" value="2"/>'
        "\n</head>\n<body><h1>Links for spam</h1>\n"
        '<a href="../../packages/spam/2.9.0/{escaped}#sha256={sha256}" rel="internal">{name}</a>'
        "<br/>\n</body>\n</html>\n",
        "/repository/pypi-hosted/packages/spam/2.9.0/{escaped}",
    ),
    "a bucket": (
        "/simple",
        '<!DOCTYPE html><html><head><base href="{host}/bucket/"></head><body>'
        "<A HREF='wheels/{escaped}?versionId=a%2Bb#egg=spam&amp;sha256={upper}'>{name}</A></body>",
        "/bucket/wheels/{escaped}?versionId=a%2Bb",
    ),
}


@pytest.mark.parametrize("product", PAGES)
def test_pages_in_the_form_of_other_indexes_are_served_in_both_worlds(
    served: Place, tmp_path: Path, product: str
) -> None:
    upstream = RawUpstream()
    wheel = make_wheel(tmp_path, "spam", "2.9.0+cpu")
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read("spam-2.9.0+cpu.dist-info/METADATA")
    meta = tmp_path / "METADATA"
    meta.write_bytes(metadata)
    words = {
        "host": upstream.url,
        "name": wheel.name,
        "escaped": wheel.name.replace("+", "%2B"),
        "sha256": sha256_of(wheel),
        "upper": sha256_of(wheel).upper(),
        "metadata": sha256_of(meta),
    }
    index, page, file = PAGES[product]
    body = page.format(**words).encode()
    upstream.answers[f"{index}/spam/"] = make_answer(body, Content_Type="text/html")
    upstream.answers[file.format(**words)] = make_answer(wheel.read_bytes())
    upstream.answers[f"{file.format(**words)}.metadata"] = make_answer(metadata)
    add_upstream(served, f"{upstream.url}{index}/")
    assert files_of(served, "spam") == [wheel.name]
    path = f"/main/files/{sha256_of(wheel)}/{wheel.name.replace('+', '%2B')}"
    assert served.get(f"{path}.metadata").content == metadata
    assert served.get(path).content == wheel.read_bytes()
    packages = served.get("/main/noarch/repodata.json").json()["packages.conda"]
    assert list(packages) == ["spam-2.9.0+cpu-py_0.conda"]
    upstream.close()


@pytest.fixture
def devpi(tmp_path: Path) -> Iterator[str]:
    with run_devpi(tmp_path) as host:
        yield host


@pytest.fixture
def pypiserver(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "packages"
    folder.mkdir()
    command = [sys.executable, "-m", "pypiserver", "run", "-i", "127.0.0.1", "--hash-algo=sha256"]
    more = ["--backend", "simple-dir", "-P", ".", "-a", ".", str(folder)]
    process, host = start_server(
        lambda port: [*command, "-p", str(port), *more], "/simple/", tmp_path / "log"
    )
    yield host
    end_server(process)


def put(url: str, path: Path, login: tuple[str, str] | None) -> None:
    data = {":action": "file_upload", "name": "spam", "version": "1.0"}
    with path.open("rb") as file:
        files = {"content": (path.name, file)}
        got = requests.post(url, data, files=files, auth=login, timeout=120)
    assert got.status_code == 200, got.text


@pytest.mark.slow
@pytest.mark.parametrize("server", ["devpi", "pypiserver"])
def test_a_channel_stands_in_front_of_a_real_index(
    served: Place,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    twofold: Callable[..., Any],
    server: str,
) -> None:
    host = str(request.getfixturevalue(server))
    paths = {"devpi": ("/me/dev/", "/me/dev/+simple/"), "pypiserver": ("/", "/simple/")}[server]
    built = tmp_path / "built"
    wheel, sdist = make_wheel(built, "spam", "1.0"), make_sdist(built, "spam", "1.0")
    login = (USER, PASSWORD) if server == "devpi" else None
    for file in (wheel, sdist):
        put(f"{host}{paths[0]}", file, login)
    added = twofold(
        "admin", "--data", served.settings.data, "upstream", "add", "main", f"{host}{paths[1]}",
        "--kind", "pypi", "--try", "spam", "--json",
    )  # fmt: skip
    assert added.code == 0, added.err
    assert "2 usable files" in " ".join(added.json["tried"])
    assert sorted(files_of(served, "spam")) == sorted([wheel.name, sdist.name])
    for file in (wheel, sdist):
        got = served.get(f"/main/files/{sha256_of(file)}/{file.name}")
        assert got.content == file.read_bytes()
    served.publish(make_python(tmp_path / "python"))
    found = solve_specs(served.channel, ["spam"], tmp_path / "solve")
    assert "spam-1.0-py_0.conda" in {record.file_name for record in found}
