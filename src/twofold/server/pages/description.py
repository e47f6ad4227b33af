"""A release's description as safe HTML, for the web pages.

The description is untrusted text, and a kilobyte of it can keep a renderer busy for minutes. So it
is rendered once, after the upload, in a process of its own with limits of time and memory
(`python -m twofold.server.pages.description`, started by `description_renderer`), and the HTML is
stored. readme_renderer renders it, sanitized by nh3; what cannot be rendered is shown as text.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import Any

from packaging.metadata import parse_email

from twofold.artifact import Kind
from twofold.server.model import StoredFile
from twofold.server.pages.description_html import fit_into_page

#: The longest description to render (characters); longer ones are shown as plain text.
MAX_LENGTH = 200_000

#: The longest description, or HTML of one, to show (characters).
MAX_HTML_LENGTH = 1_000_000

#: The deepest nesting of tags to show: browsers and renderers recurse, documents need some ten.
MAX_NESTING = 50

#: Limits of rendering one description: processor time (seconds) and memory (bytes).
MAX_SECONDS, MAX_MEMORY = 2.0, 1 << 30

#: Keys beside those of about.json: the README of a conda package, and its media type.
README, README_TYPE = "twofold_readme", "twofold_readme_type"

_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)(?:\s+[^\s"=<>]+(?:="[^"]*")?)*\s*>')
_VOID_TAGS = {"br", "hr", "img", "input", "wbr", "col", "area"}


@dataclass(frozen=True)
class ReleaseDescription:
    """The description of a release; `text` is '' without one."""

    text: str = ""
    content_type: str = ""

    @property
    def is_markup(self) -> bool:
        """Whether the text has to be rendered. Like on PyPI, no type means reStructuredText."""
        kinds = ("", "text/x-rst", "text/markdown")
        return bool(self.text.strip()) and self.content_type in kinds

    @property
    def plain_html(self) -> str:
        """The text as it is; '' for none."""
        return f"<pre>{escape(self.text)}</pre>" if self.text.strip() else ""


def find_description_source(files: Sequence[StoredFile]) -> StoredFile | None:
    """Return the file whose description is a release's: a wheel's, else an sdist's, else conda's.

    None where no file has one.
    """
    rank = {Kind.WHEEL: 0, Kind.SDIST: 1}
    ordered = sorted(files, key=lambda file: rank.get(file.kind, 2))
    return next((file for file in ordered if may_have_description(read_metadata(file))), None)


def read_metadata(file: StoredFile) -> bytes:
    """Return core metadata that hold the description of a file.

    A conda package has its README, else the text of about.json, which is Markdown on Anaconda.org.
    """
    if not file.kind.is_conda:
        return file.metadata
    about: dict[str, Any] = json.loads(file.about or "{}")
    text, media = about.get("description"), "text/markdown"
    if about.get(README):
        text, media = about[README], about[README_TYPE]
    lines = text if isinstance(text, list) else [text]
    text = "\n".join(one for one in lines if isinstance(one, str))
    body = text.replace("\0", "\ufffd").encode("utf-8", "replace")
    return b"Metadata-Version: 2.1\nDescription-Content-Type: " + media.encode() + b"\n\n" + body


@lru_cache(maxsize=64)
def describe_metadata(metadata: bytes) -> ReleaseDescription:
    """Describe a release from its metadata."""
    raw, _ = parse_email(metadata)
    return ReleaseDescription(
        str(raw.get("description") or "")[:MAX_HTML_LENGTH],
        parse_content_type(str(raw.get("description_content_type") or "")),
    )


def may_have_description(metadata: bytes) -> bool:
    """Whether metadata have a body or a field Description, found without parsing them."""
    head, _, body = metadata.replace(b"\r\n", b"\n").partition(b"\n\n")
    return bool(body.strip()) or b"\ndescription:" in b"\n" + head.lower()


def parse_content_type(text: str) -> str:
    """Return the media type of a description without its parameters."""
    return text.partition(";")[0].strip().lower()


def render_description(text: str, content_type: str) -> str | None:
    """Render a description to safe HTML; None when it is to be shown as text.

    It may take long, and more memory than there is: only for the process with limits.
    """
    from io import StringIO

    from readme_renderer import markdown, rst

    html: str | None = None
    if len(text) > MAX_LENGTH:
        return None
    try:
        if content_type == "text/markdown":
            html = markdown.render(text)
        elif content_type in ("", "text/x-rst"):
            html = rst.render(text, stream=StringIO())
    except (RecursionError, MemoryError):
        return None
    if html is None or len(html) > MAX_HTML_LENGTH or measure_nesting(html) > MAX_NESTING:
        return None
    return fit_into_page(html)


def measure_nesting(html: str) -> int:
    """Return how deep the tags of sanitized HTML are nested."""
    depth = deepest = 0
    for found in _TAG.finditer(html):
        if found[2] not in _VOID_TAGS:
            depth += -1 if found[1] else 1
            deepest = max(deepest, depth)
    return deepest


def main() -> None:
    """Render the descriptions of metadata, one JSON string a line on stdin.

    Writes one JSON object a line on stdout.
    """
    _set_memory_limit()
    for line in sys.stdin:
        metadata = json.loads(line).encode("latin-1")
        _set_time_limit(MAX_SECONDS)
        described = describe_metadata(metadata)
        html = None
        if described.is_markup:
            html = render_description(described.text, described.content_type)
        _set_time_limit(0)
        print(json.dumps({"html": html}), flush=True)


def _set_memory_limit() -> None:
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
        os.nice(10)  # readers and uploads have priority


def _set_time_limit(seconds: float) -> None:
    """End the process after so much processor time, in native code too; 0 for no limit."""
    if sys.platform != "win32":
        import signal

        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)


if __name__ == "__main__":
    main()
