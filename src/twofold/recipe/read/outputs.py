"""Read the packages of meta.yaml: the top, and outputs, which inherit from it as in conda-build.

An output of the recipe's own name is the top itself. Its requirements, build and about count key
by key before the top's, and the other outputs inherit the merged sections; what else such an output
sets is ignored but for its script and files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from twofold.recipe.model import App, Build, Line, Output, Tests
from twofold.recipe.read.known_keys import OUTPUT, SECTIONS
from twofold.recipe.read.meta_sections import SectionReader
from twofold.recipe.read.yaml_lines import Node, read_recipe_text, to_plain

#: Sections that the output of the recipe's own name shares with the top.
_SHARED = ("requirements", "build", "about")
#: What conda-build ignores in that output.
_ONLY_AT_TOP = str.split("version number string noarch entry_points run_exports test")
#: What conda-build ignores in an output with a build section, where it belongs.
_ONLY_IN_BUILD = str.split("string noarch entry_points run_exports track_features features")


def read_outputs(reader: SectionReader, tree: Node) -> tuple[Output, ...]:
    """Read the packages; the top alone is one where there are no outputs."""
    parts = reader.read_section(tree, SECTIONS, reader.file)
    package = parts.get("package", Node({}, 1, "package"))
    known = reader.read_section(package, ("name", "version"), "package")
    split = parts.get("outputs")
    if split is None or split.is_empty:
        return (_read_top(reader, parts, package, known, is_alone=True),)
    nodes = list(split.items())
    own = next((node for node in nodes if _has_name(node, known.get("name"))), None)
    if own is None and "name" in known and _needs_output(reader, parts, nodes):
        own = Node({"name": known["name"]}, package.line, "package")
        nodes.append(own)
    if own is not None:
        merged = {key: _merge_section(parts.get(key), own.get(key)) for key in _SHARED}
        parts |= {key: section for key, section in merged.items() if section is not None}
    top = _read_top(reader, parts, package, known, is_alone=False)
    outputs = []
    for node in nodes:
        before = len(reader.problems)
        outputs.append(_read_output(reader, node, top))
        if outputs[-1].build.skip:
            reader.drop_problems(before)
    return tuple(outputs)


def _read_top(
    reader: SectionReader,
    parts: dict[str, Node],
    package: Node,
    known: dict[str, Node],
    *,
    is_alone: bool,
) -> Output:
    """Read the top; only where it is the one package it must have a name and a version."""
    return Output(
        name=reader.read_name(known.get("name"), package) if is_alone or "name" in known else "",
        version=reader.read_version(known.get("version"), package)
        if is_alone or "version" in known
        else "",
        line=package.line,
        build=add_script_file(reader, reader.read_build(parts.get("build"))),
        requirements=reader.read_requirements(parts.get("requirements")),
        tests=reader.read_tests(parts.get("test"), beside=True),
        about=reader.read_about(parts.get("about")),
        app=_read_app(reader, parts.get("app")),
    )


def _has_name(node: Node, name: Node | None) -> bool:
    own = node.get("name")
    return own is not None and name is not None and own.value == name.value


def _needs_output(reader: SectionReader, parts: dict[str, Node], nodes: Sequence[Node]) -> bool:
    """Whether the top is a package too: it requires an output, or pins one."""
    needs = parts.get("requirements")
    if needs is None or not isinstance(needs.value, dict):
        return False
    names = {node.value for output in nodes if (node := output.get("name"))}
    run = reader.read_lines(needs.get("run"))
    lines = [line for part in needs.value.values() for line in reader.read_lines(part)]
    calls = [reader.calls.find_call(line.text) for line in lines]
    return any(line.text.split()[0] in names for line in run) or any(
        call is not None and call.function == "pin_subpackage" for call in calls
    )


def _merge_section(top: Node | None, own: Node | None) -> Node | None:
    """Merge a section's keys; those of the output count before the top's."""
    if top is None or own is None:
        return own or top
    mappings = [_expand_list(top), _expand_list(own)]
    return replace(own, value={key: part for one in mappings for key, part in one.items()})


def _expand_list(section: Node) -> dict[str, Node]:
    """Return a section's parts; a list of requirements counts as `host` and as `run`."""
    if isinstance(section.value, dict):
        return section.value
    return {"host": section, "run": section} if not section.is_empty else {}


def _read_output(reader: SectionReader, node: Node, top: Output) -> Output:
    """Read one output; a section that it has replaces the top's, even without content."""
    parts = reader.read_section(node, OUTPUT, "outputs")
    name = reader.read_name(parts.get("name"), node)
    kind = reader.read_text(parts.get("type"))
    if kind and kind not in ("conda", "conda_v2"):
        reader.add_problem(
            f"outputs of type '{kind}' are not supported", parts["type"], "leave type out"
        )
    is_top = bool(name) and name == top.name
    files, excluded = _read_files(reader, parts.get("files"))
    made = replace(
        top, name=name, line=node.line, files=files, excluded_files=excluded, is_split=True
    )
    if is_top:
        _remark_ignored(reader, parts, _ONLY_AT_TOP, "an output of the recipe's name", "at the top")
    else:
        made = _read_differences(reader, made, parts, node)
    script = (made.build.script, made.build.script_file)
    if "script" in parts:
        script = _read_output_script(reader, parts["script"])
    elif files and not made.build.script:
        script = (top.build.script, top.build.script_file)
    needs = made.requirements
    if files and "script" not in parts and not is_top:
        # The top level decides how the source of these files is built.
        tools, host = top.requirements.build, top.requirements.host
        needs = replace(needs, build=(*tools, *needs.build), host=(*host, *needs.host))
    build = replace(made.build, script=script[0], script_file=script[1])
    return replace(made, build=build, requirements=needs)


def _read_differences(
    reader: SectionReader, made: Output, parts: dict[str, Node], node: Node
) -> Output:
    """Read what distinguishes an output from the top, `made`."""
    present = node.value if isinstance(node.value, dict) else {}
    version = reader.read_text(parts.get("version")) or made.version
    if not version:
        reader.read_version(parts.get("version"), node)
    tests, about = replace(made.tests, imports=(), commands=(), scripts=()), made.about
    if "test" in present:
        tests = reader.read_tests(parts.get("test"), beside=False)
    if "about" in present:
        about = reader.read_about(parts.get("about"))
    needs = reader.read_requirements(parts.get("requirements"))
    build = _read_output_build(reader, parts, made.build, is_own="build" in present)
    return replace(
        made,
        version=version,
        build=replace(build, skip=build.skip or made.build.skip),
        requirements=replace(
            needs,
            build=_without(needs.build, made.name),
            host=_without(needs.host, made.name),
            run=_without(needs.run, made.name),
        ),
        tests=tests or Tests(),
        about=about,
        app=None,
    )


def _read_output_build(
    reader: SectionReader, parts: dict[str, Node], top: Build, *, is_own: bool
) -> Build:
    """Read an output's build section, or the keys beside it that count where it has none."""
    number = reader.read_number(parts["number"]) if "number" in parts else top.number
    if is_own:
        given = parts.get("build")
        build = reader.read_build(given)
        _remark_ignored(reader, parts, _ONLY_IN_BUILD, "an output with 'build'", "below 'build'")
        return build if given and given.get("number") else replace(build, number=number)
    # Read as a section, so that each key is read in one place.
    keys = {key: part for key, part in parts.items() if key in _ONLY_IN_BUILD}
    own = reader.read_build(Node(dict(keys), 0, "outputs"))
    return replace(
        top,
        number=number,
        string=own.string or top.string,
        noarch=own.noarch,
        noarch_line=own.noarch_line,
        script=(),
        script_file="",
        entry_points=own.entry_points,
        run_exports=own.run_exports,
        linking={**top.linking, **own.linking},
    )


def _remark_ignored(
    reader: SectionReader, parts: dict[str, Node], keys: Sequence[str], where: str, place: str
) -> None:
    for key in keys:
        if key in parts:
            reader.add_remark(
                f"conda-build ignores '{key}' of {where}, and so does twofold; write it {place}",
                parts[key],
            )


def _without(lines: tuple[Line, ...], name: str) -> tuple[Line, ...]:
    """Leave out the package itself: outputs often list what their top requires."""
    return tuple(line for line in lines if line.text.split()[0] != name)


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


def _read_app(reader: SectionReader, node: Node | None) -> App | None:
    """Read the section; None without an entry: conda-build leaves it out then."""
    parts = reader.read_section(node, (*_APP_KEYS, "icon"), "app")
    if node is None or "entry" not in parts:
        return None
    fields = {new: to_plain(parts[old]) for old, new in _APP_KEYS.items() if old in parts}
    icon = reader.read_paths(parts.get("icon"), "RECIPE_DIR")
    return App({"type": "app", **fields}, Line("app", node.line, "app"), icon[0] if icon else None)
