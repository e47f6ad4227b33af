"""Render facts as pyproject.toml, with the comments of the previous file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tomlkit
from tomlkit.items import AbstractTable, Array, InlineTable
from tomlkit.toml_document import TOMLDocument

from twofold.new.migrate.facts import CommentedRequirement, Facts
from twofold.new.migrate.toml_text import split_sections

#: The keys of [project] in the order they are written.
KEY_ORDER = (
    "name",
    "version",
    "dynamic",
    "description",
    "readme",
    "requires-python",
    "license",
    "license-files",
    "authors",
    "maintainers",
    "keywords",
    "classifiers",
    "dependencies",
    "urls",
    "scripts",
    "gui-scripts",
    "entry-points",
    "optional-dependencies",
)
_WIDTH = 88


def render_pyproject(facts: Facts, rest: str) -> str:
    """Render the new file: [build-system], [project], our settings, and `rest` of the old file.

    `rest` has no [build-system]; a [project] in it is changed in place, key by key.
    """
    document = tomlkit.parse(rest)
    head = tomlkit.document()
    system = tomlkit.table()
    system.add("requires", ["twofold-build>=0.1"])
    system.add("build-backend", "twofold_build")
    head.add("build-system", system)
    if facts.comments:
        head.add(tomlkit.nl())
        for comment in facts.comments:
            head.add(tomlkit.comment(comment.lstrip("#").strip()))
    if "project" in document:
        _update_project(document, facts)
    else:
        head.add("project", _render_table(facts.project, KEY_ORDER))
    if facts.groups:
        _add_groups(document, facts.groups)
    text = tomlkit.dumps(head)
    preamble, rest = _split_preamble(tomlkit.dumps(document))
    if rest.strip():
        text = f"{text.rstrip()}\n\n{rest.lstrip()}"
    if facts.settings:
        own = tomlkit.document()
        own["tool"] = _render_super_tables(_find_super_settings(facts.settings))
        text = f"{text.rstrip()}\n\n{tomlkit.dumps(own).lstrip()}"
    return f"{preamble}{text.rstrip()}\n"


def _split_preamble(text: str) -> tuple[str, str]:
    """Split off the top: keys above every table, and comments up to the first blank line."""
    first = split_sections(text)[0].lines
    if any(line.strip() and not line.startswith("#") for line in first):
        top = "".join(first)
        return f"{top.rstrip()}\n\n", text[len(top) :]
    lines = text.splitlines(keepends=True)
    count = 0
    while count < len(lines) and lines[count].startswith("#"):
        count += 1
    if count and count < len(lines) and not lines[count].strip():
        return "".join(lines[:count]) + "\n", "".join(lines[count:])
    return "", text


def _render_super_tables(inner: AbstractTable) -> AbstractTable:
    table = tomlkit.table(is_super_table=True)
    table.add("twofold", inner)
    return table


def _find_super_settings(settings: Mapping[str, Any]) -> AbstractTable:
    plain = {key: value for key, value in settings.items() if not isinstance(value, dict)}
    table = tomlkit.table(is_super_table=not plain)
    for key, value in plain.items():
        table.add(key, _render_value(value))
    for key, value in settings.items():
        if isinstance(value, dict):
            table.add(key, _find_super_settings(value))
    return table


def _render_table(values: Mapping[str, Any], order: Sequence[str] = ()) -> AbstractTable:
    table = tomlkit.table()
    keys = [key for key in order if key in values] or list(values)
    nested = [key for key in keys if isinstance(values[key], dict) and key not in _INLINE]
    for key in keys:
        if key not in nested:
            table.add(key, _render_value(values[key]))
    for key in nested:
        table.add(key, _render_group(values[key]))
    return table


_INLINE = ("readme", "license")


def _render_group(values: Mapping[str, Any]) -> AbstractTable:
    inner = all(isinstance(value, dict) for value in values.values())
    table = tomlkit.table(is_super_table=inner)
    for key, value in values.items():
        table.add(key, _render_table(value) if isinstance(value, dict) else _render_value(value))
    return table


def _render_value(value: Any) -> Any:
    if isinstance(value, list):
        return _render_array(value)
    if isinstance(value, dict):
        return _render_inline(value)
    return str(value) if isinstance(value, CommentedRequirement) else value


def _render_inline(value: Mapping[str, Any]) -> InlineTable:
    table = tomlkit.inline_table()
    for key, held in value.items():
        table.add(key, held)
    return table


def _render_array(values: Sequence[Any]) -> Array:
    """Render an array on one line if it is short and has no comments; else one item a line."""
    array = tomlkit.array()
    comments = [getattr(value, "comment", "") for value in values]
    flat = ", ".join(f'"{value}"' for value in values)
    is_short = len(values) <= 1 or len(flat) <= _WIDTH - 30
    if is_short and not any(comments) and not any(isinstance(v, dict) for v in values[1:]):
        for value in values:
            array.append(_render_value(value))
        return array
    for value, comment in zip(values, comments, strict=True):
        array.add_line(_render_value(value), comment=comment or None, indent="    ")
    array.add_line(indent="")
    return array


def _update_project(document: TOMLDocument, facts: Facts) -> None:
    """Update an existing [project]: change only what differs."""
    project = document["project"]
    assert isinstance(project, AbstractTable)
    old = project.unwrap()
    for key in list(old):
        if key not in facts.project:
            project.remove(key)
    for key in KEY_ORDER:
        if key not in facts.project or _to_plain(old.get(key)) == _to_plain(facts.project[key]):
            continue
        value = facts.project[key]
        nested = isinstance(value, dict) and key not in _INLINE
        project[key] = _render_group(value) if nested else _render_value(value)


def _to_plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_to_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _to_plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, str) else value


def _add_groups(
    document: TOMLDocument, groups: Mapping[str, Sequence[CommentedRequirement]]
) -> None:
    table = document.get("dependency-groups")
    if table is None:
        table = tomlkit.table()
        document.add("dependency-groups", table)
    for name, requirements in groups.items():
        if name not in table and requirements:
            table.add(name, _render_array(requirements))
