"""Editable wheels (PEP 660): the modules stay in the project's folder."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold_build.modules import Module
    from twofold_build.plan import BuildPlan

#: The module that finds what lies at another path than its name. Names that a plain path shows are
#: found before it is asked; a name in PLACES without a path is a namespace above another.
_FINDER = '''\
"""Finds the modules of an editable install that no folder on sys.path shows."""

import os
import sys
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location

PLACES = {places}


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in PLACES:
            return None
        place = PLACES[name]
        if place.endswith(".py"):
            return spec_from_file_location(name, place)
        init = os.path.join(place, "__init__.py")
        if place and os.path.exists(init):
            return spec_from_file_location(name, init, submodule_search_locations=[place])
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [place] if place else []
        return spec


sys.meta_path.append(Finder)
'''


def make_editable(plan: BuildPlan) -> None:
    """Turn the plan of a wheel into that of an editable one: the modules stay in place.

    A static .pth names the folder imports start from: Pylance, mypy and other static readers
    understand a plain path, and no code runs at start-up. Only a module that
    [tool.twofold.wheel.paths] gives another name than its path ends in needs a finder, which the
    .pth imports.

    Data, scripts, licences and SBOM files (all below .data and .dist-info) are still packed. So are
    single files that `paths` places, which are no modules.
    """
    stem = plan.project.file_stem
    sources = list(plan.selection.sources)
    packed = [f"{stem}.data", f"{stem}.dist-info"]
    moved: list[Module] = []
    modules = {(module.path, module.place): module for module in plan.selection.modules}
    for placement in plan.project.settings.placements:
        if placement.kind:
            continue
        source = f"/{placement.path}".removesuffix(f"/{placement.place}")
        module = modules.get((placement.path, placement.place))
        if not placement.place or len(source) <= len(placement.path):
            sources.append(source.strip("/"))
        elif module is not None and not module.name.partition(".")[0].endswith("-stubs"):
            moved.append(module)
        else:
            packed.append(placement.place)
    for file in plan.selection.files:
        file.wheel = [path for path in file.wheel if _is_in_any(path, packed)]
    name = f"_{stem.rpartition('-')[0]}"
    folders = [os.path.join(plan.project.root, s).rstrip("/\\") for s in dict.fromkeys(sources)]
    lines = "".join(f"{_format_path_line(folder)}\n" for folder in folders)
    if moved:
        finder = f"{name}_finder"
        places = _list_places(plan.project.root, moved)
        plan.root_files[f"{finder}.py"] = _FINDER.replace("{places}", places).encode()
        lines += f"import {finder}\n"
    if lines:
        plan.root_files[f"{name}.pth"] = lines.encode()


def _format_path_line(folder: str) -> str:
    """Return the line of a .pth file that adds a folder to sys.path.

    Until Python 3.12 such files are read in the encoding of the locale (`site`), which is not UTF-8
    on Windows. The line is a statement then: tools that read the file cannot follow it.
    """
    if folder.isascii() or sys.version_info >= (3, 13):
        return folder
    import locale

    if locale.getencoding().lower() in ("utf-8", "utf8"):
        return folder
    return f"import sys; sys.path.append({folder!a})"


def _list_places(root: str, modules: list[Module]) -> str:
    """Write the names of modules and of the namespaces above them, with their paths, as Python."""
    places: dict[str, str] = {}
    for module in modules:
        parts = module.name.split(".")
        for length in range(1, len(parts)):
            places.setdefault(".".join(parts[:length]), "")
        places[module.name] = os.path.join(root, module.path)
    lines = "".join(f"    {name!r}: {path!r},\n" for name, path in places.items())
    return f"{{\n{lines}}}"


def _is_in_any(path: str, places: list[str]) -> bool:
    """Whether a path is one of the places or below one."""
    return any(path == p or path.startswith(f"{p}/") for p in places)
