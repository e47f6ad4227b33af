"""Repodata patches: corrections of records that packages themselves cannot have any more.

The instructions are conda-index's: `packages` and `packages.conda` map file names to keys that
replace those of the record, `revoke` makes packages uninstallable, `remove` takes them out. They
are `SUBDIR/patch_instructions.json` below a folder or in a conda package, or what the function
`_patch_repodata(repodata, subdir)` of a Python file returns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from twofold.errors import BadFile, Problem, TwofoldError
from twofold.formats.limits import make_bad_file

#: Makes the instructions for a subdir from its repodata.
Patches = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]

_FILE = "patch_instructions.json"
_HINT = "write them as conda-index does"
_REVOKED = "package_has_been_revoked"
#: Keys that describe the file's bytes: no patch can correct them.
_FIXED = ("name", "size", "md5", "sha256")
#: conda-forge's instructions for linux-64 have some 30 MB.
_LARGEST = 256 << 20


class PatchedRecords(NamedTuple):
    """File name -> record as it is after the instructions; and the names that they remove."""

    changed: Mapping[str, dict[str, Any]]
    removed: Sequence[str]


NO_PATCHES = PatchedRecords(MappingProxyType({}), ())


def read_patches(path: Path) -> Patches:
    """Read patches from a folder, a conda package or a Python file. Raises TwofoldError."""
    if path.is_dir():
        return lambda subdir, _: _read_instructions(path / subdir / _FILE)
    if path.name.endswith((".conda", ".tar.bz2")) and path.is_file():
        packed = _read_package(path)
        return lambda subdir, _: packed.get(subdir, {})
    if path.suffix != ".py" or not path.is_file():
        raise TwofoldError(
            f"{path} is neither a folder nor a Python file nor a conda package",
            f"name a folder with SUBDIR/{_FILE}, or a file with _patch_repodata",
        )
    function = _load_function(path)

    def run(subdir: str, repodata: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            value = json.loads(json.dumps(function(repodata, subdir)))
        except (Exception, SystemExit) as error:
            message = f"_patch_repodata failed for {subdir}: {type(error).__name__}: {error}"
            raise BadFile(message, "mend the function", str(path)) from error
        return _check_instructions(value, f"{path}: {subdir}")

    return run


def _load_function(path: Path) -> Callable[[Mapping[str, Any], str], object]:
    import runpy

    try:
        function: Any = runpy.run_path(str(path)).get("_patch_repodata")
    except (Exception, SystemExit) as error:
        message = f"the file cannot be run: {type(error).__name__}: {error}"
        raise BadFile(message, "mend it", str(path)) from error
    if not callable(function):
        raise TwofoldError(f"{path} has no function _patch_repodata(repodata, subdir)")
    found: Callable[[Mapping[str, Any], str], object] = function
    return found


def _read_package(path: Path) -> dict[str, Mapping[str, Any]]:
    """Read the instructions of a package such as conda-forge-repodata-patches, by subdir."""
    from twofold.formats.conda_reader import open_part

    found = {}
    with open_part(path, "pkg") as members:
        for member in members:
            subdir, _, name = member.path.partition("/")
            if name == _FILE:
                found[subdir] = _parse(members.read(_LARGEST), f"{path.name}: {member.path}")
    if not found:
        raise BadFile(f"the package has no SUBDIR/{_FILE}", _HINT, str(path))
    return found


def _read_instructions(path: Path) -> Mapping[str, Any]:
    return _parse(path.read_bytes(), str(path)) if path.is_file() else {}


def _parse(data: bytes, where: str) -> Mapping[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"the patches are not JSON: {error}", "", where) from error
    return _check_instructions(value, where)


def _check_instructions(value: object, where: str) -> Mapping[str, Any]:
    """Check the form of instructions; a part that is null is absent. Raises BadFile."""
    if not isinstance(value, dict):
        raise BadFile("the patches are not an object", _HINT, where)
    value = {part: given for part, given in value.items() if given is not None}
    if value.get("patch_instructions_version", 1) not in (0, 1):
        raise BadFile("the patches are not of version 1", _HINT, where)
    problems = []
    for part in ("packages", "packages.conda"):
        given = value.get(part, {})
        if not isinstance(given, dict) or not all(isinstance(one, dict) for one in given.values()):
            problems.append(f"'{part}' is not a map of file names to keys")
    for part in ("revoke", "remove"):
        given = value.get(part, [])
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            problems.append(f"'{part}' is not a list of file names")
    if problems:
        raise make_bad_file([Problem(message, _HINT, where) for message in problems])
    return value


def apply_patches(
    records: Mapping[str, dict[str, Any]], instructions: Mapping[str, Any]
) -> PatchedRecords:
    """Apply instructions to records by file name; the records themselves stay as they are.

    What names a `.tar.bz2` holds for the `.conda` of the same package too, as in conda-index.
    """
    given = instructions.get("packages", {})
    shared = {_both_formats(name)[-1]: keys for name, keys in given.items()}
    changed: dict[str, dict[str, Any]] = {}
    for ending, keys_by_name in (
        (".tar.bz2", given),
        (".conda", shared),
        (".conda", instructions.get("packages.conda", {})),
    ):
        for name, keys in keys_by_name.items():
            if name in records and name.endswith(ending):
                changed[name] = _merge(changed.get(name, records[name]), keys)
    for name in (one for given in instructions.get("revoke", ()) for one in _both_formats(given)):
        if name in records:
            record = changed.get(name, records[name])
            depends = [*record.get("depends", []), _REVOKED]
            changed[name] = {**record, "depends": depends, "revoked": True}
    removed = {one for given in instructions.get("remove", ()) for one in _both_formats(given)}
    gone = sorted(removed & records.keys())
    kept = {k: v for k, v in changed.items() if k not in removed}
    problems = [problem for name in sorted(kept) for problem in _judge(name, records, kept[name])]
    if problems:
        raise make_bad_file(problems[:20])
    return PatchedRecords(kept, gone)


def _merge(record: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with other values; null removes a key, and maps are merged."""
    merged = dict(record)
    for key, value in keys.items():
        before = record.get(key)
        if isinstance(value, dict) and isinstance(before, dict):
            merged[key] = _merge(before, value)
        elif value is None and key in record:
            del merged[key]
        else:
            merged[key] = value
    return merged


def _judge(
    name: str, records: Mapping[str, dict[str, Any]], record: Mapping[str, Any]
) -> Iterable[Problem]:
    """Yield what makes a patched record unreadable for clients, or another package's."""
    from twofold.formats.conda_reader import find_spec_problem, find_unreadable_keys

    before = records[name]
    hint = "correct the instructions: a client would read none of the package's records"
    keys = [key for key in find_unreadable_keys(record) if key in record]
    for key in keys:
        yield Problem(f"the patches give '{key}' a value that cannot be used", hint, name)
    for key in _FIXED:
        if record.get(key) != before.get(key):
            yield Problem(f"the patches change '{key}', which describes the file", "", name)
    if not keys:
        for spec in (*(record.get("depends") or ()), *(record.get("constrains") or ())):
            if problem := find_spec_problem(spec):
                yield Problem(f"the match spec {spec[:100]!r} {problem}", hint, name)


def _both_formats(name: str) -> tuple[str, ...]:
    stem = name.removesuffix(".tar.bz2")
    return (name,) if stem == name else (name, f"{stem}.conda")
