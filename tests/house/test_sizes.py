"""A folder is one idea and a module one page of it: neither grows past what a reader can hold."""

from __future__ import annotations

from collections import Counter

from tests.house.source import modules

MOST_LINES_OF_A_MODULE = 350
MOST_MODULES_OF_A_FOLDER = 20

#: Folders that are lists by nature: a module for each command, for each format of an older project;
#: and the backend, which stays one flat package because each folder costs an import.
LISTS = {"src/twofold/cli", "src/twofold/new/migrate", "backend/src/twofold_build"}


def test_no_module_is_longer_than_350_lines() -> None:
    long = {
        module.place: lines
        for module in modules()
        if (lines := module.text().count("\n")) > MOST_LINES_OF_A_MODULE and not module.is_migration
    }
    assert long == {}


def test_no_folder_holds_more_than_20_modules() -> None:
    counts = Counter(
        module.place.rpartition("/")[0] for module in modules() if module.path.name != "__init__.py"
    )
    full = {folder: count for folder, count in counts.items() if count > MOST_MODULES_OF_A_FOLDER}
    assert {folder: count for folder, count in full.items() if folder not in LISTS} == {}
