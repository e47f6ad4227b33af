"""The conda side under any input: from clients, and from upstreams; never a 500, nothing kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import msgpack
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.clients.raw_http import Wire
from tests.factories.bad_input import json_values
from tests.factories.packages import make_conda, make_wheel
from tests.server.conftest import Place, new_place, serve
from tests.servers.upstream import StaticServer, add_upstream, set_old_time
from twofold.index.simple_parser import parse_json_page
from twofold.server.proxy import upstream_simple
from twofold.server.proxy.remote_files import RemoteProject
from twofold.server.settings import Settings

BOUNDED = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
    database=None,
)


@pytest.fixture(scope="module")
def static(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StaticServer]:
    made = StaticServer(tmp_path_factory.mktemp("fuzz-upstream"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared_place(tmp_path_factory: pytest.TempPathFactory, static: StaticServer) -> Iterator[Wire]:
    """One registry for the whole module, its channel in front of two upstreams."""
    folder = tmp_path_factory.mktemp("fuzz")
    place = new_place(Settings(folder / "registry"))
    place.publish(make_conda(folder / "c", "mine"))
    place.publish(make_wheel(folder / "w", "own"))
    add_upstream(place, f"{static.url}/simple")
    add_upstream(place, f"{static.url}/channel", "conda")
    with serve(place):
        yield Wire(place)
    place.registry.database.close()


WORDS = st.one_of(
    st.sampled_from(
        ["main", "noarch", "linux-64", "label", "shards", "dev", "t", "api", "..", "%00"]
    ),
    st.sampled_from(
        ["repodata.json", "repodata_shards.msgpack.zst", "notices.json", "x-1-0.conda"]
    ),
    st.sampled_from(["channeldata.json", "run_exports.json.zst", "current_repodata.json", "files"]),
    st.text(max_size=20).map(lambda text: quote(text.encode("utf-8", "surrogatepass"), safe="")),
)
HEADERS = st.sampled_from(
    ["If-None-Match", "Range", "If-Range", "Accept", "X-File-Name", "If-Match"]
)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)


@BOUNDED
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]),
    words=st.lists(WORDS, min_size=1, max_size=6),
    headers=st.dictionaries(HEADERS, VALUES, max_size=2),
)
def test_any_address_and_any_header_is_answered_below_500(
    shared_place: Wire, method: str, words: list[str], headers: dict[str, str]
) -> None:
    path = "/" + "/".join(words)
    answer, content = shared_place.send(method, path, **headers)
    assert answer.status < 500 or answer.status in (502, 503), (path, content)
    if answer.status >= 400 and method != "HEAD":
        assert json.loads(content)["error"] and "Traceback" not in content.decode()


def put(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    set_old_time(path)


def later(place: Place) -> None:
    ahead = place.registry.clock() + timedelta(hours=1)
    object.__setattr__(place.registry, "clock", lambda: ahead)


def requested(wire: Wire, *paths: str) -> None:
    """None of these is a fault of ours, and what is the channel's own is always there."""
    for path in paths:
        answer, content = wire.send("GET", path)
        assert answer.status in (200, 301, 404, 502, 503), (path, answer.status, content)
        assert b"Traceback" not in content and b"internal-error" not in content
    answer, _ = wire.send("GET", "/main/noarch/mine-1.0.0-py_0.conda")
    assert answer.status == 200


@BOUNDED
@given(
    page=st.one_of(
        json_values(),
        st.dictionaries(
            st.sampled_from(["files", "meta", "name", "project-status", "versions"]),
            json_values(),
            max_size=3,
        ),
    )
)
def test_any_page_of_an_index_upstream_is_survived(
    shared_place: Wire, static: StaticServer, page: object
) -> None:
    put(static.folder / "simple" / "spam" / "index.html", json.dumps(page).encode())
    later(shared_place.place)
    requested(shared_place, "/main/simple/spam/")


FILES = st.fixed_dictionaries(
    {},
    optional={
        "filename": st.sampled_from(
            ["spam-1.0-py3-none-any.whl", "../x.whl", "spam-1.0.tar.gz", ""]
        ),
        "url": st.sampled_from(
            ["x.whl", "http://10.0.0.1/x", "file:///x", "//[bad", "http://[::1]/x"]
        ),
        "hashes": st.dictionaries(st.sampled_from(["sha256", "md5"]), st.text(max_size=4)),
        "yanked": json_values(),
        "requires-python": json_values(),
        "size": json_values(),
        "core-metadata": json_values(),
    },
)


@BOUNDED
@given(files=st.lists(FILES, max_size=3), sha256=st.booleans())
def test_any_files_on_a_page_of_json_are_survived(
    files: list[dict[str, object]], sha256: bool
) -> None:
    for file in files:
        if sha256:
            file["hashes"] = {"sha256": "ab" * 32}
    body = json.dumps({"files": files}).encode()
    try:
        page = parse_json_page(body, "http://x/simple/spam/")
    except ValueError:
        return  # reported as an upstream that cannot be read
    offers = map(upstream_simple.to_remote_file, page.files)
    sound = tuple(offer for offer in offers if offer.is_sound)
    value = upstream_simple.merge_page(
        "spam", None, RemoteProject(sound, page.status, page.status_reason), {}
    )
    assert upstream_simple.render_html(value) and upstream_simple.render_json(value)


@BOUNDED
@given(
    value=st.one_of(
        json_values(),
        st.fixed_dictionaries(
            {},
            optional={
                "info": json_values(),
                "shards": st.dictionaries(
                    st.sampled_from(["spam", "mine", "../x", ""]),
                    st.one_of(st.binary(min_size=32, max_size=32), json_values()),
                ),
            },
        ),
    ),
    raw=st.one_of(st.none(), st.binary(max_size=60)),
)
def test_any_list_of_shards_and_any_shard_is_survived(
    shared_place: Wire, static: StaticServer, value: object, raw: bytes | None
) -> None:
    folder = static.folder / "channel" / "noarch"
    try:
        body = zstandard.compress(msgpack.packb(value))
    except (OverflowError, ValueError):
        body = b"x"
    put(folder / "repodata_shards.msgpack.zst", body if raw is None else raw)
    later(shared_place.place)
    requested(
        shared_place, "/main/noarch/repodata_shards.msgpack.zst", "/main/noarch/spam-1-0.conda"
    )
    requested(shared_place, f"/main/noarch/shards/{'ab' * 32}.msgpack.zst")


@BOUNDED
@given(
    value=st.one_of(
        json_values(),
        st.fixed_dictionaries(
            {},
            optional={
                "info": json_values(),
                "packages": json_values(),
                "packages.conda": st.dictionaries(
                    st.sampled_from(["spam-1-0.conda", "x.conda", "..-1-0.conda"]),
                    st.dictionaries(
                        st.sampled_from(["name", "sha256", "md5", "size"]), json_values()
                    ),
                ),
            },
        ),
    )
)
def test_any_repodata_of_an_upstream_is_survived(
    shared_place: Wire, static: StaticServer, value: object
) -> None:
    body = json.dumps(value).encode()
    put(static.folder / "channel" / "noarch" / "repodata.json", body)
    later(shared_place.place)
    requested(shared_place, "/main/noarch/repodata.json", "/main/noarch/repodata.json.zst")


def test_nothing_of_all_that_lies_in_the_spool(shared_place: Wire) -> None:
    spool: Path = shared_place.place.registry.spool
    assert not spool.exists() or list(spool.iterdir()) == []
