"""Build a project: with our own backend in this process, with any other through its hooks.

A build notes what it made in dist/.twofold-build.json, where `twofold publish` finds it:

    {"version": 1, "artifacts": [{"path": "dist/my_package-1.0.0.tar.gz", "kind": "sdist",
                                  "sha256": "..."}]}

Paths are relative to the folder that holds dist/, with `/`. `sources` has the hashes of the files
that went in (`{"setup.py": "..."}`) where a recipe or another backend was built: they alone know
what they pack, and `twofold publish` refuses files of sources that have changed since.
"""

from __future__ import annotations

import os
import time

from twofold.building.backends import has_native_backend
from twofold.building.options import (
    MANIFEST_NAME,
    BackendOptions,
    BuildRequest,
    BuildResult,
    BuiltFile,
    without_sdist,
)
from twofold_build.atomic import remove_leftovers, write_atomically

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "BackendOptions",
    "BuildRequest",
    "BuildResult",
    "BuiltFile",
    "build_project",
]


def build_project(root: str | os.PathLike[str], request: BuildRequest | None = None) -> BuildResult:
    """Build the kinds in `request` and list them in dist/.twofold-build.json.

    `root` is a project's folder, or an sdist, of which everything but an sdist is built.
    Raises ProjectErrors for mistakes in the project, ToolFailed when another backend fails, OSError
    for a full disk and the like; then no file is half-written under a final name. What a
    killed build left is removed first.
    """
    started = time.perf_counter()
    request = request or BuildRequest()
    source = os.path.abspath(root)
    out = os.path.abspath(request.out if request.out is not None else _default_out(source))
    remove_leftovers(os.path.join(out, "dist"))
    remove_leftovers(os.path.join(out, "conda-bld"), deep=True)
    try:
        result = _build(source, out, request)
    except OSError as error:
        error.filename = error.filename or out  # ENOSPC has no filename
        raise
    result.seconds = time.perf_counter() - started
    return result


def _default_out(source: str) -> str:
    """The project's folder; for an sdist the folder that holds it, or holds the dist/ it is in."""
    if not os.path.isfile(source):
        return source
    folder = os.path.dirname(source)
    return os.path.dirname(folder) if os.path.basename(folder) == "dist" else folder


def _build(source: str, out: str, request: BuildRequest) -> BuildResult:
    sources: dict[str, str] = {}
    if os.path.isfile(source):
        result = _build_sdist_file(source, out, request)
    elif has_native_backend(source):
        from twofold.building.native import build_native

        result = build_native(source, out, request)
    else:
        from twofold.building.pep517 import build_with_backend

        result = build_with_backend(source, out, request)
        from twofold.building.source_hashes import hash_sources

        sources = hash_sources(source, [built.path for built in result.artifacts])
    write_manifest(out, result.artifacts, sources)
    return result


def _build_sdist_file(sdist: str, out: str, request: BuildRequest) -> BuildResult:
    """Build the wheel and the conda packages of an sdist."""
    from twofold.building.pep517 import build_with_backend
    from twofold.building.sdist_source import open_sdist

    kinds = without_sdist(sdist, request.kinds)
    part = request.with_kinds(kinds)
    with open_sdist(sdist) as tree:
        if has_native_backend(tree):
            from twofold.building.native import build_native

            return build_native(tree, out, part)
        return build_with_backend(tree, out, part, from_sdist=True)


def write_manifest(
    out: str, artifacts: Sequence[BuiltFile], sources: Mapping[str, str] | None = None
) -> None:
    """Write the manifest of a build whose artifacts are below `out`."""
    lines = []
    for built in artifacts:
        path = os.path.relpath(built.path, out).replace(os.sep, "/")
        lines.append(
            f'{{"path": {_quote(path)}, "kind": "{built.kind}", "sha256": "{built.sha256}"}}'
        )
    inputs = [f"{_quote(path)}: {_quote(digest)}" for path, digest in (sources or {}).items()]
    more = ', "sources": {\n' + ",\n".join(inputs) + "\n}" if inputs else ""
    text = '{"version": 1, "artifacts": [\n' + ",\n".join(lines) + f"\n]{more}}}\n"
    write_atomically(os.path.join(out, "dist", MANIFEST_NAME), text.encode())


def _quote(path: str) -> str:
    """A path as JSON; the names of artifacts are plain, and importing json costs 5 ms."""
    if path.isascii() and path.isprintable() and '"' not in path and "\\" not in path:
        return f'"{path}"'
    import json

    return json.dumps(path)
