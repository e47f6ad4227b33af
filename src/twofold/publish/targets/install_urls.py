"""Where users install a target's files from, and with which credentials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from twofold.publish.addresses import Credentials, Secret, is_on_loopback
from twofold.publish.external_config import is_anaconda_org
from twofold.publish.targets.kinds import KINDS
from twofold.publish.targets.settings import AuthStyle, InstallUrls, TargetSettings


@dataclass(frozen=True)
class ReadCredentials:
    """A token or a password with its user, and how a channel's server expects it."""

    secret: Secret
    user: str
    style: AuthStyle


def find_read_credentials(
    settings: TargetSettings, used: Credentials | None, address: str
) -> ReadCredentials | None:
    """Find the credentials for a URL that a target is read at; None if none are known.

    `used` are the credentials of the publication. A login in `public-url` or `index` of the
    configuration takes precedence.
    """
    named = settings.read_login
    if named is not None and named.secret is not None:
        way: AuthStyle = "path" if named.in_path else "basic" if named.user else "bearer"
        return ReadCredentials(named.secret, named.user, way)
    kind = KINDS[settings.kind]
    if used is None or kind.no_login or not _is_own_server(settings, address):
        return None
    way = kind.channel_style
    if way == "bearer" and used.user:
        way = "basic"
    return ReadCredentials(used.secret, used.user or "", way)


def _is_own_server(settings: TargetSettings, address: str) -> bool:
    """Whether a URL is on the target's own server; its `index` counts as such."""
    if address == settings.index:
        return True
    there = urlsplit(address).netloc
    if not there:  # a channel name
        return settings.kind == "anaconda" and is_anaconda_org(settings.url)
    return there == urlsplit(settings.url).netloc


def is_local(settings: TargetSettings) -> bool:
    """Whether a target is on this machine: a folder, or a server on loopback."""
    return settings.kind == "folder" or is_on_loopback(settings.url)


def find_install_urls(settings: TargetSettings, is_channel: Callable[[str], bool]) -> InstallUrls:
    """Find the URLs users install from; `public-url` of the configuration takes precedence.

    `is_channel` returns whether there is a conda channel at a URL.
    """
    return KINDS[settings.kind].find_urls(settings, is_channel)
