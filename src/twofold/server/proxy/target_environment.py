"""The Python and the platform that releases are chosen for, their markers and wheel tags."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms

from twofold.errors import UsageError
from twofold.names.platforms import make_marker_environment, to_wheel_platform_tags

#: The platforms that projects can be synced for.
PLATFORMS = ("linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64")
#: The newest macOS whose wheels match: that of 2024.
_MACOS = (14, 0)


@dataclass(frozen=True)
class TargetEnvironment:
    """A Python version (X.Y) and a conda platform. Raises UsageError for others."""

    python: str
    platform: str

    def __post_init__(self) -> None:
        major, _, minor = self.python.partition(".")
        if major != "3" or not (minor.isascii() and minor.isdigit() and len(minor) < 4):
            raise UsageError(f"'{self.python}' is not a Python version", "write it as 3.12")
        if self.platform not in PLATFORMS:
            known = ", ".join(PLATFORMS)
            raise UsageError(f"'{self.platform}' is not a known platform", f"one of: {known}")

    def marker_environment(self) -> dict[str, str]:
        """Return the environment for evaluating markers (PEP 508)."""
        return make_marker_environment(self.platform, f"{self.python}.0")

    def wheel_tags(self) -> dict[Tag, int]:
        """Return the tags of compatible wheels -> their rank, best first."""
        version = (3, int(self.python.partition(".")[2]))
        platforms = self._platforms()
        found = [*cpython_tags(version, platforms=platforms)]
        found += compatible_tags(version, f"cp3{version[1]}", platforms)
        return {tag: rank for rank, tag in enumerate(dict.fromkeys(found))}

    def _platforms(self) -> list[str]:
        system, _, machine = self.platform.partition("-")
        if system == "osx":
            return list(mac_platforms(_MACOS, "arm64" if machine == "arm64" else "x86_64"))
        return to_wheel_platform_tags(self.platform)
