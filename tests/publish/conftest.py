"""Releases made by hand and real servers on loopback for the tests of publishing."""

from __future__ import annotations

import base64
import hashlib
import io
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from twofold.conda_metadata import CondaPackage
from twofold.formats.conda import CondaWriter
from twofold_build.archive import Content, Entry

WHEEL = b"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def metadata(name: str, version: str, extra: str = "") -> bytes:
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
        f"{info}/METADATA": metadata(name, version, extra),
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


def make_sdist(folder: Path, name: str, version: str, build: str = "") -> Path:
    path = folder / f"{name}-{version}.tar.gz"
    project = f'{build}[project]\nname = "{name}"\nversion = "{version}"\n'
    with tarfile.open(path, "w:gz") as archive:
        for inner, data in {
            "PKG-INFO": metadata(name, version),
            "pyproject.toml": project.encode(),
            f"{name}/__init__.py": b"x = 1\n",
        }.items():
            header = tarfile.TarInfo(f"{name}-{version}/{inner}")
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return path


def make_conda(folder: Path, name: str, version: str, code: str = "x = 1\n") -> Path:
    path = folder / f"{name}-{version}-py_0.conda"
    package = CondaPackage(name, version, depends=["python >=3.9"], timestamp=1_700_000_000_000)
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


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[[list[str], str], None]]:
    """Starts server processes, waits until an address answers, and ends them afterwards."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(command: list[str], address: str) -> None:
        log = (tmp_path / f"server-{len(processes)}.log").open("wb")
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        log.close()
        processes.append(process)
        for _ in range(300):
            assert process.poll() is None, (
                tmp_path / f"server-{len(processes) - 1}.log"
            ).read_text()
            try:
                with urllib.request.urlopen(address, timeout=2):
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"{command[0]} did not answer at {address}")

    yield start
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(timeout=20)


@pytest.fixture
def pypiserver(tmp_path: Path, started: Callable[[list[str], str], None]) -> str:
    """The address of a pypiserver that takes uploads from anybody."""
    return _pypiserver(tmp_path / "pypiserver", started, ["-P", ".", "-a", "."])


#: The user of the private pypiserver, and a password that a netrc file and an address must quote.
USER, PASSWORD = "me", 'zq"7f3e9 @the:pass\\word#'


@pytest.fixture
def private_pypiserver(tmp_path: Path, started: Callable[[list[str], str], None]) -> str:
    """The address of a pypiserver that gives nothing to nobody without USER and PASSWORD."""
    users = tmp_path / "htpasswd"
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()
    users.write_text(f"{USER}:{{SHA}}{digest}\n")
    closed = ["-P", str(users), "-a", "update,download,list"]
    return _pypiserver(tmp_path / "private-pypiserver", started, closed)


def _pypiserver(folder: Path, started: Callable[[list[str], str], None], rights: list[str]) -> str:
    folder.mkdir()
    port = free_port()
    command = [sys.executable, "-m", "pypiserver", "run", "-i", "127.0.0.1", "-p", str(port)]
    address = f"http://127.0.0.1:{port}"
    started([*command, "--backend", "simple-dir", *rights, str(folder)], f"{address}/")
    return address
