"""A real registry on loopback for the tests."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Registry:
    """A running `twofold serve` on a free loopback port, with a fresh data folder."""

    url: str
    token: str
    data: Path
    process: subprocess.Popen[str]

    @property
    def channel(self) -> str:
        return f"{self.url}/main"
