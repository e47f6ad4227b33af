"""Where users install a target's files from, and with which credentials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from twofold.publish.addresses import Credentials, Secret, is_on_loopback
from twofold.publish.config import TargetSettings
from twofold.publish.external_config import is_anaconda_org

#: How a conda channel's server expects credentials; indexes use HTTP Basic.
AuthStyle = Literal["bearer", "basic", "x-api-key", "path"]

#: The kinds whose channels are not read with a bearer token.
CHANNEL_STYLES: dict[str, AuthStyle] = {"anaconda": "path", "quetz": "x-api-key"}

#: The kinds that are written directly, without a server's login; they are read at a URL of
#: their own.
DIRECT_KINDS = ("folder", "s3")


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
    if used is None or settings.kind in DIRECT_KINDS or not _is_own_server(settings, address):
        return None
    way = CHANNEL_STYLES.get(settings.kind, "basic" if used.user else "bearer")
    return ReadCredentials(used.secret, used.user or "", way)


def _is_own_server(settings: TargetSettings, address: str) -> bool:
    """Whether a URL is on the target's own server; its `index` counts as such."""
    if address == settings.index:
        return True
    there = urlsplit(address).netloc
    if not there:  # a channel name
        return settings.kind == "anaconda" and is_anaconda_org(settings.url)
    return there == urlsplit(settings.url).netloc


@dataclass(frozen=True)
class InstallUrls:
    """URLs for pip and for conda clients; '' if unknown."""

    index: str = ""
    channel: str = ""


def is_local(settings: TargetSettings) -> bool:
    """Whether a target is on this machine: a folder, or a server on loopback."""
    return settings.kind == "folder" or is_on_loopback(settings.url)


def find_install_urls(settings: TargetSettings, is_channel: Callable[[str], bool]) -> InstallUrls:
    """Find the URLs users install from; `public-url` of the configuration takes precedence.

    `is_channel` returns whether there is a conda channel at a URL.
    """
    url, public = settings.url.rstrip("/"), settings.public_url.rstrip("/")
    if settings.kind == "registry":
        return InstallUrls(f"{url}/simple/", url)
    if settings.kind in ("pypi", "legacy"):
        return InstallUrls(index=settings.index)
    if settings.kind == "s3" and not public:
        return InstallUrls(
            channel=_bucket_url(url)
        )  # pip needs index.html for a folder; S3 serves none
    if settings.kind in ("folder", "s3"):
        address = public or Path(url).as_uri()
        return InstallUrls(f"{address}/simple/", address)
    if settings.kind == "anaconda":
        return InstallUrls(settings.index, public or _find_owner_channel(settings, is_channel))
    channels = {
        "prefix": f"{url}/{settings.channel}",
        "quetz": f"{url}/get/{settings.channel}",
        "artifactory": url,
    }
    return InstallUrls(settings.index, public or channels[settings.kind])


def _bucket_url(url: str) -> str:
    """The path-style URL of a bucket with its own endpoint; '' without one."""
    parts = urlsplit(url)
    endpoint = parse_qs(parts.query).get("endpoint", [""])[0].rstrip("/")
    path = f"{parts.netloc}/{parts.path.strip('/')}".rstrip("/")
    return f"{endpoint}/{path}" if endpoint else ""


def _find_owner_channel(settings: TargetSettings, is_channel: Callable[[str], bool]) -> str:
    """The channel of an owner, or of the first label.

    At Anaconda.org it is a name, which every conda client resolves; elsewhere the URL beside the
    API that has a channel.
    """
    label = next((f"/label/{label}" for label in settings.labels if label != "main"), "")
    if "main" in settings.labels:
        label = ""
    if is_anaconda_org(settings.url):
        return settings.owner + label
    root = settings.url.rstrip("/").removesuffix("/api")
    for channel in (f"{root}/{settings.owner}{label}", f"{root}/conda/{settings.owner}{label}"):
        if is_channel(channel):
            return channel
    return ""
