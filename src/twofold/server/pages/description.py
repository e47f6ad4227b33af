"""A release's description as safe HTML, and facts from its metadata, for the web pages.

The description is untrusted text. readme_renderer renders it to HTML sanitized by nh3; what it
cannot render is shown as plain text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

from packaging.metadata import parse_email

from twofold.artifact import Kind
from twofold.server.model import StoredFile

if TYPE_CHECKING:
    from markupsafe import Markup

#: The longest description to render (characters); longer ones are shown as plain text.
MAX_LENGTH = 200_000

#: The longest description to show (characters).
MAX_HTML_LENGTH = 1_000_000

#: A name, and texts, each with its link or ''.
Fact = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True)
class ReleaseDescription:
    """Summary, facts and description of a release; `html` is '' without a description."""

    summary: str = ""
    facts: tuple[Fact, ...] = ()
    html: Markup | str = ""


def describe_release(files: Sequence[StoredFile]) -> ReleaseDescription:
    """Describe a release from the metadata of its wheel, or of its sdist."""
    python = [file for file in files if not file.kind.is_conda]
    if not python:
        return ReleaseDescription()
    best = min(python, key=lambda file: file.kind is not Kind.WHEEL)
    return _describe_metadata(best.metadata)


@lru_cache(maxsize=64)
def _describe_metadata(metadata: bytes) -> ReleaseDescription:
    from markupsafe import Markup

    raw, _ = parse_email(metadata)
    text = str(raw.get("description") or "")[:MAX_HTML_LENGTH]
    html = Markup(render_description(text, str(raw.get("description_content_type") or "")))
    return ReleaseDescription(str(raw.get("summary") or ""), tuple(_collect_facts(dict(raw))), html)


def _collect_facts(raw: dict[str, Any]) -> list[Fact]:
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
    safe = tuple((name, link) for name, link in links if _is_web_link(link))
    return [*facts, ("Links", safe)] if safe else facts


def _is_web_link(link: str) -> bool:
    return link.lower().startswith(("https://", "http://"))


def render_description(text: str, content_type: str) -> str:
    """Render a description to safe HTML. Like on PyPI, no type means reStructuredText."""
    if not text.strip():
        return ""
    kind = content_type.partition(";")[0].strip().lower()
    html = _render_markup(text, kind) if len(text) <= MAX_LENGTH else None
    return html if html is not None else f"<pre>{escape(text)}</pre>"


def _render_markup(text: str, kind: str) -> str | None:
    from io import StringIO

    from readme_renderer import markdown, rst

    if kind == "text/markdown":
        made: str | None = markdown.render(text)
    elif kind in ("", "text/x-rst"):
        made = rst.render(text, stream=StringIO())
    else:
        made = None
    return made
