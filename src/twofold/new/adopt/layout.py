"""What a project of another backend packs, as far as its files say so: for `twofold check`."""

from __future__ import annotations

from pathlib import Path

from twofold.check.stated import Stated
from twofold.new.adopt.adopting import Tools, stated
from twofold.new.adopt.facts import settle_licence
from twofold.new.adopt.modules import exclude_unlisted, settle_modules


def read_stated(root: Path) -> Stated:
    """Read as `twofold init` reads, but nothing is run: what is computed stays unknown.

    Raises TwofoldError for files that cannot be read.
    """
    found = stated(root, Tools())
    facts = found.facts
    facts.project.setdefault("name", root.resolve().name)
    settle_licence(facts)
    listed = list(facts.packages or ()) if found.is_setuptools else []
    settle_modules(facts, root, found.is_bare or found.is_setuptools)
    if listed:
        source = str(facts.settings.get("source", "src" if (root / "src").is_dir() else ""))
        exclude_unlisted(facts, root, [source], listed)
    places = [name for name in found.sources if name in ("setup.cfg", "setup.py")]
    return Stated(
        facts.project,
        facts.settings,
        frozenset(key for key in facts.unread if key != "packages"),
        places[-1] if places else "pyproject.toml",
        facts.unread.get("packages", ""),
    )
