"""Finds the importable modules of a project: src and flat layouts, namespaces, single files."""

from __future__ import annotations

import os

from twofold_build import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold_build.diagnostics import Diagnostics
    from twofold_build.model import Project


#: Folders that other projects keep their code in, as `src`.
_SOURCES = ("lib", "python", "py", "source", "sources", "code")


class Module:
    """A package or a single module.

    `name` is dotted, `path` from the project's root, `place` its path in the wheel.
    """

    __slots__ = ("is_folder", "name", "path", "place")

    def __init__(self, name: str, path: str, is_folder: bool, place: str = "") -> None:
        self.name = name
        self.path = path
        self.is_folder = is_folder
        self.place = place or name.replace(".", "/") + ("" if is_folder else ".py")


def find_modules(project: Project, diagnostics: Diagnostics) -> tuple[list[str], list[Module]]:
    """Return the folders imports start from ('' for the root), and the modules to pack.

    [tool.twofold] `source` and `modules` name them; by default the source is `src` if it exists,
    and the module is the one with the project's name. Further ones are placed by
    [tool.twofold.wheel.paths].
    """
    settings = project.settings
    placed = _list_placed(project)
    if settings.modules is not None:
        sources, found = _find_named(project, settings.modules, placed, diagnostics)
        return sources, [*found, *placed]
    sources = _list_sources(project)
    for source in sources:
        module = _find_default_module(project, source)
        if module:
            return [source], [module, *placed]
    if placed:
        return [], placed
    wanted = names.escape_for_filename(project.name) or "my_package"
    # What is below `src` is no module `src.name` of the root.
    candidates = ((s, n) for s in sources for n in _list_candidates(project.root, s))
    beside = {*sources, *_list_source_folders(project)}
    there = [os.path.join(s, n) for s, n in candidates if n.partition(".")[0] not in beside]
    hint = _suggest_rename(project, sources, wanted)
    if there and not hint:
        modules = ", ".join(f'"{os.path.basename(path).removesuffix(".py")}"' for path in there)
        hint = f"there is {', '.join(there)}: write [tool.twofold] modules = [{modules}]"
    package = os.path.join(sources[0], wanted)
    hint = hint or _suggest_source(project, wanted)
    hint = hint or f"make {package}/__init__.py, or set [tool.twofold] modules ([] for none)"
    diagnostics.add(
        f"there is no package or module '{wanted}' for the project '{project.name}' in "
        + " or ".join(f"{source or 'the root'}" for source in sources),
        hint,
        key="name",
    )
    return sources[:1], []


def _list_placed(project: Project) -> list[Module]:
    """List the modules that [tool.twofold.wheel.paths] gives an import name."""
    found = []
    for placement in project.settings.placements:
        place = placement.place
        name = place.removesuffix(".py").replace("/", ".")
        absolute = os.path.join(project.root, placement.path)
        is_folder = os.path.isdir(absolute)
        is_name = all(part.isidentifier() for part in name.removesuffix("-stubs").split("."))
        is_code = _holds_code(absolute) if is_folder else place.endswith(".py")
        if not placement.kind and is_name and is_code:
            found.append(Module(name, placement.path, is_folder, place))
    return found


def _suggest_rename(project: Project, sources: list[str], wanted: str) -> str:
    """Return the hint for a folder or file of the project's name that cannot be imported, or ''."""
    for source in sources:
        for name in sorted(os.listdir(os.path.join(project.root, source))):
            plain = name.removesuffix(".py")
            if not plain.isidentifier() and names.escape_for_filename(plain) == wanted:
                old = os.path.join(source, name)
                new = os.path.join(source, wanted + name[len(plain) :])
                odd = _describe_odd_character(plain)
                return f"rename {old} to {new}: Python can import no name with {odd}"
    return ""


def _list_source_folders(project: Project) -> list[str]:
    """List the folders of the root that hold code and are no package, where none is declared."""
    if project.settings.sources is not None:
        return []
    folders = [os.path.join(project.root, name) for name in _SOURCES]
    found = [one for one in folders if os.path.isdir(one) and _holds_code(one)]
    is_package = [os.path.exists(os.path.join(one, "__init__.py")) for one in found]
    return [
        os.path.basename(one) for one, is_one in zip(found, is_package, strict=True) if not is_one
    ]


def _suggest_source(project: Project, wanted: str) -> str:
    """Return the hint for code in a folder like `lib`, which `source` has to name, or ''."""
    for folder in _list_source_folders(project):
        there = _list_candidates(project.root, folder)
        modules = [name.removesuffix(".py") for name in there]
        setting = f'source = "{folder}"'
        if wanted not in modules and modules:
            listed = ", ".join(f'"{name}"' for name in modules)
            setting += f" and modules = [{listed}]"
        if there:
            paths = ", ".join(os.path.join(folder, name) for name in there)
            return f"there is {paths}: write [tool.twofold] {setting}"
    return ""


def _describe_odd_character(name: str) -> str:
    marks = [f"'{mark}'" for mark in name if not f"_{mark}".isidentifier()]
    return marks[0] if marks else "a digit at the beginning"


def _list_sources(project: Project) -> list[str]:
    if project.settings.sources is not None:
        return project.settings.sources or [""]
    return ["src", ""] if os.path.isdir(os.path.join(project.root, "src")) else [""]


def _find_default_module(project: Project, source: str) -> Module | None:
    folder = os.path.join(project.root, source)
    wanted = names.escape_for_filename(project.name)
    stubs = names.normalize_name(project.name)
    for name in sorted(os.listdir(folder)):
        plain = name.lower()
        path = f"{source}/{name}" if source else name
        if plain == wanted or (plain == stubs and plain.endswith("-stubs")):
            if os.path.isdir(os.path.join(folder, name)) and _holds_code(
                os.path.join(folder, name)
            ):
                return Module(name, path, True)
        elif plain == f"{wanted}.py" and os.path.isfile(os.path.join(folder, name)):
            return Module(name[:-3], path, False)
    if "." in project.name:
        inner = project.name.replace("-", "_").replace(".", "/")
        return _find_module_at(project.root, source, inner.replace("/", "."))
    return None


def _holds_code(folder: str) -> bool:
    """Whether a folder is a package: it has an `__init__`, or (PEP 420) code anywhere below."""
    if os.path.exists(os.path.join(folder, "__init__.py")):
        return True
    return any(name.endswith((".py", ".pyi")) for _, _, files in os.walk(folder) for name in files)


def _find_module_at(root: str, source: str, name: str) -> Module | None:
    path = "/".join(filter(None, (source, *name.split("."))))
    if os.path.isdir(os.path.join(root, path)) and _holds_code(os.path.join(root, path)):
        return Module(name, path, True)
    if os.path.isfile(os.path.join(root, f"{path}.py")):
        return Module(name, f"{path}.py", False)
    return None


def _find_named(
    project: Project, wanted: list[str], placed: list[Module], diagnostics: Diagnostics
) -> tuple[list[str], list[Module]]:
    """Find the modules that are named: in any of several declared sources, else all in one."""
    sources = _list_sources(project)
    found: list[Module] = []
    used: list[str] = []
    if project.settings.sources is None:
        sources = [
            next(
                (s for s in sources if any(_find_module_at(project.root, s, n) for n in wanted)),
                sources[0],
            )
        ]
    already = {module.name for module in placed}
    for name in wanted:
        source, module = _find_in_sources(project.root, sources, name)
        if module is None:
            if name not in already:
                _report_missing(project, sources, name, diagnostics)
            continue
        parent = _find_parent_package(project.root, source, name)
        if parent:
            diagnostics.add(
                f"'{parent}' has an __init__.py, so '{name}' cannot be packed without it",
                f"name '{parent}' instead, or remove its __init__.py",
                table="tool.twofold",
                key="modules",
                value=name,
            )
        found.append(module)
        if source not in used:
            used.append(source)
    return used, found


def _find_in_sources(root: str, sources: list[str], name: str) -> tuple[str, Module | None]:
    for source in sources:
        module = _find_module_at(root, source, name)
        if module:
            return source, module
    return sources[0], None


def _report_missing(
    project: Project, sources: list[str], name: str, diagnostics: Diagnostics
) -> None:
    near = [there for source in sources for there in _list_candidates(project.root, source)]
    places = " or ".join(source or "the root" for source in sources)
    hint = f"there is: {', '.join(near)}" if near else "check its name and [tool.twofold] source"
    diagnostics.add(
        f"there is no module '{name}' in {places}",
        _suggest_source(project, name) or hint,
        table="tool.twofold",
        key="modules",
        value=name,
    )


def _find_parent_package(root: str, source: str, name: str) -> str:
    parts = name.split(".")
    for depth in range(1, len(parts)):
        if os.path.exists(os.path.join(root, source, *parts[:depth], "__init__.py")):
            return ".".join(parts[:depth])
    return ""


#: Folders and files beside a project's code that are not part of it.
_BESIDE = frozenset(
    ["tests", "test", "docs", "doc", "examples", "benchmarks", "scripts", "tools", "build", "dist"]
    + [f"{name}.py" for name in ("setup", "conftest", "noxfile", "tasks", "fabfile", "versioneer")]
)


def _list_candidates(root: str, source: str) -> list[str]:
    """List what could be meant: packages, modules, and packages in a namespace folder."""
    folder = os.path.join(root, source)
    if not os.path.isdir(folder):
        return []
    found = []
    for name in sorted(os.listdir(folder)):
        inner = os.path.join(folder, name)
        if name.startswith(".") or (not source and name in _BESIDE):
            continue
        if not name.removesuffix(".py").removesuffix("-stubs").isidentifier():
            continue
        inits = ("__init__.pyi",) if name.endswith("-stubs") else ("__init__.py",)
        if name.endswith(".py") or any(os.path.exists(os.path.join(inner, n)) for n in inits):
            found.append(name)
        elif os.path.isdir(inner):
            found += _list_in_namespace(inner, name)
    return found


def _list_in_namespace(folder: str, name: str, depth: int = 4) -> list[str]:
    """List the packages in a namespace folder, or the folder if it holds modules (PEP 420)."""
    parts = sorted(part for part in os.listdir(folder) if part.removesuffix(".py").isidentifier())
    found = []
    for part in parts:
        inner = os.path.join(folder, part)
        if part.endswith(".py"):
            return [name]
        if os.path.exists(os.path.join(inner, "__init__.py")):
            found.append(f"{name}.{part}")
        elif depth and os.path.isdir(inner) and not os.path.islink(inner):
            found += _list_in_namespace(inner, f"{name}.{part}", depth - 1)
    return found


def list_import_names(project: Project, modules: list[Module]) -> tuple[list[str], list[str]]:
    """Return the values of Import-Name and Import-Namespace (PEP 794).

    They are what the project declares, an empty list as one empty value; else what was found if it
    differs from the project's name, which readers assume without these fields.
    """
    if project.import_names is not None or project.import_namespaces is not None:
        none = [""] if project.import_names == [] else []
        return project.import_names or none, project.import_namespaces or []
    found = [module.name for module in modules if not module.name.endswith("-stubs")]
    requested = project.dynamic & {"import-names", "import-namespaces"}
    if not requested and [name.lower() for name in found] == [
        names.escape_for_filename(project.name)
    ]:
        return [], []
    if not found:
        return [], []
    spaces = {name[:at] for name in found for at, mark in enumerate(name) if mark == "."}
    return sorted(found), sorted(spaces - set(found))
