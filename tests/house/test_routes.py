"""Every word in an address of the registry stands in a reference page: a protocol is documented."""

from __future__ import annotations

import re
from pathlib import Path

from twofold.server.app import create_app
from twofold.server.settings import Settings

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
PAGES = ("registry-protocols.md", "anaconda-api.md", "management-api.md")


def test_every_address_is_in_the_reference(tmp_path: Path) -> None:
    app = create_app(Settings(tmp_path / "data"))
    addresses = {str(getattr(route, "path", "")) for route in app.routes}
    words = {word for path in addresses for word in path.split("/") if word and "{" not in word}
    text = "".join((REFERENCE / page).read_text(encoding="utf-8") for page in PAGES)
    documented = set(re.split(r"[/`\s()|?=…,]+", text))
    assert sorted(words - documented) == []
