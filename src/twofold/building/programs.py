"""Other programs, run for a build."""

from __future__ import annotations

import subprocess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def run_captured(
    command: Sequence[object], variables: Mapping[str, str], folder: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program without input; its stdout and stderr together are the result's stdout."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
