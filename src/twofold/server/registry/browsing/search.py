"""Searches and lists of projects in the channels that one may read."""

from __future__ import annotations

from dataclasses import dataclass

from twofold.server.auth import permissions
from twofold.server.context import Registry, require_channel
from twofold.server.model import Action, Actor, Channel
from twofold.server.store import Connection, channels
from twofold.server.store.projects import ProjectSummary, summarize_projects
from twofold.server.store.search.find import SearchFilter, find_projects
from twofold.server.store.search.listings import Listing, count_listings, list_page
from twofold.server.store.search.listings import Order as Order

#: The most projects that a search of the API returns; who wants all lists a channel.
MAX_HITS = 250

#: Projects on a page of a list.
PAGE_SIZE = 50

#: The last page that is counted: who goes further searches.
MAX_PAGE = 100_000


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A search as somebody wrote it; '' for no restriction. `channel` restricts it to one."""

    text: str = ""
    world: str = ""
    platform: str = ""
    license: str = ""
    python: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class FoundProject:
    """A listed project and its channel."""

    channel: Channel
    listing: Listing


@dataclass(frozen=True, slots=True)
class ProjectPage:
    """A page of projects. `number` counts from 1; `is_capped`: there are more than `total`."""

    projects: list[FoundProject]
    total: int
    number: int
    size: int = PAGE_SIZE
    is_capped: bool = False

    @property
    def page_count(self) -> int:
        """The number of pages, at least one."""
        return max(1, -(-self.total // self.size))


@dataclass(frozen=True)
class SearchHit:
    """A project found in a channel, with its versions and builds."""

    channel: Channel
    project: ProjectSummary


def search_projects(
    registry: Registry, actor: Actor, query: SearchQuery, number: int = 1, size: int = PAGE_SIZE
) -> ProjectPage:
    """Return a page of the projects that match, the best first. Raises Refused.

    The names come first: the same, those that begin so, words of names, parts of names; then
    summaries and keywords, then all texts.
    """
    number = min(max(number, 1), MAX_PAGE)
    with registry.database.read() as db:
        readable, other = split_channels(db, actor, query.channel)
        restriction = SearchFilter(
            list(readable),
            other,
            query.world,
            query.platform,
            query.license,
            query.python,
        )
        start = (number - 1) * size
        found = find_projects(db, query.text, restriction, start, size)
    projects = [FoundProject(readable[one.channel_id], one) for one in found.listings]
    return ProjectPage(projects, found.total, number, size, found.is_capped)


def split_channels(
    db: Connection, actor: Actor, only: str = ""
) -> tuple[dict[int, Channel], list[int]]:
    """Return id -> channel of those to search, and the ids of all others."""
    every = channels.list_channels(db)
    if only:
        wanted = require_channel(db, actor, only, Action.READ)
        readable = {wanted.id: wanted}
    else:
        readable = {
            one.id: one for one in every if permissions.is_allowed(db, actor, Action.READ, one)
        }
    return readable, [one.id for one in every if one.id not in readable]


def list_projects_page(
    registry: Registry,
    actor: Actor,
    channel: str,
    order: Order = Order.NAME,
    number: int = 1,
) -> ProjectPage:
    """Return a page of a channel's projects, by name or the newest upload first. Raises Refused."""
    number = min(max(number, 1), MAX_PAGE)
    with registry.database.read() as db:
        found = require_channel(db, actor, channel, Action.READ)
        listed = list_page(db, [found.id], order, (number - 1) * PAGE_SIZE, PAGE_SIZE)
        total = count_listings(db, [found.id])
    return ProjectPage([FoundProject(found, one) for one in listed], total, number)


def list_newest_uploads(registry: Registry, actor: Actor, count: int = 10) -> list[FoundProject]:
    """Return the projects with the newest uploads in all readable channels."""
    with registry.database.read() as db:
        readable, _ = split_channels(db, actor)
        newest = [one for key in readable for one in list_page(db, [key], Order.NEWEST, 0, count)]
    newest.sort(key=lambda one: (one.uploaded_at, one.project_id), reverse=True)
    return [FoundProject(readable[one.channel_id], one) for one in newest[:count]]


def list_channel_projects(
    registry: Registry, actor: Actor, channel: str, most: int = 10_000
) -> list[SearchHit]:
    """Return at most `most` projects of a channel, by name, with their versions and builds."""
    with registry.database.read() as db:
        found = require_channel(db, actor, channel, Action.READ)
        listed = list_page(db, [found.id], Order.NAME, 0, most)
        return [SearchHit(found, one) for one in summarize_projects(db, listed)]


def search_with_versions(registry: Registry, actor: Actor, query: SearchQuery) -> list[SearchHit]:
    """Return at most `MAX_HITS` projects that match, with their versions and builds."""
    page = search_projects(registry, actor, query, size=MAX_HITS)
    with registry.database.read() as db:
        summaries = summarize_projects(db, [one.listing for one in page.projects])
    pairs = zip(page.projects, summaries, strict=True)
    return [SearchHit(one.channel, summary) for one, summary in pairs]
