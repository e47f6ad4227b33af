"""The unmodified clients of both worlds, pointed at a fresh registry by their own settings."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.registry import Registry


@dataclass(frozen=True)
class Clients:
    """Real command lines in an environment that names the registry, never the internet's."""

    registry: Registry
    offline: Path
    environment: dict[str, str] = field(default_factory=dict)

    def twofold(self, *words: str | Path, cwd: Path) -> str:
        """twofold itself, with pip's and uv's own configuration: a build needs its backend."""
        return self.run(
            sys.executable, "-m", "twofold", *words, cwd=cwd, environment=dict(os.environ)
        )

    def run(
        self,
        *words: str | Path,
        cwd: Path,
        code: int = 0,
        environment: dict[str, str] | None = None,
    ) -> str:
        done = subprocess.run(
            [str(word) for word in words],
            cwd=cwd,
            env=environment or self.environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == code, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout if code == 0 else done.stdout + done.stderr

    def glob(self, folder: Path, pattern: str) -> list[str]:
        """What the shell would make of a pattern: hidden files are left out."""
        return sorted(
            str(path.relative_to(folder))
            for path in folder.glob(pattern)
            if not path.name.startswith(".")
        )

    def venv(self, folder: Path) -> Path:
        self.run(sys.executable, "-m", "venv", folder, cwd=folder.parent)
        return folder / "bin" / "python"

    def anaconda_login(self, cwd: Path) -> None:
        self.run("anaconda", "config", "--set", "url", f"{self.registry.url}/api", cwd=cwd)
        self.run(
            "anaconda", "login", "--username", "owner", "--password", self.registry.token, cwd=cwd
        )

    def conda_install(self, spec: str, prefix: Path) -> None:
        self.run(
            sys.executable,
            "-m",
            "twofold",
            "install",
            spec,
            "--from",
            self.registry.channel,
            "--conda",
            prefix,
            "--channel",
            self.offline.as_uri(),
            "--only",
            cwd=prefix.parent,
        )

    def conda_python(self, prefix: Path) -> Path:
        return prefix / "bin" / "python"


def find_index() -> str:
    """The index that pip uses here: of the environment, or pip's own."""
    configured = os.environ.get("PIP_INDEX_URL")
    if configured:
        return configured
    code = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return ran.stdout.strip()
