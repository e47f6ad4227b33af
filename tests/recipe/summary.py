"""A recipe as plain values, for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twofold.recipe.building.build_method import choose_methods
from twofold.recipe.model import Line, Output, Recipe
from twofold.recipe.read.jinja_modules import ReadContext
from twofold.recipe.read.meta_yaml import find_roots, read_recipe
from twofold.recipe.request import Environ, Platform

LINUX = Platform("linux-64", "3.12")


def read_for_linux(path: Path, **environment: str) -> Recipe:
    around = ReadContext(path.parent, find_roots(path), LINUX, Environ(environment))
    return read_recipe(path, around)


def summarize(recipe: Recipe) -> dict[str, Any]:
    ways = {one.output.name: one.method.name for one in choose_methods(recipe)}
    made: dict[str, Any] = {
        "outputs": [_summarize_output(recipe, output, ways) for output in recipe.outputs],
        "specific": recipe.is_specific,
    }
    if recipe.sources:
        made["sources"] = [
            _drop_empty(
                {
                    source.kind: source.location.text,
                    "line": source.location.number,
                    "mirrors": list(source.mirrors),
                    "hashes": dict(source.hashes),
                    "revision": source.revision,
                    "folder": source.folder,
                    "patches": _list_texts(source.patches),
                }
            )
            for source in recipe.sources
        ]
    if recipe.extra:
        made["extra"] = dict(recipe.extra)
    return made


def _summarize_output(recipe: Recipe, output: Output, ways: dict[str, str]) -> dict[str, Any]:
    def shown(lines: Sequence[Line]) -> list[str]:
        return [recipe.calls.restore_source(line.text) for line in lines]

    build, needs, tests = output.build, output.requirements, output.tests
    return _drop_empty(
        {
            "name": output.name,
            "version": output.version,
            "way": ways.get(output.name, "SKIPPED"),
            "number": build.number,
            "string": build.string,
            "noarch": build.noarch,
            "script": _list_texts(build.script),
            "script_file": build.script_file,
            "script_env": _list_texts(build.script_env),
            "entry_points": _list_texts(build.entry_points),
            "run_exports": {kind: shown(lines) for kind, lines in build.run_exports.items()},
            "kept": {key: _list_texts(lines) for key, lines in build.linking.items()},
            "build": shown(needs.build),
            "host": shown(needs.host),
            "run": shown(needs.run),
            "constrained": shown(needs.constrained),
            "imports": _list_texts(tests.imports),
            "commands": _list_texts(tests.commands),
            "requires": shown(tests.requires),
            "files": _list_texts((*tests.files, *tests.source_files)),
            "scripts": [path.name for path in tests.scripts],
            "about": {key: _list_texts(lines) for key, lines in output.about.items()},
        }
    )


def _list_texts(lines: Sequence[Line]) -> list[str]:
    return [line.text for line in lines]


def _drop_empty(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in ("", [], {})}
