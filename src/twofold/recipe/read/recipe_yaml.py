"""Read recipe.yaml (CEP 13 and 14), as far as twofold builds such recipes directly.

The tree is rendered, its conditions are decided, and the rest is converted to the structure of
meta.yaml, so that one reader validates both. Anything else (several outputs, variants, linking,
other tests) raises `UnsupportedRecipe`: rattler-build supports the whole format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from jinja2 import TemplateError, nodes

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.recipe.model import DeferredCall, DeferredCalls, Output, Recipe
from twofold.recipe.read.jinja_functions import make_functions
from twofold.recipe.read.jinja_modules import ReadContext
from twofold.recipe.read.limits import Budget, LimitExceeded
from twofold.recipe.read.meta_sections import SectionReader
from twofold.recipe.read.meta_sources import read_sources
from twofold.recipe.read.meta_yaml import add_script_file
from twofold.recipe.read.sandbox import V1, CountingTransformer, RecipeEnvironment
from twofold.recipe.read.variants import PYTHON_MIN
from twofold.recipe.read.yaml_lines import Node, read_recipe_text, read_tree, to_plain
from twofold.recipe.write.to_v1 import render_v1

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


class UnsupportedRecipe(Exception):
    """The recipe needs more than a direct build; the text explains what."""


def read_recipe_yaml(path: Path, context: ReadContext) -> Recipe:
    """Read a recipe.yaml. Raises UnsupportedRecipe, and ProjectErrors with keys and lines."""
    for name in ("variants.yaml", "conda_build_config.yaml"):
        if (path.parent / name).is_file():
            raise UnsupportedRecipe(f"{name} is beside it")
    text = read_recipe_text(path)
    calls = DeferredCalls()
    tree = read_tree(text, path.name)
    rendering = _Renderer(context, calls, path.name, text)
    parts = _check_keys(tree, _SECTIONS, "recipe.yaml")
    if "context" in parts:
        rendering.add_context(parts.pop("context"))
    rendered = {name: rendering.render_node(part) for name, part in parts.items()}
    reader = SectionReader(path.name, path.parent, calls)
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
    )


class _Renderer:
    """Evaluates `${{ }}` and `if: then: else:` of one recipe under one budget."""

    def __init__(self, context: ReadContext, calls: DeferredCalls, file: str, text: str) -> None:
        offered = make_functions(context, calls, text)
        offered |= {
            "python_min": PYTHON_MIN,
            "env": offered["environ"],
            "match": _make_match(context.platform.python),
            "pin_subpackage": _make_pin(calls, "pin_subpackage"),
            "pin_compatible": _make_pin(calls, "pin_compatible"),
        }
        self.environment = RecipeEnvironment(offered, Budget(), V1)
        self.file = file
        self.names_used: set[str] = set()

    def add_context(self, context: Node) -> None:
        """Add the variables of `context`, each of which may use those before it."""
        if not isinstance(context.value, dict):
            raise UnsupportedRecipe("its context is not a mapping")
        for name, value in context.value.items():
            if not isinstance(value.value, str):
                raise UnsupportedRecipe(f"its context has a list under '{name}'")
            self.environment.globals[name] = self.render_text(value.value, value)

    def render_node(self, node: Node) -> Node:
        if isinstance(node.value, str):
            return Node(self.render_text(node.value, node), node.line, node.key)
        if isinstance(node.value, list):
            return Node(list(self._render_items(node.value)), node.line, node.key)
        if isinstance(node.value, dict):
            made = {name: self.render_node(part) for name, part in node.value.items()}
            return Node(made, node.line, node.key)
        return node

    def _render_items(self, items: Iterable[Node]) -> Iterable[Node]:
        for item in items:
            if not isinstance(item.value, dict) or "if" not in item.value:
                yield self.render_node(item)
                continue
            condition = item.value["if"]
            if not isinstance(condition.value, str):
                raise UnsupportedRecipe("a condition of it is not text")
            chosen = item.value.get("then" if self.evaluate_condition(condition) else "else")
            if chosen is not None:
                parts = chosen.value if isinstance(chosen.value, list) else [chosen]
                yield from self._render_items(parts)

    def evaluate_condition(self, node: Node) -> bool:
        return self.render_text(f"${{{{ 1 if ({node.value}) else 0 }}}}", node) == "1"

    def render_text(self, text: str, node: Node) -> str:
        if V1.variable not in text:
            return text
        environment = self.environment
        try:
            tree = CountingTransformer().visit(environment.parse(text))
            self.names_used |= {name.name for name in tree.find_all(nodes.Name)}
            code = environment.compile(tree)
            made = environment.template_class.from_code(environment, code, environment.globals)
            return made.render()
        except TwofoldError as error:
            place = f"{self.file}:{node.line}: {node.key}"
            raise ProjectErrors(
                [Problem(p.message, p.hint, p.where or place) for p in error.problems]
            ) from error
        except LimitExceeded as error:
            hint = "use Jinja to set values and choose lines only"
            raise ProjectErrors(
                [Problem(str(error), hint, f"{self.file}:{node.line}: {node.key}")]
            ) from error
        except (TemplateError, TypeError, ValueError, LookupError, RecursionError) as error:
            raise UnsupportedRecipe(f"line {node.line}: {error}") from error


def _make_match(python: str) -> Callable[[str, str], bool]:
    def match(version: str, spec: str) -> bool:
        from packaging.specifiers import SpecifierSet

        return SpecifierSet(spec).contains(version or python)

    return match


def _make_pin(calls: DeferredCalls, function: str) -> Callable[..., str]:
    def pin(
        name: str,
        lower_bound: str | None = "x.x.x.x.x.x",
        upper_bound: str | None = "x",
        exact: bool = False,
    ) -> str:
        """Make a pin function; bounds are forms such as 'x.x', or versions."""
        min_pin, lower = _parse_bound(lower_bound)
        max_pin, upper = _parse_bound(upper_bound)
        return calls.add_placeholder(
            DeferredCall(function, name, min_pin, max_pin, lower, upper, exact)
        )

    return pin


def _parse_bound(bound: str | None) -> tuple[str | None, str | None]:
    """Parse a bound: a form of x's or a version; the other is None."""
    if not bound:
        return None, None
    return (bound, None) if set(bound) <= {"x", "."} else (None, bound)


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


def _read_output(reader: SectionReader, parts: dict[str, Node], rendering: _Renderer) -> Output:
    package = parts.get("package", Node({}, 1, "package"))
    known = reader.read_section(package, ("name", "version"), "package")
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


def _convert_build(node: Node | None, rendering: _Renderer) -> Node | None:
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
        made["entry_points"] = _check_keys(parts["python"], ("entry_points",), "build/python")[
            "entry_points"
        ]
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
        python = _check_keys(
            parts.get("python"), ("imports", "pip_check", "python_version"), "tests"
        )
        add("imports", python.get("imports"))
        if "python" in parts and getattr(python.get("pip_check"), "value", "true") == "true":
            add("commands", Node("pip check", one.line, one.key))
            add("requires", Node("pip", one.line, one.key))
        for version in python["python_version"].items() if "python_version" in python else ():
            add("requires", Node(f"python {version.value}", version.line, version.key))
        add("commands", _convert_test_script(parts.get("script")))
        add("requires", _check_keys(parts.get("requirements"), ("run",), "tests").get("run"))
        files = _check_keys(parts.get("files"), ("recipe", "source"), "tests/files")
        add("files", files.get("recipe"))
        add("source_files", files.get("source"))
    filled = {key: Node(list(parts), node.line, node.key) for key, parts in lists.items() if parts}
    return Node(dict(filled), node.line, node.key)
