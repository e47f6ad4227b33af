"""The environment that a sync is for: a Python version and a platform."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms

from twofold.errors import UsageError

#: conda's platform -> (sys_platform, os_name, platform_system, platform_machine).
_MACHINES = {
    "linux-64": ("linux", "posix", "Linux", "x86_64"),
    "linux-aarch64": ("linux", "posix", "Linux", "aarch64"),
    "osx-64": ("darwin", "posix", "Darwin", "x86_64"),
    "osx-arm64": ("darwin", "posix", "Darwin", "arm64"),
    "win-64": ("win32", "nt", "Windows", "AMD64"),
}

#: The newest glibc and macOS whose wheels match: those of the distributions of 2024.
_GLIBC, _MACOS = 39, (14, 0)


@dataclass(frozen=True)
class TargetEnvironment:
    """A Python version (X.Y) and a conda platform. Raises UsageError for others."""

    python: str
    platform: str

    def __post_init__(self) -> None:
        major, _, minor = self.python.partition(".")
        if major != "3" or not minor.isdigit():
            raise UsageError(f"'{self.python}' is not a Python version", "write it as 3.12")
        if self.platform not in _MACHINES:
            known = ", ".join(_MACHINES)
            raise UsageError(f"'{self.platform}' is not a known platform", f"one of: {known}")

    def marker_environment(self) -> dict[str, str]:
        """Return the environment for evaluating markers (PEP 508)."""
        platform, os_name, system, machine = _MACHINES[self.platform]
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": platform,
            "os_name": os_name,
            "platform_system": system,
            "platform_machine": machine,
        }

    def wheel_tags(self) -> dict[Tag, int]:
        """Return the tags of compatible wheels -> their rank, best first."""
        version = (3, int(self.python.partition(".")[2]))
        platforms = self._platforms()
        found = [*cpython_tags(version, platforms=platforms)]
        found += compatible_tags(version, f"cp3{version[1]}", platforms)
        return {tag: rank for rank, tag in enumerate(dict.fromkeys(found))}

    def _platforms(self) -> list[str]:
        platform, _, _, machine = _MACHINES[self.platform]
        if platform == "win32":
            return ["win_amd64"]
        if platform == "darwin":
            return list(mac_platforms(_MACOS, machine))
        named = [f"manylinux_2_{minor}_{machine}" for minor in range(_GLIBC, 4, -1)]
        old = [f"{name}_{machine}" for name in ("manylinux2014", "manylinux2010", "manylinux1")]
        return [*named, *old, f"linux_{machine}"]
