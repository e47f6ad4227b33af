"""What a call lists, as a table: its columns are the fields of its response, its links are acts.

A row fills the parameters of the acts beside it by the names of its fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from twofold.errors import Refused
from twofold.server.auth.required_roles import authorize
from twofold.server.model import Actor
from twofold.server.web.credentials import get_registry
from twofold.server.web.manage.act_table import ACTS, LISTS, make_title
from twofold.server.web.manage.fields import format_value, list_parameters
from twofold.server.web.management.endpoints import run_endpoint

#: Fields of responses that take room and help nobody who looks at a table.
_LEFT_OUT = {"serial", "sha256", "remark", "key", "md5"}

#: Fields of a row under another name than the parameter of the act.
_RENAMED = {"user": "name", "channel": "name"}


@dataclass(frozen=True)
class Section:
    """A table of a page: what it lists, what can be added, and what can be done with a row.

    `columns` are the fields that are shown; by default all but a few.
    """

    title: str
    lists: str
    adds: tuple[str, ...] = ()
    row_acts: tuple[str, ...] = ()
    text: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Link:
    """A link to the form of an act."""

    text: str
    path: str


@dataclass(frozen=True)
class FilledSection:
    """A section with its rows: (cells by column, links); `links` are of the whole."""

    title: str
    text: str
    columns: list[str]
    rows: list[tuple[dict[str, Any], list[Link]]]
    links: list[Link]
    is_list: bool = True


def fill_section(
    request: Request, actor: Actor, section: Section, words: Mapping[str, Any], back: str
) -> FilledSection | None:
    """Return a section for a caller; None where the caller may not see it."""
    endpoint = LISTS[section.lists]
    given = {name: words[name] for name in list_parameters(endpoint) if name in words}
    try:
        found = run_endpoint(request, actor, endpoint, given)
    except Refused as error:
        if error.status in (401, 403):
            return None
        raise
    rows = [row if isinstance(row, dict) else {"project": row} for row in _as_list(found)]
    names = rows[0] if rows else {}
    columns = [name for name in section.columns or names if name not in _LEFT_OUT]
    return FilledSection(
        section.title,
        section.text,
        columns,
        [
            (row, make_links(request, actor, section.row_acts, {**words, **row}, back))
            for row in rows
        ],
        make_links(request, actor, section.adds, words, back),
        endpoint.response.is_list,
    )


def make_links(
    request: Request, actor: Actor, acts: Sequence[str], words: Mapping[str, Any], back: str
) -> list[Link]:
    """Return the links to the acts that the caller may perform."""
    return [make_link(name, words, back) for name in acts if _may(request, actor, name, words)]


def _may(request: Request, actor: Actor, act: str, words: Mapping[str, Any]) -> bool:
    """Whether the caller has the role that an act requires; asked once for a page and subject."""
    endpoint = ACTS[act]
    known: dict[str, str] = {
        name: str(words.get(name, words.get(_RENAMED.get(name, ""), "")))
        for name in ("channel", "project", "user", "organisation")
        if name in endpoint.path_fields
    }
    asked: dict[Any, bool] = request.scope.setdefault("twofold.roles", {})
    key = endpoint.required_role, *known.items()
    if key not in asked:
        try:
            authorize(get_registry(request), actor, endpoint.required_role, known)
            asked[key] = True
        except Refused:
            asked[key] = False
    return asked[key]


def _as_list(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


def make_link(act: str, words: Mapping[str, Any], back: str) -> Link:
    """Return the link to an act's form, with what is known filled in."""
    known: list[tuple[str, str]] = []
    for name in list_parameters(ACTS[act]):
        value = words.get(name, words.get(_RENAMED.get(name, ""), None))
        if value is None or isinstance(value, dict):
            continue
        text = format_value(value)
        known += [(name, one) for one in ([text] if isinstance(text, str) else text)]
    query = urlencode([*known, ("back", back)])
    return Link(make_title(ACTS[act]), f"/-/manage/act/{act}?{query}")
