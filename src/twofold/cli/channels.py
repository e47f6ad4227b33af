"""Conda channels on the command line, with the tokens of private ones.

A token is found as for `twofold publish` (a URL with a login, the environment, the keyring, the
configuration); it is sent to its own channel only, and never put on a command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from twofold.cli.terminal import note
from twofold.errors import TwofoldError
from twofold.publish.addresses import guess_url, redact_url, strip_page
from twofold.publish.config import read_targets
from twofold.publish.credentials import find_credentials
from twofold.publish.resolve import resolve_targets
from twofold.publish.targets.settings import TargetSettings


class Channels(NamedTuple):
    """`addresses` are URLs, folders and names; `tokens` are (URL, bearer token) pairs.

    `only` is True if conda-forge does not come after them.
    """

    addresses: tuple[str, ...]
    tokens: tuple[tuple[str, str], ...]
    only: bool = False


def find_channels(
    names: Sequence[str], beside: Sequence[TargetSettings] = (), *, only: bool = False
) -> Channels:
    """Resolve URLs of registries, configured targets, folders and names (conda-forge).

    `beside` are the targets of the same command, whose tokens are not for these channels.
    """
    known = read_targets()
    for word in names:
        if "://" not in word and ":" in word and word not in known and guess_url(word):
            bare = guess_url(word).removeprefix("http://")
            raise TwofoldError(
                f"'{bare}' is neither a URL nor a channel's name", f"write http://{bare}"
            )
    note_channels(names)
    found = [(word, _find_registry(word, known)) for word in dict.fromkeys(names)]
    registries = [target for _, target in found if target is not None]
    tokens = []
    for target in registries:
        others = [other for other in (*registries, *beside) if other.url != target.url]
        credentials = find_credentials(target, others)
        if credentials is not None:
            tokens.append((target.url, credentials.secret.reveal()))
    addresses = tuple(target.url if target else strip_page(word) for word, target in found)
    return Channels(addresses, tuple(tokens), only)


def note_channels(words: Sequence[str]) -> None:
    """Print which channel the address of a page belongs to."""
    for word in words:
        channel = strip_page(word)
        if channel != word:
            note(f"note: {redact_url(word)} is a page of the channel {redact_url(channel)}")


def _find_registry(name: str, known: dict[str, TargetSettings]) -> TargetSettings | None:
    """The registry that a name means; None for other channels, which need no login."""
    is_address = name.startswith(("http://", "https://"))
    is_target = name in known and not Path(name).is_dir()
    if not is_address and not (is_target and known[name].kind == "registry"):
        return None
    (target,) = resolve_targets([name], known)
    return target if target.kind == "registry" else None
