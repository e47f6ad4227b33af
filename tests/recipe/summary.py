"""What a recipe says, as plain values to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twofold.recipe.calls import Surroundings
from twofold.recipe.model import Line, Output, Recipe
from twofold.recipe.platforms import Environ, Platform
from twofold.recipe.reading import find_roots, read_recipe
from twofold.recipe.ways import choose

LINUX = Platform("linux-64", "3.12")


def read_for_linux(path: Path, **environment: str) -> Recipe:
    around = Surroundings(path.parent, find_roots(path), LINUX, Environ(environment))
    return read_recipe(path, around)


def summary(recipe: Recipe) -> dict[str, Any]:
    ways = {one.output.name: one.way.name for one in choose(recipe)}
    made: dict[str, Any] = {
        "outputs": [_output(recipe, output, ways) for output in recipe.outputs],
        "specific": recipe.specific,
    }
    if recipe.sources:
        made["sources"] = [
            _without_empty(
                {
                    source.kind: source.location.text,
                    "line": source.location.number,
                    "mirrors": list(source.mirrors),
                    "hashes": dict(source.hashes),
                    "revision": source.revision,
                    "folder": source.folder,
                    "patches": _texts(source.patches),
                }
            )
            for source in recipe.sources
        ]
    if recipe.extra:
        made["extra"] = dict(recipe.extra)
    return made


def _output(recipe: Recipe, output: Output, ways: dict[str, str]) -> dict[str, Any]:
    def shown(lines: Sequence[Line]) -> list[str]:
        return [recipe.calls.shown(line.text) for line in lines]

    build, needs, tests = output.build, output.requirements, output.tests
    return _without_empty(
        {
            "name": output.name,
            "version": output.version,
            "way": ways.get(output.name, "SKIPPED"),
            "number": build.number,
            "string": build.string,
            "noarch": build.noarch,
            "script": _texts(build.script),
            "script_file": build.script_file,
            "script_env": _texts(build.script_env),
            "entry_points": _texts(build.entry_points),
            "run_exports": {kind: shown(lines) for kind, lines in build.run_exports.items()},
            "kept": {key: _texts(lines) for key, lines in build.kept.items()},
            "build": shown(needs.build),
            "host": shown(needs.host),
            "run": shown(needs.run),
            "constrained": shown(needs.constrained),
            "imports": _texts(tests.imports),
            "commands": _texts(tests.commands),
            "requires": shown(tests.requires),
            "files": _texts((*tests.files, *tests.source_files)),
            "scripts": [path.name for path in tests.scripts],
            "about": {key: _texts(lines) for key, lines in output.about.items()},
        }
    )


def _texts(lines: Sequence[Line]) -> list[str]:
    return [line.text for line in lines]


def _without_empty(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in ("", [], {})}
