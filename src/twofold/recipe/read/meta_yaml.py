"""Read meta.yaml: selectors, Jinja, YAML, sections. Every mistake has its line and key."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from twofold.errors import Problem, ProjectErrors
from twofold.recipe.model import DeferredCalls, Recipe
from twofold.recipe.read.jinja_functions import PACKAGE_VARIABLES, make_functions
from twofold.recipe.read.jinja_modules import ReadContext
from twofold.recipe.read.meta_sections import SectionReader
from twofold.recipe.read.meta_sources import read_sources
from twofold.recipe.read.outputs import read_outputs
from twofold.recipe.read.selectors import select_lines
from twofold.recipe.read.variant_defaults import list_default_values, make_selector_variables
from twofold.recipe.read.variants import pin_run_requirements, read_variants
from twofold.recipe.read.yaml_lines import Node, read_recipe_text, read_tree, render, to_plain

#: What makes a folder a Python project.
PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
#: Keys of recipe.yaml that meta.yaml has not.
_V1_KEY = re.compile(r"^(schema_version|context):", re.MULTILINE)
_SOURCE_PATH = re.compile(
    r"^[ \t]*+(?:-[ \t]*+)?path:\s*+['\"]?"
    r"(?:\{\{(?:(?!RECIPE_DIR)[^{}])*RECIPE_DIR[^{}]*\}\}/*)?([^\s'\"{}#]+)",
    re.MULTILINE,
)


def read_recipe(path: Path, context: ReadContext) -> Recipe:
    """Read meta.yaml for the platform and Python in `context`.

    Raises ProjectErrors with all problems that can be found together; nothing is built, fetched
    or run (but see `ReadContext.metadata_of`).
    """
    file = path.name
    text = read_recipe_text(path)
    problems: list[Problem] = []
    context, variant = _apply_variant(path, context)
    values = {**list_default_values(context.platform), **variant}
    context = replace(context, variant=values)
    lists = {name: list(own) for name, own in context.lists.items()}
    named = make_selector_variables(values, context.platform) | lists
    selected = select_lines(text, context.platform, context.environ, problems, file, named)
    if problems:
        raise ProjectErrors(problems)
    calls = DeferredCalls()
    offered: dict[str, object] = {**context.environ, **values, **lists}
    offered |= make_functions(context, calls, text)
    offered |= {name: named[name] for name in ("np", "pl", "luajit", "python") if name in named}
    try:
        rendered = render(selected.lines, offered, file)
    except ProjectErrors as error:
        raise _explain_form(error, text) from error
    remarks: list[str] = []
    tree = read_tree(rendered.text, file, rendered.source_line, remarks)
    if any(name in text for name in PACKAGE_VARIABLES):
        offered |= make_functions(context, calls, text, _read_package_variables(tree))
        rendered = render(selected.lines, offered, file)
        tree = read_tree(rendered.text, file, rendered.source_line, remarks := [])
    reader = SectionReader(file, path.parent, calls)
    outputs = tuple(
        pin_run_requirements(one, calls, context.pins) for one in read_outputs(reader, tree)
    )
    sources = read_sources(reader, tree.get("source"))
    # Nothing is made of what is skipped, so its mistakes do not matter, as for conda-build.
    if reader.problems and not all(output.build.skip for output in outputs):
        raise ProjectErrors(reader.problems)
    names_used = selected.names | rendered.names
    extra = to_plain(tree.get("extra") or Node({}, 0, ""))
    return Recipe(
        path=path,
        platform=context.platform,
        sources=sources,
        outputs=outputs,
        extra=extra if isinstance(extra, dict) else {},
        calls=calls,
        text=text,
        rendered=calls.restore_source(rendered.text),
        is_specific=context.platform.is_platform_dependent(names_used),
        uses_python=context.platform.is_python_dependent(names_used),
        remarks=(*selected.list_remarks(file), *remarks, *dict.fromkeys(reader.remarks)),
        names_used=names_used,
        variant=variant,
    )


def _apply_variant(path: Path, context: ReadContext) -> tuple[ReadContext, Mapping[str, str]]:
    """Return the variables of the variant, and the context with the Python they name."""
    variant = context.variant
    if variant is None:
        variants = read_variants(path, context.platform, context.environ)
        (variant,) = variants.list_combinations(())
        context = replace(context, pins=variants.pins, lists=variants.lists)
    if "python" in variant:
        context = replace(context, platform=context.platform.with_python(variant["python"]))
    return context, variant


def _explain_form(error: ProjectErrors, text: str) -> ProjectErrors:
    """Say so where a recipe that cannot be rendered is written in the form of recipe.yaml."""
    key = _V1_KEY.search(text)
    if key is None:
        return error
    message = f"'{key[1]}' is a key of recipe.yaml, the other form of recipes"
    where = f"meta.yaml:{text[: key.start()].count(chr(10)) + 1}"
    problem = Problem(message, "rename the file recipe.yaml", where)
    return ProjectErrors([problem, *error.problems])


def _read_package_variables(tree: Node) -> dict[str, str]:
    """Read PKG_NAME and the like from a first rendering."""
    package, build = tree.get("package"), tree.get("build")
    found = (
        package.get("name") if package else None,
        package.get("version") if package else None,
        build.get("number") if build else None,
    )
    texts = [node.value if node and isinstance(node.value, str) else "" for node in found]
    texts[-1] = texts[-1] or "0"
    return dict(zip(PACKAGE_VARIABLES, texts, strict=True))


def find_roots(path: Path) -> tuple[Path, ...]:
    """Find the folders a recipe may read: its own, and the project's that it builds.

    The project is the folder that `source: path:` names, else the nearest folder above with a
    pyproject.toml, setup.py or setup.cfg (three steps at most).
    """
    folder = path.parent.resolve()
    named = _SOURCE_PATH.search(read_recipe_text(path))
    candidates = [Path(os.path.normpath(folder / named.group(1)))] if named else []
    candidates += [folder, *list(folder.parents)[:3]]
    for candidate in candidates:
        if is_project(candidate):
            return (folder, candidate.resolve()) if candidate != folder else (folder,)
    return (folder,)


def is_project(folder: Path) -> bool:
    """Whether a folder holds a Python project."""
    return any((folder / name).is_file() for name in PROJECT_FILES)
