"""From a wheel's tags to where its conda package belongs (PEP 425, 600, 656; CEP 20, 26, 30)."""

from __future__ import annotations

import re

from twofold.errors import TwofoldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_LINUX = {
    "x86_64": "64",
    "i686": "32",
    "i386": "32",
    "aarch64": "aarch64",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "armv7l": "armv7l",
    "armv6l": "armv6l",
    "riscv64": "riscv64",
}
#: PEP 513, 571 and 599 as the glibc they stand for (PEP 600).
_MANYLINUX_GLIBC = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}
_WINDOWS = {"win_amd64": "win-64", "win32": "win-32", "win_arm64": "win-arm64"}
#: conda's machine names -> Python's `platform_machine`, by system.
_MACHINES = {"linux-64": "x86_64", "linux-32": "i686", "osx-64": "x86_64", "win-64": "AMD64"}
_MACHINES |= {"win-32": "x86", "win-arm64": "ARM64", "osx-arm64": "arm64"}


class SubdirTarget:
    """A subdir and what its machine must have: `needs` are MatchSpecs of virtual packages."""

    __slots__ = ("needs", "subdir")

    def __init__(self, subdir: str, needs: Sequence[str] = ()) -> None:
        self.subdir = subdir
        self.needs = tuple(needs)

    @property
    def is_musl(self) -> bool:
        """For musl's libc (PEP 656), which shares the subdir with glibc's."""
        return any(need.startswith("__musl") for need in self.needs)


class Abi:
    """The Pythons a wheel is for.

    `minor` is '3.11' for a wheel of one CPython, '' otherwise; `tag` its abi tag (`cp311`,
    `cp313t`). `at_least` is the lowest minor version of a stable-ABI or pure wheel.
    """

    __slots__ = ("at_least", "minor", "tag")

    def __init__(self, minor: str = "", tag: str = "", at_least: str = "") -> None:
        self.minor = minor
        self.tag = tag
        self.at_least = at_least

    @property
    def spelt(self) -> str:
        """As `--python` says it: 3.12, 3.13t, and `3.9 and later`."""
        if self.minor:
            return self.minor + ("t" if self.tag.endswith("t") else "")
        return f"{self.at_least} and later" if self.at_least else "3"


def subdirs_for_tags(tags: Sequence[str]) -> list[SubdirTarget]:
    """The subdirs a wheel's package belongs to; `noarch` alone for `any`. Raises TwofoldError.

    Of several tags for one subdir the one that asks least of the machine counts. Only universal
    macOS wheels belong to more than one.
    """
    if all(tag.endswith("-any") for tag in tags):
        return [SubdirTarget("noarch")]
    found: dict[str, tuple[tuple[int, ...], SubdirTarget]] = {}
    for tag in tags:
        for place in _subdirs_for_platform_tag(tag.split("-")[-1]):
            key = _rank_target(place)
            if place.subdir not in found or key < found[place.subdir][0]:
                found[place.subdir] = (key, place)
    if not found:
        raise TwofoldError(
            f"there is no conda platform for the wheel's tags: {', '.join(tags)}",
            "choose a wheel for Linux, macOS or Windows",
        )
    return [place for _, (_, place) in sorted(found.items())]


def abis_for_tags(tags: Sequence[str], python: str = "") -> list[Abi]:
    """The Pythons a wheel runs on, one or more, each of which gets a package of its own.

    `python` ('3.12', '3.13t') chooses among several. The tags of a compressed set are multiplied
    out (`cp311.cp312-cp311.cp312`), so pairs of a Python with another's ABI mean nothing. Raises
    TwofoldError for wheels of other Pythons, and for a choice that the wheel is not for.
    """
    pairs = sorted({tuple(tag.split("-")[:2]) for tag in tags})
    stable = [tag for tag, abi in pairs if abi == "abi3" and re.fullmatch(r"cp3\d*", tag)]
    if stable:
        return [Abi(at_least=_minor_version(min(stable, key=_tag_number)))]
    if any(abi == "none" and tag == "py3" for tag, abi in pairs):
        return [Abi()]
    cpython = [(tag, abi) for tag, abi in pairs if re.fullmatch(r"cp3\d+", tag)]
    own = {abi if abi != "none" else tag: tag for tag, abi in cpython if _is_own_abi(tag, abi)}
    found = [Abi(_minor_version(tag), abi) for abi, tag in sorted(own.items(), key=_abi_sort_key)]
    lowest = [tag for tag, abi in pairs if abi == "none" and re.fullmatch(r"py3\d+", tag)]
    if lowest:
        found.append(Abi(at_least=_minor_version(min(lowest, key=_tag_number))))
    if not found and cpython:
        tag, abi = cpython[0]
        raise TwofoldError(
            f"no Python is what the wheel's tags say: {tag} has never the ABI {abi}",
            "build the wheel again, or choose another one of the release",
        )
    if not found:
        raise TwofoldError(
            f"the wheel is for another Python than CPython 3: {', '.join(tags)}",
            "choose a wheel tagged py3 or cp3XY",
        )
    return _select_abis(found, python) if python and len(found) > 1 else found


def _select_abis(abis: list[Abi], python: str) -> list[Abi]:
    """Those of several that run on one Python."""
    number = int(python.removesuffix("t").partition(".")[2])
    chosen = [
        abi
        for abi in abis
        if abi.spelt == python or (abi.at_least and int(abi.at_least.partition(".")[2]) <= number)
    ]
    if chosen:
        return chosen
    raise TwofoldError(
        f"the wheel is not for Python {python}: it is for {', '.join(a.spelt for a in abis)}",
        "choose one of these with --python, or another wheel of the release",
    )


def _is_own_abi(python: str, abi: str) -> bool:
    """Whether an ABI tag can be one of a CPython's own: cp313, cp313t, cp37m, or none at all."""
    return abi == "none" or re.fullmatch(rf"{python}[a-z]*", abi) is not None


def _tag_number(tag: str) -> int:
    return int(re.sub(r"\D", "", tag)[1:] or 0)


def _abi_sort_key(pair: tuple[str, str]) -> tuple[int, str]:
    return _tag_number(pair[1]), pair[0]


def abi_from_depends(depends: Sequence[str]) -> Abi:
    """The Python of a platform package, which says it by its `python_abi`."""
    found = [re.fullmatch(r"python_abi (3\.\d+)\.\* \*_(\w+)", spec) for spec in depends]
    return next((Abi(one[1], one[2]) for one in found if one), Abi())


def get_platform_machine(subdir: str) -> str:
    """`platform_machine` on a subdir's machines."""
    return _MACHINES.get(subdir, subdir.partition("-")[2])


#: Said after a Linux subdir: the wheels for musl (Alpine), which share the subdir with glibc's.
MUSL = "-musl"


def subdir_for_platform(platform: str) -> str:
    """The subdir of what `--platform` says: `linux-64-musl` is `linux-64`."""
    return platform.removesuffix(MUSL)


def pip_platform_tags(platform: str) -> list[str]:
    """Platform tags that pip takes for a subdir, the newest first (for `pip --platform`)."""
    subdir = subdir_for_platform(platform)
    system, _, machine = subdir.partition("-")
    arch = next((arch for arch, name in _LINUX.items() if name == machine), "")
    if system == "linux" and arch:
        if platform.endswith(MUSL):
            return [*(f"musllinux_1_{minor}_{arch}" for minor in range(2, -1, -1)), f"linux_{arch}"]
        tags = [f"manylinux_2_{minor}_{arch}" for minor in range(39, 4, -1)]
        old = [f"{name}_{arch}" for name in ("manylinux2014", "manylinux2010", "manylinux1")]
        return [*tags, *old, f"linux_{arch}"]
    if subdir in ("osx-64", "osx-arm64") and subdir == platform:
        arch = "arm64" if machine == "arm64" else "x86_64"
        tags = [
            f"macosx_{major}_0_{kind}"
            for major in (26, *range(15, 10, -1))
            for kind in (arch, "universal2")
        ]
        if arch == "x86_64":
            tags += [
                f"macosx_10_{minor}_{k}"
                for minor in range(16, 8, -1)
                for k in (arch, "universal2", "intel")
            ]
        return tags
    windows = next((tag for tag, name in _WINDOWS.items() if name == platform), "")
    if not windows:
        raise TwofoldError(
            f"'{platform}' is no platform that wheels are made for",
            "the usual ones are linux-64, linux-aarch64, osx-arm64, osx-64 and win-64; "
            "linux-64-musl is Alpine's",
        )
    return [windows]


def _minor_version(python: str) -> str:
    """`cp311` -> `3.11`, `cp3` -> `3.2` (the stable ABI's first)."""
    return f"{python[2]}.{python[3:] or '2'}"


def _rank_target(place: SubdirTarget) -> tuple[int, ...]:
    """How much a place asks for: musl is no choice where there is glibc."""
    version = place.needs[0].partition(">=")[2] if place.needs else ""
    numbers = tuple(int(part) for part in version.split(".") if part.isdigit())
    return (1 if place.is_musl else 0, *numbers)


def _subdirs_for_platform_tag(platform: str) -> list[SubdirTarget]:
    if platform in _WINDOWS:
        return [SubdirTarget(_WINDOWS[platform], ["__win"])]
    mac = re.fullmatch(r"macosx_(\d+)_(\d+)_(\w+)", platform)
    if mac:
        needs = [f"__osx >={mac[1]}.{mac[2]}"]
        subdirs = {"x86_64": ["osx-64"], "intel": ["osx-64"], "arm64": ["osx-arm64"]}
        subdirs |= {name: ["osx-64", "osx-arm64"] for name in ("universal2",)}
        # On Apple's own processors everything before macOS 11 means 11.
        return [
            SubdirTarget(
                subdir, ["__osx >=11.0"] if subdir == "osx-arm64" and int(mac[1]) < 11 else needs
            )
            for subdir in subdirs.get(
                mac[3], ["osx-64"] if mac[3].startswith("fat") or mac[3] == "universal" else []
            )
        ]
    linux = re.fullmatch(
        r"(manylinux1|manylinux2010|manylinux2014|linux|(manylinux|musllinux)_(\d+)_(\d+))_(\w+)",
        platform,
    )
    if not linux or linux[5] not in _LINUX:
        return []
    subdir = f"linux-{_LINUX[linux[5]]}"
    if linux[1] == "linux":
        return [SubdirTarget(subdir, ["__linux"])]
    libc = "__musl" if linux[2] == "musllinux" else "__glibc"
    version = _MANYLINUX_GLIBC.get(linux[1]) or f"{linux[3]}.{linux[4]}"
    return [SubdirTarget(subdir, [f"{libc} >={version}"])]
