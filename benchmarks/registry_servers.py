"""The servers that are compared, each as one process, and the wheels that go into them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Wheel:
    name: str
    version: str
    data: bytes

    @property
    def filename(self) -> str:
        return f"{self.name}-{self.version}-py3-none-any.whl"


def make_wheel(name: str, version: str, size: int = 100_000, stored: int = 0) -> Wheel:
    """A sound pure wheel of about `size` bytes that does not compress, with a `stored` member."""
    info = f"{name}-{version}.dist-info"
    noise = random.Random(f"{name}{version}").randbytes(size * 3 // 4)
    members = {
        f"{name}/__init__.py": b'DATA = "' + base64.b85encode(noise).replace(b"\\", b"/") + b'"\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
        + b"Summary: made for a benchmark\nRequires-Python: >=3.8\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\n"
        b"Tag: py3-none-any\n",
    }
    if stored:
        members[f"{name}/data.bin"] = random.Random(name).randbytes(stored)
    lines = []
    for path, data in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(data)}\n")
    members[f"{info}/RECORD"] = ("".join(lines) + f"{info}/RECORD,,\n").encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in members.items():
            archive.writestr(
                zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)),
                data,
                8 if len(data) < size + 1000 else 0,
            )
    return Wheel(name, version, out.getvalue())


@dataclass
class Server:
    """A running server: where its pages are, how a wheel goes in (seconds it took)."""

    page: Callable[[str], str]
    put: Callable[[Wheel], float]
    pid: int


def encode_form(wheel: Wheel) -> tuple[bytes, str]:
    """twine's upload form."""
    digest = hashlib.sha256(wheel.data).hexdigest()
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": wheel.name,
        "version": wheel.version,
        "filetype": "bdist_wheel",
        "pyversion": "py3",
        "sha256_digest": digest,
        "md5_digest": hashlib.md5(wheel.data).hexdigest(),
    }
    mark = "----benchmark"
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{mark}\r\nContent-Disposition: form-data; name="content"; '
    head += f'filename="{wheel.filename}"\r\nContent-Type: application/octet-stream\r\n\r\n'
    body = b"".join([*parts, head.encode(), wheel.data, f"\r\n--{mark}--\r\n".encode()])
    return body, f"multipart/form-data; boundary={mark}"


def make_uploader(url: str, user: str, password: str) -> Callable[[Wheel], float]:
    import requests

    session = requests.Session()
    session.trust_env = False

    def put(wheel: Wheel) -> float:
        body, kind = encode_form(wheel)
        begun = time.perf_counter()
        answer = session.post(
            url, data=body, headers={"Content-Type": kind}, auth=(user, password), timeout=60
        )
        seconds = time.perf_counter() - begun
        if answer.status_code != 200:
            raise SystemExit(f"{url}: {answer.status_code} {answer.text[:300]}")
        return seconds

    return put


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, process: subprocess.Popen[str]) -> None:
    import requests

    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"the server for {url} ended")
        try:
            requests.get(url, timeout=2)
        except requests.RequestException:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"no answer at {url}")


@contextmanager
def start_process(command: list[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, text=True, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


@contextmanager
def start_twofold(folder: Path) -> Iterator[Server]:
    command = [sys.executable, "-m", "twofold", "serve", "--port", "0", "--json"]
    command += ["--data", str(folder)]
    with start_process(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        base = f"{ready['url']}/main"
        put = make_uploader(f"{base}/legacy/", "__token__", ready["token"])
        yield Server(lambda name: f"{base}/simple/{name}/", put, process.pid)


@contextmanager
def start_devpi(folder: Path) -> Iterator[Server]:
    port = free_port()
    tools = Path(sys.executable).parent
    subprocess.run(
        [tools / "devpi-init", "--serverdir", folder, "--no-root-pypi"],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    command = [str(tools / "devpi-server"), "--serverdir", str(folder), "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with start_process(command, **quiet) as process:
        import requests

        base = f"http://127.0.0.1:{port}"
        wait_for(f"{base}/+api", process)
        login = requests.post(f"{base}/+login", json={"user": "root", "password": ""}, timeout=20)
        secret = login.json()["result"]["password"]
        token = base64.b64encode(f"root:{secret}".encode()).decode()
        requests.put(
            f"{base}/root/bench",
            json={"bases": [], "volatile": True, "type": "stage"},
            headers={"X-Devpi-Auth": token},
            timeout=20,
        ).raise_for_status()
        put = make_uploader(f"{base}/root/bench/", "root", secret)
        yield Server(lambda name: f"{base}/root/bench/+simple/{name}/", put, process.pid)


@contextmanager
def start_pypiserver(folder: Path) -> Iterator[Server]:
    port = free_port()
    folder.mkdir(parents=True)
    command = [str(Path(sys.executable).parent / "pypi-server"), "run", "-p", str(port), "-i"]
    command += ["127.0.0.1", "-P", ".", "-a", ".", "--server", "auto", str(folder)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with start_process(command, **quiet) as process:
        base = f"http://127.0.0.1:{port}"
        wait_for(base, process)
        put = make_uploader(f"{base}/", "", "")
        yield Server(lambda name: f"{base}/simple/{name}/", put, process.pid)


SERVERS = {"twofold": start_twofold, "devpi": start_devpi, "pypiserver": start_pypiserver}


def measure_memory(pid: int) -> float:
    """Resident memory of a process and its children, in MB."""
    import psutil

    process = psutil.Process(pid)
    every = [process, *process.children(recursive=True)]
    return sum(own.memory_info().rss for own in every) / 1e6
