"""anaconda-client against a registry of the test: its library in this process, its command line."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from binstar_client import Binstar

from tests.server.conftest import Place
from twofold.server.auth import accounts
from twofold.server.model import Actor, Channel


def client(place: Place, token: str | None = None) -> Binstar:
    """The client's library, as the owner unless another token is given ('' for nobody)."""
    return Binstar(place.token if token is None else token or None, f"{place.url}/api")


@dataclass(frozen=True)
class SecondUser:
    """Another user, with a password, and a channel that is its home."""

    actor: Actor
    channel: Channel
    password: str


def second_user(place: Place, name: str = "bea", public: bool = True) -> SecondUser:
    """A user with a channel of the same name."""
    user = accounts.add_user(place.registry, "owner", name, "correct horse battery")
    channel = accounts.add_channel(place.registry, "owner", name, user, public)
    return SecondUser(Actor(user), channel, "correct horse battery")


@dataclass(frozen=True)
class CommandLine:
    """`anaconda ...` with a configuration folder of its own."""

    folder: Path

    def __call__(self, *words: str | Path, code: int = 0, says: str = "") -> str:
        environment = {
            **os.environ,
            "OTEL_SDK_DISABLED": "true",
            "BINSTAR_CONFIG_DIR": str(self.folder / "binstar"),
            "ANACONDA_CLIENT_LEGACY_INTERACTIVE_LOGIN": "1",
            "HOME": str(self.folder),
            "COLUMNS": "200",
        }
        done = subprocess.run(
            [str(Path(sys.executable).with_name("anaconda")), *map(str, words)],
            cwd=self.folder,
            env=environment,
            input=says,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            start_new_session=True,
        )
        output = done.stdout + done.stderr
        assert done.returncode == code, f"{words}\n{output}"
        return output
