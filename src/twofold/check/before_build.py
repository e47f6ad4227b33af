"""The rules that stop a build, on the path of every `twofold build`: so each import counts here.

Unchanged projects are recognised by the hash of everything packed, and only read and hashed.
"""

from __future__ import annotations

import sys

from twofold_build.archive import new_sha256, read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from twofold.check.finding import Finding
    from twofold_build.archive import Content
    from twofold_build.files import Pack
    from twofold_build.project import Project

#: Other files than modules are read up to this size, in bytes: keys and credentials are small.
SMALL = 256 << 10
#: Modules are read up to this size.
MODULE = 16 << 20


def build_errors(
    project: Project, pack: Pack | None, known: Mapping[str, Content]
) -> list[Finding]:
    """The errors found in what would be packed, in the order of files and lines."""
    from twofold.check import cache

    if pack is None:
        pack = packed(project)
    contents = read_files(pack, known)
    key = _key(project, pack, contents)
    if cache.is_clean(key):
        return []
    from twofold.check.projects import stopping_errors

    errors = stopping_errors(project, pack, contents)
    if not errors:
        cache.mark_clean(key)
    return errors


def packed(project: Project) -> Pack:
    """What is packed. Raises ProjectErrors as a build does."""
    from twofold_build.files import collect
    from twofold_build.mistakes import Mistakes

    mistakes = Mistakes.of(project.root)
    pack = collect(project, mistakes)
    mistakes.tell()
    return pack


def read_files(pack: Pack, known: Mapping[str, Content]) -> dict[str, Content]:
    """Path -> content of the files that are judged by what is in them."""
    return {
        file.path: known.get(file.path) or read(file.source)
        for file in pack.files
        if file.size <= (MODULE if file.path.endswith((".py", ".pyi")) else SMALL)
    }


def _key(project: Project, pack: Pack, contents: dict[str, Content]) -> str:
    """A hash of all that the verdict depends on: files, version, interpreter, rules.

    The settings are in it, because pyproject.toml is packed.
    """
    from twofold.check.rules_version import RULES_VERSION

    digest = new_sha256()
    digest.update(f"{sys.version}\0{RULES_VERSION}\0{project.version}\0".encode())
    for file in pack.files:
        content = contents.get(file.path)
        told = content.sha256 if content else str(file.size).encode()
        digest.update(f"{file.path}\0{' '.join(file.wheel)}\0".encode("utf-8", "surrogateescape"))
        digest.update(told)
    return str(digest.hexdigest())
