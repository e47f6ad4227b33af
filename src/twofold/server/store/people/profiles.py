"""What users and organisations own, maintain and have uploaded, for their public pages."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, func, or_, select

from twofold.server.model import Action
from twofold.server.store.schema import channels, files, members, project_listings, roles, users

#: The most projects of a page's person that are looked at.
MAX_PROJECTS = 5000


def list_own_roles(db: Connection, user_id: int) -> dict[int, Action]:
    """Return channel id -> role, of those given to a user or organisation itself."""
    query = select(roles.c.channel_id, roles.c.role).where(roles.c.user_id == user_id)
    return {channel_id: Action(role) for channel_id, role in db.execute(query)}


def list_organisations(db: Connection, user_id: int) -> list[str]:
    """Return the names of a user's organisations that are not disabled, sorted."""
    query = (
        select(users.c.name)
        .join(members, members.c.organisation_id == users.c.id)
        .where(members.c.user_id == user_id, users.c.disabled_at.is_(None))
    )
    return list(db.execute(query.order_by(users.c.name)).scalars())


def list_maintainers(db: Connection, channel_id: int) -> list[tuple[str, Action]]:
    """Return who may upload to a channel by a role of their own, with it, sorted by name."""
    query = (
        select(users.c.name, roles.c.role)
        .join(users, users.c.id == roles.c.user_id)
        .where(roles.c.channel_id == channel_id, users.c.disabled_at.is_(None))
        .where(roles.c.role != Action.READ)
    )
    return [(name, Action(role)) for name, role in db.execute(query.order_by(users.c.name))]


def get_owner_name(db: Connection, channel_id: int) -> str:
    """Return the name of a channel's owner."""
    query = (
        select(users.c.name)
        .join(channels, channels.c.owner_id == users.c.id)
        .where(channels.c.id == channel_id)
    )
    return str(db.execute(query).scalar_one())


def list_uploaded_projects(
    db: Connection, user_id: int, channel_ids: Collection[int], without: str
) -> list[int]:
    """Return ids of listed projects of these channels with files that a user uploaded, by name.

    Files whose `uploaded_with` is `without` do not count. At most `MAX_PROJECTS`.
    """
    mine = select(files.c.project_id).where(files.c.uploader_id == user_id)
    listed = project_listings.c
    shown = (
        select(files.c.id)
        .where(files.c.uploader_id == user_id, files.c.project_id == listed.project_id)
        .where(files.c.deleted_at.is_(None))
        .where(or_(files.c.uploaded_with.is_(None), files.c.uploaded_with != without))
    )
    query = (
        select(listed.project_id)
        .where(listed.project_id.in_(mine.distinct().limit(MAX_PROJECTS)))
        .where(listed.channel_id.in_(list(channel_ids)), shown.exists())
    )
    return list(db.execute(query.order_by(listed.key, listed.channel_id)).scalars())


def has_common_organisation(db: Connection, first_id: int, second_id: int) -> bool:
    """Whether two users are members of one organisation, or one of them is it."""
    of_second = select(members.c.organisation_id).where(members.c.user_id == second_id)
    query = (
        select(func.count())
        .select_from(members)
        .where(members.c.user_id == first_id)
        .where(
            or_(
                members.c.organisation_id.in_(of_second),
                members.c.organisation_id == second_id,
            )
        )
    )
    return bool(db.execute(query).scalar_one())
