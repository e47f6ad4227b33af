"""How a user shapes conda packages: [tool.twofold.conda], and the command line."""

from __future__ import annotations

from twofold.errors import Problem, ProjectErrors
from twofold.names import is_conda_name, normalize_name
from twofold_build.diagnostics import suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TypedDict, Unpack

    from twofold.convert.metadata_sources import MetadataSource

    class OptionFields(TypedDict, total=False):
        """The optional fields of `CondaOptions`."""

        name: str
        names: Mapping[str, str] | None
        local_names: Mapping[str, str] | None
        depends: Sequence[str]
        constrains: Sequence[str]
        leave_out: Sequence[str] | frozenset[str]
        build_number: int
        channels: Sequence[str]
        extras_as_packages: bool
        v3: bool
        python: str
        platform: str
        timestamp: int
        find_metadata: MetadataSource | None
        level: int


KEYS = (
    "name",
    "names",
    "depends",
    "constrains",
    "leave-out",
    "build-number",
    "channels",
    "extras-as-packages",
    "v3",
)


class CondaOptions:
    """How a conda package differs from what its metadata alone would make.

    `name` overrides the conda name of the project; `names` maps PyPI names to conda names;
    `local_names` does the same for packages of the channel and those converted together, and
    gives way to `names`. `depends` and `constrains` are added MatchSpecs, `leave_out` PyPI names
    of dependencies that conda does not need. `channels` are where its dependencies come from.
    `extras_as_packages` makes `name-extra` packages. `v3` adds the records of CEP 43-48.
    `python` ('3.12', '3.13t') and `platform` ('linux-64') narrow it down to one target where its
    markers make several packages. `timestamp` is in milliseconds UTC, 0 for the wheel's own.
    `find_metadata` gets the METADATA of a dependency for its extras (convert/metadata_sources.py).
    `level` is the compressor's, 0 for the fast default.
    """

    __slots__ = (
        "build_number",
        "channels",
        "constrains",
        "depends",
        "extras_as_packages",
        "find_metadata",
        "leave_out",
        "level",
        "local_names",
        "name",
        "names",
        "platform",
        "python",
        "timestamp",
        "v3",
    )

    def __init__(self, **fields: Unpack[OptionFields]) -> None:
        self.name = fields.get("name", "")
        names = fields.get("names") or {}
        self.names = {normalize_name(key): value for key, value in names.items()}
        self.local_names = dict(fields.get("local_names") or {})
        self.depends = tuple(fields.get("depends", ()))
        self.constrains = tuple(fields.get("constrains", ()))
        self.leave_out = frozenset(map(normalize_name, fields.get("leave_out", ())))
        self.build_number = fields.get("build_number", 0)
        self.channels = tuple(fields.get("channels", ()))
        self.extras_as_packages = fields.get("extras_as_packages", False)
        self.v3 = fields.get("v3", False)
        self.python = fields.get("python", "")
        self.platform = fields.get("platform", "")
        self.timestamp = fields.get("timestamp", 0)
        self.find_metadata = fields.get("find_metadata")
        self.level = fields.get("level", 0)

    @property
    def known_names(self) -> dict[str, str]:
        """Normalized PyPI name -> conda name; the user's own come first."""
        return {**self.local_names, **self.names} if self.names else self.local_names


def find_metadata_near(root: str | os.PathLike[str]) -> MetadataSource:
    """`metadata_sources.for_project`, imported only when an extra of a dependency needs it."""
    found: list[MetadataSource] = []

    def find_metadata(name: str, specifier: str) -> bytes | None:
        if not found:
            from twofold.convert.metadata_sources import for_project

            found.append(for_project(root))
        return found[0](name, specifier)

    return find_metadata


def parse_options(table: Mapping[str, Any], where: str = "pyproject.toml") -> CondaOptions:
    """[tool.twofold.conda] as options. Raises ProjectErrors with all its mistakes."""
    problems: list[Problem] = []
    place = f"{where}: [tool.twofold.conda]"

    def report(key: str, message: str, hint: str) -> None:
        problems.append(Problem(message, hint, f"{place} {key}"))

    for key in table:
        if key not in KEYS:
            report(key, f"unknown key '{key}'", suggest(key, KEYS) or f"known: {', '.join(KEYS)}")
    name, names = _parse_names(table, report)
    lists = {}
    for key in ("depends", "constrains", "leave-out", "channels"):
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            report(key, "must be a list of texts", f'write {key} = ["name >=1"]')
            value = []
        lists[key] = value
    number = table.get("build-number", 0)
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        report("build-number", f"{number!r} is not a build number", "write build-number = 1")
        number = 0
    for key in ("extras-as-packages", "v3"):
        if not isinstance(table.get(key, False), bool):
            report(key, "must be true or false", f"write {key} = true")
    if problems:
        raise ProjectErrors(problems)
    return CondaOptions(
        name=name,
        names=names,
        depends=lists["depends"],
        constrains=lists["constrains"],
        leave_out=lists["leave-out"],
        build_number=number,
        channels=lists["channels"],
        extras_as_packages=table.get("extras-as-packages", False),
        v3=table.get("v3", False),
    )


def _parse_names(
    table: Mapping[str, Any], report: Callable[[str, str, str], None]
) -> tuple[str, dict[str, str]]:
    """The keys `name` and `names`; mistakes are reported."""
    name = table.get("name", "")
    if name and not (isinstance(name, str) and is_conda_name(name)):
        report("name", f"{name!r} is not a conda name", "use lower case, digits, '-', '_' and '.'")
    names = table.get("names", {})
    if not isinstance(names, dict):
        report("names", "must be a table", 'write names = {torch = "pytorch"}')
        names = {}
    for key, value in names.items():
        if not (isinstance(value, str) and is_conda_name(value)):
            report("names", f"{value!r} for '{key}' is not a conda name", "use lower case")
    return name, names
