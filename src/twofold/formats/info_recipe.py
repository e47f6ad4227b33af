"""The recipe and the tests that a package carries which was made without a recipe.

conda-build's users look for them under info/: recipe/meta.yaml says what the package is, test/ and
tests/ (rattler-build's form) are run by `conda build --test`, `rattler-build test` and `twofold
try`. All is told from the package's own description and its files, so that whoever makes the
package of a wheel carries the same bytes.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from twofold.conda_metadata import CondaPackage

#: Top names that wheels hold by mistake, or that only work where the project is developed.
_AUXILIARY_NAMES = frozenset(str.split("benchmarks conftest doc docs examples setup test tests"))
#: Keys of about.json that a recipe's `about` has too.
_ABOUT_KEYS = ("home", "summary", "license", "license_family", "dev_url", "doc_url")
#: A package of more top names than this is tested by the first of them.
_MAX_IMPORTS = 20


def generate_info_files(package: CondaPackage, paths: Iterable[str]) -> dict[str, bytes]:
    """Path under info/ -> bytes. `paths` are the package's files, as they lie in it."""
    inside = [
        tail for path in paths for _, found, tail in [path.partition("site-packages/")] if found
    ]
    imports = find_import_names(inside)
    recipe = _make_recipe(package, imports)
    text = "# What this package is, written by twofold: it was made from a project, not a recipe.\n"
    files = {"recipe/meta.yaml": (text + _render_yaml(recipe, "")).encode()}
    if imports:
        files["test/run_test.py"] = render_imports_script(imports)
        files["tests/tests.yaml"] = render_tests_yaml(
            [{"python": {"imports": list(imports), "pip_check": False}}]
        )
    return files


def find_import_names(paths: Iterable[str]) -> tuple[str, ...]:
    """The top packages and modules of files below site-packages; of a namespace what lies in it."""
    packages: set[str] = set()
    modules: set[str] = set()
    within: list[str] = []
    for path in paths:
        folder, _, last = path.rpartition("/")
        if not folder or last.startswith("__init__."):
            _add_module(folder, last, modules, packages)
        elif last.endswith((".py", ".so", ".pyd")):
            within.append(path)
    tops = modules | {
        name
        for name in packages
        if not any(name[:at] in packages for at, sign in enumerate(name) if sign == ".")
    }
    if not tops:
        for path in within:
            folder, _, last = path.rpartition("/")
            _add_module(folder, last, tops, tops)
    own = {name for name in tops if name.partition(".")[0] not in _AUXILIARY_NAMES} or tops
    public = {name for name in own if not name.startswith("_") and "._" not in name}
    return tuple(sorted(public or own)[:_MAX_IMPORTS])


def _add_module(folder: str, last: str, modules: set[str], packages: set[str]) -> None:
    """Note a file's module by its dotted name, if it can be imported as one."""
    stem, _, ending = last.partition(".")
    compiled = ending.startswith(("cp", "abi3")) and ending.endswith((".so", ".pyd"))
    inside = [*folder.split("/"), stem] if folder else [stem]
    if not (compiled or ending in ("py", "so", "pyd")) or not all(map(str.isidentifier, inside)):
        return
    if stem != "__init__":
        modules.add(".".join(inside))
    elif folder:
        packages.add(".".join(inside[:-1]))


def render_imports_script(imports: Iterable[str]) -> bytes:
    """run_test.py as conda-build writes it for test/imports."""
    return "".join(f"print(\"import: '{name}'\")\nimport {name}\n\n" for name in imports).encode()


def render_tests_yaml(tests: list[dict[str, Any]]) -> bytes:
    """info/tests/tests.yaml, the list of a recipe v1's tests."""
    return _render_yaml(tests, "").encode()


def _make_recipe(package: CondaPackage, imports: tuple[str, ...]) -> dict[str, Any]:
    """The sections of meta.yaml; what is empty is left out."""
    build = {
        "number": package.build_number,
        "string": package.build,
        "noarch": package.noarch,
        "entry_points": list(package.entry_points),
    }
    requirements = {"run": list(package.depends), "run_constrained": list(package.constrains)}
    sections: dict[str, dict[str, Any]] = {
        "package": {"name": package.name, "version": package.version},
        "build": build,
        "requirements": requirements,
        "test": {"imports": list(imports)},
        "about": {key: package.about.get(key) for key in _ABOUT_KEYS},
    }
    kept = {title: _drop_empty(section) for title, section in sections.items()}
    return _drop_empty(kept)


def _drop_empty(section: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in section.items() if value not in (None, "", [], {})}


def _render_yaml(value: Any, indent: str) -> str:
    """Block YAML of dicts and lists; scalars as JSON writes them, which YAML reads the same."""
    lines = []
    if isinstance(value, dict):
        for key, part in value.items():
            nested = isinstance(part, dict | list)
            lines.append(f"{indent}{key}:" + ("\n" if nested else f" {_render_scalar(part)}\n"))
            lines.append(_render_yaml(part, indent + "  ") if nested else "")
    else:
        for part in value:
            nested = isinstance(part, dict | list)
            text = (
                _render_yaml(part, indent + "  ").lstrip(" ")
                if nested
                else f"{_render_scalar(part)}\n"
            )
            lines.append(f"{indent}- {text}")
    return "".join(lines)


def _render_scalar(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
