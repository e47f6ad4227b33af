"""Several upstreams of one kind behind a channel, asked in their order."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.clients.rattler import list_versions
from tests.factories.packages import make_conda, make_wheel
from tests.server.conftest import Place, new_place, serve
from tests.servers.raw_upstream import RawUpstream, make_answer, make_entry, make_page
from tests.servers.upstream import StaticServer
from tests.servers.upstream_reads import advance_clock, audited, files_of
from twofold.errors import Refused
from twofold.index.folder import index_folder
from twofold.server.proxy import config, offer_list, offer_rounds
from twofold.server.proxy.config import UpstreamConfig
from twofold.server.registry import queries
from twofold.server.settings import Settings


def add(place: Place, url: str, name: str, **options: Any) -> None:
    made = UpstreamConfig(url, options.pop("kind", "pypi"), name=name)
    config.add(place.registry, "owner", "main", replace(made, **options))


@pytest.fixture
def second(tmp_path: Path) -> Any:
    made = StaticServer(tmp_path / "second")
    yield made
    made.close()


def asked(server: StaticServer, name: str) -> int:
    return sum(f"/{name}/" in path for path in server.requested)


def test_a_project_comes_from_the_first_upstream_that_has_it(
    served: Place, static: StaticServer, second: StaticServer, tmp_path: Path
) -> None:
    static.publish(make_wheel(tmp_path / "1", "spam", "1.0"))
    second.publish(make_wheel(tmp_path / "2", "spam", "9.0"), make_wheel(tmp_path, "eggs", "1.0"))
    add(served, f"{second.url}/simple", "late")
    add(served, f"{static.url}/simple", "early", before="late")
    assert files_of(served, "spam") == ["spam-1.0-py3-none-any.whl"]
    assert files_of(served, "eggs") == ["eggs-1.0-py3-none-any.whl"]
    assert asked(second, "spam") == 0
    for name in ("spam", "eggs"):
        page = served.get(f"/main/simple/{name}/", Accept="application/vnd.pypi.simple.v1+json")
        url = page.json()["files"][0]["url"].removeprefix("../..")
        assert served.get(f"/main{url}").status_code == 200
    assert [path for path in second.requested if path.endswith(".whl")] == [
        "/files/eggs-1.0-py3-none-any.whl"
    ]


@pytest.mark.parametrize(
    ("own", "name", "at_first", "at_second"),
    [
        (("torch",), "torch", 1, 0),
        (("torch",), "torch-geometric", 0, 1),
        (("nvidia-*",), "nvidia-cublas", 1, 0),
        (("Nvidia_*",), "NVIDIA.cublas", 1, 0),
        (("nvidia-*",), "nvidia", 0, 1),
    ],
)
def test_the_names_of_one_upstream_are_asked_from_it_alone(
    served: Place,
    static: StaticServer,
    second: StaticServer,
    own: tuple[str, ...],
    name: str,
    at_first: int,
    at_second: int,
) -> None:
    add(served, f"{second.url}/simple", "rest")
    add(served, f"{static.url}/simple", "own", only=own)
    served.get(f"/main/simple/{name}/")
    assert (len(static.requested), len(second.requested)) == (at_first, at_second)


def test_each_upstream_has_its_own_private_prefixes_policy_and_login(
    served: Place, static: StaticServer, second: StaticServer, tmp_path: Path
) -> None:
    for server in (static, second):
        server.publish(make_wheel(tmp_path / str(server.url[-3:]), "spam", "1.0"))
    second.login = "Bearer hush"
    from twofold.fetching import credentials

    add(served, f"{static.url}/simple", "inner", prefixes=("spam",))
    secret = credentials.from_cli("", "hush")
    add(served, f"{second.url}/simple", "outer", secret=secret)
    policy = config.Policy(deny=("spam>=1",))
    config.set_policy(served.registry, "owner", "main", policy, "inner")
    assert files_of(served, "spam") == ["spam-1.0-py3-none-any.whl"]
    assert asked(static, "spam") == 0
    page = served.get("/main/simple/spam/", Accept="application/vnd.pypi.simple.v1+json").json()
    assert "_refused" not in page["files"][0]
    config.set_policy(served.registry, "owner", "main", policy, "outer")
    page = served.get("/main/simple/spam/", Accept="application/vnd.pypi.simple.v1+json").json()
    assert "denies" in page["files"][0]["_refused"]


def test_a_later_upstream_is_not_asked_while_an_earlier_one_is_down(
    served: Place, static: StaticServer, second: StaticServer, tmp_path: Path
) -> None:
    static.publish(make_wheel(tmp_path / "1", "spam", "1.0"))
    second.publish(make_wheel(tmp_path / "2", "spam", "9.0"), make_wheel(tmp_path, "eggs", "1.0"))
    add(served, f"{static.url}/simple", "early")
    add(served, f"{second.url}/simple", "late")
    files_of(served, "eggs")
    static.fault = "hangs up"
    advance_clock(served)
    assert served.get("/main/simple/spam/").status_code == 503
    assert asked(second, "spam") == 0
    assert files_of(served, "eggs") == ["eggs-1.0-py3-none-any.whl"]  # known to be lacking there


#: What the first of two indexes answers about a project; the second may have a stranger's.
WITHOUT_USABLE_FILES = {
    "md5": make_answer(b'<a href="/f/spam-1.0.tar.gz#md5=00">spam</a>', Content_Type="text/html"),
    "eggs": make_page({"filename": "spam-1.0-py3.12.egg", "url": "x", "hashes": {}}),
    "login": make_answer(b'<form><input TYPE="Password"></form>', Content_Type="text/html"),
    "login elsewhere": make_answer(b"", 302, Location="/login?next=/simple/spam/"),
    "later version": make_page(make_entry("spam-1.0.tar.gz", b""), meta={"api-version": "2.0"}),
    "text": make_answer(b"maintenance", Content_Type="text/plain"),
}


@pytest.mark.parametrize("kind", WITHOUT_USABLE_FILES)
def test_a_project_without_usable_files_in_the_first_index_is_not_asked_from_the_next(
    served: Place, second: StaticServer, tmp_path: Path, kind: str
) -> None:
    first = RawUpstream()
    second.publish(make_wheel(tmp_path, "spam", "9.0"))
    first.answers["/simple/spam/"] = WITHOUT_USABLE_FILES[kind]
    first.answers["/login?next=/simple/spam/"] = make_answer(b"<p>Sign in</p>")
    add(served, f"{first.url}/simple", "early")
    add(served, f"{second.url}/simple", "late")
    assert served.get("/main/simple/spam/").status_code in (404, 503)
    assert served.get("/main/simple/spam/").status_code in (404, 503)  # the cached one too
    offer_list.add(served.registry, served.owner, "main", ["spam"])
    channel = queries.get_channel(served.registry, served.owner, "main")
    assert set(offer_rounds.run_round(served.registry, channel).missing) == {"spam"}
    assert second.requested == []
    first.answers["/simple/spam/"] = first.default
    advance_clock(served)
    assert files_of(served, "spam") == ["spam-9.0-py3-none-any.whl"]
    first.close()


@pytest.mark.parametrize("with_shards", [True, False])
def test_a_conda_name_without_usable_packages_in_the_first_channel_hides_the_next(
    served: Place, static: StaticServer, second: StaticServer, tmp_path: Path, with_shards: bool
) -> None:
    for server, version in ((static, "1.0"), (second, "9.0")):
        folder = server.folder / "noarch"
        folder.mkdir()
        make_conda(folder, "spam", version)
        index_folder(server.folder)
    if not with_shards:
        (second.folder / "noarch" / "repodata_shards.msgpack.zst").unlink()
    noarch = static.folder / "noarch"
    page = json.loads((noarch / "repodata.json").read_text())
    for record in page["packages.conda"].values():
        del record["sha256"]
    for name in ("repodata.json.zst", "repodata_shards.msgpack.zst"):
        (noarch / name).unlink()
    (noarch / "repodata.json").write_text(json.dumps(page))
    add(served, static.url, "early", kind="conda")
    add(served, second.url, "late", kind="conda")
    assert served.get("/main/noarch/repodata.json").json()["packages.conda"] == {}
    assert list_versions(served.channel, "spam", tmp_path) == []


def test_a_file_of_other_content_in_another_upstream_is_left_out(
    served: Place, static: StaticServer, second: StaticServer, tmp_path: Path
) -> None:
    static.publish(make_wheel(tmp_path / "1", "spam", "1.0"))
    second.publish(make_wheel(tmp_path / "2", "spam", "1.0", "Keywords: other"))
    add(served, f"{static.url}/simple", "one")
    files_of(served, "spam")
    config.remove(served.registry, "owner", "main", "pypi", "one")
    add(served, f"{second.url}/simple", "two")
    files_of(served, "spam", 404)
    assert [entry.subject for entry in audited(served, "upstream-changed")] == [
        "spam-1.0-py3-none-any.whl"
    ]


@pytest.mark.parametrize("with_shards", [True, False])
def test_conda_packages_come_from_the_first_channel_that_has_the_name(
    served: Place, static: StaticServer, tmp_path: Path, with_shards: bool
) -> None:
    folder = static.folder / "noarch"
    folder.mkdir()
    for one in (make_conda(tmp_path, "spam", "1.0"), make_conda(tmp_path, "ham", "1.0")):
        one.rename(folder / one.name)
    index_folder(static.folder)
    if not with_shards:
        (folder / "repodata_shards.msgpack.zst").unlink(missing_ok=True)
    other = new_place(Settings(tmp_path / "other"))
    with serve(other):
        other.publish(make_conda(tmp_path / "2", "spam", "9.0"))
        other.publish(make_conda(tmp_path / "2", "eggs", "1.0"))
        add(served, static.url, "early", kind="conda")
        add(served, other.channel, "late", kind="conda")
        packages = served.get("/main/noarch/repodata.json").json()["packages.conda"]
        assert {name.rsplit("-", 1)[0] for name in packages} == {"spam-1.0", "ham-1.0", "eggs-1.0"}
        for name in ("spam", "ham", "eggs"):
            assert list_versions(served.channel, name, tmp_path / f"of-{name}") == ["1.0"]
        for name in packages:
            assert served.get(f"/main/noarch/{name}").status_code == 200, name
    other.registry.database.close()


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Not good"},
        {"name": ""},
        {"only": ("https://x",)},
        {"only": ("*",)},
        {"max_age": -1},
        {"before": "absent"},
    ],
)
def test_options_of_an_upstream_are_checked(place: Place, changes: dict[str, Any]) -> None:
    made = UpstreamConfig("http://127.0.0.1:9/simple", "pypi")
    with pytest.raises(Refused):
        config.add(place.registry, "owner", "main", replace(made, **changes))
    assert config.list_all(place.registry) == []


def test_the_time_to_live_is_a_setting(served: Place, static: StaticServer, tmp_path: Path) -> None:
    static.publish(make_wheel(tmp_path, "spam", "1.0"))
    add(served, f"{static.url}/simple", "default", max_age=0)
    files_of(served, "spam")
    files_of(served, "spam")
    assert len(static.requested) == 2
    add(served, f"{static.url}/simple", "default", max_age=7200)
    files_of(served, "spam")
    advance_clock(served, 1.5)
    files_of(served, "spam")
    assert len(static.requested) == 3


def test_pages_are_revalidated_on_demand(
    served: Place, static: StaticServer, twofold: Callable[..., Any], tmp_path: Path
) -> None:
    static.publish(make_wheel(tmp_path, "spam", "1.0"), make_wheel(tmp_path, "eggs", "1.0"))
    add(served, f"{static.url}/simple", "default")
    for name in ("spam", "eggs"):
        files_of(served, name)
        static.publish(make_wheel(tmp_path / "2", name, "2.0"))
        assert len(files_of(served, name)) == 1
    refreshing = ("admin", "upstream", "refresh", "main")
    data = ("--data", served.settings.data, "--json")
    assert twofold(*refreshing, "Spam", *data).json == {"pages": 1}
    assert len(files_of(served, "spam")) == 2 and len(files_of(served, "eggs")) == 1
    assert twofold(*refreshing, *data).json == {"pages": 2}
    assert len(files_of(served, "eggs")) == 2


@pytest.mark.slow
def test_the_command_adds_orders_lists_and_removes_upstreams(
    place: Place, static: StaticServer, twofold: Callable[..., Any]
) -> None:
    data = ("--data", place.settings.data)
    adding = ("admin", "upstream", "add", "main", f"{static.url}/simple", "--kind", "pypi")
    assert twofold(*adding, *data).code == 0
    ran = twofold(*adding, "--name", "torch", "--only", "torch", "--before", "default", *data)
    assert ran.code == 0
    listed = twofold("admin", "upstream", "list", "--json", *data).json
    assert [(one["name"], one["only"]) for one in listed] == [("torch", ["torch"]), ("default", [])]
    twofold("admin", "upstream", "remove", "main", "--kind", "pypi", "--name", "torch", *data)
    listed = twofold("admin", "upstream", "list", "--json", *data).json
    assert [one["name"] for one in listed] == ["default"]
