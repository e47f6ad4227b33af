"""The data folder: its owner and mode, the files in it, and the disk that it is on."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from twofold.server.doctor.findings import ERROR, OK, WARNING, Finding
from twofold.server.settings import Settings

#: Free space of the disk below which the operator is warned, and below which uploads fail soon.
LITTLE_SPACE, NO_SPACE = 5 << 30, 256 << 20

#: Free files (inodes) below which uploads fail soon.
NO_FILES = 1000

#: File systems of other machines, on which SQLite's log, shared memory, does not work.
_REMOTE = re.compile(r"nfs\d?|cifs|smb\d?|smbfs|fuse\.sshfs|9p|afs|ceph|glusterfs|fuse\.glusterfs")


def check_folder(settings: Settings) -> Iterator[Finding]:
    """Check that the data folder is the server's alone, with everything in it."""
    data = settings.data
    if not data.is_dir():
        what = "is no folder" if data.exists() else "does not exist"
        yield Finding("folder", ERROR, f"{data} {what}", "name the --data of 'serve'")
        return
    if not os.access(data, os.W_OK | os.X_OK):
        yield Finding("folder", ERROR, f"{data} is not writable for this user", "run as the server")
        return
    mode = data.stat().st_mode & 0o777
    if os.name != "nt" and mode & 0o077:
        text = f"{data} is open to other users of the machine ({mode:04o})"
        yield Finding("folder", ERROR, text, f"run chmod 700 {data}")
        return
    if (foreign := _find_foreign(data)) is not None:
        text = f"{foreign} does not belong to the owner of {data}, so the server cannot write it"
        hint = f"run chown -R --reference={data} {data}, and 'twofold admin' as that user"
        yield Finding("folder", ERROR, text, hint)
        return
    yield Finding("folder", OK, str(data))
    if not settings.database and (kind := _find_remote_kind(data)):
        text = f"{data} is on a file system of another machine ({kind}), where SQLite loses data"
        yield Finding("folder", ERROR, text, "use a local disk, or PostgreSQL with --database")


def _find_foreign(data: Path) -> Path | None:
    """Return something in the folder that belongs to another user; the objects' folders too."""
    if os.name == "nt":
        return None
    owner = data.stat().st_uid
    inside = [data, *(data / name for name in ("spool", "images", "objects", "objects/blobs"))]
    inside += sorted((data / "objects" / "blobs").glob("??"))
    for folder in inside:
        if not folder.is_dir():
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.stat(follow_symlinks=False).st_uid != owner:
                    return Path(entry.path)
    return None


def _find_remote_kind(folder: Path) -> str:
    """Return the kind of file system where it is one of another machine (Linux), else ''."""
    mounts = Path("/proc/self/mounts")
    if not mounts.is_file():
        return ""
    kinds = {}
    for line in mounts.read_text("utf-8", "surrogateescape").splitlines():
        _, place, kind, *_ = line.split(" ")
        kinds[Path(place.replace("\\040", " "))] = kind
    kind = next((kinds[place] for place in (folder, *folder.parents) if place in kinds), "")
    return kind if _REMOTE.fullmatch(kind) else ""


def check_disk(settings: Settings) -> Iterator[Finding]:
    """Check how much the disks of the data can still take."""
    places = {settings.data} if settings.data.is_dir() else set()
    if "://" not in settings.objects_url and Path(settings.objects_url).is_dir():
        places.add(Path(settings.objects_url))
    seen = set()
    for place in sorted(places):
        if (device := place.stat().st_dev) in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(place).free
        state = ERROR if free < NO_SPACE else WARNING if free < LITTLE_SPACE else OK
        hint = "free space, or run 'twofold admin sweep' and 'retain'" if state != OK else ""
        yield Finding("disk", state, f"{free / (1 << 30):.1f} GiB are free in {place}", hint)
        if 0 <= (files := _count_free_files(place)) < NO_FILES:
            text = f"{files} more files fit in {place} (inodes)"
            yield Finding("disk", ERROR, text, "delete files, or move to a larger file system")
        if state == OK and place == settings.data and settings.spool_quota > free:
            text = "the quota of the spool is more than the disk has free"
            yield Finding("disk", WARNING, text, f"set --spool-quota below {free}")


def _count_free_files(place: Path) -> int:
    """Return how many files the file system still takes; -1 where it has no such limit."""
    if os.name == "nt":
        return -1
    found = os.statvfs(place)
    return found.f_favail if found.f_files else -1
