"""Many wheels into one channel folder: names settled together, converted in parallel, once.

What was converted is kept in `.twofold-converted.json` in the folder: a wheel's SHA-256 and the
options that shape its package -> the packages made of it. A second run makes only what is new.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

from twofold.artifact import Artifact
from twofold.convert.fetch import Resolved, Target, download, resolve
from twofold.convert.options import CondaOptions
from twofold.convert.wheel_to_conda import convert
from twofold.errors import Problem, TwofoldError
from twofold.formats.hashing import hashes
from twofold.formats.opening import read as read_file
from twofold.formats.wheel import WheelFile
from twofold.names import (
    conda_file_name,
    conda_name,
    known_on_conda_forge,
    normalised,
)
from twofold_build.leftovers import sweep

_STATE = ".twofold-converted.json"
#: Changed whenever conversion writes other bytes than before, so that nothing old is kept.
_FORM = "1"


class Made(NamedTuple):
    """One wheel's packages; `fresh` is False when they were there already."""

    wheel: str
    packages: tuple[Artifact, ...]
    fresh: bool


class Converted(NamedTuple):
    """A whole conversion: what was made, and what could not be."""

    made: tuple[Made, ...]
    problems: tuple[Problem, ...]


class Request(NamedTuple):
    """What to convert: wheel files, and requirements to fetch through pip.

    `target` narrows packages down to one Python and platform where their markers differ.
    `level` is the compressor's (0: the fast default).
    """

    wheels: tuple[Path, ...] = ()
    names: tuple[str, ...] = ()
    with_deps: bool = False
    target: Target = Target()
    level: int = 0


def convert_many(
    request: Request, channel: Path, tell: Callable[[str], None] = lambda _: None
) -> Converted:
    """Convert wheels and names into `channel`. One wheel's failure does not stop the others.

    Raises ToolFailed when pip finds or downloads nothing; the channel is not indexed here.
    """
    channel.mkdir(parents=True, exist_ok=True)
    sweep(channel, deep=True)
    state = _State(channel)
    resolved: list[Resolved] = []
    if request.names:
        tell(f"resolving {', '.join(request.names)} with pip")
        if request.with_deps and request.target not in (Target(), this_machine()):
            tell("pip judges markers by this machine's Python: check the closure for the target")
        resolved = resolve(request.names, request.target, request.with_deps)
    with tempfile.TemporaryDirectory(prefix="twofold-wheels-") as work:
        work_folder = Path(work)
        own = _identify(request.wheels)
        options = _options(request, channel, own, resolved)
        there = [(one.filename, one.sha256) for one in resolved]
        kept = [
            Made(name, packages, fresh=False)
            for name, sha256 in [*((w.path.name, w.sha256) for w in own), *there]
            if (packages := state.packages(sha256, options)) is not None
        ]
        missing = [one for one in resolved if state.packages(one.sha256, options) is None]
        todo = [w for w in own if state.packages(w.sha256, options) is None]
        if missing:
            todo += _identify(download(missing, work_folder, request.target, tell))
        made, problems = _convert(todo, channel, options, tell)
        state.keep(
            {wheel.sha256: made[wheel.path.name] for wheel in todo if wheel.path.name in made},
            options,
        )
    every = [*kept, *(Made(name, packages, fresh=True) for name, packages in made.items())]
    return Converted(tuple(sorted(every)), tuple(problems))


class _Wheel(NamedTuple):
    path: Path
    sha256: str


def _identify(wheels: Iterable[Path]) -> list[_Wheel]:
    return [_Wheel(path, hashes(path)[1]) for path in wheels]


def this_machine() -> Target:
    """The Python and the platform that run this."""
    system, _, machine = sysconfig.get_platform().partition("-")
    machine = machine.rpartition("-")[2]
    names = {"linux": "linux", "macosx": "osx", "win": "win"}
    arch = {"x86_64": "64", "amd64": "64", "i686": "32", "universal2": "arm64"}.get(
        machine, machine
    )
    if system.startswith("win"):
        system, arch = "win", {"win32": "32"}.get(system, "64" if machine != "arm64" else "arm64")
    return Target(
        f"{sys.version_info.major}.{sys.version_info.minor}", f"{names.get(system, system)}-{arch}"
    )


def _options(
    request: Request, channel: Path, own: Sequence[_Wheel], resolved: Sequence[Resolved]
) -> CondaOptions:
    """Names and metadata of everything at hand. Raises BadFile for a wheel that is none."""
    metadata = {normalised(one.name): one.metadata for one in resolved}
    names = {normalised(one.name): conda_name(one.name) for one in resolved}
    problems: list[Problem] = []
    for wheel in own:
        try:
            with WheelFile(wheel.path) as opened:
                key = normalised(opened.metadata.name)
                names[key] = conda_name(opened.metadata.name)
                metadata[key] = opened.metadata_bytes
        except TwofoldError as error:
            problems += error.problems
    narrow = request.target
    if request.names and not any(narrow):
        narrow = this_machine()
    return CondaOptions(
        at_hand={**_in_channel(channel), **names},
        metadata=metadata,
        python=narrow.python,
        platform=narrow.platform,
        level=request.level,
    )


def _in_channel(channel: Path) -> dict[str, str]:
    """Conda names of the packages in a channel folder that conda-forge's table does not know."""
    names: dict[str, str] = {}
    for file in channel.glob("*/*"):
        if file.name.endswith((".conda", ".tar.bz2")) and not file.name.startswith("."):
            try:
                name = conda_file_name(file.name).name
            except TwofoldError:
                continue  # indexing tells of it
            if known_on_conda_forge(normalised(name)) is None:
                names[normalised(name)] = name
    return names


def _convert(
    wheels: Sequence[_Wheel], channel: Path, options: CondaOptions, tell: Callable[[str], None]
) -> tuple[dict[str, tuple[Artifact, ...]], list[Problem]]:
    made: dict[str, tuple[Artifact, ...]] = {}
    problems: list[Problem] = []
    with ThreadPoolExecutor(min(len(wheels) or 1, os.cpu_count() or 1)) as pool:
        # The largest first: the last to finish is then a small one.
        ordered = sorted(wheels, key=lambda wheel: -wheel.path.stat().st_size)
        waiting = {pool.submit(convert, w.path, channel, options): w for w in ordered}
        for future in as_completed(waiting):
            name = waiting[future].path.name
            try:
                made[name] = tuple(future.result())
            except TwofoldError as error:
                problems += [Problem(p.message, p.hint, _place(name, p)) for p in error.problems]
            tell(f"converted {len(made)} of {len(wheels)}: {name}")
    return made, problems


def _place(name: str, problem: Problem) -> str:
    if not problem.where or problem.where.startswith(name):
        return problem.where or name
    return f"{name}: {problem.where}"


class _State:
    """What the folder's earlier conversions made."""

    def __init__(self, channel: Path) -> None:
        self._channel = channel
        self._file = channel / _STATE
        try:
            self._kept: dict[str, list[str]] = json.loads(self._file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            self._kept = {}

    def packages(self, sha256: str, options: CondaOptions) -> tuple[Artifact, ...] | None:
        """The packages made of a wheel, if they are all still there."""
        files = self._kept.get(_key(sha256, options))
        if not sha256 or not files or not all((self._channel / f).is_file() for f in files):
            return None
        return tuple(read_file(self._channel / file) for file in files)

    def keep(self, made: dict[str, tuple[Artifact, ...]], options: CondaOptions) -> None:
        for sha256, packages in made.items():
            paths = [package.path.relative_to(self._channel).as_posix() for package in packages]
            self._kept[_key(sha256, options)] = paths
        unfinished = self._file.with_name(f"{_STATE}.{os.getpid()}.part")
        unfinished.write_text(json.dumps(self._kept, indent=0, sort_keys=True), encoding="utf-8")
        unfinished.replace(self._file)


def _key(sha256: str, options: CondaOptions) -> str:
    """A wheel and the options that shape its package; names are looked up anew every time."""
    shape = repr((_FORM, options.python, options.platform, options.level, options.build_number))
    return f"{sha256}:{hashlib.sha256(shape.encode()).hexdigest()[:16]}"
