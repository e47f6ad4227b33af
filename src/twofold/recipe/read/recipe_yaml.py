"""Read recipe.yaml (CEP 13 and 14), as far as twofold builds such recipes directly.

The tree is rendered, its conditions are decided, and the rest is converted to the structure of
meta.yaml, so that one reader validates both. Anything else (several outputs, variants, linking,
other tests) raises `UnsupportedRecipe`: rattler-build supports the whole format.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from twofold.errors import ProjectErrors
from twofold.recipe.model import DeferredCalls, Output, Recipe
from twofold.recipe.read.jinja_modules import ReadContext
from twofold.recipe.read.match_specs import add_star
from twofold.recipe.read.meta_sections import SectionReader
from twofold.recipe.read.meta_sources import read_sources
from twofold.recipe.read.outputs import add_script_file
from twofold.recipe.read.v1_expressions import UnsupportedRecipe, V1Renderer
from twofold.recipe.read.yaml_lines import Node, read_recipe_text, read_tree, to_plain
from twofold.recipe.write.to_v1 import render_v1

_V1_KEY = re.compile(r"^(schema_version|context):", re.MULTILINE)
_V0_JINJA = re.compile(r"^[^#\n]*(\{%|(?<!\$)\{\{)", re.MULTILINE)
_SECTIONS = str.split("schema_version context package source build requirements tests about extra")
_ABOUT = {
    "homepage": "home",
    "repository": "dev_url",
    "documentation": "doc_url",
    "summary": "summary",
    "description": "description",
    "license": "license",
    "license_family": "license_family",
    "license_file": "license_file",
}
_SOURCE = {
    "path": "path",
    "url": "url",
    "sha256": "sha256",
    "md5": "md5",
    "git": "git_url",
    "rev": "git_rev",
    "tag": "git_rev",
    "patches": "patches",
    "target_directory": "folder",
    "file_name": "fn",
}
_REQUIREMENTS = {
    "build": "build",
    "host": "host",
    "run": "run",
    "run_constraints": "run_constrained",
}
_BUILD = {"number": "number", "string": "string", "noarch": "noarch"}


def has_v1_form(path: Path) -> bool:
    """Whether a recipe is in the form of recipe.yaml, whatever its name.

    rattler-build reads a file of any name that it is given. A meta.yaml is of that form if it has
    a key that only recipe.yaml has, and no Jinja of its own form.
    """
    if path.name == "recipe.yaml":
        return True
    text = read_recipe_text(path)
    return _V1_KEY.search(text) is not None and _V0_JINJA.search(text) is None


def read_recipe_yaml(path: Path, context: ReadContext) -> Recipe:
    """Read a recipe.yaml. Raises UnsupportedRecipe, and ProjectErrors with keys and lines."""
    for name in ("variants.yaml", "conda_build_config.yaml"):
        if (path.parent / name).is_file():
            raise UnsupportedRecipe(f"{name} is beside it")
    text = read_recipe_text(path)
    calls = DeferredCalls()
    tree = read_tree(text, path.name)
    rendering = V1Renderer(context, calls, path.name, text)
    parts = _check_keys(tree, _SECTIONS, "recipe.yaml")
    if "context" in parts:
        rendering.add_context(parts.pop("context"))
    rendered = {name: rendering.render_node(part) for name, part in parts.items()}
    reader = SectionReader(path.name, path.parent, calls, is_v1=True)
    output = _read_output(reader, rendered, rendering)
    sources = read_sources(reader, _convert_source(rendered.get("source")))
    if reader.problems:
        raise ProjectErrors(reader.problems)
    extra = to_plain(rendered.get("extra", Node({}, 0, "")))
    names_used = frozenset(rendering.names_used)
    return Recipe(
        path=path,
        platform=context.platform,
        sources=sources,
        outputs=(output,),
        extra=extra if isinstance(extra, dict) else {},
        calls=calls,
        text=text,
        rendered=calls.restore_source(
            render_v1({name: to_plain(part) for name, part in rendered.items()})
        ),
        is_specific=context.platform.is_platform_dependent(names_used),
        uses_python=context.platform.is_python_dependent(names_used),
        remarks=tuple(dict.fromkeys(reader.remarks)),
        is_v1=True,
    )


def _check_keys(node: Node | None, names: Iterable[str], what: str) -> dict[str, Node]:
    """Return the parts of a mapping; raises UnsupportedRecipe for a key not in `names`."""
    if node is None or node.value is None:
        return {}
    if not isinstance(node.value, dict):
        raise UnsupportedRecipe(f"{what} is not a mapping")
    words = set(names)
    for name in node.value:
        if name not in words:
            raise UnsupportedRecipe(f"{what} has '{name}'")
    return {name: part for name, part in node.value.items() if part.value is not None}


def _rename_keys(node: Node | None, names: dict[str, str], what: str) -> Node | None:
    if node is None:
        return None
    parts = _check_keys(node, names, what)
    return Node({names[name]: part for name, part in parts.items()}, node.line, node.key)


def _convert_source(node: Node | None) -> Node | None:
    if node is None:
        return None
    several = node.value if isinstance(node.value, list) else [node]
    made = [_rename_keys(_drop_gitignore(one), _SOURCE, "source") for one in several]
    return Node([one for one in made if one is not None], node.line, node.key)


def _drop_gitignore(node: Node) -> Node:
    if not isinstance(node.value, dict):
        return node
    kept = {name: part for name, part in node.value.items() if name != "use_gitignore"}
    return Node(kept, node.line, node.key)


def _read_output(reader: SectionReader, parts: dict[str, Node], rendering: V1Renderer) -> Output:
    package = parts.get("package", Node({}, 1, "package"))
    known = reader.read_section(package, ("name", "version"), "package")
    if "name" in known and isinstance(known["name"].value, str):  # rattler-build packs it so
        known["name"] = replace(known["name"], value=known["name"].value.lower())
    if "-" in reader.read_text(known.get("version")):
        raise UnsupportedRecipe("the version has a '-', which separates the parts of file names")
    build = add_script_file(
        reader, reader.read_build(_convert_build(parts.get("build"), rendering))
    )
    needs = parts.get("requirements")
    kept = needs
    if needs is not None and isinstance(needs.value, dict):
        # What the host's packages export does not reach a package of Python code.
        rest = {k: v for k, v in needs.value.items() if k != "ignore_run_exports"}
        exports = _rename_run_exports(rest.pop("run_exports", None))
        build = replace(build, run_exports=reader.read_run_exports(exports))
        kept = Node(rest, needs.line, needs.key)
    contents: list[object] = []
    tests = reader.read_tests(_convert_tests(parts.get("tests"), contents), beside=False)
    return Output(
        name=reader.read_name(known.get("name"), package),
        version=reader.read_version(known.get("version"), package),
        line=package.line,
        build=build,
        requirements=reader.read_requirements(_rename_keys(kept, _REQUIREMENTS, "requirements")),
        tests=replace(tests, contents=tuple(contents)),
        about=reader.read_about(_rename_keys(parts.get("about"), _ABOUT, "about")),
    )


def _rename_run_exports(node: Node | None) -> Node | None:
    """Rename `weak_constraints` and `strong_constraints` to their names in meta.yaml."""
    if node is None or not isinstance(node.value, dict):
        return node
    renamed = {key.replace("constraints", "constrains"): part for key, part in node.value.items()}
    return Node(renamed, node.line, node.key)


def _convert_build(node: Node | None, rendering: V1Renderer) -> Node | None:
    if node is None:
        return None
    parts = _check_keys(node, (*_BUILD, "script", "skip", "python"), "build")
    made = {new: parts[old] for old, new in _BUILD.items() if old in parts}
    if "script" in parts:
        script = parts["script"]
        if isinstance(script.value, dict):
            script = _check_keys(script, ("content",), "build/script").get(
                "content", Node(None, 0, "")
            )
        made["script"] = script
    if "python" in parts:
        python = _check_keys(parts["python"], ("entry_points",), "build/python")
        made |= python
    if "skip" in parts:
        skipped = any(
            rendering.evaluate_condition(one)
            for one in parts["skip"].items()
            if isinstance(one.value, str)
        )
        made["skip"] = Node(str(skipped).lower(), parts["skip"].line, parts["skip"].key)
    return Node(made, node.line, node.key)


def _convert_test_script(node: Node | None) -> Node | None:
    """Return the commands of a test's script, which may be a mapping with `content`."""
    if node is None or not isinstance(node.value, dict):
        return node
    return _check_keys(node, ("content",), "tests/script").get("content")


def _convert_tests(node: Node | None, contents: list[object]) -> Node | None:
    """Convert the list of tests to a test section of meta.yaml.

    `contents` receives the tests of the package's files, which meta.yaml does not have.
    """
    if node is None:
        return None
    lists: dict[str, list[Node]] = {}

    def add(key: str, part: Node | None) -> None:
        lists.setdefault(key, []).extend(part.items() if part else ())

    for one in node.items():
        if isinstance(one.value, dict) and set(one.value) == {"package_contents"}:
            contents.append(to_plain(one))
            continue
        parts = _check_keys(one, ("python", "script", "requirements", "files"), "tests")
        if not {"python", "script"} & parts.keys():
            raise UnsupportedRecipe("a test has neither python nor script")  # rattler-build refuses
        python = _check_keys(
            parts.get("python"), ("imports", "pip_check", "python_version"), "tests"
        )
        add("imports", python.get("imports"))
        checks = python.get("pip_check")
        if "python" in parts and (checks is None or checks.value != "false"):
            add("commands", Node("pip check", one.line, one.key))
            add("requires", Node("pip", one.line, one.key))
        for version in python["python_version"].items() if "python_version" in python else ():
            spec = add_star(f"python {version.value}")
            add("requires", Node(spec, version.line, version.key))
        add("commands", _convert_test_script(parts.get("script")))
        add("requires", _check_keys(parts.get("requirements"), ("run",), "tests").get("run"))
        files = _check_keys(parts.get("files"), ("recipe", "source"), "tests/files")
        add("files", files.get("recipe"))
        add("source_files", files.get("source"))
    filled = {key: Node(list(parts), node.line, node.key) for key, parts in lists.items() if parts}
    return Node(dict(filled), node.line, node.key)
