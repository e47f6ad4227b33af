"""Searches in the rows of `listings`, by the index of `text_index`.

A query is tried tier by tier (`words.make_tiers`): the exact name first, then names that begin with
it, words of names, parts of names, summaries and keywords, and all texts. A tier reads at most
`MAX_RANKED` hits, so that a word of every project costs no more than one of a thousand.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from sqlalchemy import Connection

from twofold.server.store.search.listings import (
    Listing,
    Order,
    count_listings,
    list_listings,
    list_page,
)
from twofold.server.store.search.text_index import get_text_index
from twofold.server.store.search.words import (
    Condition,
    make_facet,
    make_requirement_token,
    make_tiers,
    one_of,
)

#: The most hits that are ranked; a search that has more says so.
MAX_RANKED = 1000

#: Length of the normalized name, the name, project id, time of the newest upload.
_Hit = tuple[int, str, int, str]

#: Places of tiers whose hits are names; those after them are texts.
_NAMES = 4


@dataclass(frozen=True, slots=True)
class SearchFilter:
    """What a search is restricted to; '' for no restriction.

    `channel_ids` are the channels that may be seen, `other_ids` all others.
    """

    channel_ids: Sequence[int]
    other_ids: Sequence[int] = ()
    world: str = ""
    platform: str = ""
    license: str = ""
    python: str = ""

    def make_conditions(self) -> Condition:
        """Return the conditions on the tokens of a project."""
        found = []
        if self.other_ids:
            found.append(one_of(f"c:{one}" for one in self.channel_ids))
        if self.world:
            found.append(one_of([make_facet("f", self.world)]))
        if self.platform:
            platforms = dict.fromkeys([self.platform, "noarch"])
            found.append(one_of(make_facet("p", one) for one in platforms))
        if self.license:
            found.append(one_of([make_facet("l", self.license)]))
        if self.python:
            found.append(one_of([make_facet("y", self.python)]))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A page of hits, the best first, and how many there are; `is_capped`: there are more."""

    listings: list[Listing] = field(default_factory=list)
    total: int = 0
    is_capped: bool = False


def find_projects(
    db: Connection, query: str, restriction: SearchFilter, start: int, count: int
) -> SearchResult:
    """Return the hits from `start` on of a query; '' lists everything by name."""
    if not restriction.channel_ids:
        return SearchResult()
    conditions = restriction.make_conditions()
    if not query.strip():
        if len(conditions) == bool(restriction.other_ids):
            ids = restriction.channel_ids
            listed = list_page(db, ids, Order.NAME, start, count)
            return SearchResult(listed, count_listings(db, ids))
        tiers: list[Condition] = [()]
    else:
        tiers = make_tiers(query)
    allowed = frozenset(restriction.channel_ids)
    found: dict[int, None] = {}
    is_capped = False
    for place, tier in enumerate(tiers):
        hits = _find(db, (*tier, *conditions), allowed)
        is_capped = is_capped or len(hits) >= MAX_RANKED
        hits.sort()
        if place >= _NAMES:
            hits.sort(key=itemgetter(3), reverse=True)
        found.update(dict.fromkeys(hit[2] for hit in hits))
        if len(found) >= MAX_RANKED:
            break
    ids = list(found)[:MAX_RANKED]
    is_capped = is_capped or len(found) > MAX_RANKED
    return SearchResult(list_listings(db, ids[start : start + count]), len(ids), is_capped)


def find_dependents(
    db: Connection, channel_id: int, names: Collection[str], count: int
) -> tuple[list[Listing], int]:
    """Return the first `count` projects of a channel that require one of these, and how many do.

    By what describes them: their newest release. `names` are normalised.
    """
    tokens = one_of(make_requirement_token(name) for name in sorted(names))
    hits = _find(db, (tokens, one_of([f"c:{channel_id}"])), {channel_id})
    hits.sort(key=itemgetter(1))
    return list_listings(db, [hit[2] for hit in hits[:count]]), len(hits)


def _find(db: Connection, condition: Condition, allowed: Collection[int]) -> list[_Hit]:
    """Return at most `MAX_RANKED` projects that fulfil a condition, in channels allowed."""
    index = get_text_index(db)
    values = {"query": index.format_query(condition), "most": MAX_RANKED}
    return [
        (len(key), key, project_id, uploaded_at)
        for project_id, channel_id, key, uploaded_at in db.execute(index.select, values).all()
        if channel_id in allowed
    ]
