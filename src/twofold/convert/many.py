"""Many wheels into one channel folder: names settled together, converted in parallel, once.

What was converted is kept in `.twofold-converted.json` in the folder: a wheel's SHA-256 and the
options that shape its package -> the packages made of it. A second run makes only what is new.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from twofold.artifact import Artifact
from twofold.convert.closure import closure, this_machine
from twofold.convert.dependencies import asked_for, at_hand, first_of, in_folders, in_use
from twofold.convert.fetch import Resolved, Target, download
from twofold.convert.options import CondaOptions
from twofold.convert.platforms import subdir_of
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
_FORM = "3"


#: Where a file's fault has no better remedy.
_DISTRUST = "fetch the wheel again or build it anew; if it stays so, do not trust it"


class Made(NamedTuple):
    """One wheel's packages; `fresh` is False when they were there already.

    `notes` and `unsaid` are requirements that they do not speak of, of fresh ones only.
    """

    wheel: str
    packages: tuple[Artifact, ...]
    fresh: bool
    notes: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()


class Converted(NamedTuple):
    """A whole conversion: what was made, and what could not be."""

    made: tuple[Made, ...]
    problems: tuple[Problem, ...]


class Request(NamedTuple):
    """What to convert: wheel files, and requirements to fetch through pip.

    `target` narrows packages down to one Python and platform where their markers differ.
    `level` is the compressor's (0: the fast default). `v3` asks for what repodata of revision 3
    can say too.
    """

    wheels: tuple[Path, ...] = ()
    names: tuple[str, ...] = ()
    with_deps: bool = False
    target: Target = Target()
    level: int = 0
    v3: bool = False


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
        tell(f"resolving {', '.join(request.names)}")
        resolved = closure(request.names, request.target, request.with_deps)
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
        made, problems = _convert(todo, channel, options, state, tell)
    return Converted(tuple(sorted([*kept, *made])), tuple(problems))


class _Wheel(NamedTuple):
    path: Path
    sha256: str


def _identify(wheels: Iterable[Path]) -> list[_Wheel]:
    return [_Wheel(path, hashes(path)[1]) for path in wheels]


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
    folders = dict.fromkeys(wheel.parent for wheel in request.wheels)
    return CondaOptions(
        at_hand={**_in_channel(channel), **names},
        metadata_of=first_of(
            at_hand(metadata), in_folders(folders), in_use(), asked_for(request.target)
        ),
        python=narrow.python,
        platform=subdir_of(narrow.platform),
        level=request.level,
        v3=request.v3,
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
    wheels: Sequence[_Wheel],
    channel: Path,
    options: CondaOptions,
    state: _State,
    tell: Callable[[str], None],
) -> tuple[list[Made], list[Problem]]:
    """Each wheel is remembered as soon as it is done: an interrupted run goes on from there."""
    made: list[Made] = []
    problems: list[Problem] = []
    pool = ThreadPoolExecutor(min(len(wheels) or 1, os.cpu_count() or 1))
    try:
        # The largest first: the last to finish is then a small one.
        ordered = sorted(wheels, key=lambda wheel: -wheel.path.stat().st_size)
        claims = _Claims()
        waiting = {
            pool.submit(convert, w.path, channel, options, claims.of(w.path.name)): w
            for w in ordered
        }
        for future in as_completed(waiting):
            wheel = waiting[future]
            name = wheel.path.name
            try:
                packages, notes, unsaid = future.result()
                made.append(Made(name, tuple(packages), True, tuple(notes), tuple(unsaid)))
                state.keep(wheel.sha256, packages, options)
            except TwofoldError as error:
                problems += [_told(name, problem) for problem in error.problems]
            tell(f"converted {len(made)} of {len(wheels)}: {name}")
    finally:
        pool.shutdown(cancel_futures=True)
    return made, problems


class _Claims:
    """Which wheel of this run writes which file: two must not write the same."""

    def __init__(self) -> None:
        self._owners: dict[Path, str] = {}
        self._lock = Lock()

    def of(self, wheel: str) -> Callable[[Path], None]:
        def claim(path: Path) -> None:
            with self._lock:
                owner = self._owners.setdefault(path, wheel)
            if owner != wheel:
                raise TwofoldError(
                    f"it would be the same package as {owner}: {path.parent.name}/{path.name}",
                    "convert them into two channels, or only the one you need",
                )

        return claim


def _told(name: str, problem: Problem) -> Problem:
    """A wheel's problem with the wheel's name, and a hint where the problem has none."""
    where = problem.where or name
    if not where.startswith(name):
        where = f"{name}: {where}"
    return Problem(problem.message, problem.hint or _DISTRUST, where)


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

    def keep(self, sha256: str, packages: Sequence[Artifact], options: CondaOptions) -> None:
        paths = [package.path.relative_to(self._channel).as_posix() for package in packages]
        self._kept[_key(sha256, options)] = paths
        unfinished = self._file.with_name(f"{_STATE}.{os.getpid()}.part")
        unfinished.write_text(json.dumps(self._kept, indent=0, sort_keys=True), encoding="utf-8")
        unfinished.replace(self._file)


def _key(sha256: str, options: CondaOptions) -> str:
    """A wheel and the options that shape its package; names are looked up anew every time."""
    shape = repr((_FORM, options.python, options.platform, options.level, options.v3))
    return f"{sha256}:{hashlib.sha256(shape.encode()).hexdigest()[:16]}"
