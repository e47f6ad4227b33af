"""Releases made by hand and real servers on loopback for the tests of publishing."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from twofold.conda_metadata import CondaPackage
from twofold.formats.conda_writer import CondaWriter
from twofold_build.archive import Content, Entry

WHEEL = b"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def make_metadata(name: str, version: str, extra: str = "") -> bytes:
    return (
        f"Metadata-Version: 2.3\nName: {name}\nVersion: {version}\nSummary: A small package\n"
        f"Keywords: one,two\nProject-URL: Home, https://example.org/home\n"
        f"Requires-Python: >=3.9\nDescription-Content-Type: text/markdown\n{extra}\n# {name}\n"
    ).encode()


def make_wheel(
    folder: Path, name: str, version: str, code: str = "x = 1\n", extra: str = ""
) -> Path:
    """A wheel by PEP 427; `code` makes its bytes differ."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": code.encode(),
        f"{info}/METADATA": make_metadata(name, version, extra),
        f"{info}/WHEEL": WHEEL,
    }
    rows = [f"{p},sha256={_urlsafe(data)},{len(data)}" for p, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for inner, data in files.items():
            archive.writestr(zipfile.ZipInfo(inner, (2024, 1, 1, 0, 0, 0)), data)
    return path


def _urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def make_sdist(
    folder: Path, name: str, version: str, build: str = "", more: Mapping[str, str] | None = None
) -> Path:
    """An sdist; `build` stands before [project], `more` are other files by their paths."""
    others = {path: text.encode() for path, text in (more or {}).items()}
    path = folder / f"{name}-{version}.tar.gz"
    project = f'{build}[project]\nname = "{name}"\nversion = "{version}"\n'
    with tarfile.open(path, "w:gz") as archive:
        for inner, data in {
            "PKG-INFO": make_metadata(name, version),
            "pyproject.toml": project.encode(),
            f"{name}/__init__.py": b"x = 1\n",
            **others,
        }.items():
            header = tarfile.TarInfo(f"{name}-{version}/{inner}")
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return path


def make_conda(
    folder: Path,
    name: str,
    version: str,
    code: str = "x = 1\n",
    depends: Sequence[str] = ("python >=3.9",),
) -> Path:
    path = folder / f"{name}-{version}-py_0.conda"
    package = CondaPackage(name, version, depends=list(depends), timestamp=1_700_000_000_000)
    writer = CondaWriter(path, package)
    data = code.encode()
    entry = Entry(f"site-packages/{name}/__init__.py", data=data)
    writer.add(entry, Content(data, hashlib.sha256(data).digest()))
    writer.close()
    return path


@dataclass(frozen=True)
class Release:
    folder: Path
    wheel: Path
    sdist: Path
    conda: Path

    @property
    def files(self) -> list[Path]:
        return [self.wheel, self.sdist, self.conda]


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """my_package 1.0.0: wheel, sdist and conda package."""
    folder = tmp_path / "dist"
    folder.mkdir()
    return Release(
        folder,
        make_wheel(folder, "my_package", "1.0.0"),
        make_sdist(folder, "my_package", "1.0.0"),
        make_conda(folder, "my_package", "1.0.0"),
    )


def hash_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


#: Makes the command of a server from its port.
Command = Callable[[int], list[str]]


def start_server(command: Command, path: str, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A server process that answers at `path`, and its address.

    The port is free when it is chosen; whoever takes it before the server does makes the server
    end, and it is started on another.
    """
    for _ in range(5):
        port = find_free_port()
        with log.open("wb") as out:
            process = subprocess.Popen(command(port), stdout=out, stderr=subprocess.STDOUT)
        if _wait_until_ready(process, f"http://127.0.0.1:{port}{path}"):
            return process, f"http://127.0.0.1:{port}"
    raise AssertionError(log.read_text(errors="replace"))


def _wait_until_ready(process: subprocess.Popen[bytes], address: str) -> bool:
    """Wait until a server answers, long enough for a machine that is very busy."""
    until = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=30):
            return process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    return False


def end_server(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[[Command], str]]:
    """Starts server processes, waits until they answer, and ends them afterwards."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(command: Command) -> str:
        log = tmp_path / f"server-{len(processes)}.log"
        process, address = start_server(command, "/", log)
        processes.append(process)
        return address

    yield start
    for process in processes:
        end_server(process)


@pytest.fixture
def pypiserver(tmp_path: Path, started: Callable[[Command], str]) -> str:
    """The address of a pypiserver that takes uploads from anybody."""
    return _start_pypiserver(tmp_path / "pypiserver", started, ["-P", ".", "-a", "."])


#: The user of the private pypiserver, and a password that a netrc file and an address must quote.
USER, PASSWORD = "me", 'zq"7f3e9 @the:pass\\word#'


@pytest.fixture
def private_pypiserver(tmp_path: Path, started: Callable[[Command], str]) -> str:
    """The address of a pypiserver that gives nothing to nobody without USER and PASSWORD."""
    users = tmp_path / "htpasswd"
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()
    users.write_text(f"{USER}:{{SHA}}{digest}\n")
    closed = ["-P", str(users), "-a", "update,download,list"]
    return _start_pypiserver(tmp_path / "private-pypiserver", started, closed)


def _start_pypiserver(folder: Path, started: Callable[[Command], str], rights: list[str]) -> str:
    folder.mkdir()
    command = [sys.executable, "-m", "pypiserver", "run", "-i", "127.0.0.1"]
    more = ["--backend", "simple-dir", *rights, str(folder)]
    return started(lambda port: [*command, "-p", str(port), *more])
