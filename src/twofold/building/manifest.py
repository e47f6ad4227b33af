"""dist/.twofold-build.json: what the last build made, so that `twofold publish` finds it.

    {"version": 1, "artifacts": [{"path": "dist/my_package-1.0.0.tar.gz", "kind": "sdist",
                                  "sha256": "..."}]}

Paths are relative to the folder in which dist/ stands, with `/`.
"""

from __future__ import annotations

import os

from twofold_build.atomic import write_atomically

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from twofold.building.options import BuiltFile

MANIFEST_NAME = ".twofold-build.json"


def write_manifest(out: str, artifacts: Sequence[BuiltFile]) -> None:
    """Note the artifacts of a build that stand below `out`."""
    lines = []
    for built in artifacts:
        path = os.path.relpath(built.path, out).replace(os.sep, "/")
        lines.append(
            f'{{"path": {_quote(path)}, "kind": "{built.kind}", "sha256": "{built.sha256}"}}'
        )
    text = '{"version": 1, "artifacts": [\n' + ",\n".join(lines) + "\n]}\n"
    write_atomically(os.path.join(out, "dist", MANIFEST_NAME), text.encode())


def _quote(path: str) -> str:
    """A path as JSON; the names of artifacts are plain, and importing json costs 5 ms."""
    if path.isascii() and path.isprintable() and '"' not in path and "\\" not in path:
        return f'"{path}"'
    import json

    return json.dumps(path)
