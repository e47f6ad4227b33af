"""What a user may say about the conda side: [tool.twofold.conda], and the command line."""

from __future__ import annotations

from twofold.errors import Problem, ProjectErrors
from twofold.names import is_conda_name, normalize_name
from twofold_build.diagnostics import suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from typing import Any

    from twofold.convert.metadata_sources import MetadataSource

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
    """How a conda package is to differ from what its metadata say.

    `name` overrides the conda name of the project; `names` maps PyPI names to conda names;
    `at_hand` does the same for packages that are there (the set being converted, the channel)
    and gives way to `names`. `depends` and `constrains` are added MatchSpecs, `leave_out` PyPI
    names of dependencies that conda does not need. `channels` are where its dependencies live.
    `extras_as_packages` makes `name-extra` packages. `v3` adds the records of CEP 43-48.
    `python` ('3.12', '3.13t') and `platform` ('linux-64') narrow it down to one target where its
    markers ask for more than one. `timestamp` is in milliseconds UTC, 0 for the wheel's own.
    `metadata_of` gives the METADATA of a dependency for its extras (convert/dependencies.py).
    `level` is the compressor's, 0 for the fast default.
    """

    __slots__ = (
        "at_hand",
        "build_number",
        "channels",
        "constrains",
        "depends",
        "extras_as_packages",
        "leave_out",
        "level",
        "metadata_of",
        "name",
        "names",
        "platform",
        "python",
        "timestamp",
        "v3",
    )

    def __init__(
        self,
        name: str = "",
        names: Mapping[str, str] | None = None,
        at_hand: Mapping[str, str] | None = None,
        depends: Sequence[str] = (),
        constrains: Sequence[str] = (),
        leave_out: Sequence[str] = (),
        build_number: int = 0,
        channels: Sequence[str] = (),
        extras_as_packages: bool = False,
        v3: bool = False,
        python: str = "",
        platform: str = "",
        timestamp: int = 0,
        metadata_of: MetadataSource | None = None,
        level: int = 0,
    ) -> None:
        self.name = name
        self.names = {normalize_name(key): value for key, value in (names or {}).items()}
        self.at_hand = dict(at_hand or {})
        self.depends = tuple(depends)
        self.constrains = tuple(constrains)
        self.leave_out = frozenset(map(normalize_name, leave_out))
        self.build_number = build_number
        self.channels = tuple(channels)
        self.extras_as_packages = extras_as_packages
        self.v3 = v3
        self.python = python
        self.platform = platform
        self.timestamp = timestamp
        self.metadata_of = metadata_of
        self.level = level

    @property
    def known_names(self) -> dict[str, str]:
        """Normalised PyPI name -> conda name, the user's word first."""
        return {**self.at_hand, **self.names} if self.names else self.at_hand


def find_metadata_near(root: str | os.PathLike[str]) -> MetadataSource:
    """`dependencies.for_project`, imported only when a dependency's extra asks for it."""
    found: list[MetadataSource] = []

    def metadata_of(name: str, specifier: str) -> bytes | None:
        if not found:
            from twofold.convert.metadata_sources import for_project

            found.append(for_project(root))
        return found[0](name, specifier)

    return metadata_of


def parse_options(table: Mapping[str, Any], where: str = "pyproject.toml") -> CondaOptions:
    """[tool.twofold.conda] as options. Raises ProjectErrors with all its mistakes."""
    problems: list[Problem] = []
    place = f"{where}: [tool.twofold.conda]"

    def tell(key: str, message: str, hint: str) -> None:
        problems.append(Problem(message, hint, f"{place} {key}"))

    for key in table:
        if key not in KEYS:
            tell(key, f"unknown key '{key}'", suggest(key, KEYS) or f"known: {', '.join(KEYS)}")
    name = table.get("name", "")
    if name and not (isinstance(name, str) and is_conda_name(name)):
        tell("name", f"{name!r} is no conda name", "use lower case, digits, '-', '_' and '.'")
    names = table.get("names", {})
    if not isinstance(names, dict):
        tell("names", "must be a table", 'write names = {torch = "pytorch"}')
        names = {}
    for key, value in names.items():
        if not (isinstance(value, str) and is_conda_name(value)):
            tell("names", f"{value!r} for '{key}' is no conda name", "use lower case")
    lists = {}
    for key in ("depends", "constrains", "leave-out", "channels"):
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            tell(key, "must be a list of texts", f'write {key} = ["name >=1"]')
            value = []
        lists[key] = value
    number = table.get("build-number", 0)
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        tell("build-number", f"{number!r} is no build number", "write build-number = 1")
        number = 0
    for key in ("extras-as-packages", "v3"):
        if not isinstance(table.get(key, False), bool):
            tell(key, "must be true or false", f"write {key} = true")
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
