"""Writes the pages of an indexed folder from its cache, for conda and for pip."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from twofold.index import repodata
from twofold.index.cache import Cache
from twofold.index.patches import NO_PATCHES, PatchedRecords, Patches, apply_patches
from twofold_build.atomic import holds, write_if_changed

#: How long a shard that no index names any more is kept for clients with an older index (CEP 16).
_SHARD_LIFETIME = 7 * 24 * 3600


def write_subdir(
    folder: Path,
    cache: Cache,
    subdir: str,
    names: Iterable[str],
    patches: Patches | None = None,
) -> int:
    """Write a subdir's repodata, shards and run_exports; `names` are the packages that changed.

    `patches` correct records.
    """
    place = folder / subdir
    cut = len(subdir) + 1
    entries = {path[cut:]: text for path, text in cache.list_entries(subdir)}
    patched = NO_PATCHES
    if patches is not None:
        plain = repodata.assemble_repodata(subdir, entries.items())
        write_if_changed(place / "repodata_from_packages.json", plain)
        records = {name: json.loads(text) for name, text in entries.items()}
        patched = apply_patches(records, patches(subdir, json.loads(plain)))
        entries |= {name: _to_text(record) for name, record in patched.changed.items()}
        entries = {name: entries[name] for name in entries if name not in set(patched.removed)}
    written = _write_repodata(place, subdir, entries, patched.removed)
    exports = {path[cut:]: json.loads(text) for path, text in cache.list_run_exports(subdir)}
    value = repodata.serialize(repodata.make_run_exports(subdir, exports))
    written += _write_packed(place / "run_exports.json", value)
    affected = _update_patched_names(cache, subdir, patched)
    return written + _write_shards(place, cache, subdir, {*names, *affected}, patched)


def _write_repodata(
    place: Path, subdir: str, entries: Mapping[str, str], removed: Sequence[str]
) -> int:
    """Write repodata.json, last, and current_repodata.json, which follows from it."""
    data = repodata.assemble_repodata(subdir, entries.items(), removed)
    page, newest = place / "repodata.json", place / "current_repodata.json"
    if _is_written(page, data) and newest.exists():
        return 0
    from twofold.index.current_repodata import assemble_current_repodata

    current = assemble_current_repodata(subdir, entries, removed)
    packed = repodata.compress(data)
    written = _write_packed(newest, current or data, packed if current is None else None)
    return written + _write_packed(page, data, packed)


def write_wheel_records(place: Path, records: Mapping[str, Mapping[str, dict[str, Any]]]) -> int:
    """Write a channel of records of wheels, from subdir -> key -> record.

    It is apart from the packages: rattler prefers the record of a wheel to a package of the same
    version, and then cannot install it. Without records the pages of an earlier run go.
    """
    written = 0
    for page in (*place.glob("*/repodata.json"), *place.glob("*/repodata*.zst")):
        if page.parent.name not in records:
            page.unlink()
            written += 1
    for subdir, own in records.items():
        value = repodata.add_wheels(repodata.make_repodata(subdir, ()), own)
        written += _write_packed(place / subdir / "repodata.json", repodata.serialize(value))
        shards = repodata.make_wheel_shards(subdir, own)
        for name, data in shards.files.items():
            written += write_if_changed(place / subdir / "shards" / name, data)
        written += write_if_changed(place / subdir / "repodata_shards.msgpack.zst", shards.names)
        _delete_old_shards(place / subdir / "shards", set(shards.files))
    return written


def _write_packed(page: Path, data: bytes, packed: bytes | None = None) -> int:
    """Write a page and the same compressed; returns how many of the two were written.

    The page is the last, so that one that is there says that the other is right.
    """
    if _is_written(page, data):
        return 0
    beside = page.with_name(f"{page.name}.zst")
    written = write_if_changed(beside, packed or repodata.compress(data))
    return int(written) + int(write_if_changed(page, data))


def _is_written(page: Path, data: bytes) -> bool:
    return holds(page, data) and page.with_name(f"{page.name}.zst").exists()


def _to_text(record: Mapping[str, Any]) -> str:
    return repodata.serialize(record).decode()


def _update_patched_names(cache: Cache, subdir: str, patched: PatchedRecords) -> set[str]:
    """Return the names whose records are patched or were, and remember the first."""
    kept = f"{subdir}/patched"
    before = set(cache.shards(kept))
    files = (*patched.changed, *patched.removed)
    now = {name for file in files if (name := cache.find_name(f"{subdir}/{file}"))}
    for name in before | now:
        cache.set_shard(kept, name, b"" if name in now else None)
    return before | now


def _write_shards(
    place: Path,
    cache: Cache,
    subdir: str,
    names: Iterable[str],
    patched: PatchedRecords,
) -> int:
    """Shards first, then the index that names them: a reader never misses one."""
    written = 0
    for name in sorted(names):
        own = cache.entries_for(subdir, name)
        records = {path[len(subdir) + 1 :]: json.loads(text) for path, text in own}
        records |= {file: patched.changed[file] for file in records.keys() & patched.changed.keys()}
        records = {file: records[file] for file in records if file not in patched.removed}
        if not records:
            cache.set_shard(subdir, name, None)
            continue
        data = repodata.make_shard(records)
        digest = hashlib.sha256(data)
        written += write_if_changed(place / "shards" / f"{digest.hexdigest()}.msgpack.zst", data)
        cache.set_shard(subdir, name, digest.digest())
    hashes = cache.shards(subdir)
    index = repodata.make_shard_index(subdir, hashes)
    written += write_if_changed(place / "repodata_shards.msgpack.zst", index)
    _delete_old_shards(
        place / "shards", {f"{digest.hex()}.msgpack.zst" for digest in hashes.values()}
    )
    return written


def _delete_old_shards(shards: Path, named: set[str]) -> None:
    if not shards.is_dir():
        return
    now = time.time()
    for file in shards.iterdir():
        if file.name not in named and now - file.stat().st_mtime > _SHARD_LIFETIME:
            file.unlink(missing_ok=True)


def write_channel(folder: Path, cache: Cache, names: Iterable[str], subdirs: list[str]) -> int:
    """Write channeldata.json and notices.json; `names` are the packages that changed."""
    for name in names:
        files = [
            (subdir, path, json.loads(record), about)
            for subdir, path, record, about in cache.conda_files(name)
        ]
        if not files:
            cache.set_package(name, "")
            continue
        newest = max(files, key=lambda file: repodata.recency_key(file[:3]))
        about = json.loads(newest[3]) if newest[3] else {}
        entry = repodata.make_channel_entry([file[:3] for file in files], about)
        cache.set_package(name, repodata.serialize(entry).decode())
    data = repodata.assemble_channeldata(cache.packages(), subdirs)
    written = int(write_if_changed(folder / "channeldata.json", data))
    notices = folder / "notices.json"
    if not notices.exists():  # an administrator may have written some
        written += write_if_changed(notices, repodata.serialize(repodata.make_notices()))
    return written


def write_project_pages(folder: Path, cache: Cache, names: Iterable[str]) -> int:
    """Write simple/: the list of projects, and the pages of those that changed."""
    from twofold.index import simple

    place = folder / "simple"
    written = 0
    for name in names:
        files = [json.loads(text) for _, text in cache.entries_for("", name)]
        if not files:
            shutil.rmtree(place / name, ignore_errors=True)
            continue
        page = _assemble_page(name, files)
        written += write_if_changed(
            place / name / "index.html", simple.render_project_html(page).encode()
        )
        written += write_if_changed(place / name / "index.json", simple.serialize(page))
    root = simple.make_root_page(cache.names(""))
    written += write_if_changed(place / "index.html", simple.render_root_html(root).encode())
    return written + write_if_changed(place / "index.json", simple.serialize(root))


def _assemble_page(name: str, files: list[dict[str, Any]]) -> dict[str, Any]:
    """The page from the cached entries, in the order of `simple.make_project_page`."""
    from packaging.version import Version

    from twofold.index import simple

    ordered = sorted(files, key=lambda f: (Version(f["version"]), f["file"]["filename"]))
    page = simple.make_project_page(name, [])
    page["versions"] = list(dict.fromkeys(str(Version(file["version"])) for file in ordered))
    page["files"] = [file["file"] for file in ordered]
    return page
