"""The namespace that a project's page tells of (PEP 752): whose prefix its name stands under.

A project belongs to whoever uploaded its first file here; it is authorized when that user may use
the grant: owns the prefix, acts for the organisation that owns it, or administrates the channel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twofold.server.admission.checks import find_prefix
from twofold.server.auth import permissions
from twofold.server.model import Actor, Channel, StoredFile
from twofold.server.store import Connection, accounts, channels


def find_namespace(
    db: Connection, channel: Channel, key: str, files: Sequence[StoredFile]
) -> Mapping[str, Any] | None:
    """The value of `namespace`; `every` are the project's files, the first one first."""
    owners = channels.list_prefixes(db, channel.id)
    prefix = find_prefix(key, owners)
    if prefix is None:
        return None
    uploader_id = files[0].uploader_id if files else None
    user = accounts.find_user_by_id(db, uploader_id) if uploader_id is not None else None
    actor = Actor(user, operator=user is None)
    authorized = permissions.can_use_prefix(db, actor, channel, owners[prefix])
    return {"prefix": prefix, "authorized": authorized, "open": False}
