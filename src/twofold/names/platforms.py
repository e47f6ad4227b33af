"""The one table of platforms: conda's subdir, wheel tags, the values of markers, uv's name.

A `Target` is a Python and a platform. Wheel tags are those of PEP 425, 513, 571, 599, 600 and 656,
markers PEP 508's, subdirs CEP 26's. `linux-64-musl` means Alpine's machines, which share the subdir
`linux-64` with glibc's.
"""

from __future__ import annotations

from typing import NamedTuple

from twofold.errors import TwofoldError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from packaging.tags import Tag

#: Ends the name of a platform whose wheels are for musl.
MUSL = "-musl"
#: Values of markers by system, the first part of a subdir.
SYSTEMS = {
    "linux": {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"},
    "osx": {"os_name": "posix", "sys_platform": "darwin", "platform_system": "Darwin"},
    "win": {"os_name": "nt", "sys_platform": "win32", "platform_system": "Windows"},
}


class Target(NamedTuple):
    """What wheels are for: `python` ('3.12', '3.13t'), `platform` ('linux-64', 'linux-64-musl').

    '' is this machine's.
    """

    python: str = ""
    platform: str = ""

    @classmethod
    def parse(cls, python: str, platform: str) -> Target:
        """Return a target that a project can be resolved for. Raises UsageError for others."""
        major, _, minor = python.partition(".")
        if major != "3" or not (minor.isascii() and minor.isdigit() and len(minor) < 4):
            raise UsageError(f"'{python}' is not a Python version", "write it as 3.12")
        if platform not in CONDA_FORGE:
            known = ", ".join(CONDA_FORGE)
            raise UsageError(f"'{platform}' is not a known platform", f"one of: {known}")
        return cls(python, platform)

    def make_marker_environment(self) -> dict[str, str]:
        """Return the environment for evaluating markers (PEP 508)."""
        return make_marker_environment(self.platform, f"{self.python}.0")

    def rank_wheel_tags(self) -> dict[Tag, int]:
        """Return the tags of compatible wheels -> their rank, best first."""
        from packaging.tags import compatible_tags, cpython_tags, mac_platforms

        system, _, machine = self.platform.partition("-")
        if system == "osx":
            machine = "arm64" if machine == "arm64" else "x86_64"
            platforms = list(mac_platforms(_MACOS, machine))
        else:
            platforms = to_wheel_platform_tags(self.platform)
        version = (3, int(self.python.partition(".")[2]))
        found = [*cpython_tags(version, platforms=platforms)]
        found += compatible_tags(version, f"cp3{version[1]}", platforms)
        return {tag: rank for rank, tag in enumerate(dict.fromkeys(found))}


class Platform:
    """One subdir: `machine` is `platform_machine`, `tag` ends its wheel tags, `uv` is uv's name.

    `uv_musl` is uv's name of the same machine with musl; '' where uv has none.
    """

    __slots__ = ("machine", "subdir", "tag", "uv", "uv_musl")

    def __init__(
        self, subdir: str, machine: str, tag: str, uv: str = "", uv_musl: str = ""
    ) -> None:
        self.subdir = subdir
        self.machine = machine
        self.tag = tag
        self.uv = uv
        self.uv_musl = uv_musl

    @property
    def system(self) -> str:
        """`linux`, `osx` or `win`."""
        return self.subdir.partition("-")[0]


def _make_linux(subdir: str, machine: str, uv: str = "", uv_musl: str = "") -> Platform:
    return Platform(subdir, machine, machine, uv, uv_musl)


PLATFORMS = {
    platform.subdir: platform
    for platform in (
        _make_linux("linux-64", "x86_64", "x86_64-manylinux_2_39", "x86_64-unknown-linux-musl"),
        _make_linux("linux-32", "i686"),
        _make_linux(
            "linux-aarch64", "aarch64", "aarch64-manylinux_2_39", "aarch64-unknown-linux-musl"
        ),
        _make_linux("linux-ppc64le", "ppc64le"),
        _make_linux("linux-s390x", "s390x"),
        _make_linux("linux-armv7l", "armv7l"),
        _make_linux("linux-armv6l", "armv6l"),
        _make_linux("linux-riscv64", "riscv64", "riscv64-unknown-linux"),
        Platform("osx-64", "x86_64", "x86_64", "x86_64-apple-darwin"),
        Platform("osx-arm64", "arm64", "arm64", "aarch64-apple-darwin"),
        Platform("win-32", "x86", "win32", "i686-pc-windows-msvc"),
        Platform("win-64", "AMD64", "win_amd64", "x86_64-pc-windows-msvc"),
        Platform("win-arm64", "ARM64", "win_arm64", "aarch64-pc-windows-msvc"),
    )
}
#: The platforms that conda-forge builds for.
CONDA_FORGE = ("linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64")
#: How systems and machines call themselves where it is not as in the table.
_SYSTEM_NAMES = {"darwin": "osx", "macosx": "osx", "win32": "win", "windows": "win"}
_MACHINE_NAMES = {"amd64": "x86_64", "i386": "i686", "x86": "i686", "win32": "i686"}
#: Older names of manylinux tags, whose glibc is fixed.
OLD_MANYLINUX = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}
#: The newest macOS whose wheels a resolution takes: that of 2024.
_MACOS = (14, 0)
#: The newest minor version of glibc 2 whose wheels are taken, as uv's names have it.
_GLIBC = 39


def to_subdir(platform: str) -> str:
    """The subdir of a platform such as `linux-64-musl`: `linux-64`."""
    return platform.removesuffix(MUSL)


def find_subdir(system: str, machine: str) -> str:
    """The subdir of a machine as Python describes it: `darwin` and `arm64` are `osx-arm64`.

    `system` is `sys.platform` or the first part of a platform tag. A machine that the table does
    not have keeps its own name.
    """
    system = _SYSTEM_NAMES.get(system, system)
    machine = machine.lower()
    machine = _MACHINE_NAMES.get(machine, machine)
    if system == "linux" and machine == "arm64":
        machine = "aarch64"
    arch = {"x86_64": "64", "i686": "32"}.get(machine, machine)
    return f"{system}-{arch}"


def find_linux_subdir(machine: str) -> str | None:
    """The subdir of the machine in a Linux wheel's tag (`x86_64`), None for an unknown one."""
    machine = "i686" if machine == "i386" else machine
    rows = PLATFORMS.values()
    return next((one.subdir for one in rows if one.system == "linux" and one.tag == machine), None)


def find_windows_subdir(tag: str) -> str | None:
    """The subdir of a Windows wheel's tag (`win_amd64`), None for another tag."""
    found = (one.subdir for one in PLATFORMS.values() if one.system == "win" and one.tag == tag)
    return next(found, None)


def to_uv_platform(platform: str) -> str:
    """uv's name of a platform, '' where uv resolves for no such one."""
    row = PLATFORMS.get(to_subdir(platform))
    if row is None:
        return ""
    return row.uv_musl if platform.endswith(MUSL) else row.uv


def list_uv_platforms() -> list[str]:
    """The platforms that uv resolves for."""
    names = [name for subdir in PLATFORMS for name in (subdir, f"{subdir}{MUSL}")]
    return [name for name in names if to_uv_platform(name)]


def make_marker_environment(subdir: str, python: str) -> dict[str, str]:
    """The environment that markers are evaluated in (PEP 508): CPython, `python` as X.Y.Z."""
    machine = PLATFORMS[subdir].machine if subdir in PLATFORMS else subdir.partition("-")[2]
    return {
        "implementation_name": "cpython",
        "implementation_version": python,
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_version": "",
        "python_full_version": python,
        "python_version": ".".join(python.split(".")[:2]),
        **SYSTEMS[subdir.partition("-")[0]],
    }


def to_wheel_platform_tags(platform: str) -> list[str]:
    """Platform tags of the wheels that fit a platform, the newest first. Raises TwofoldError."""
    row = PLATFORMS.get(to_subdir(platform))
    is_musl = platform.endswith(MUSL)
    if row is None or (is_musl and row.system != "linux"):
        raise TwofoldError(
            f"wheels are made for no platform '{platform}'",
            "the usual ones are linux-64, linux-aarch64, osx-arm64, osx-64 and win-64; "
            "linux-64-musl is Alpine's",
        )
    if row.system == "win":
        return [row.tag]
    if row.system == "osx":
        return _list_mac_tags(row.tag)
    if is_musl:
        tags = [f"musllinux_1_{minor}_{row.tag}" for minor in range(2, -1, -1)]
    else:
        tags = [f"manylinux_2_{minor}_{row.tag}" for minor in range(_GLIBC, 4, -1)]
        tags += [f"{name}_{row.tag}" for name in reversed(OLD_MANYLINUX)]
    return [*tags, f"linux_{row.tag}"]


def _list_mac_tags(machine: str) -> list[str]:
    tags = [
        f"macosx_{major}_0_{kind}"
        for major in (26, *range(15, 10, -1))
        for kind in (machine, "universal2")
    ]
    if machine == "x86_64":
        tags += [
            f"macosx_10_{minor}_{kind}"
            for minor in range(16, 8, -1)
            for kind in (machine, "universal2", "intel")
        ]
    return tags
