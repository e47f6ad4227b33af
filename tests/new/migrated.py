"""Helpers of the migration tests: write a project to disk and migrate it."""

from __future__ import annotations

import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.new.migrate import MigrationPlan, MigrationTools, plan_migration
from twofold.source_analysis import InstalledDistributions


@dataclass(frozen=True)
class Migrated:
    plan: MigrationPlan

    @property
    def text(self) -> str:
        return self.plan.text

    @property
    def document(self) -> dict[str, Any]:
        return tomllib.loads(self.plan.text)

    @property
    def project(self) -> dict[str, Any]:
        return self.document["project"]

    @property
    def settings(self) -> dict[str, Any]:
        return self.document.get("tool", {}).get("twofold", {})

    @property
    def dropped(self) -> list[str]:
        return [str(one) for one in self.plan.dropped]


def write_project(folder: Path, files: dict[str, str]) -> Path:
    """Write files below a folder of the name `my_package`."""
    root = folder / "my_package"
    root.mkdir(exist_ok=True)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def migrate(
    folder: Path, files: dict[str, str], environment: InstalledDistributions | None = None
) -> Migrated:
    """Adopt files statically: nothing of the project is run."""
    tools = MigrationTools(environment=environment or InstalledDistributions())
    return Migrated(plan_migration(write_project(folder, files), tools))


def migrate_with_wheel(
    folder: Path, files: dict[str, str], metadata: str, entry_points: str = ""
) -> Migrated:
    """Migrate files, with the wheel that their own backend would make of them."""
    wheel = make_wheel(folder, metadata, entry_points)
    tools = MigrationTools(lambda: wheel, environment=InstalledDistributions())
    return Migrated(plan_migration(write_project(folder, files), tools))


def make_wheel(folder: Path, metadata: str, entry_points: str = "") -> Path:
    """Make the wheel of `my_package` 1, with further lines of METADATA."""
    wheel = folder / "my_package-1-py3-none-any.whl"
    info = "my_package-1.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("my_package/__init__.py", "")
        archive.writestr(f"{info}/METADATA", f"Name: my_package\nVersion: 1\n{metadata}")
        archive.writestr(f"{info}/entry_points.txt", entry_points)
    return wheel
