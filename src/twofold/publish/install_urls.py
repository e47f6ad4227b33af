"""Where a target is: on this machine or away, and where its files are then installed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from twofold.publish.addresses import Credentials, Secret, is_on_loopback
from twofold.publish.config import TargetSettings
from twofold.publish.external_config import is_anaconda_org

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


@dataclass(frozen=True)
class InstallUrls:
    """Addresses for pip and for conda clients; '' where the target has none that is known."""

    index: str = ""
    channel: str = ""


def is_local(settings: TargetSettings) -> bool:
    """Whether what is published there does not leave this machine: a folder, or a server on it."""
    return settings.kind == "folder" or is_on_loopback(settings.url)


def find_install_urls(settings: TargetSettings, is_channel: Callable[[str], bool]) -> InstallUrls:
    """The addresses that go with a target; `public-url` of the configuration comes first.

    `is_channel` asks whether there is a conda channel at an address.
    """
    url, public = settings.url.rstrip("/"), settings.public_url.rstrip("/")
    if settings.kind == "registry":
        return InstallUrls(f"{url}/simple/", url)
    if settings.kind in ("pypi", "legacy"):
        return InstallUrls(index=settings.index)
    if settings.kind == "s3" and not public:
        return InstallUrls(
            channel=_bucket_url(url)
        )  # pip wants index.html for a folder; S3 gives none
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
    """Where a bucket with an endpoint of its own is read, path style; '' where none is named."""
    parts = urlsplit(url)
    endpoint = parse_qs(parts.query).get("endpoint", [""])[0].rstrip("/")
    path = f"{parts.netloc}/{parts.path.strip('/')}".rstrip("/")
    return f"{endpoint}/{path}" if endpoint else ""


def _find_owner_channel(settings: TargetSettings, is_channel: Callable[[str], bool]) -> str:
    """An owner's channel, or that of the first label: by name at Anaconda.org, whose owners every
    conda client knows; elsewhere at an address beside the API, where one answers."""
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
