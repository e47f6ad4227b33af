"""With what a target's files are read afterwards: by whom it was published, or whom it names.

Many places want a login for reading too: a private channel, a devpi with users, a conda channel
at `/t/TOKEN/`. A token goes to the server it was used at, or was configured for, and to no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from twofold.publish.authentication import Credentials
from twofold.publish.config import TargetSettings
from twofold.publish.external_config import is_anaconda_org
from twofold.publish.secret import Secret

#: How a conda channel wants it; indexes want HTTP Basic.
AuthStyle = Literal["bearer", "basic", "x-api-key", "path"]

#: The kinds whose channels are not read by a bearer token.
CHANNEL_STYLES: dict[str, AuthStyle] = {"anaconda": "path", "quetz": "x-api-key"}

#: The kinds that files are written to without asking anybody: what is published there with the
#: user's own rights is read at an address of its own.
DIRECT_KINDS = ("folder", "s3")


@dataclass(frozen=True)
class ReadCredentials:
    """A token or a password with its user, and how a channel's server wants it."""

    secret: Secret
    user: str
    style: AuthStyle


def find_read_credentials(
    settings: TargetSettings, used: Credentials | None, address: str
) -> ReadCredentials | None:
    """The login for an address that a target is read at; None where none is known.

    `used` are the credentials of the publication. A login in `public-url` or `index` of the
    configuration comes first.
    """
    named = settings.read_login
    if named is not None and named.secret is not None:
        way: AuthStyle = "path" if named.in_path else "basic" if named.user else "bearer"
        return ReadCredentials(named.secret, named.user, way)
    if used is None or settings.kind in DIRECT_KINDS or not _is_own_server(settings, address):
        return None
    way = CHANNEL_STYLES.get(settings.kind, "basic" if used.user else "bearer")
    return ReadCredentials(used.secret, used.user or "", way)


def _is_own_server(settings: TargetSettings, address: str) -> bool:
    """Whether an address is on the target's own server; what `index` names goes with the target."""
    if address == settings.index:
        return True
    there = urlsplit(address).netloc
    if not there:  # a channel by its name
        return settings.kind == "anaconda" and is_anaconda_org(settings.url)
    return there == urlsplit(settings.url).netloc
