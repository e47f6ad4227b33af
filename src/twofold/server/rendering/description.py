"""What a release says of itself, for people: facts from its metadata, and its description as HTML.

The description is somebody else's text. readme_renderer makes safe HTML of it (nh3 leaves in what
cannot do harm); what it cannot render is shown as it was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

from packaging.metadata import parse_email

from twofold.artifact import Kind
from twofold.server.model import Stored

if TYPE_CHECKING:
    from markupsafe import Markup

#: The longest description that is rendered (characters); longer ones are shown as they are.
LONGEST = 200_000

#: The longest that is shown at all.
LONGEST_SHOWN = 1_000_000

#: A name, and texts, each with its link or ''.
Fact = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class Described:
    """`html` is '' without a description."""

    summary: str = ""
    facts: tuple[Fact, ...] = ()
    html: Markup | str = ""


def described(files: Sequence[Stored]) -> Described:
    """Of a release's files: what its wheel says, or its sdist."""
    python = [file for file in files if not file.kind.is_conda]
    if not python:
        return Described()
    best = min(python, key=lambda file: file.kind is not Kind.WHEEL)
    return _described(best.metadata)


@lru_cache(maxsize=64)
def _described(metadata: bytes) -> Described:
    from markupsafe import Markup

    raw, _ = parse_email(metadata)
    text = str(raw.get("description") or "")[:LONGEST_SHOWN]
    html = Markup(rendered(text, str(raw.get("description_content_type") or "")))
    return Described(str(raw.get("summary") or ""), tuple(_facts(dict(raw))), html)


def _facts(raw: dict[str, Any]) -> list[Fact]:
    found = [
        ("Python", raw.get("requires_python")),
        ("Licence", raw.get("license_expression") or (raw.get("license") or "")[:200]),
        ("Author", raw.get("author_email") or raw.get("author")),
        ("Needs", ", ".join(raw.get("requires_dist", [])[:100])),
    ]
    facts: list[Fact] = [(name, ((str(text), ""),)) for name, text in found if text]
    links = [(name[:100], link) for name, link in raw.get("project_urls", {}).items()]
    if raw.get("home_page"):
        links.append(("Home page", raw["home_page"]))
    safe = tuple((name, link) for name, link in links if _is_web(link))
    return [*facts, ("Links", safe)] if safe else facts


def _is_web(link: str) -> bool:
    return link.lower().startswith(("https://", "http://"))


def rendered(text: str, content_type: str) -> str:
    """Safe HTML of a description. PyPI's rule: no type means reStructuredText."""
    if not text.strip():
        return ""
    kind = content_type.partition(";")[0].strip().lower()
    html = _by_renderer(text, kind) if len(text) <= LONGEST else None
    return html if html is not None else f"<pre>{escape(text)}</pre>"


def _by_renderer(text: str, kind: str) -> str | None:
    from io import StringIO

    from readme_renderer import markdown, rst

    if kind == "text/markdown":
        made: str | None = markdown.render(text)
    elif kind in ("", "text/x-rst"):
        made = rst.render(text, stream=StringIO())
    else:
        made = None
    return made
