"""The little of a conda recipe that is compared with a project, with its lines.

`twofold.recipe` builds recipes; this only reads what stands in plain sight: name, version, build
number and run requirements, with `{% set %}` variables filled in. Whatever is computed, or behind
a selector, is not read.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class RecipeLines(NamedTuple):
    """Each value with its line; a line of 0 means that it is not written in plain sight.

    `run` maps lower-case names to (version spec, line). `is_whole` says that no selector or
    template hides a requirement.
    """

    name: tuple[str, int] = ("", 0)
    version: tuple[str, int] = ("", 0)
    number: tuple[str, int] = ("", 0)
    entry_points: tuple[tuple[str, int], ...] = ()
    run: dict[str, tuple[str, int]] = {}  # noqa: RUF012 (never changed)
    has_run: bool = False
    is_whole: bool = True


def read_recipe(text: str) -> RecipeLines:
    """Never raises: a recipe of another shape simply says less."""
    variables = dict(
        re.findall(r"""\{%-?\s*set\s+(\w+)\s*=\s*["']?([^"'%]*?)["']?\s*-?%\}""", text)
    )
    values: dict[str, tuple[str, int]] = {}
    run: dict[str, tuple[str, int]] = {}
    points: list[tuple[str, int]] = []
    path: list[tuple[int, str]] = []
    has_run, whole = False, True
    for number, raw in enumerate(text.splitlines(), 1):
        line = _fill_in(raw, variables)
        plain = re.sub(r"(?:^|\s)#.*", "", line).rstrip()
        if not plain.strip() or plain.lstrip().startswith("{%"):
            continue
        indent = len(plain) - len(plain.lstrip())
        key = re.match(r"\s*([\w-]+)\s*:(?:\s+(.*))?$", plain)
        item = re.match(r"\s*-\s+(.*)$", plain)
        while path and (path[-1][0] > indent or (path[-1][0] == indent and not item)):
            path.pop()
        where = ".".join(name for _, name in path)
        if item:
            said = item.group(1).strip().strip("\"'")
            hidden = "{{" in said or re.search(r"#\s*\[[^\]]+\]", line) is not None
            if where == "requirements.run":
                has_run, whole = True, whole and not hidden
                name, _, _spec = said.partition(" ")
                name = re.match(r"[\w.-]*", name).group().lower()  # type: ignore[union-attr]
                if not hidden and name:
                    run[name] = (said[len(name) :].strip(), number)
            elif where == "build.entry_points" and not hidden:
                points.append((said, number))
        elif key:
            path.append((indent, key.group(1)))
            said = (key.group(2) or "").strip().strip("\"'")
            dotted = ".".join(name for _, name in path)
            if said and "{{" not in said:
                values.setdefault(dotted, (said, number))
            if dotted == "requirements.run":
                has_run = True
    return RecipeLines(
        values.get("package.name", ("", 0)),
        values.get("package.version", ("", 0)),
        values.get("build.number", ("", 0)),
        tuple(points),
        run,
        has_run,
        whole,
    )


def _fill_in(line: str, variables: dict[str, str]) -> str:
    """`{{ name|lower }}` with what `{% set %}` gave it."""

    def fill(found: re.Match[str]) -> str:
        value = variables.get(found.group(1), found.group())
        return value.lower() if "lower" in (found.group(2) or "") else value

    return re.sub(r"\{\{\s*(\w+)\s*(\|\s*lower)?\s*\}\}", fill, line)
