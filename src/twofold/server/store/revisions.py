"""The revisions of the schema, by the names of their migrations."""

from __future__ import annotations

from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"


def list_revisions() -> list[str]:
    """Return the revisions, oldest first: the first parts of the migrations' filenames."""
    names = sorted(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    return [name.partition("_")[0] for name in names]
