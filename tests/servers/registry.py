"""A real registry on loopback for the tests."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.request import Request, urlopen


@dataclass(frozen=True)
class Registry:
    """A running `twofold serve` on a free loopback port, and a channel of it."""

    url: str
    token: str
    data: Path
    process: subprocess.Popen[str]
    name: str = "main"

    @property
    def channel(self) -> str:
        return f"{self.url}/{self.name}"

    def create_channel(self, name: str) -> Registry:
        """Create another channel of the owner's; return the registry with it."""
        request = Request(
            f"{self.url}/api/manage/channels",
            json.dumps({"name": name}).encode(),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
            method="POST",
        )
        with urlopen(request) as answer:
            assert answer.status < 300
        return replace(self, name=name)


@contextmanager
def run_registry(folder: Path) -> Iterator[Registry]:
    """Run a registry with its data and its log in `folder`."""
    data = folder / "registry-data"
    command = [sys.executable, "-m", "twofold", "serve", "--port", "0", "--data", str(data)]
    with (folder / "registry.log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--json"], stdout=subprocess.PIPE, stderr=log, text=True
        )
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield Registry(ready["url"], ready["token"], data, process)
        finally:
            process.terminate()
            process.wait(timeout=20)
