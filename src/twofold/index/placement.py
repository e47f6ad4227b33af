"""Where a package's record is in repodata: in the maps that every client reads, or in revision 3's.

Every build of a project passes through here, and reads no record.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: A record without any of these is one for every client: no need to parse it.
V3_MARKS = ("when", "extras", "flags")


def place_records(records: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Records by file name in the maps that clients read: `packages`, `packages.conda`, `v3`."""
    value: dict[str, Any] = {"packages": {}, "packages.conda": {}}
    for filename, record in sorted(records.items()):
        ending = "tar.bz2" if filename.endswith(".tar.bz2") else "conda"
        if is_v3_record(record):
            stem = filename.removesuffix(f".{ending}")
            value.setdefault("v3", {}).setdefault(ending, {})[stem] = record
        else:
            value["packages" if ending == "tar.bz2" else "packages.conda"][filename] = record
    return value


def is_v3_record(record: Mapping[str, Any]) -> bool:
    """Whether only clients of revision 3 can read what a package depends on (CEP 43-45).

    Older clients ignore `extra_depends`, so that alone does not count.
    """
    specs = (*record.get("depends", ()), *record.get("constrains", ()))
    marked = [spec for spec in specs if any(mark in spec for mark in V3_MARKS)]
    if not marked:
        return False
    import re

    return any(re.search(r"[\[,]\s*(when|extras|flags)\s*=", spec) for spec in marked)


def add_v3_records(value: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Repodata with revision 3's records: `conda`, `tar.bz2` or `whl` -> file name without it."""
    if not own:
        return dict(value)
    every = [record for records in own.values() for record in records.values()]
    times = [int(record.get("timestamp") or 0) for record in every]
    revision = {"n_packages": len(every), "oldest": min(times), "newest": max(times)}
    info = {**value["info"], "repodata_revisions": {"v3": revision}}
    return {**value, "info": info, "v3": dict(own)}
