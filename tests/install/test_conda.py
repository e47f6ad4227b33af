"""Conda environments by py-rattler: solved, linked, and refused with the solver's reason."""

from __future__ import annotations

import asyncio
import functools
import http.server
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.servers.private_channel import PrivateChannel
from tests.servers.upstream import StaticServer
from twofold.errors import SubprocessFailed, TwofoldError, Unreachable
from twofold.install.auth import Login
from twofold.install.conda import explain_conflict, install_into_prefix
from twofold.install.conda_or_repack import index_channel
from twofold.install.offered_channel import find_channel_address
from twofold.install.python_package import Member, write_package


def package(channel: Path, name: str, version: str, *depends: str, **more: Any) -> None:
    """A small generic noarch package with one file."""
    index = {
        "name": name,
        "version": version,
        "build": "0",
        "build_number": 0,
        "subdir": "noarch",
        "noarch": "generic",
        "depends": list(depends),
        "timestamp": 1_700_000_000_000,
        **more,
    }
    member = Member(f"share/{name}.txt", data=f"{name} {version}\n".encode())
    write_package(channel / "noarch", index, {}, [member])


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    from rattler.index import index_fs

    folder = tmp_path / "channel"
    package(folder, "engine", "1.0")
    package(folder, "engine", "2.0")
    package(folder, "car", "1.0", "engine >=1,<2")
    package(folder, "boat", "1.0", "sail >=3")
    asyncio.run(index_fs(folder))
    return folder


def test_a_package_that_the_named_channel_lacks_is_not_looked_for_elsewhere(
    channel: Path, tmp_path: Path
) -> None:
    address, cache = channel.as_uri(), tmp_path / "cache"
    assert find_channel_address(["car =1", "x"], address, {}, cache=cache) == address
    with pytest.raises(TwofoldError, match="does not have nothing") as caught:
        find_channel_address(["nothing", "car"], address, {}, cache=cache)
    assert "check the name" in caught.value.hint
    with pytest.raises(Unreachable, match="cannot read a channel"):
        find_channel_address(["car"], f"{address}/nowhere", {}, cache=cache)
    server = StaticServer(channel)
    with pytest.raises(TwofoldError, match="does not have nothing"):
        find_channel_address(["nothing"], server.url, {}, cache=cache)
    server.close()


def names(found: list[Any]) -> list[tuple[str, str]]:
    return [(one.name, one.version) for one in found]


def test_a_package_comes_with_what_it_depends_on(channel: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "environment"
    found = install_into_prefix(["car"], [channel], prefix, cache=tmp_path / "cache")
    assert names(found) == [("car", "1.0"), ("engine", "1.0")]
    assert (prefix / "share/engine.txt").read_text() == "engine 1.0\n"


def test_what_is_installed_stays_when_more_is_requested(channel: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "environment"
    install_into_prefix(["engine=1.0"], [channel], prefix, cache=tmp_path / "cache")
    found = install_into_prefix(["car"], [channel], prefix, cache=tmp_path / "cache")
    assert names(found) == [("car", "1.0"), ("engine", "1.0")]


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [("engine", "2.0"), ("Engine >=1", "2.0"), ("engine <2", "1.0"), ("boat2", "1.0")],
)
def test_with_upgrade_what_is_named_is_replaced_and_nothing_else(
    channel: Path, tmp_path: Path, spec: str, wanted: str
) -> None:
    from rattler.index import index_fs

    package(channel, "boat2", "1.0", "engine")
    asyncio.run(index_fs(channel))
    prefix = tmp_path / "environment"
    install_into_prefix(["engine=1.0"], [channel], prefix, cache=tmp_path / "cache")
    stays = install_into_prefix(["engine"], [channel], prefix, cache=tmp_path / "cache")
    assert names(stays) == [("engine", "1.0")]
    found = install_into_prefix([spec], [channel], prefix, cache=tmp_path / "cache", upgrade=True)
    assert dict(names(found))["engine"] == wanted


def test_a_relative_prefix_is_made_where_the_user_stands(
    channel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    install_into_prefix(["engine"], [channel], Path("here"), cache=tmp_path / "cache")
    assert (tmp_path / "here/share/engine.txt").is_file()


def test_no_solution_is_reported_with_the_solvers_reason(channel: Path, tmp_path: Path) -> None:
    with pytest.raises(TwofoldError, match="sail") as caught:
        install_into_prefix(["boat"], [channel], tmp_path / "env", cache=tmp_path / "cache")
    assert "--channel" in caught.value.hint
    assert not (tmp_path / "env").exists()


def test_a_channel_that_does_not_answer_is_reported(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as caught:
        install_into_prefix(
            ["car"], ["http://127.0.0.1:9/main"], tmp_path / "env", cache=tmp_path / "cache"
        )
    assert "http://127.0.0.1:9/main" in str(caught.value)


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(TwofoldError, match="no channel folder"):
        install_into_prefix(["car"], [tmp_path / "nothing"], tmp_path / "env")


def test_a_spec_that_means_nothing_is_reported(channel: Path, tmp_path: Path) -> None:
    with pytest.raises(TwofoldError) as caught:
        install_into_prefix(["car >=>1"], [channel], tmp_path / "env", cache=tmp_path / "cache")
    assert "name>=1.2" in caught.value.hint


def test_a_token_opens_its_own_channel_and_is_sent_nowhere_else(
    channel: Path, tmp_path: Path
) -> None:
    handler = functools.partial(PrivateChannel, directory=str(channel))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    host = f"http://127.0.0.1:{server.server_port}"
    try:
        private, public = f"{host}/private", f"{host}"
        found = install_into_prefix(
            ["car"],
            [private, public],
            tmp_path / "env",
            logins={private: Login("secret-token")},
            cache=tmp_path / "cache",
        )
        assert names(found) == [("car", "1.0"), ("engine", "1.0")]
        assert PrivateChannel.elsewhere
        assert set(PrivateChannel.elsewhere) == {""}
        with pytest.raises(TwofoldError):
            install_into_prefix(["car"], [private], tmp_path / "no", cache=tmp_path / "cache")
    finally:
        server.shutdown()
        server.server_close()


def test_a_package_that_is_gone_from_its_channel_is_reported_without_a_traceback(
    channel: Path, tmp_path: Path
) -> None:
    (channel / "noarch" / "car-1.0-0.conda").unlink()
    with pytest.raises(SubprocessFailed, match="could not be installed") as caught:
        install_into_prefix(["car"], [channel], tmp_path / "env", cache=tmp_path / "cache")
    assert caught.value.output


def test_a_missing_py_rattler_is_reported_with_what_to_install(
    channel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a plain `pip install twofold`: import finds no such package."""
    monkeypatch.setitem(sys.modules, "rattler", None)
    for call in (
        lambda: index_channel(channel),
        lambda: install_into_prefix(["car"], [channel], tmp_path / "env"),
    ):
        with pytest.raises(TwofoldError, match="py-rattler") as caught:
            call()
        assert "twofold[conda]" in caught.value.hint


def test_the_order_of_channels_is_no_reason_beside_another_one() -> None:
    refused = "a * cannot be installed because there are no viable options:"
    head = f"Cannot solve the request because of: {refused}\n"
    reason = "└─ a 1 would require\n   └─ b >=3, for which no candidates were found."
    order = (
        "└─ a 2 is excluded because due to strict channel priority not using this option from: 'X/'"
    )
    incompatible = "\nThe following packages are incompatible\n"
    nested = f"└─ {refused}\n   {order}"
    assert explain_conflict(head + reason + incompatible + nested) == head + reason
    both = head + order.replace("└", "├") + "\n" + reason
    assert explain_conflict(both) == head + reason
    alone = explain_conflict(head + order)
    assert "a 2 is not taken from X/: an earlier channel has a package of this name" in alone
    assert "strict channel priority" not in alone
