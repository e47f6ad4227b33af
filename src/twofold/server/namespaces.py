"""The namespace that a project's page tells of (PEP 752): whose prefix its name stands under.

A project belongs to whoever uploaded its first file here; it is authorized when that user may use
the grant: owns the prefix, acts for the organisation that owns it, or administrates the channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twofold.server import access
from twofold.server.gates import prefix_of
from twofold.server.model import Actor, Channel, Stored
from twofold.server.store import Connection, channels, people


def namespace_of(
    db: Connection, channel: Channel, key: str, every: Sequence[Stored]
) -> Mapping[str, Any] | None:
    """The value of `namespace`; `every` are the project's files, the first one first."""
    owners = channels.prefixes_of(db, channel.id)
    prefix = prefix_of(key, owners)
    if prefix is None:
        return None
    uploader_id = every[0].uploader_id if every else None
    user = people.user_by_id(db, uploader_id) if uploader_id is not None else None
    actor = Actor(user, operator=user is None)
    authorized = access.may_use_prefix(db, actor, channel, owners[prefix])
    return {"prefix": prefix, "authorized": authorized, "open": False}
