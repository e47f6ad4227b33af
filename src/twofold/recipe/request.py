"""What a recipe is read for (platform, Python, environment) and how it is built."""

from __future__ import annotations

import platform as running
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from twofold.artifact import Kind
from twofold.errors import TwofoldError
from twofold.names.platforms import find_subdir

#: Names of variables whose value no recipe gets: it would end in the package's info/recipe.
_SECRET = re.compile(
    r"token|secret|pass(w|phrase|$|_)|credential|key(_|s?$)|private|auth|cookie|session|signing"
    r"|(^|_)(pat|psk|otp|jwt|sas|dsn|creds?|psw|pw|login)(_|$)|_(pwd|cert)(_|$)|apikey|webhook"
    r"|connection_?str|netrc",
    re.I,
)

#: Values that hold a secret whatever their name: a login in a URL or before a host; tokens with a
#: known beginning; headers, queries, connection strings and files of credentials.
_SECRET_VALUE = re.compile(
    r"://(?!git@)[^/\s@]+@|^[^/\s@:]+:[^/\s@:]+@[\w-]+[.:][\w.:-]+/?$"
    r"|\b(gh[oprsu]_|github_pat_|glpat-|pypi-|twofold-|xox[abeoprs]-|A[KS]IA|[rs]k_live_)\w{8}"
    r"|\b(npm_|hf_|dckr_pat_|AIza|ya29\.|hvs\.|SG\.)\w{8}|\bsk-[\w-]{20}"
    r"|\beyJ[\w-]{8,}\.[\w-]+\.|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(?i:bearer|basic|token|apikey) [\w+/=.~-]{16}|\"auth\"\s*:|//hooks\.|/webhooks?/"
    r"|(?i:key|password|pwd|secret|token|sig|signature)\s*=\s*[^\s;&]{4}"
    r"|(?i:\bpassword\s+\S)"
)
_MINOR = re.compile(r"\W*([23]\.\d+)")


class Environ(Mapping[str, str]):
    """The environment without its secrets; reading a secret by name is an error."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._hidden = {
            name
            for name, text in variables.items()
            if _SECRET.search(name) or _SECRET_VALUE.search(text)
        }
        self._open = {name: text for name, text in variables.items() if name not in self._hidden}

    def __getitem__(self, name: str) -> str:
        self.check_not_secret(name)
        return self._open[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._open)

    def __len__(self) -> int:
        return len(self._open)

    def check_not_secret(self, name: str) -> None:
        """Raise TwofoldError if the name is that of a secret."""
        if name in self._hidden or _SECRET.search(name):
            raise TwofoldError(
                f"environ['{name}'] looks like a secret and is hidden from recipes",
                "a recipe's text is kept inside the package; do not read secrets in a recipe",
            )


@dataclass(frozen=True, slots=True)
class Platform:
    """A conda subdir (`linux-64`) and a Python (`3.12`)."""

    subdir: str
    python: str

    @classmethod
    def current(cls) -> Platform:
        """Return the platform and the Python that run now."""
        subdir = find_subdir(sys.platform, running.machine())
        return cls(subdir, f"{sys.version_info.major}.{sys.version_info.minor}")

    def with_python(self, value: str) -> Platform:
        """Return the same platform with the Python that a variant names."""
        return Platform(self.subdir, parse_minor(value) or self.python)

    @property
    def is_python_2(self) -> bool:
        """Whether the Python is one that only old recipes name, and twofold cannot run."""
        return self.python.startswith("2.")

    @property
    def python_spec(self) -> str:
        """The requirement of a package for exactly this Python."""
        major, minor = self.python.split(".")[:2]
        return f"python >={major}.{minor},<{major}.{int(minor) + 1}.0a0"

    def variables(self) -> dict[str, object]:
        """Make the variables of selectors and Jinja, as in conda-build."""
        system, _, machine = self.subdir.partition("-")
        py = int(self.python.replace(".", ""))
        names: dict[str, object] = {
            "linux": system == "linux",
            "osx": system == "osx",
            "win": system == "win",
            "unix": system in ("linux", "osx", "emscripten", "wasi"),
            "emscripten": system == "emscripten",
            "wasi": system == "wasi",
            "freebsd": system == "freebsd",
            "zos": system == "zos",
            "x86": machine in ("32", "64"),
            "x86_64": machine == "64",
            "arm64": machine == "arm64",
            "arm": self.subdir.startswith("linux-arm"),
            "py": py,
            "py3k": not self.is_python_2,
            "py2k": self.is_python_2,
            "python": self.python,
            "PY_VER": self.python,
            "CONDA_PY": str(py),
            "target_platform": self.subdir,
            "build_platform": self.subdir,
            "nomkl": False,
        }
        names.update({f"{word}32": self.subdir == f"{word}-32" for word in ("linux", "win")})
        names.update({f"{word}64": self.subdir == f"{word}-64" for word in ("linux", "win")})
        others = "aarch64 ppc64 ppc64le s390x armv6l armv7l riscv64 wasm32 z"
        for other in others.split():
            names[other] = machine == other
        names.update({f"py{old}": py == old for old in (26, 27, 33, 34, 35, 36)})
        return names

    def is_platform_dependent(self, names_used: frozenset[str]) -> bool:
        """Whether one of these variables can differ on another platform or Python."""
        return bool(names_used & self.variables().keys())

    def is_python_dependent(self, names_used: frozenset[str]) -> bool:
        """Whether one of these variables can differ with another Python."""
        return any(
            name in ("python", "PY_VER", "CONDA_PY") or name.startswith("py")
            for name in names_used & self.variables().keys()
        )


def parse_minor(value: str) -> str:
    """Return the Python in `3.12.* *_cpython`, as 3.12; '' if there is none."""
    found = _MINOR.match(value)
    return found[1] if found else ""


#: wheel = build_wheel(source, out): builds the Python project in the folder `source` through its
#: own backend in isolation, into the empty folder `out`, and returns the wheel's path.
BuildWheel = Callable[[Path, Path], Path]


#: wheel = build_wheel_with(source, out, requires): the same with further requirements in the
#: environment of the backend.
BuildWheelWith = Callable[[Path, Path, Sequence[str]], Path]


@dataclass(frozen=True)
class RecipeRequest:
    """Settings of `build_recipe`.

    `out` is the channel folder (`<recipe's folder>/conda-bld` when None). `kinds` are
    Kind.CONDA, Kind.TAR_BZ2 or both. `channels` serve builds that need a host environment, as
    names or addresses. `environment` is what the recipe's `environ` shows, without secrets.
    `variant_files` are read after conda_build_config.yaml beside the recipe, in its form;
    `base_variant_files` before it, so that the recipe's own values count (conda-forge's pinning).
    `build_wheel_with` is tried where a source cannot be built without the recipe's host.
    `allow_network`: a script that uses the network is run in a host environment, not refused.
    `platform` is by default this machine and the running Python. `report` takes remarks and
    progress, one line each.
    """

    build_wheel: BuildWheel
    out: Path | None = None
    kinds: tuple[Kind, ...] = (Kind.CONDA,)
    channels: tuple[str, ...] = ("conda-forge",)
    environment: Mapping[str, str] = field(default_factory=dict)
    variant_files: tuple[Path, ...] = ()
    base_variant_files: tuple[Path, ...] = ()
    allow_network: bool = False
    build_wheel_with: BuildWheelWith | None = None
    platform: Platform = field(default_factory=Platform.current)
    report: Callable[[str], None] = lambda _: None
