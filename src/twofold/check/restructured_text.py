"""Whether a readme is valid reStructuredText, as PyPI judges: docutils stops at a warning.

PyPI renders with readme_renderer, which gives docutils the same settings. It is not needed for the
judgement: what it adds to docutils is colours, sanitized HTML, and 30 MB of libraries.
"""

from __future__ import annotations

import io
from typing import Any, NamedTuple

#: docutils' number of a warning.
_WARNING = 2
_SETTINGS: dict[str, Any] = {
    "halt_level": _WARNING,
    "report_level": 5,  # messages below the one that stops are not printed
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "doctitle_xform": False,
    "sectsubtitle_xform": False,
    "section_self_link": True,
    "smart_quotes": True,
    "strip_comments": True,
    "syntax_highlight": "short",
    "id_prefix": "user-content-",
    "_disable_config": True,
}


class Mistake(NamedTuple):
    """Why a text does not render; both are "" where nothing is left to be shown."""

    line: str
    message: str


def find_mistake(text: str) -> Mistake | None:
    """Return the first mistake of a reStructuredText; None when it renders."""
    from docutils import nodes
    from docutils.core import publish_doctree
    from docutils.utils import SystemMessage

    warnings = io.StringIO()
    settings = {**_SETTINGS, "warning_stream": warnings}
    try:
        document = publish_doctree(text, settings_overrides=settings)
    except SystemMessage:
        for warning in warnings.getvalue().splitlines():
            if warning.startswith("<string>:"):
                _, line, message = warning.split(":", 2)
                return Mistake(line, message.strip().partition(") ")[2])
        return Mistake("", "")
    unseen = (nodes.Invisible, nodes.decoration, nodes.meta)
    if all(isinstance(node, unseen) for node in document.children):
        return Mistake("", "")
    return None
