"""The commands of pages, run as they are copied: pip, uv, and py-rattler in conda's place."""

from __future__ import annotations

import asyncio
import html
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from rattler import VirtualPackage, solve

from tests.clients.rattler import gateway
from tests.factories.packages import make_python, make_wheel
from tests.server.conftest import Place, new_place, serve
from tests.servers.processes import run_server, upload
from twofold.server.auth import accounts
from twofold.server.settings import Settings

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Reader:
    """Somebody who copies commands; everything that this registry lacks is at `elsewhere`."""

    elsewhere: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder / "home"),
            "PIP_CONFIG_FILE": "/dev/null",
            "PIP_INDEX_URL": f"{self.elsewhere}/simple/",
            "UV_DEFAULT_INDEX": f"{self.elsewhere}/simple/",
            "UV_NO_CONFIG": "1",
        }

    def read_commands(self, url: str, token: str = "") -> dict[str, str]:
        """Return client -> the command on a page, with the token in its place."""
        auth = ("__token__", token) if token else None
        answer = requests.get(url, headers={"Accept": "text/html"}, auth=auth, timeout=60)
        assert answer.ok, answer.text
        texts = map(html.unescape, re.findall(r"<pre><code>(.*?)</code>", answer.text, re.DOTALL))
        found: dict[str, str] = {}
        for text in texts:
            found.setdefault(text.partition(" ")[0], text.replace("TOKEN", token))
        return {client: found[client] for client in ("pip", "uv", "conda") if client in found}

    def install(self, command: str) -> list[str]:
        """Run a command of pip or uv, or solve one of conda; returns NAME-VERSION of what came."""
        words = shlex.split(command)
        if words[0] == "conda":
            return asyncio.run(self._solve(words[2:]))
        target = self.folder / words[0]
        program = [sys.executable, "-m"] if words[0] == "pip" else []
        uv = shutil.which("uv")
        if words[0] == "uv":
            assert uv is not None
            words = [uv, *words[1:], "--no-cache", "--python", sys.executable]
        else:
            words += ["--no-cache-dir", "--disable-pip-version-check"]
        done = subprocess.run(
            [*program, *words, "--target", str(target)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return sorted(path.name.removesuffix(".dist-info") for path in target.glob("*.dist-info"))

    async def _solve(self, words: list[str]) -> list[str]:
        channels = [words[at + 1] for at, word in enumerate(words) if word == "-c"]
        specs = [word for at, word in enumerate(words) if word != "-c" and words[at - 1] != "-c"]
        channels = [self.elsewhere if one == "conda-forge" else one for one in channels]
        records: list[Any] = await solve(
            sources=[*channels, self.elsewhere],  # an environment has its python already
            specs=specs,
            platforms=["linux-64", "noarch"],
            gateway=gateway(self.folder / "gateway"),
            virtual_packages=VirtualPackage.detect(),
        )
        found = [f"{one.name.normalized}-{one.version}" for one in records]
        return sorted(one for one in found if not one.startswith("python"))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a channel of another registry: python, and what projects require."""
    folder = tmp_path_factory.mktemp("elsewhere")
    place = new_place(Settings(folder / "registry"))
    place.publish(make_python(folder))
    place.publish(make_wheel(folder, "outside", "3.0"))
    with serve(place):
        yield place.channel
    place.registry.database.close()


@pytest.fixture
def reader(elsewhere: str, tmp_path: Path) -> Reader:
    (tmp_path / "home").mkdir()
    return Reader(elsewhere, tmp_path)


NEEDS = ("Requires-Dist: outside>=2",)


@pytest.mark.parametrize(
    ("name", "more", "versions", "path", "wanted"),
    [
        ("tool", (), ["1.0", "1.1"], "", ["tool-1.1"]),
        ("tool", (), ["1.0", "1.1"], "/1.0", ["tool-1.0"]),
        ("tool", (), ["1.0", "2.0rc1"], "", ["tool-1.0"]),
        ("tool", (), ["1.0", "2.0rc1"], "/2.0rc1", ["tool-2.0rc1"]),
        ("early", (), ["1.0rc1", "1.0rc2"], "", ["early-1.0rc2"]),
        ("needy", NEEDS, ["1.0"], "", ["needy-1.0", "outside-3.0"]),
        ("needy", NEEDS, ["1.0b1"], "", ["needy-1.0b1", "outside-3.0"]),
        ("local", (), ["1!2.0+cpu.1"], "/1!2.0+cpu.1", ["local-1!2.0+cpu.1"]),
    ],
    ids=[
        "newest",
        "pinned",
        "not the pre-release",
        "pinned pre-release",
        "pre-releases alone",
        "needs from elsewhere",
        "pre-release with needs",
        "epoch and local version",
    ],
)
@pytest.mark.parametrize("public", [True, False], ids=["public", "private"])
def test_each_command_installs_what_the_page_says(
    served: Place,
    reader: Reader,
    public: bool,
    name: str,
    more: tuple[str, ...],
    versions: list[str],
    path: str,
    wanted: list[str],
) -> None:
    channel = "main" if public else "hidden"
    if not public:
        accounts.add_channel(served.registry, "owner", channel, served.owner.user, public=False)  # type: ignore[arg-type]
    for version in versions:
        served.publish(make_wheel(reader.folder / "files", name, version, *more), channel)
    url = f"{served.url}/{channel}/project/{name}{path}"
    commands = reader.read_commands(url, "" if public else served.token)
    assert set(commands) == {"pip", "uv", "conda"}
    for client, command in commands.items():
        assert reader.install(command) == wanted, (client, command)


def test_each_command_works_below_a_prefix(reader: Reader) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    base = f"http://127.0.0.1:{port}/pkgs"
    data = reader.folder / "data"
    with run_server(data, "--port", str(port), "--public-url", base) as (_, ready):
        wheel = make_wheel(reader.folder / "files", "needy", "1.0", *NEEDS)
        assert upload({"url": base}, ready["token"], wheel).ok
        commands = reader.read_commands(f"{base}/main/project/needy")
        assert set(commands) == {"pip", "uv", "conda"}
        for client, command in commands.items():
            assert f"{base}/main" in command
            assert reader.install(command) == ["needy-1.0", "outside-3.0"], (client, command)
