"""conda-bld/ as a channel, at next to no cost: what was just built is not read again.

A channel that only ever held what `twofold build` put there gets its noarch/repodata.json from the
records at hand. In any other (indexed with `twofold index`, or with packages from elsewhere) the
work is left to `twofold.index`, which opens what it does not know.
"""

from __future__ import annotations

import json
import os

from twofold_build.atomic import write_atomically

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

#: Left by `twofold index`, whose pages would be stale if repodata.json alone were renewed.
_INDEXED = ".twofold-index.sqlite"
_PACKAGES = (".conda", ".tar.bz2")


def index_channel(channel: str, new_records: Mapping[str, dict[str, Any]]) -> None:
    """Write the channel's repodata. `made` are the records of what was just built, by file name.

    A record is info/index.json with md5, sha256 and size.
    """
    records = _collect_records(channel, new_records)
    if records is None:
        from pathlib import Path

        from twofold.index.folder import index_folder

        index_folder(Path(channel))
        return
    from twofold.index.repodata import add_v3_records, place_records

    placed = place_records(records)
    newer = placed.pop("v3", {})
    data = {"info": {"subdir": "noarch"}, **placed, "removed": [], "repodata_version": 1}
    text = json.dumps(
        add_v3_records(data, newer), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )
    write_atomically(os.path.join(channel, "noarch", "repodata.json"), text.encode())


def _collect_records(
    channel: str, new_records: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]] | None:
    """The records of every package in the channel, or None where some are not known."""
    if os.path.exists(os.path.join(channel, _INDEXED)):
        return None
    there: dict[str, int] = {}
    for subdir in os.scandir(channel):
        if subdir.is_dir() and not subdir.name.startswith("."):
            for file in os.scandir(subdir.path):
                if file.name.endswith(_PACKAGES) and not file.name.startswith("."):
                    if subdir.name != "noarch":
                        return None
                    there[file.name] = file.stat().st_size
    unknown = there.keys() - new_records.keys()
    known = _previous_records(channel) if unknown else {}
    if any(known.get(name, {}).get("size") != there[name] for name in unknown):
        return None
    return {name: new_records.get(name) or known[name] for name in sorted(there)}


def _previous_records(channel: str) -> dict[str, dict[str, Any]]:
    """The records of the last build's repodata.json; none when there is none to be read."""
    try:
        with open(os.path.join(channel, "noarch", "repodata.json"), encoding="utf-8") as file:
            data = json.load(file)
        found = {**data["packages"], **data["packages.conda"]}
        for ending, own in data.get("v3", {}).items():
            found |= {f"{stem}.{ending}": record for stem, record in own.items()}
        return found
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
