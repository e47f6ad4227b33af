"""TF208 to TF211: what an installer puts where it does harm, or where nobody looks for it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from twofold.check.rule_table import Violation
from twofold.source_analysis.expressions import expression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import SourceCode

#: Modules that Python imports by itself when it starts.
_AT_START = ("sitecustomize", "usercustomize")
#: Commands that every environment has, and needs.
_COMMANDS = expression(
    r"python(?:w|\d+(?:\.\d+)?)?|pip(?:\d+(?:\.\d+)?)?|conda|mamba|uv|activate|deactivate|sh|bash|git"
)
_LINK_SCRIPT = expression(r"(?:bin|Scripts)/\.[^/]+-(?:pre-link|post-link|pre-unlink)\.(?:sh|bat)")
#: A line of a .pth file that Python runs.
_PTH_CODE = expression(rb"^import[ \t]", re.MULTILINE)
#: Folders of a conda environment, which a conda package fills beside site-packages.
_FOLDERS = "bin etc include info lib libexec library sbin scripts share"
_PREFIX = frozenset(_FOLDERS.split())
_MODULE = expression(r"[^/]+\.(?:py|pyi|pyc|pth|so|pyd)")
#: A module whose meaning depends on the modules beside it.
_RELATIVE = expression(rb"^[ \t]*+from[ \t]++\.|\b__package__\b", re.MULTILINE)
#: The most findings of one rule.
_MAX_FINDINGS = 20
#: Shorter modules are alike by chance.
_MIN_DUPLICATE = 200


def runs_uncalled(code: SourceCode) -> Iterator[Violation]:
    """TF208: legal, and what malware does too."""
    for path, place in code.installed.items():
        name = place.rpartition("/")[2]
        data = code.files.get(path)
        if "/" not in place and name.endswith(".pth") and (data is None or _PTH_CODE.search(data)):
            yield _runs(path, "Python runs the code in it whenever it starts")
        elif place.removesuffix("/__init__.py").removesuffix(".py") in _AT_START:
            yield _runs(path, "Python imports it whenever it starts")
        elif _LINK_SCRIPT.fullmatch(place):
            yield _runs(path, "conda runs it when the package is installed or removed")
        elif ".data/scripts/" in place and _COMMANDS.fullmatch(_without_ending(name)):
            yield _replaces(path, name)
    for group in ("console_scripts", "gui_scripts"):
        for name in code.entry_points.get(group, {}):
            if _COMMANDS.fullmatch(name):
                yield _replaces(code.entry_point_location(group, name), name)


def _without_ending(name: str) -> str:
    return re.sub(r"\.(?:exe|bat|cmd|sh)\Z", "", name)


def _runs(where: str, what: str) -> Violation:
    return Violation(
        f"{what}: nobody calls it",
        "leave it out, or say in the readme what it does and why",
        where,
    )


def _replaces(where: str, name: str) -> Violation:
    return Violation(
        f"the script '{name}' takes the place of a command that every environment needs",
        "give the script another name",
        where,
    )


def misplaced_file(code: SourceCode) -> Iterator[Violation]:
    """TF209: files in site-packages itself, beside the packages of all other projects."""
    found = 0
    for path, place in code.installed.items():
        if "/" in place:
            continue
        if place == "__init__.py":
            message = "it makes site-packages itself a package, and is the project's in name only"
        elif not _MODULE.fullmatch(place) and place != "py.typed":
            message = "it is no module, and would be beside the packages of all other projects"
        else:
            continue
        found += 1
        if found <= _MAX_FINDINGS:
            yield Violation(
                message, "put it into the folder of a package, or leave it out of the wheel", path
            )


def duplicate_module(code: SourceCode) -> Iterator[Violation]:
    """TF210: a module that is there twice, as a build folder that was packed leaves it.

    The same relative imports are not the same beside other modules.
    """
    first: dict[bytes, str] = {}
    folders: dict[str, dict[str, bytes]] = {}
    duplicates = []
    for path, place in code.installed.items():
        data = code.files.get(path)
        if not place.endswith(".py") or data is None:
            continue
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, {})[name] = data
        if len(data) < _MIN_DUPLICATE:
            continue
        other = first.setdefault(data, path)
        if other != path and _has_code(data):
            duplicates.append((path, other, bool(_RELATIVE.search(data))))
    found = [
        (path, other)
        for path, other, is_relative in duplicates
        if not is_relative or folders[path.rpartition("/")[0]] == folders[other.rpartition("/")[0]]
    ]
    for path, other in found[:_MAX_FINDINGS]:
        yield Violation(
            f"it has the same contents as {code.inner_path(other)}",
            "leave one of them out, or import it from the other",
            path,
        )


def _has_code(data: bytes) -> bool:
    """Whether a module is more than comments and a docstring: each `__init__.py` may have these."""
    lines = [line.strip() for line in data.splitlines()]
    text = b"\n".join(line for line in lines if line and not line.startswith(b"#"))
    quote = text[:3]
    is_docstring = quote in (b'"""', b"'''") and text.find(quote, 3) == len(text) - 3
    return bool(text) and not is_docstring


def no_init(code: SourceCode) -> Iterator[Violation]:
    """TF211: a folder of modules that is no package but for PEP 420."""
    folders: dict[str, str] = {}
    complete = set()
    for path, place in code.installed.items():
        folder, _, name = place.partition("/")
        if name.startswith("__init__."):
            complete.add(folder)
        elif name.endswith(".py") and "/" not in name and folder.isidentifier():
            folders.setdefault(folder, path)
    for folder, path in folders.items():
        if folder not in complete and folder.lower() not in _PREFIX:
            yield Violation(
                f"the folder '{folder}' holds modules and no __init__.py: it is a namespace that "
                "other projects share, and some tools do not find its modules",
                f"write an empty {folder}/__init__.py, if the folder is a package of this project",
                path,
            )
