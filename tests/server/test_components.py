"""The page of components shows every macro of the templates."""

from __future__ import annotations

import re
from pathlib import Path

from tests.server.conftest import Place
from twofold.server.web.pages import render

TEMPLATES = Path(render.__file__).parent / "templates"


def test_the_page_of_components_shows_every_macro(served: Place) -> None:
    macros = re.findall(
        r"{% macro ([a-z]\w*)\(", (TEMPLATES / "components.html").read_text("utf-8")
    )
    shown = (TEMPLATES / "gallery.html").read_text("utf-8")
    assert len(macros) > 15
    assert [name for name in macros if f"{name}(" not in shown] == []
    assert served.get("/-/components").status_code == 200
