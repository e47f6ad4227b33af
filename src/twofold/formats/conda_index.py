"""What info/index.json may say: it becomes a record of repodata, which every client must read.

One record of another type, or a match spec that no parser takes, makes a channel or a dependant
unreadable for pixi and rattler (CEP 16, 34 and rattler's PackageRecord).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

#: The end of the year 9999 in milliseconds.
_MAX_TIMESTAMP = 253_402_300_800_000
_MAX_NUMBER = (1 << 63) - 1
_SYSTEM = "linux|osx|win|freebsd|openbsd|netbsd|zos|emscripten|wasi|ios|android|solaris"
_SUBDIR = re.compile(rf"noarch|(?:{_SYSTEM})-[a-z0-9_]{{1,20}}")
#: `channel::name version build[key=value]`, each part but the name optional.
_SPEC = re.compile(
    r"(?:[\w./-]+::)?(?P<name>\*|_?[A-Za-z0-9][A-Za-z0-9_.*+-]*|__[A-Za-z0-9_]+)"
    r"(?P<rest>[^\[\]]*)(?P<brackets>\[.*\])?",
    re.DOTALL,
)
_OPERATORS = frozenset([">=", "<=", "==", "!=", "~=", "=", ">", "<"])
_OPERATOR = re.compile(r"[<>=!~]+")
_REST = re.compile(r"[\w.*+!~<>=|,()^$:\\-]+")


def find_index_problems(index: Mapping[str, Any]) -> list[str]:
    """Return what no channel could serve of info/index.json."""
    problems = [
        f"info/index.json has no usable '{key}'"
        for key, is_usable in _KEYS.items()
        if (key in index or key in _REQUIRED) and not is_usable(index.get(key))
    ]
    problems += [
        f"'{key}' of info/index.json must hold strings only"
        for key in ("depends", "constrains", "track_features", "purls", "flags")
        if isinstance(index.get(key), list) and not all(isinstance(s, str) for s in index[key])
    ]
    if problems:
        return problems
    for spec in _list_specs(index):
        problem = find_spec_problem(spec)
        if problem:
            problems.append(f"the match spec {spec[:100]!r} in info/index.json {problem}")
    # Of a package for one ABI of many Pythons, noarch is 'python' in a platform's subdir (CEP 20).
    if index.get("noarch") == "generic" and index.get("subdir") not in (None, "noarch"):
        problems.append(f"noarch is 'generic' and subdir '{index['subdir']}' in info/index.json")
    return problems[:20]


def find_spec_problem(spec: str) -> str:
    """Return why a match spec (CEP 29) cannot be a requirement of a package, or ''."""
    if not spec.strip():
        return "is empty"
    if not spec.isprintable():
        return "holds control characters"
    if "://" in spec.partition("[")[0]:
        return "names an address: a package depends on names"
    found = _SPEC.fullmatch(spec.strip())
    if found is None:
        return "is not one: write name, version and build"
    rest = re.sub(r"(?<=\d)!(?=\d)", "", found["rest"])  # an epoch is no operator
    if rest and not rest.startswith((" ", "=", "<", ">", "!", "~")):
        return "is not one: write name, version and build"
    if found["brackets"] and not _is_balanced(found["brackets"]):
        return "has brackets that do not match"
    if any(_REST.fullmatch(part) is None for part in rest.split()):
        return "has a version that cannot be read"
    operators = _OPERATOR.findall(rest)
    ends = re.search(r"[<>=!~]\s*(?:[,|)]|$)|[,|(]\s*(?:[,|)]|$)|^\s*[,|]", rest)
    if (
        any(one not in _OPERATORS for one in operators)
        or ends
        or rest.count("(") != rest.count(")")
    ):
        return "has a version that cannot be read"
    return ""


def _is_balanced(brackets: str) -> bool:
    """Whether it is one bracket with `key=value`, which may hold lists in brackets."""
    depth = 0
    quote = ""
    for at, mark in enumerate(brackets):
        if quote:
            quote = "" if mark == quote else quote
        elif mark in "\"'":
            quote = mark
        elif mark == "[":
            depth += 1
        elif mark == "]":
            depth -= 1
            if not depth and at != len(brackets) - 1:
                return False
        if depth > 2:
            return False
    return not depth and not quote and "=" in brackets


def _list_specs(index: Mapping[str, Any]) -> Iterator[str]:
    yield from index.get("depends") or ()
    yield from index.get("constrains") or ()
    for listed in (index.get("extra_depends") or {}).values():
        yield from listed


def _is_text(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.isprintable())


def _is_plain(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def _is_license(value: object) -> bool:
    """Some builders put a whole license text in: its line ends are harmless."""
    return value is None or (isinstance(value, str) and " ".join(value.split()).isprintable())


def _is_number(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MAX_NUMBER


def _is_list(value: object) -> bool:
    return value is None or isinstance(value, list)


def _is_extras(value: object) -> bool:
    return value is None or (
        isinstance(value, dict)
        and all(
            isinstance(listed, list) and all(isinstance(spec, str) for spec in listed)
            for listed in value.values()
        )
    )


_REQUIRED = frozenset(["name", "version", "build", "build_number", "depends"])
#: Key -> whether its value can be served. Clients ignore the keys that are not here.
_KEYS: dict[str, Callable[[Any], bool]] = {
    "name": _is_plain,
    "version": _is_plain,
    "build": lambda value: isinstance(value, str) and value.isprintable(),
    "build_number": _is_number,
    "depends": _is_list,
    "arch": _is_text,
    "constrains": _is_list,
    "extra_depends": _is_extras,
    "features": _is_text,
    "flags": _is_list,
    "license": _is_license,
    "license_family": _is_text,
    "noarch": lambda value: value in (None, "python", "generic") or isinstance(value, bool),
    "platform": _is_text,
    "purls": _is_list,
    "python_site_packages_path": _is_text,
    "subdir": lambda value: (
        value is None or bool(isinstance(value, str) and _SUBDIR.fullmatch(value))
    ),
    "timestamp": lambda value: value is None or (_is_number(value) and value <= _MAX_TIMESTAMP),
    "track_features": lambda value: _is_text(value) or isinstance(value, list),
}
