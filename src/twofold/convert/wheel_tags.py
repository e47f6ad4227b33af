"""What a wheel's tags mean for conda: subdirs, virtual packages, Pythons (PEP 425; CEP 20, 26, 30).

The tables of platforms are in `names/platforms.py`.
"""

from __future__ import annotations

from twofold.errors import TwofoldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def find_build_number(build_tag: str) -> int:
    """Return the conda build number of a wheel's build tag (`2_cuda`): installers take the highest.

    0 without a tag, and for a number that conda's clients could not hold.
    """
    digits = build_tag[: len(build_tag) - len(build_tag.lstrip("0123456789"))]
    return int(digits) if 0 < len(digits) <= 9 else 0


class MarkerScope:
    """What a package is for: the Pythons and platforms that its markers are evaluated on.

    `minor` is one Python ('3.11') or '', `subdir` one subdir or ''. `python` ('3.12', or '3.13t')
    and `platform` narrow it down to one target, but only where markers differ.
    """

    __slots__ = ("minor", "platform", "python", "requires_python", "subdir")

    def __init__(
        self,
        requires_python: str = "",
        minor: str = "",
        subdir: str = "",
        python: str = "",
        platform: str = "",
    ) -> None:
        self.requires_python = requires_python
        self.minor = minor
        self.subdir = subdir
        self.python = python.removesuffix("t")
        self.platform = platform


class Variant:
    """One of the packages that markers make of a wheel.

    `low` and `high` bound its Pythons (`low` <= python < `high`), '' where markers set no bound.
    `guard` is a virtual package or ''; `subdir` is '' unless the machine matters. `label` goes
    into the build string.
    """

    __slots__ = ("depends", "guard", "high", "label", "low", "subdir")

    def __init__(
        self,
        depends: tuple[str, ...],
        low: str = "",
        high: str = "",
        guard: str = "",
        subdir: str = "",
        label: str = "py",
    ) -> None:
        self.depends = depends
        self.low = low
        self.high = high
        self.guard = guard
        self.subdir = subdir
        self.label = label


class SubdirTarget:
    """A subdir and the MatchSpecs of `virtual_packages` that its machine must have."""

    __slots__ = ("subdir", "virtual_packages")

    def __init__(self, subdir: str, virtual_packages: Sequence[str] = ()) -> None:
        self.subdir = subdir
        self.virtual_packages = tuple(virtual_packages)

    @property
    def is_musl(self) -> bool:
        """For musl's libc (PEP 656), which shares the subdir with glibc's."""
        return any(spec.startswith("__musl") for spec in self.virtual_packages)


class Abi:
    """The Pythons a wheel is for.

    `minor` is '3.11' for a wheel of one CPython, '' otherwise; `tag` its abi tag (`cp311`,
    `cp313t`). `min_python` is the lowest minor version of a stable-ABI or pure wheel.
    """

    __slots__ = ("min_python", "minor", "tag")

    def __init__(self, minor: str = "", tag: str = "", min_python: str = "") -> None:
        self.minor = minor
        self.tag = tag
        self.min_python = min_python

    @property
    def description(self) -> str:
        """As `--python` has it: 3.12, 3.13t; or `3.9 and later`."""
        if self.minor:
            return self.minor + ("t" if self.tag.endswith("t") else "")
        return f"{self.min_python} and later" if self.min_python else "3"


def subdirs_for_tags(tags: Sequence[str]) -> list[SubdirTarget]:
    """The subdirs a wheel's package belongs to; `noarch` alone for `any`. Raises TwofoldError.

    Of several tags for one subdir the least demanding counts. Only universal
    macOS wheels belong to more than one.
    """
    if all(tag.endswith("-any") for tag in tags):
        return [SubdirTarget("noarch")]
    found: dict[str, tuple[tuple[int, ...], SubdirTarget]] = {}
    for tag in tags:
        for target in _subdirs_for_platform_tag(tag.split("-")[-1]):
            key = _rank_target(target)
            if target.subdir not in found or key < found[target.subdir][0]:
                found[target.subdir] = (key, target)
    if not found:
        raise TwofoldError(
            f"conda has no platform for the wheel's tags: {', '.join(tags)}",
            "choose a wheel for Linux, macOS or Windows",
        )
    return [target for _, (_, target) in sorted(found.items())]


def abis_for_tags(tags: Sequence[str], python: str = "") -> list[Abi]:
    """The Pythons a wheel runs on, one or more, each of which gets a package of its own.

    `python` ('3.12', '3.13t') chooses among several. The tags of a compressed set are multiplied
    out (`cp311.cp312-cp311.cp312`), so pairs of a Python with another's ABI mean nothing. Raises
    TwofoldError for wheels of other Pythons, and for a choice that the wheel is not for.
    """
    pairs = sorted({tuple(tag.split("-")[:2]) for tag in tags})
    stable = [tag for tag, abi in pairs if abi == "abi3" and _is_numbered(f"{tag}0", "cp3")]
    if stable:
        return [Abi(min_python=_minor_version(min(stable, key=_tag_number)))]
    if any(abi == "none" and tag == "py3" for tag, abi in pairs):
        return [Abi()]
    cpython = [(tag, abi) for tag, abi in pairs if _is_numbered(tag, "cp3")]
    own = {abi if abi != "none" else tag: tag for tag, abi in cpython if _is_own_abi(tag, abi)}
    found = [Abi(_minor_version(tag), abi) for abi, tag in sorted(own.items(), key=_abi_sort_key)]
    lowest = [tag for tag, abi in pairs if abi == "none" and _is_numbered(tag, "py3")]
    if lowest:
        found.append(Abi(min_python=_minor_version(min(lowest, key=_tag_number))))
    if not found and cpython:
        tag, abi = cpython[0]
        raise TwofoldError(
            f"no Python matches the wheel's tags: {tag} never has the ABI {abi}",
            "build the wheel again, or choose another one of the release",
        )
    if not found:
        raise TwofoldError(
            f"the wheel is for another Python than CPython 3: {', '.join(tags)}",
            "choose a wheel tagged py3 or cp3XY",
        )
    return _select_abis(found, python) if python and len(found) > 1 else found


def _is_numbered(tag: str, prefix: str) -> bool:
    """Whether a tag is a prefix and digits. No expression: a build would wait for `re`."""
    return tag.startswith(prefix) and tag[len(prefix) :].isdecimal()


def _select_abis(abis: list[Abi], python: str) -> list[Abi]:
    """Those of several that run on one Python."""
    number = int(python.removesuffix("t").partition(".")[2])
    chosen = [
        abi
        for abi in abis
        if abi.description == python
        or (abi.min_python and int(abi.min_python.partition(".")[2]) <= number)
    ]
    if chosen:
        return chosen
    raise TwofoldError(
        f"the wheel is not for Python {python}: it is for {', '.join(a.description for a in abis)}",
        "choose one of these with --python, or another wheel of the release",
    )


def _is_own_abi(python: str, abi: str) -> bool:
    """Whether an ABI tag can be one of a CPython's own: cp313, cp313t, cp37m, or none at all."""
    return abi == "none" or (
        abi.startswith(python) and not abi[len(python) :].strip("abcdefghijklmnopqrstuvwxyz")
    )


def _tag_number(tag: str) -> int:
    return int("".join(filter(str.isdecimal, tag))[1:] or 0)


def _abi_sort_key(pair: tuple[str, str]) -> tuple[int, str]:
    return _tag_number(pair[1]), pair[0]


def abi_from_depends(depends: Sequence[str]) -> Abi:
    """The Python of a platform package, from its `python_abi`."""
    specs = [spec for spec in depends if spec.startswith("python_abi ")]
    if not specs:
        return Abi()
    import re

    found = [re.fullmatch(r"python_abi (3\.\d+)\.\* \*_(\w+)", spec) for spec in specs]
    return next((Abi(one[1], one[2]) for one in found if one), Abi())


def _minor_version(python: str) -> str:
    """`cp311` -> `3.11`, `cp3` -> `3.2` (the stable ABI's first)."""
    return f"{python[2]}.{python[3:] or '2'}"


def _rank_target(target: SubdirTarget) -> tuple[int, ...]:
    """How much a target demands: musl is not chosen where the wheel is for glibc too."""
    version = target.virtual_packages[0].partition(">=")[2] if target.virtual_packages else ""
    numbers = tuple(int(part) for part in version.split(".") if part.isascii() and part.isdigit())
    return (1 if target.is_musl else 0, *numbers)


def _subdirs_for_platform_tag(platform: str) -> list[SubdirTarget]:
    import re

    from twofold.names.platforms import OLD_MANYLINUX, find_linux_subdir, find_windows_subdir

    windows = find_windows_subdir(platform)
    if windows:
        return [SubdirTarget(windows, ["__win"])]
    mac = re.fullmatch(r"macosx_(\d+)_(\d+)_(\w+)", platform)
    if mac:
        return _mac_subdirs(int(mac[1]), int(mac[2]), mac[3])
    linux = re.fullmatch(
        r"(manylinux1|manylinux2010|manylinux2014|linux|(manylinux|musllinux)_(\d+)_(\d+))_(\w+)",
        platform,
    )
    subdir = find_linux_subdir(linux[5]) if linux else None
    if not linux or not subdir:
        return []
    if linux[1] == "linux":
        return [SubdirTarget(subdir, ["__linux"])]
    libc = "__musl" if linux[2] == "musllinux" else "__glibc"
    version = OLD_MANYLINUX.get(linux[1]) or f"{linux[3]}.{linux[4]}"
    return [SubdirTarget(subdir, [f"{libc} >={version}"])]


def _mac_subdirs(major: int, minor: int, machine: str) -> list[SubdirTarget]:
    """Targets of a macOS wheel; on Apple's own processors every macOS before 11 means 11."""
    targets = []
    if machine in ("x86_64", "intel", "universal2", "universal") or machine.startswith("fat"):
        targets.append(SubdirTarget("osx-64", [f"__osx >={major}.{minor}"]))
    if machine in ("arm64", "universal2"):
        newest = f"{major}.{minor}" if major >= 11 else "11.0"
        targets.append(SubdirTarget("osx-arm64", [f"__osx >={newest}"]))
    return targets
