"""Reads scripts and entry points (PEP 621, entry points specification)."""

from __future__ import annotations

from twofold_build.table_reader import TableReader, describe_type, is_dotted_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold_build.diagnostics import Diagnostics
    from twofold_build.model import Project


def read_entry_points(
    reader: TableReader, table: dict[str, Any], project: Project, diagnostics: Diagnostics
) -> None:
    """Fill the entry points of `project` and report every mistake."""
    for key, group in (("scripts", "console_scripts"), ("gui-scripts", "gui_scripts")):
        scripts = reader.get_mapping(key)
        if scripts:
            project.entry_points[group] = scripts
            _check_references(scripts, f"project.{key}", diagnostics, needs_object=True)
    groups = table.get("entry-points", {})
    if not isinstance(groups, dict):
        diagnostics.add(
            f"must be a table of tables, not {describe_type(groups)}",
            "write [project.entry-points.GROUP], and below it name = 'module:object'",
            key="entry-points",
        )
        return
    inner = TableReader(groups, "project.entry-points", diagnostics)
    for group in groups:
        if group in ("console_scripts", "gui_scripts"):
            right = "scripts" if group == "console_scripts" else "gui-scripts"
            diagnostics.add(
                f"'{group}' has a table of its own (PEP 621)",
                f"write it as [project.{right}]",
                table="project.entry-points",
                key=group,
            )
            continue
        if not _is_group(group):
            diagnostics.add(
                f"'{group}' is not a valid name of a group of entry points",
                "use words of letters, digits and '_', with dots between them",
                table="project.entry-points",
                key=group,
            )
            continue
        listed = inner.get_mapping(group)
        project.entry_points[group] = listed
        _check_references(listed, format_table_name(group), diagnostics, needs_object=False)


def format_table_name(group: str) -> str:
    """Return the name of the TOML table of a group of entry points."""
    is_bare = group.replace("-", "_").isidentifier() and group.isascii()
    return f"project.entry-points.{group}" if is_bare else f'project.entry-points."{group}"'


def _check_references(
    listed: dict[str, str], table: str, diagnostics: Diagnostics, needs_object: bool
) -> None:
    if needs_object:
        is_right = _is_reference
    else:
        is_right = _is_module_or_object if table in _IMPORTED else _is_value
    for name, reference in listed.items():
        if not _is_name(name):
            diagnostics.add(
                f"'{name}' is not a valid name of an entry point",
                "use letters, digits, '-', '_', '.'",
                table=table,
                key=name,
            )
        if needs_object and any(mark in name for mark in "/\\"):
            diagnostics.add(
                f"'{name}' is not a valid name of a script",
                "remove '/' and '\\'",
                table=table,
                key=name,
            )
        if not is_right(reference):
            diagnostics.add(
                f"'{reference}' does not name {'a function' if needs_object else 'an object'}",
                'write it like "my_package.cli:main"',
                table=table,
                key=name,
            )


#: Tables of groups whose consumers import every value.
_IMPORTED = frozenset(
    format_table_name(group)
    for group in ("pytest11", "flake8.extension", "distutils.commands", "pygments.lexers")
)


def _is_group(group: str) -> bool:
    """Whether it is words with dots between them; some projects write a colon or a hyphen."""
    words = group.replace(":", ".").replace("-", "_").split(".")
    return all(word.replace("_", "a").isalnum() for word in words)


def _is_name(name: str) -> bool:
    """Whether a name stays one in entry_points.txt, a line `name = value` below `[group]`."""
    return (
        name.isprintable()
        and bool(name)
        and name == name.strip()  # a space before it continues the line above
        and not name.startswith(("#", ";"))
        and not any(mark in name for mark in "[=")
    )


def _is_value(reference: str) -> bool:
    """Whether a value is one line: what it means, the consumer of its group decides."""
    return bool(reference.strip()) and reference.isprintable()


def _is_reference(reference: str) -> bool:
    """Whether it is `module:object`; old tools wrote extras in brackets after it."""
    return ":" in reference and _is_module_or_object(reference)


def _is_module_or_object(reference: str) -> bool:
    target, bracket, extras = reference.partition("[")
    module, colon, thing = target.partition(":")
    listed = extras.rstrip().removesuffix("]")
    return (
        is_dotted_name(module.strip())
        and (not colon or is_dotted_name(thing.strip()))
        and (not bracket or (extras.rstrip().endswith("]") and _are_extras(listed)))
    )


def _are_extras(listed: str) -> bool:
    return listed.isprintable() and not any(mark in listed for mark in "[];=:")
