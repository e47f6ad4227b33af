"""Images of descriptions, fetched by the registry and kept for a while.

A reader's browser would give its address and the page it reads to every host that an author names.
So browsers ask the registry, and only for an image that a stored description has: it fetches no
other address for anybody. What is kept is bounded in size and age; an address that failed is not
asked again for some minutes.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from twofold.errors import Refused, Unreachable
from twofold.fetching.client import Endpoint, fetch_page
from twofold_build.atomic import AtomicFile

log = logging.getLogger("twofold.server")

#: The largest image (bytes), and all that are kept.
MAX_IMAGE, MAX_KEPT = 5 << 20, 256 << 20

#: Seconds for which an image is served without asking, and a failure is believed.
MAX_AGE, MAX_FAILURE_AGE = 86_400, 600

#: Images that are fetched at a time; further requests are asked to come again.
MAX_FETCHES = 8

#: Seconds without any data after which a host is given up.
TIMEOUT = 10

#: Media types that a page may show; nothing of them runs when they are sandboxed.
MEDIA_TYPES = (
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/svg+xml",
)


@dataclass(frozen=True, slots=True)
class Image:
    """An image as it was fetched."""

    media: str
    body: bytes


class ImageCache:
    """Fetched images in a folder: media type, a line feed, the bytes; only a line for a failure.

    `hosts` are those (host or host:port) that may have an internal address.
    """

    def __init__(self, folder: Path, hosts: Sequence[str] = ()) -> None:
        self.folder = folder
        self.hosts = tuple(hosts)
        self._sweeping = threading.Lock()
        self._fetching = threading.BoundedSemaphore(MAX_FETCHES)

    def get(self, url: str) -> Image:
        """Return an image, kept or fetched. Raises Refused (404, 503)."""
        path = self.folder / hashlib.sha256(url.encode()).hexdigest()
        kept, age = _read(path)
        if kept is not None and age < (MAX_AGE if kept.body else MAX_FAILURE_AGE):
            return _require(kept)
        if not self._fetching.acquire(blocking=False):
            raise Refused("busy", "Too many images are being fetched", "try again", 503)
        try:
            found = self._fetch(url)
        finally:
            self._fetching.release()
        if not found.body and kept is not None and kept.body:
            os.utime(path)  # stale, and served until its host answers again
            return kept
        self._keep(path, found)
        return _require(found)

    def _fetch(self, url: str) -> Image:
        """Fetch an image; one without bytes if it is no image or cannot be fetched."""
        try:
            source = Endpoint(url, timeout=TIMEOUT, redirects=3, files_at=self.hosts)
            answer = fetch_page(source, url, "image/*", max_size=MAX_IMAGE)
        except (Unreachable, Refused) as error:
            log.info("image not fetched: %s", error)
            return Image("", b"")
        if answer is None or answer.media not in MEDIA_TYPES:
            return Image("", b"")
        return Image(answer.media, answer.body)

    def _keep(self, path: Path, image: Image) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with AtomicFile(path) as file:
            file.write(image.media.encode() + b"\n" + image.body)
        with self._sweeping:
            self._remove_oldest()

    def _remove_oldest(self) -> None:
        """Remove the oldest files beyond the limit; another process may do so too."""
        found = []
        for one in self.folder.iterdir():
            with suppress(FileNotFoundError):
                found.append((one.stat().st_mtime, one.stat().st_size, one))
        found.sort()
        excess = sum(size for _, size, _ in found) - MAX_KEPT
        for _, size, path in found:
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            excess -= size


def _read(path: Path) -> tuple[Image | None, float]:
    """Return what is kept and its age in seconds."""
    try:
        age = time.time() - path.stat().st_mtime
        media, _, body = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None, 0.0
    return Image(media.decode("ascii", "replace"), body), age


def _require(image: Image) -> Image:
    if not image.body:
        raise Refused("no-image", "This image cannot be shown", status=404)
    return image


def can_be_fetched(url: str) -> bool:
    """Whether an image has an address that can be fetched at all."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)
