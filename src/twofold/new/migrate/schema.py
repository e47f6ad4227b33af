"""Validate the types of what init reads from pyproject.toml, once, before other readers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from twofold.errors import Problem, ProjectErrors
from twofold_build.toml_lines import find_line

#: A shape is a type, a list with the shape of its items, a dict with `...` for the shape of any
#: value or with keys, or a tuple of shapes of which one must fit. Keys that are not named are
#: free: unknown keys are dropped and reported, whatever their type.
Shape = Any

_TEXTS: Shape = [str]
_NAMED: Shape = {...: str}
_GROUPS: Shape = {...: [str]}
_REQUIREMENT: Shape = (
    str,
    {
        "version": str,
        "extras": _TEXTS,
        "markers": str,
        "python": str,
        "platform": str,
        "optional": bool,
        "path": str,
        "git": str,
        "url": str,
    },
)
_POETRY_DEPENDENCIES: Shape = {...: (_REQUIREMENT, [_REQUIREMENT])}
_FILES: Shape = [(str, {"path": str})]
_HATCH_FILES: Shape = {
    "packages": _TEXTS,
    "only-include": _TEXTS,
    "include": _TEXTS,
    "exclude": _TEXTS,
    "artifacts": _TEXTS,
    "hooks": {...: {}},
}
_SHAPES: Shape = {
    "build-system": {"requires": _TEXTS, "build-backend": str, "backend-path": _TEXTS},
    "dependency-groups": {...: [(str, {})]},
    "project": {
        "name": str,
        "version": str,
        "description": str,
        "readme": (str, {"file": str, "text": str, "content-type": str}),
        "requires-python": str,
        "license": (str, {"file": str, "text": str}),
        "license-files": (_TEXTS, {...: _TEXTS}),
        "authors": [_NAMED],
        "maintainers": [_NAMED],
        "keywords": _TEXTS,
        "classifiers": _TEXTS,
        "dependencies": _TEXTS,
        "urls": _NAMED,
        "scripts": _NAMED,
        "gui-scripts": _NAMED,
        "entry-points": {...: _NAMED},
        "optional-dependencies": _GROUPS,
        "dynamic": _TEXTS,
    },
    "tool": {
        "poetry": {
            "name": str,
            "version": str,
            "description": str,
            "authors": _TEXTS,
            "maintainers": _TEXTS,
            "license": str,
            "readme": (str, _TEXTS),
            "keywords": _TEXTS,
            "classifiers": _TEXTS,
            "homepage": str,
            "repository": str,
            "documentation": str,
            "urls": _NAMED,
            "scripts": {...: (str, {"extras": _TEXTS})},
            "plugins": {...: _NAMED},
            "packages": [{"include": str, "from": str}],
            "include": _FILES,
            "exclude": _FILES,
            "extras": _GROUPS,
            "dependencies": _POETRY_DEPENDENCIES,
            "dev-dependencies": _POETRY_DEPENDENCIES,
            "group": {...: {"dependencies": _POETRY_DEPENDENCIES}},
        },
        "flit": {
            "metadata": {
                "module": str,
                "dist-name": str,
                "author": str,
                "author-email": str,
                "maintainer": str,
                "maintainer-email": str,
                "home-page": str,
                "urls": _NAMED,
                "license": str,
                "requires-python": str,
                "classifiers": _TEXTS,
                "keywords": (str, _TEXTS),
                "description-file": str,
                "requires": _TEXTS,
                "requires-extra": _GROUPS,
                "dev-requires": _TEXTS,
                "entry-points-file": str,
            },
            "module": {"name": str},
            "scripts": _NAMED,
            "entrypoints": {...: _NAMED},
            "sdist": {"include": _TEXTS, "exclude": _TEXTS},
            "external-data": {"directory": str},
        },
        "setuptools": {
            "packages": (
                _TEXTS,
                {
                    "find": {"where": (str, _TEXTS), "include": _TEXTS, "exclude": _TEXTS},
                    "find-namespace": {
                        "where": (str, _TEXTS),
                        "include": _TEXTS,
                        "exclude": _TEXTS,
                    },
                },
            ),
            "py-modules": _TEXTS,
            "package-dir": _NAMED,
            "package-data": _GROUPS,
            "exclude-package-data": _GROUPS,
            "script-files": _TEXTS,
            "license-files": _TEXTS,
            "dynamic": {
                "optional-dependencies": {...: {"file": (str, _TEXTS)}},
                ...: ({"attr": str, "file": (str, _TEXTS)}),
            },
        },
        "setuptools_scm": {},
        "twofold": {"conda": {"names": _NAMED}, "deps": {"ignore": _TEXTS}},
        "hatch": {
            "version": {"path": str, "source": str, "raw-options": {}},
            "build": {
                **_HATCH_FILES,
                "targets": {...: _HATCH_FILES},
            },
            "metadata": {"hooks": {...: {}}},
        },
        "pdm": {
            "version": {"source": str, "path": str},
            "build": {
                "package-dir": str,
                "includes": _TEXTS,
                "excludes": _TEXTS,
                "source-includes": _TEXTS,
            },
        },
        "uv": {
            "build-backend": {
                "module-name": (str, _TEXTS),
                "module-root": str,
                "source-include": _TEXTS,
                "source-exclude": _TEXTS,
                "wheel-exclude": _TEXTS,
                "data": _NAMED,
            }
        },
    },
}
_TYPE_WORDS = {str: "a string", bool: "true or false", list: "a list", dict: "a table"}


def validate(document: Mapping[str, Any], text: str, file: str = "pyproject.toml") -> None:
    """Raise ProjectErrors with every value of an unexpected type.

    `text` is the source of the document, to find line numbers, and `file` its name.
    """
    problems = [
        Problem(
            f"{'.'.join(path)} must be {_describe_shape(shape)}, not {_describe_kind(value)}",
            "correct it first",
            _locate(path, text, file),
        )
        for path, value, shape in _find_problems((), document, _SHAPES)
    ]
    if problems:
        raise ProjectErrors(problems)


def _locate(path: tuple[str, ...], text: str, file: str) -> str:
    *above, key = path
    quoted = ".".join(part if part.isidentifier() else f'"{part}"' for part in above)
    line = find_line(text, quoted, key)
    place = f"{file}:{line}" if line else file
    return f"{place}: [{'.'.join(above)}] {key}" if above else place


def _find_problems(
    path: tuple[str, ...], value: Any, shape: Shape
) -> Iterator[tuple[tuple[str, ...], Any, Shape]]:
    if isinstance(shape, tuple):
        fitting = [one for one in shape if _is_valid(value, one)]
        if fitting:
            yield from _find_problems(path, value, fitting[0])
        else:
            yield path, value, shape
    elif not _is_valid(value, shape):
        yield path, value, shape
    elif isinstance(shape, list):
        for item in value:
            yield from _find_problems(path, item, shape[0])
    elif isinstance(shape, dict):
        for key, inner in value.items():
            if key in shape or ... in shape:
                yield from _find_problems((*path, key), inner, shape.get(key, shape.get(...)))


def _is_valid(value: Any, shape: Shape) -> bool:
    if isinstance(shape, tuple):
        return any(_is_valid(value, one) for one in shape)
    return isinstance(value, shape if isinstance(shape, type) else type(shape))


def _describe_shape(shape: Shape) -> str:
    if isinstance(shape, tuple):
        return " or ".join(dict.fromkeys(_describe_shape(one) for one in shape))
    return _TYPE_WORDS[shape if isinstance(shape, type) else type(shape)]


def _describe_kind(value: Any) -> str:
    return _TYPE_WORDS.get(type(value), "a number or a date")
