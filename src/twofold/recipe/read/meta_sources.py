"""Read the source section of meta.yaml: where the source comes from, its hashes and patches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from twofold.recipe.model import Source
from twofold.recipe.read import known_keys
from twofold.recipe.read.meta_sections import SectionReader
from twofold.recipe.read.yaml_lines import Node

_HASHES = {"sha256": 64, "sha1": 40, "md5": 32, "sha224": 56, "sha384": 96, "sha512": 128}
#: In the order in which conda-build takes them.
_KINDS = (("url", "url"), ("git", "git_url"), ("path", "path"))


def read_sources(reader: SectionReader, node: Node | None) -> tuple[Source, ...]:
    """Read the source section: one source or a list."""
    sources = [_read_source(reader, part) for part in (node.items() if node else ())]
    return tuple(source for source in sources if source)


def _read_source(reader: SectionReader, node: Node) -> Source | None:
    for other in ("hg_url", "svn_url"):
        if node.get(other):
            message, hint = known_keys.explain_conda_build_key(other, "source")
            reader.add_problem(message, node, hint)
            return None
    parts = reader.read_section(node, known_keys.SOURCE, "source")
    parts = {name: part for name, part in parts.items() if not part.is_empty}
    kinds = [(kind, key) for kind, key in _KINDS if key in parts]
    if not kinds:
        if parts:
            reader.add_problem("a source needs one of path, url, git_url", node)
        return None
    kind, key = kinds[0]
    for _, other in kinds[1:]:
        reader.add_remark(f"{key} counts and {other} is left out, as for conda-build", node)
    locations = reader.read_paths(parts[key], "RECIPE_DIR")
    if not locations:
        return None
    folder = reader.read_text(parts.get("folder"))
    if Path(folder).is_absolute() or ".." in Path(folder).parts:
        reader.add_problem("source/folder leaves the work folder", parts["folder"])
    return Source(
        kind,
        locations[0],
        tuple(line.text for line in locations[1:]),
        _read_hashes(reader, parts),
        _read_revision(reader, node, parts),
        folder,
        reader.read_paths(parts.get("patches"), "RECIPE_DIR"),
        keeps_top_folder="no_hoist" in parts,
        file_name=Path(reader.read_text(parts.get("fn"))).name,
    )


def _read_revision(reader: SectionReader, node: Node, parts: Mapping[str, Node]) -> str:
    given = [key for key in ("git_rev", "git_tag", "git_branch") if key in parts]
    if len(given) > 1 and len({reader.read_text(parts[key]) for key in given}) > 1:
        reader.add_problem(f"{' and '.join(given)} name different revisions", node, "keep one")
    return reader.read_text(parts[given[0]]) if given else ""


def _read_hashes(reader: SectionReader, parts: Mapping[str, Node]) -> dict[str, str]:
    made = {}
    for name, length in _HASHES.items():
        text = reader.read_text(parts.get(name)).lower()
        if text and not re.fullmatch(rf"[0-9a-f]{{{length}}}", text):
            reader.add_problem(f"invalid {name}: expected {length} hex digits", parts[name])
        elif text:
            made[name] = text
    return made
