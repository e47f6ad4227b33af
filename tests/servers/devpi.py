"""A real devpi-server on loopback."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.servers.pypiserver import end_server, start_server

#: The user of the index me/dev, and the password.
USER, PASSWORD = "me", "pw-devpi"


@contextmanager
def run_devpi(folder: Path) -> Iterator[str]:
    """Yield the address of a devpi-server with the index me/dev, whose files stay as they are.

    Skips the test where devpi-server is not installed.
    """
    tools = Path(sys.executable).parent
    if not (tools / "devpi-init").exists():
        pytest.skip("devpi-server is not installed")
    where = ["--serverdir", str(folder / "data")]
    subprocess.run(
        [tools / "devpi-init", *where, "--no-root-pypi"], check=True, capture_output=True
    )
    command = [str(tools / "devpi-server"), *where, "--host", "127.0.0.1", "--port"]
    process, host = start_server(lambda port: [*command, str(port)], "/+api", folder / "log")
    try:
        _call("PUT", f"{host}/{USER}", {"password": PASSWORD})
        login = _call("POST", f"{host}/+login", {"user": USER, "password": PASSWORD})
        token = f"{USER}:{login['result']['password']}"
        _call("PUT", f"{host}/{USER}/dev", {"volatile": False, "bases": []}, token)
        yield host
    finally:
        end_server(process)


def _call(method: str, address: str, value: object, token: str = "") -> Any:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if token:
        headers["X-Devpi-Auth"] = base64.b64encode(token.encode()).decode()
    data = json.dumps(value).encode()
    request = urllib.request.Request(address, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=120) as response:
        return json.loads(response.read())
