"""Where a target's files are then installed from: its simple index and its conda channel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from twofold.publish.configuration import TargetSettings


@dataclass(frozen=True)
class Places:
    """Addresses for pip and for conda clients; '' where the target has none."""

    index: str = ""
    channel: str = ""


def places_of(settings: TargetSettings) -> Places:
    """The addresses that go with a target."""
    url = settings.url.rstrip("/")
    if settings.kind == "registry":
        return Places(f"{url}/simple/", url)
    if settings.kind in ("pypi", "legacy"):
        return Places(index=settings.index)
    if settings.kind == "folder":
        address = Path(settings.url).as_uri()
        return Places(f"{address}/simple/", address)
    channels = {
        "prefix": f"{url}/{settings.channel}",
        "quetz": f"{url}/get/{settings.channel}",
        "artifactory": url,
        "anaconda": settings.channel or settings.owner,  # conda clients know owners by name
    }
    return Places(channel=channels.get(settings.kind, ""))
