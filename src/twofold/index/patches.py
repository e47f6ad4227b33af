"""Repodata patches: corrections of records that packages themselves cannot have any more.

The instructions are conda-index's: `packages` and `packages.conda` map file names to keys that
replace those of the record, `revoke` makes packages uninstallable, `remove` takes them out. They
are `SUBDIR/patch_instructions.json` below a folder, or what the function
`_patch_repodata(repodata, subdir)` of a Python file returns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from twofold.errors import BadFile, TwofoldError

#: Makes the instructions for a subdir from its repodata.
Patches = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]

_REVOKED = "package_has_been_revoked"


class PatchedRecords(NamedTuple):
    """File name -> record as it is after the instructions; and the names that they remove."""

    changed: Mapping[str, dict[str, Any]]
    removed: Sequence[str]


NO_PATCHES = PatchedRecords(MappingProxyType({}), ())


def read_patches(path: Path) -> Patches:
    """Read patches from a folder of instructions or from a Python file. Raises TwofoldError."""
    if path.is_dir():
        return lambda subdir, _: _read_instructions(path / subdir / "patch_instructions.json")
    if path.suffix != ".py" or not path.is_file():
        raise TwofoldError(
            f"{path} is neither a folder nor a Python file",
            "name a folder with SUBDIR/patch_instructions.json, or a file with _patch_repodata",
        )
    import runpy

    function = runpy.run_path(str(path)).get("_patch_repodata")
    if not callable(function):
        raise TwofoldError(f"{path} has no function _patch_repodata(repodata, subdir)")
    return lambda subdir, repodata: function(repodata, subdir)


def _read_instructions(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadFile(f"the patches are not JSON: {error}", "", str(path)) from error
    if not isinstance(value, dict) or value.get("patch_instructions_version", 1) > 1:
        raise BadFile(
            "the patches are not of version 1", "write them as conda-index does", str(path)
        )
    return value


def apply_patches(
    records: Mapping[str, dict[str, Any]], instructions: Mapping[str, Any]
) -> PatchedRecords:
    """Apply instructions to records by file name; the records themselves stay as they are.

    What names a `.tar.bz2` holds for the `.conda` of the same package too, as in conda-index.
    """
    changes: dict[str, dict[str, Any]] = {}
    for name, keys in instructions.get("packages", {}).items():
        for one in _both_formats(name):
            changes.setdefault(one, {}).update(keys)
    for name, keys in instructions.get("packages.conda", {}).items():
        changes.setdefault(name, {}).update(keys)
    changed = {name: {**records[name], **keys} for name, keys in changes.items() if name in records}
    for name in (one for given in instructions.get("revoke", ()) for one in _both_formats(given)):
        if name in records:
            record = changed.get(name, records[name])
            depends = [*record.get("depends", []), _REVOKED]
            changed[name] = {**record, "depends": depends, "revoked": True}
    removed = {one for given in instructions.get("remove", ()) for one in _both_formats(given)}
    gone = sorted(removed & records.keys())
    return PatchedRecords({k: v for k, v in changed.items() if k not in removed}, gone)


def _both_formats(name: str) -> tuple[str, ...]:
    stem = name.removesuffix(".tar.bz2")
    return (name,) if stem == name else (name, f"{stem}.conda")
