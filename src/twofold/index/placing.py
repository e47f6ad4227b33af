"""In which map of repodata a record stands: `packages`, `packages.conda`, or revision 3's (CEP 48).

A module of its own, with little to import: `twofold build` writes its channel with it.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def place_records(records: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Records by file name in the maps where clients look for them; `v3` only where needed."""
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

    `extra_depends` alone is passed over by older clients.
    """
    specs = (*record.get("depends", ()), *record.get("constrains", ()))
    return any(re.search(r"[\[,]\s*(when|extras|flags)\s*=", spec) for spec in specs)


def add_v3_records(value: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Repodata with revision 3's records: `conda`, `tar.bz2` or `whl` -> file name without it."""
    if not own:
        return dict(value)
    every = [record for records in own.values() for record in records.values()]
    times = [int(record.get("timestamp") or 0) for record in every]
    revision = {"n_packages": len(every), "oldest": min(times), "newest": max(times)}
    info = {**value["info"], "repodata_revisions": {"v3": revision}}
    return {**value, "info": info, "v3": dict(own)}
