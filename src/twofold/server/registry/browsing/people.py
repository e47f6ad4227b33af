"""Pages of users and organisations, who maintains a channel's projects, who uploaded a file.

A user is shown to readers of a channel that the user owns, maintains or has uploaded to, to members
of an organisation of theirs, and to operators; everybody else gets 404, as for an unknown name. A
page lists what its reader may read. Members of an organisation are shown to each other alone.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from twofold.server.auth import permissions
from twofold.server.auth.upload_credentials import (
    UploadCredential,
    describe_credential,
    parse_credential,
)
from twofold.server.context import Registry, not_found
from twofold.server.model import ANONYMOUS, Action, Actor, Channel, StoredFile, User
from twofold.server.registry.browsing.search import (
    MAX_PAGE,
    PAGE_SIZE,
    FoundProject,
    ProjectPage,
    split_channels,
)
from twofold.server.store import Connection, accounts
from twofold.server.store.browsing.releases import find_user_names
from twofold.server.store.people import profiles
from twofold.server.store.search.listings import Order, count_listings, list_listings, list_page

#: What files that were fetched from an upstream were uploaded with.
_FETCHED = describe_credential(ANONYMOUS, is_fetched=True, is_imported=False)

#: The word for who owns a channel, beside the names of roles.
OWNER = "owner"

#: The most maintainers that a project's page names.
MAX_MAINTAINERS = 20


@dataclass(frozen=True, slots=True)
class Profile:
    """A user or organisation as a reader may see it.

    `channels` are those that it owns or maintains, each with 'owner', 'admin' or 'upload';
    `organisations` or `members` are names. `projects` are those it uploaded to, of an organisation
    those of its channels.
    """

    user: User
    channels: list[tuple[Channel, str]]
    organisations: list[str]
    members: list[str]
    projects: ProjectPage


def get_profile(registry: Registry, actor: Actor, name: str, number: int = 1) -> Profile:
    """Return what a reader may see of a user or organisation. Raises Refused (404)."""
    number = min(max(number, 1), MAX_PAGE)
    with registry.database.read() as db:
        user = accounts.find_user(db, name)
        if user is None:
            raise _nobody(name)
        readable, _ = split_channels(db, actor)
        maintained = _list_channels(db, user, readable)
        owned = [channel.id for channel, role in maintained if role == OWNER]
        if user.kind == "organisation":
            page = _list_owned(db, owned, readable, number)
        else:
            page = _list_uploaded(db, user, readable, number)
        is_related = _is_related(db, actor, user)
        if not (maintained or page.total or is_related):
            raise _nobody(name)
        organisations, members = [], []
        if is_related and user.kind == "organisation":
            members = list(accounts.list_members(db, user.id))
        elif is_related:
            organisations = profiles.list_organisations(db, user.id)
            organisations = [one for one in organisations if _may_see_member(db, actor, user, one)]
    return Profile(user, maintained, organisations, members, page)


def _nobody(name: str) -> Exception:
    return not_found(f"user or organisation '{name[:100]}'")


def _list_channels(
    db: Connection, user: User, readable: dict[int, Channel]
) -> list[tuple[Channel, str]]:
    roles = profiles.list_own_roles(db, user.id)
    found = []
    for channel in readable.values():
        role = roles.get(channel.id)
        if channel.owner_id == user.id:
            found.append((channel, OWNER))
        elif role is not None and role.includes(Action.UPLOAD):
            found.append((channel, str(role)))
    return sorted(found, key=lambda pair: pair[0].name)


def _is_related(db: Connection, actor: Actor, user: User) -> bool:
    """Whether the reader is this user, shares an organisation with them, or is an operator."""
    if permissions.is_operator(db, actor):
        return True
    reader = actor.user
    return reader is not None and (
        reader.id == user.id or profiles.has_common_organisation(db, reader.id, user.id)
    )


def _may_see_member(db: Connection, actor: Actor, user: User, organisation: str) -> bool:
    """Whether the reader may see that a user is a member of an organisation."""
    reader = actor.user
    if reader is None or reader.id == user.id or permissions.is_operator(db, actor):
        return True
    found = accounts.find_user(db, organisation)
    return found is not None and accounts.get_member_role(db, found.id, reader.id) is not None


def _list_owned(
    db: Connection, owned: list[int], readable: dict[int, Channel], number: int
) -> ProjectPage:
    start = (number - 1) * PAGE_SIZE
    found = list_page(db, owned, Order.NAME, start, PAGE_SIZE) if owned else []
    projects = [FoundProject(readable[one.channel_id], one) for one in found]
    return ProjectPage(projects, count_listings(db, owned) if owned else 0, number)


def _list_uploaded(
    db: Connection, user: User, readable: dict[int, Channel], number: int
) -> ProjectPage:
    ids = profiles.list_uploaded_projects(db, user.id, readable, _FETCHED)
    found = list_listings(db, ids[(number - 1) * PAGE_SIZE : number * PAGE_SIZE])
    projects = [FoundProject(readable[one.channel_id], one) for one in found]
    is_capped = len(ids) == profiles.MAX_PROJECTS
    return ProjectPage(projects, len(ids), number, is_capped=is_capped)


@dataclass(frozen=True, slots=True)
class Maintainers:
    """Who maintains a channel's projects: its owner, and others with their roles.

    `more` is how many are not named.
    """

    owner: str
    others: list[tuple[str, str]]
    more: int = 0


def list_maintainers(registry: Registry, channel: Channel) -> Maintainers:
    """Return who may upload to the projects of a channel, which the caller may read."""
    with registry.database.read() as db:
        owner = profiles.get_owner_name(db, channel.id)
        found = [(name, str(role)) for name, role in profiles.list_maintainers(db, channel.id)]
    others = [one for one in found if one[0] != owner]
    return Maintainers(owner, others[:MAX_MAINTAINERS], len(others[MAX_MAINTAINERS:]))


@dataclass(frozen=True, slots=True)
class FileUploader:
    """Who uploaded a file: a user's name, '' for none, and with what where that is known.

    The name of a token is known to its user and the channel's administrators alone.
    """

    name: str
    credential: UploadCredential | None


def find_uploaders(
    registry: Registry, actor: Actor, channel: Channel, files: Collection[StoredFile]
) -> dict[int, FileUploader]:
    """Return the id of each file -> who uploaded it, as the reader may see."""
    with registry.database.read() as db:
        ids = {file.uploader_id for file in files if file.uploader_id is not None}
        names = find_user_names(db, ids)
        is_admin = permissions.is_allowed(db, actor, Action.ADMIN, channel)
    mine = actor.user.id if actor.user is not None else None
    found = {}
    for file in files:
        credential = parse_credential(file.uploaded_with)
        if credential is not None and not is_admin and file.uploader_id != mine:
            credential = UploadCredential(credential.kind, "", credential.claims)
        named = credential is None or credential.is_users
        name = names.get(file.uploader_id or 0, "") if named else ""
        found[file.id] = FileUploader(name, credential)
    return found
