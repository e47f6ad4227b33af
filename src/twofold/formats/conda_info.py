"""The files under info/ of a conda package, as conda-build writes them and clients read them.

A package that was built without a recipe gets an embedded recipe and tests, which conda-build's
users look for: recipe/meta.yaml describes the package; test/ and tests/ (rattler-build's form) are
run by `conda build --test`, `rattler-build test` and `twofold try`. Everything is derived from the
package's metadata and files, so the package of a wheel has the same bytes wherever it is made.
"""

from __future__ import annotations

from twofold.formats.light.json_text import dump_sorted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from twofold.conda_metadata import CondaPackage

#: Top-level names that wheels contain by mistake, or that only work in a checkout.
_AUXILIARY_NAMES = frozenset(str.split("benchmarks conftest doc docs examples setup test tests"))
#: Keys of about.json that a recipe's `about` has too.
_ABOUT_KEYS = ("home", "summary", "license", "license_family", "dev_url", "doc_url")
#: A package of more top-level names than this is tested by the first ones.
_MAX_IMPORTS = 20


class PackedPath:
    """A file of the package, as in info/paths.json.

    `placeholder` is the prefix written into a text file, which the installer replaces.
    """

    __slots__ = ("path", "placeholder", "sha256", "size")

    def __init__(self, path: str, sha256: bytes, size: int, placeholder: str = "") -> None:
        self.path = path
        self.sha256 = sha256
        self.size = size
        self.placeholder = placeholder

    @property
    def record(self) -> dict[str, Any]:
        """The entry in info/paths.json."""
        record: dict[str, Any] = {
            "_path": self.path,
            "path_type": "hardlink",
            "sha256": self.sha256.hex(),
            "size_in_bytes": self.size,
        }
        if self.placeholder:
            record["file_mode"] = "text"
            record["prefix_placeholder"] = self.placeholder
        return record


def make_info_files(package: CondaPackage, paths: Sequence[PackedPath]) -> list[tuple[str, bytes]]:
    """Return all files under info/ (path with `info/`, bytes), in the order they are packed.

    index.json comes first: a reader of the metadata alone need not go further. A package without
    a recipe gets one that describes it.
    """
    paths = sorted(paths, key=lambda path: path.path)
    carried = package.info_files
    if not any(path.startswith("recipe/") for path in carried):
        carried = {**generate_info_files(package, [path.path for path in paths]), **carried}
    files = {"info/hash_input.json": b"{}\n"}
    files |= {f"info/{path}": data for path, data in carried.items()}
    files |= {
        "info/about.json": _dump_json(package.about),
        "info/files": "".join(f"{path.path}\n" for path in paths).encode(),
        "info/paths.json": _dump_json(
            {"paths": [path.record for path in paths], "paths_version": 1}
        ),
    }
    if package.noarch:
        files["info/link.json"] = _dump_json(_make_link(package))
    replaced = [path for path in paths if path.placeholder]
    if replaced:
        lines = [f"{path.placeholder} text {path.path}\n" for path in replaced]
        files["info/has_prefix"] = "".join(lines).encode()
    return [("info/index.json", _dump_json(package.index)), *sorted(files.items())]


def _make_link(package: CondaPackage) -> dict[str, Any]:
    noarch: dict[str, Any] = {"type": package.noarch}
    if package.noarch == "python" and package.entry_points:
        noarch["entry_points"] = list(package.entry_points)
    return {"noarch": noarch, "package_metadata_version": 1}


def _dump_json(value: object) -> bytes:
    return dump_sorted(value).encode()


def generate_info_files(package: CondaPackage, paths: Iterable[str]) -> dict[str, bytes]:
    """Return path under info/ -> bytes. `paths` are the files of the package."""
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
    """Find the top-level packages and modules below site-packages; a namespace's content."""
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
    """Add a file's module by its dotted name, if it can be imported."""
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
    """Render run_test.py as conda-build writes it for test/imports."""
    return "".join(f"print(\"import: '{name}'\")\nimport {name}\n\n" for name in imports).encode()


def render_tests_yaml(tests: list[dict[str, Any]]) -> bytes:
    """Render info/tests/tests.yaml, the list of a v1 recipe's tests."""
    return _render_yaml(tests, "").encode()


def _make_recipe(package: CondaPackage, imports: tuple[str, ...]) -> dict[str, Any]:
    """Return the sections of meta.yaml without empty ones."""
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
    """Render dicts and lists as block YAML; scalars as JSON, which YAML reads the same."""
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
    return dump_sorted(value)
