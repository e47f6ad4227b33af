"""Resolves requirements with uv against a channel of this registry.

The registry is served to uv on a loopback port, so that stored and upstream files form one index
and no other index is queried. Without uv nothing is resolved: `proxy.sync` then takes the newest
matching release of each project.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from twofold.errors import SubprocessFailed
from twofold.names import normalize_name
from twofold.names.platforms import Target, to_uv_platform
from twofold.server import run
from twofold.server.app import create_app
from twofold.server.auth import accounts
from twofold.server.context import Registry
from twofold.server.model import Action
from twofold.server.registry import queries
from twofold.server.registry.administration import OPERATOR
from twofold.server.settings import Settings
from twofold.server.store import accounts as stored_people

#: Seconds that a resolution may take.
TIMEOUT = 600


def find_resolver(registry: Registry, settings: Settings) -> Resolver | None:
    """Return a resolver; None when uv is not installed."""
    uv = shutil.which("uv")
    return Resolver(registry, settings, uv) if uv else None


class Resolver:
    """Callable with channel, requirements and target; returns project -> version."""

    def __init__(self, registry: Registry, settings: Settings, uv: str) -> None:
        self._registry, self._settings, self._uv = registry, settings, uv

    def __call__(self, channel: str, names: Sequence[str], target: Target) -> dict[str, str]:
        """Resolve the requirements. Raises SubprocessFailed without a solution."""
        with _serve_index(self._registry, self._settings, channel) as index:
            done = self._run(index, names, target)
        if done.returncode:
            raise SubprocessFailed(
                f"uv finds no releases that fit together: {_one_line_reason(done.stderr)}",
                "ask for other versions, or see which project has no wheel for the target",
                output=done.stderr,
            )
        return dict(_parse_pins(done.stdout))

    def _run(
        self, index: str, names: Sequence[str], target: Target
    ) -> subprocess.CompletedProcess[str]:
        command = [self._uv, "pip", "compile", "-", "--no-header", "--no-annotate", "--quiet"]
        command += ["--python-version", target.python, "--only-binary", ":all:"]
        command += [
            "--python-platform",
            to_uv_platform(target.platform),
            "--python",
            sys.executable,
        ]
        with tempfile.TemporaryDirectory(prefix="twofold-resolve-") as folder:
            work = Path(folder, "work")  # uv refuses to work inside its cache
            work.mkdir()
            kept = {k: v for k, v in os.environ.items() if not k.startswith(("UV_", "PIP_"))}
            own = {
                "UV_DEFAULT_INDEX": index,
                "UV_NO_CONFIG": "1",
                "UV_CACHE_DIR": f"{folder}/cache",
            }
            return subprocess.run(
                command,
                input="\n".join(names),
                env={**kept, **own, "NO_PROXY": "127.0.0.1", "NO_COLOR": "1"},
                cwd=work,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=TIMEOUT,
                check=False,
            )


@contextmanager
def _serve_index(registry: Registry, settings: Settings, channel: str) -> Iterator[str]:
    """Serve a channel's simple index on loopback with a temporary token; yield its URL."""
    found = queries.get_channel(registry, OPERATOR, channel)
    with registry.database.read() as db:
        owner = stored_people.find_user_by_id(db, found.owner_id)
    assert owner is not None
    end = registry.clock() + timedelta(seconds=2 * TIMEOUT)
    wish = accounts.TokenRequest("follow", frozenset({Action.READ}), channel, expires_at=end)
    secret, token = accounts.issue_token_for(registry, OPERATOR.name, owner, wish)
    listener = run.bind("127.0.0.1", 0)
    ready = threading.Event()
    server = run.AnnouncingServer(
        run.make_config(create_app(settings, registry), Settings(settings.data)), ready.set
    )
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    registry.proxied_channels.reads_parts = True  # so that what uv only tries is not fetched
    try:
        ready.wait(30)
        port = listener.getsockname()[1]
        yield f"http://__token__:{secret}@127.0.0.1:{port}/{channel}/simple/"
    finally:
        registry.proxied_channels.reads_parts = False
        server.should_exit = True
        thread.join(30)
        listener.close()
        accounts.revoke(registry, OPERATOR.name, token)


def _parse_pins(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        try:
            requirement = Requirement(line.partition(" #")[0])
        except InvalidRequirement:
            continue
        for one in requirement.specifier:
            if one.operator in ("==", "==="):
                yield normalize_name(requirement.name), one.version


def _one_line_reason(output: str) -> str:
    """Return uv's message on one line, without its drawing."""
    words = " ".join(output.replace("×", "").replace("╰─▶", "").split())
    return words.replace("No solution found when resolving dependencies: ", "")[:600]
