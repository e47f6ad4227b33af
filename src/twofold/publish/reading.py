"""With what a target's files are read afterwards: by whom it was published, or whom it names.

Many places want a login for reading too: a private channel, a devpi with users, a conda channel
at `/t/TOKEN/`. A token goes to the server it was used at, or was configured for, and to no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from twofold.publish.authentication import Credentials
from twofold.publish.configuration import TargetSettings
from twofold.publish.known_places import is_anaconda_org
from twofold.publish.secret import Secret

#: How a conda channel wants it; indexes want HTTP Basic.
Way = Literal["bearer", "basic", "x-api-key", "path"]

#: The kinds whose channels are not read by a bearer token.
WAYS: dict[str, Way] = {"anaconda": "path", "quetz": "x-api-key"}

#: The kinds that files are written to without asking anybody: what is published there with the
#: user's own rights is read at an address of its own.
WRITTEN = ("folder", "s3")


@dataclass(frozen=True)
class Reader:
    """A token or a password with its user, and how a channel's server wants it."""

    secret: Secret
    user: str
    way: Way


def reader_of(settings: TargetSettings, used: Credentials | None, address: str) -> Reader | None:
    """The login for an address that a target is read at; None where none is known.

    `used` are the credentials of the publication. A login in `public-url` or `index` of the
    configuration comes first.
    """
    named = settings.reader
    if named is not None and named.secret is not None:
        way: Way = "path" if named.in_path else "basic" if named.user else "bearer"
        return Reader(named.secret, named.user, way)
    if used is None or settings.kind in WRITTEN or not _is_at_home(settings, address):
        return None
    way = WAYS.get(settings.kind, "basic" if used.user else "bearer")
    return Reader(used.secret, used.user or "", way)


def _is_at_home(settings: TargetSettings, address: str) -> bool:
    """Whether an address is on the target's own server; what `index` names goes with the target."""
    if address == settings.index:
        return True
    there = urlsplit(address).netloc
    if not there:  # a channel by its name
        return settings.kind == "anaconda" and is_anaconda_org(settings.url)
    return there == urlsplit(settings.url).netloc
