"""What a project of another backend packs, as far as its files say so: for `twofold check`."""

from __future__ import annotations

from pathlib import Path

from twofold.check.other_backend import DeclaredProject
from twofold.new.migrate.facts import settle_license
from twofold.new.migrate.modules import exclude_unlisted, settle_modules
from twofold.new.migrate.plan import MigrationTools, read_static_facts


def read_declared_project(root: Path) -> DeclaredProject:
    """Read as `twofold init` reads, but nothing is run: what is computed stays unknown.

    Raises TwofoldError for files that cannot be read.
    """
    found = read_static_facts(root, MigrationTools())
    facts = found.facts
    facts.project.setdefault("name", root.resolve().name)
    settle_license(facts)
    listed = list(facts.packages or ()) if found.is_setuptools else []
    settle_modules(facts, root, found.is_bare or found.is_setuptools)
    if listed:
        source = str(facts.settings.get("source", "src" if (root / "src").is_dir() else ""))
        exclude_unlisted(facts, root, [source], listed)
    places = [name for name in found.sources if name in ("setup.cfg", "setup.py")]
    return DeclaredProject(
        facts.project,
        facts.settings,
        frozenset(key for key in facts.unread if key != "packages"),
        places[-1] if places else "pyproject.toml",
        facts.unread.get("packages", ""),
    )
