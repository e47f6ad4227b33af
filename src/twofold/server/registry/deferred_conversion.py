"""Converts large wheels after their upload is acknowledged.

Converting takes a second for every thirty megabytes, or 20,000 members. The wheel is recorded with
a remark, which the release's page shows; the remark is also what a server looks for when it starts,
so that nothing is lost when one is killed in between.
"""

from __future__ import annotations

import logging
import time

from twofold.artifact import Artifact, Kind
from twofold.errors import TwofoldError
from twofold.formats.zip_ends import find_directory
from twofold.server.context import Registry
from twofold.server.model import Channel
from twofold.server.registry.conversion import convert_stored
from twofold.server.store import files, projects

log = logging.getLogger("twofold.server")

#: From this size (bytes) a wheel is converted after its upload, and above this number of members.
LARGE_WHEEL = 32 << 20
MANY_MEMBERS = 5_000

#: Bytes that a member takes in a wheel: its name in two headers and in RECORD.
_BYTES_OF_MEMBER = 120

#: The remark of a wheel that waits for its conversion.
PENDING = "the conda package of this large wheel is being made; it follows within minutes"


def is_deferred(artifact: Artifact) -> bool:
    """Whether a file is converted after its upload."""
    if artifact.kind is not Kind.WHEEL:
        return False
    return artifact.size >= LARGE_WHEEL or _has_many_members(artifact)


def _has_many_members(artifact: Artifact) -> bool:
    if artifact.size < MANY_MEMBERS * _BYTES_OF_MEMBER:
        return False
    with artifact.path.open("rb") as stream:
        return find_directory(stream).members > MANY_MEMBERS


def request_conversion(registry: Registry, sha256: str) -> None:
    """Convert a wheel in the background, and copies of it that were promoted meanwhile."""
    registry.background.submit(lambda: convert_pending(registry, sha256))


def resume_conversions(registry: Registry) -> None:
    """Convert in the background what another server, or this one before, has left."""
    registry.background.submit(lambda: convert_pending(registry))


def wait_converted(registry: Registry, channel: Channel, filename: str, seconds: float) -> bool:
    """Wait until a wheel no longer waits for its conversion; False when it takes longer."""
    end = time.monotonic() + seconds
    while True:
        with registry.database.read() as db:
            wheel = files.find_file(db, channel.id, "", filename)
        if wheel is None or wheel.remark != PENDING:
            return True
        if time.monotonic() > end:
            return False
        time.sleep(0.2)


def convert_pending(registry: Registry, sha256: str | None = None) -> None:
    """Convert the wheels that wait, of all channels; a failure is logged, and retried later."""
    tried: set[int] = set()
    while True:
        with registry.database.read() as db:
            waiting = projects.list_wheels_with_remark(db, PENDING, sha256)
        new = [(channel, wheel) for channel, wheel in waiting if wheel.id not in tried]
        if not new:
            return
        for channel, wheel in new:
            tried.add(wheel.id)
            try:
                convert_stored(registry, channel, wheel)
            except (TwofoldError, OSError):
                log.exception("%s was not converted", wheel.filename)
