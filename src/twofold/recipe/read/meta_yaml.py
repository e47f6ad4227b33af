"""Read meta.yaml: selectors, Jinja, YAML, sections. Every mistake has its line and key."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from twofold.errors import Problem, ProjectErrors
from twofold.recipe.model import App, Build, DeferredCalls, Line, Output, Recipe, Tests
from twofold.recipe.read.jinja_functions import PACKAGE_VARIABLES, make_functions
from twofold.recipe.read.jinja_modules import ReadContext
from twofold.recipe.read.known_keys import OUTPUT, SECTIONS
from twofold.recipe.read.meta_sections import SectionReader
from twofold.recipe.read.meta_sources import read_sources
from twofold.recipe.read.selectors import select_lines
from twofold.recipe.read.variant_defaults import list_default_values, make_selector_variables
from twofold.recipe.read.variants import pin_run_requirements, read_variants
from twofold.recipe.read.yaml_lines import Node, read_recipe_text, read_tree, render, to_plain

#: What makes a folder a Python project.
PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
#: Keys of recipe.yaml that meta.yaml has not.
_V1_KEY = re.compile(r"^(schema_version|context):", re.MULTILINE)
_SOURCE_PATH = re.compile(
    r"^\s*-?\s*path:\s*['\"]?(?:\{\{[^{}]*RECIPE_DIR[^{}]*\}\}/*)?([^\s'\"{}#]+)", re.MULTILINE
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
    named = make_selector_variables(values, context.platform)
    selected = select_lines(text, context.platform, context.environ, problems, file, named)
    if problems:
        raise ProjectErrors(problems)
    calls = DeferredCalls()
    offered: dict[str, object] = {**context.environ, **values}
    offered |= make_functions(context, calls, text)
    offered |= {name: named[name] for name in ("np", "pl", "luajit")}
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
        pin_run_requirements(one, calls, context.pins) for one in _read_outputs(reader, tree)
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
        context = replace(context, pins=variants.pins)
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


def _read_outputs(reader: SectionReader, tree: Node) -> tuple[Output, ...]:
    parts = reader.read_section(tree, SECTIONS, reader.file)
    package = parts.get("package", Node({}, 1, "package"))
    known = reader.read_section(package, ("name", "version"), "package")
    split = parts.get("outputs")
    if split is not None and split.is_empty:
        split = None
    if split is None or "name" in known:
        name = reader.read_name(known.get("name"), package)
    else:
        name = ""
    single = Output(
        name=name,
        version=reader.read_version(known.get("version"), package)
        if split is None or "version" in known
        else "",
        line=package.line,
        build=add_script_file(reader, reader.read_build(parts.get("build"))),
        requirements=reader.read_requirements(parts.get("requirements")),
        tests=reader.read_tests(parts.get("test"), beside=True),
        about=reader.read_about(parts.get("about")),
        app=read_app(reader, parts.get("app")),
    )
    if split is None:
        return (single,)
    outputs = []
    for node in split.items():
        before = len(reader.problems)
        outputs.append(_read_output(reader, node, single))
        if outputs[-1].build.skip:
            reader.drop_problems(before)
    return tuple(outputs)


def _read_output(reader: SectionReader, node: Node, top: Output) -> Output:
    """Read one of several outputs; what it leaves out comes from the top, as in conda-build."""
    parts = reader.read_section(node, OUTPUT, "outputs")
    name = reader.read_name(parts.get("name"), node)
    same = name == top.name
    kind = reader.read_text(parts.get("type"))
    if kind and kind not in ("conda", "conda_v2"):
        reader.add_problem(
            f"outputs of type '{kind}' are not supported", parts["type"], "leave type out"
        )
    version = reader.read_text(parts.get("version")) or top.version
    if not version:
        reader.read_version(parts.get("version"), node)
    build = reader.read_build(parts.get("build"))
    files, excluded = _read_files(reader, parts.get("files"))
    script, script_file = build.script, ""
    if "script" in parts:
        script, script_file = _read_output_script(reader, parts["script"])
    elif not script and (same or files):
        script, script_file = top.build.script, top.build.script_file
    given = parts.get("build")
    number = top.build.number
    if given and given.get("number"):
        number = build.number
    elif "number" in parts:
        number = reader.read_number(parts["number"])
    entry_points = reader.read_entry_points(parts.get("entry_points")) or build.entry_points
    build = replace(
        build,
        number=number,
        noarch=build.noarch or reader.read_noarch(parts.get("noarch")) or top.build.noarch * same,
        skip=build.skip or top.build.skip,
        script=script,
        script_file=script_file,
        entry_points=entry_points or (top.build.entry_points if same else ()),
        run_exports=reader.read_run_exports(parts.get("run_exports")) or build.run_exports,
        string=build.string,
    )
    needs = (
        top.requirements
        if same and "requirements" not in parts
        else reader.read_requirements(parts.get("requirements"))
    )
    if files and "script" not in parts:
        # The top level decides how the source of these files is built.
        needs = replace(
            needs,
            build=(*top.requirements.build, *needs.build),
            host=(*top.requirements.host, *needs.host),
        )
    tests = reader.read_tests(parts.get("test"), beside=False)
    return Output(
        name=name,
        version=version,
        line=node.line,
        build=build,
        requirements=needs,
        tests=top.tests if same and "test" not in parts else tests or Tests(),
        about=reader.read_about(parts.get("about")) or top.about,
        files=files,
        excluded_files=excluded,
        app=top.app if same else None,
        is_split=True,
    )


#: Folders of the build that outputs/files may name.
_FILE_FOLDERS = ("PREFIX", "SP_DIR")


def _read_files(
    reader: SectionReader, node: Node | None
) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """Read outputs/files: a list of globs, or `include` and `exclude` with one each."""
    if node is None or not isinstance(node.value, dict):
        return reader.read_paths(node, *_FILE_FOLDERS), ()
    parts = reader.read_section(node, ("include", "exclude"), "files")
    return (
        reader.read_paths(parts.get("include"), *_FILE_FOLDERS),
        reader.read_paths(parts.get("exclude"), *_FILE_FOLDERS),
    )


def add_script_file(reader: SectionReader, build: Build) -> Build:
    """Add build.sh (bld.bat on Windows) beside the recipe if build/script is missing."""
    if build.script:
        return build
    names = ("bld.bat", "build.bat") if os.name == "nt" else ("build.sh",)
    for name in (*names, "build.sh"):
        if (reader.folder / name).is_file():
            return replace(build, script=_read_file_lines(reader.folder / name), script_file=name)
    return build


def _read_output_script(reader: SectionReader, node: Node) -> tuple[tuple[Line, ...], str]:
    """Read an output's script: a filename or, as in build/script, commands."""
    lines = reader.read_script(node)
    if len(lines) == 1 and re.fullmatch(r"[\w./-]+\.(sh|bat|py)", lines[0].text):
        path = (reader.folder / lines[0].text).resolve()
        if not path.is_relative_to(reader.folder.resolve()) or not path.is_file():
            reader.add_problem(f"the script '{lines[0].text}' is not beside the recipe", node)
            return (), ""
        return _read_file_lines(path), lines[0].text
    return lines, ""


def _read_file_lines(path: Path) -> tuple[Line, ...]:
    text = read_recipe_text(path)
    numbered = enumerate(text.splitlines(), 1)
    return tuple(Line(line.strip(), number, path.name) for number, line in numbered if line.strip())


#: Key of meta.yaml -> key of index.json.
_APP_KEYS = {
    "entry": "app_entry",
    "type": "app_type",
    "cli_opts": "app_cli_opts",
    "summary": "summary",
    "own_environment": "app_own_environment",
}


def read_app(reader: SectionReader, node: Node | None) -> App | None:
    """Read the section; None without an entry: conda-build leaves it out then."""
    parts = reader.read_section(node, (*_APP_KEYS, "icon"), "app")
    if node is None or "entry" not in parts:
        return None
    fields = {new: to_plain(parts[old]) for old, new in _APP_KEYS.items() if old in parts}
    icon = reader.read_paths(parts.get("icon"), "RECIPE_DIR")
    return App({"type": "app", **fields}, Line("app", node.line, "app"), icon[0] if icon else None)
