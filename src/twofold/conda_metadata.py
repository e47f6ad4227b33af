"""The metadata of a conda package: what info/index.json and its neighbours hold.

Plain classes and not dataclasses: `twofold build` of a small project takes some 60 ms, and
importing dataclasses alone costs ten.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, TypedDict, Unpack

    class CondaFields(TypedDict, total=False):
        """The optional fields of a package."""

        build: str
        build_number: int
        subdir: str
        noarch: str | None
        depends: Sequence[str]
        constrains: Sequence[str]
        about: Mapping[str, Any]
        entry_points: Sequence[str]
        timestamp: int
        info_files: Mapping[str, bytes]
        extra_index: Mapping[str, Any]
        notes: Sequence[str]


class CondaPackage:
    """One conda package before it is written.

    `noarch` is 'python', 'generic' or None (a platform package; then `subdir` is its platform).
    `depends` and `constrains` are MatchSpecs. `about` is info/about.json. `entry_points` are
    `x = m:f`, made into scripts by the installer of a noarch package. `timestamp` is in
    milliseconds UTC. `info_files` are further files: path under info/ -> bytes
    (`licenses/LICENSE`, `recipe/meta.yaml`, ...). `extra_index` goes into index.json as it is.
    `notes` are for the caller to report: requirements that were dropped. They are not written.
    """

    __slots__ = (
        "about",
        "build",
        "build_number",
        "constrains",
        "depends",
        "entry_points",
        "extra_index",
        "info_files",
        "name",
        "noarch",
        "notes",
        "subdir",
        "timestamp",
        "version",
    )

    def __init__(self, name: str, version: str, **fields: Unpack[CondaFields]) -> None:
        self.name = name
        self.version = version
        self.build = fields.get("build", "py_0")
        self.build_number = fields.get("build_number", 0)
        self.subdir = fields.get("subdir", "noarch")
        self.noarch = fields.get("noarch", "python")
        self.depends = tuple(fields.get("depends", ()))
        self.constrains = tuple(fields.get("constrains", ()))
        self.about = dict(fields.get("about", {}))
        self.entry_points = tuple(fields.get("entry_points", ()))
        self.timestamp = fields.get("timestamp", 0)
        self.info_files = dict(fields.get("info_files", {}))
        self.extra_index = dict(fields.get("extra_index", {}))
        self.notes = tuple(fields.get("notes", ()))

    def __repr__(self) -> str:
        return f"CondaPackage({self.subdir}/{self.stem})"

    @property
    def stem(self) -> str:
        """The file name without its extension; the inner archives of a `.conda` repeat it."""
        return f"{self.name}-{self.version}-{self.build}"

    @property
    def index(self) -> dict[str, Any]:
        """The value of info/index.json, keys sorted."""
        platform, arch = split_subdir(self.subdir)
        index: dict[str, Any] = {
            "arch": arch,
            "build": self.build,
            "build_number": self.build_number,
            "constrains": list(self.constrains),
            "depends": list(self.depends),
            "name": self.name,
            "platform": platform,
            "subdir": self.subdir,
            "timestamp": self.timestamp,
            "version": self.version,
        }
        for key in ("license", "license_family"):
            if self.about.get(key):
                index[key] = self.about[key]
        if self.noarch:
            index["noarch"] = self.noarch
        if not self.timestamp:
            del index["timestamp"]
        index.update(self.extra_index)
        return dict(sorted(index.items()))


#: The machine names of subdirs as index.json's `arch` spells them.
_ARCH = {"64": "x86_64", "32": "x86"}


def split_subdir(subdir: str) -> tuple[str | None, str | None]:
    """Return index.json's `platform` and `arch` of a subdir: ('linux', 'x86_64'), (None, None)."""
    platform, _, machine = subdir.partition("-")
    if not machine:
        return None, None
    return platform, _ARCH.get(machine, machine)
