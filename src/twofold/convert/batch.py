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
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from twofold.artifact import Artifact
from twofold.convert.metadata_sources import (
    from_environment,
    from_first,
    from_folders,
    from_index,
    from_mapping,
)
from twofold.convert.options import CondaOptions
from twofold.convert.resolution import (
    ResolvedWheel,
    detect_target,
    download,
    resolve_with_dependencies,
)
from twofold.convert.wheel import convert
from twofold.errors import Problem, TwofoldError
from twofold.file_hashes import compute_file_hashes
from twofold.formats.reader import read_artifact as read_file
from twofold.formats.wheel import WheelFile
from twofold.names import (
    find_on_conda_forge,
    normalize_name,
    parse_conda_name,
    to_conda_name,
)
from twofold.names.platforms import Target, to_subdir
from twofold_build.atomic import remove_leftovers, write_atomically

_CACHE_FILE = ".twofold-converted.json"
#: Changed whenever conversion writes other bytes than before, so that nothing old is kept.
_FORMAT = "3"


#: Where a file's fault has no better remedy.
_DEFAULT_HINT = "fetch or build the wheel again; if it stays so, do not trust it"


class ConvertedWheel(NamedTuple):
    """One wheel's packages; `is_new` is False when they were there already.

    `notes` and `unsaid` are requirements that they do not speak of, of fresh ones only.
    """

    wheel: str
    packages: tuple[Artifact, ...]
    is_new: bool
    notes: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


class BatchResult(NamedTuple):
    """A whole conversion: what was made, and what could not be."""

    wheels: tuple[ConvertedWheel, ...]
    problems: tuple[Problem, ...]


class BatchRequest(NamedTuple):
    """What to convert: wheel files, and requirements to fetch through pip.

    `target` narrows packages down to one Python and platform where their markers differ.
    `level` is the compressor's (0: the fast default). `v3` adds the records of repodata's
    revision 3.
    """

    wheels: tuple[Path, ...] = ()
    names: tuple[str, ...] = ()
    with_deps: bool = False
    target: Target = Target()
    level: int = 0
    v3: bool = False


def convert_batch(
    request: BatchRequest, channel: Path, report: Callable[[str], None] = lambda _: None
) -> BatchResult:
    """Convert wheels and names into `channel`. One wheel's failure does not stop the others.

    Raises SubprocessFailed when pip finds or downloads nothing; the channel is not indexed here.
    """
    channel.mkdir(parents=True, exist_ok=True)
    remove_leftovers(channel, deep=True)
    state = _ConversionCache(channel)
    resolved: list[ResolvedWheel] = []
    if request.names:
        report(f"resolving {', '.join(request.names)}")
        resolved = resolve_with_dependencies(request.names, request.target, request.with_deps)
    with tempfile.TemporaryDirectory(prefix="twofold-wheels-") as work:
        work_folder = Path(work)
        own = _hash_wheels(request.wheels)
        options = _make_options(request, channel, own, resolved)
        there = [(one.filename, one.sha256) for one in resolved]
        kept = [
            ConvertedWheel(name, packages, is_new=False)
            for name, sha256 in [*((w.path.name, w.sha256) for w in own), *there]
            if (packages := state.load(sha256, options)) is not None
        ]
        missing = [one for one in resolved if state.load(one.sha256, options) is None]
        todo = [w for w in own if state.load(w.sha256, options) is None]
        if missing:
            todo += _hash_wheels(download(missing, work_folder, request.target, report))
        made, problems = _convert_wheels(todo, channel, options, state, report)
    return BatchResult(tuple(sorted([*kept, *made])), tuple(problems))


class _HashedWheel(NamedTuple):
    path: Path
    sha256: str


def _hash_wheels(wheels: Iterable[Path]) -> list[_HashedWheel]:
    return [_HashedWheel(path, compute_file_hashes(path)[1]) for path in wheels]


def _make_options(
    request: BatchRequest,
    channel: Path,
    own: Sequence[_HashedWheel],
    resolved: Sequence[ResolvedWheel],
) -> CondaOptions:
    """Options with the names and metadata of all wheels. Raises TwofoldError for invalid ones."""
    metadata = {normalize_name(one.name): one.metadata for one in resolved}
    names = {normalize_name(one.name): to_conda_name(one.name) for one in resolved}
    problems: list[Problem] = []
    for wheel in own:
        try:
            with WheelFile(wheel.path) as opened:
                key = normalize_name(opened.metadata.name)
                names[key] = to_conda_name(opened.metadata.name)
                metadata[key] = opened.metadata_bytes
        except TwofoldError as error:
            problems += error.problems
    narrow = request.target
    if request.names and not any(narrow):
        narrow = detect_target()
    folders = dict.fromkeys(wheel.parent for wheel in request.wheels)
    return CondaOptions(
        local_names={**_read_channel_names(channel), **names},
        find_metadata=from_first(
            from_mapping(metadata),
            from_folders(folders),
            from_environment(),
            from_index(request.target),
        ),
        python=narrow.python,
        platform=to_subdir(narrow.platform),
        level=request.level,
        v3=request.v3,
    )


def _read_channel_names(channel: Path) -> dict[str, str]:
    """Conda names of the packages in a channel folder that conda-forge's table does not know."""
    names: dict[str, str] = {}
    for file in channel.glob("*/*"):
        if file.name.endswith((".conda", ".tar.bz2")) and not file.name.startswith("."):
            try:
                name = parse_conda_name(file.name).name
            except TwofoldError:
                continue  # indexing reports it
            if find_on_conda_forge(normalize_name(name)) is None:
                names[normalize_name(name)] = name
    return names


def _convert_wheels(
    wheels: Sequence[_HashedWheel],
    channel: Path,
    options: CondaOptions,
    state: _ConversionCache,
    report: Callable[[str], None],
) -> tuple[list[ConvertedWheel], list[Problem]]:
    """Each wheel is remembered as soon as it is done: an interrupted run goes on from there."""
    from concurrent.futures import ThreadPoolExecutor, as_completed

    made: list[ConvertedWheel] = []
    problems: list[Problem] = []
    pool = ThreadPoolExecutor(min(len(wheels) or 1, os.cpu_count() or 1))
    try:
        # The largest first: the last to finish is then a small one.
        ordered = sorted(wheels, key=lambda wheel: -wheel.path.stat().st_size)
        claims = _OutputClaims()
        waiting = {
            pool.submit(convert, w.path, channel, options, claims.claim_for(w.path.name)): w
            for w in ordered
        }
        for future in as_completed(waiting):
            wheel = waiting[future]
            name = wheel.path.name
            try:
                packages, notes, unsaid = future.result()
                made.append(
                    ConvertedWheel(name, tuple(packages), True, tuple(notes), tuple(unsaid))
                )
                state.save(wheel.sha256, packages, options)
            except TwofoldError as error:
                problems += [_add_context(name, problem) for problem in error.problems]
            report(f"converted {len(made)} of {len(wheels)}: {name}")
    finally:
        pool.shutdown(cancel_futures=True)
    return made, problems


class _OutputClaims:
    """Which wheel of this run writes which file: two must not write the same."""

    def __init__(self) -> None:
        self._owners: dict[Path, str] = {}
        self._lock = Lock()

    def claim_for(self, wheel: str) -> Callable[[Path], None]:
        def claim(path: Path) -> None:
            with self._lock:
                owner = self._owners.setdefault(path, wheel)
            if owner != wheel:
                raise TwofoldError(
                    f"it would be the same package as {owner}: {path.parent.name}/{path.name}",
                    "convert them into two channels, or only the one you need",
                )

        return claim


def _add_context(name: str, problem: Problem) -> Problem:
    """A wheel's problem with the wheel's name, and a hint where the problem has none."""
    where = problem.where or name
    if not where.startswith(name):
        where = f"{name}: {where}"
    return Problem(problem.message, problem.hint or _DEFAULT_HINT, where)


class _ConversionCache:
    """What the folder's earlier conversions made."""

    def __init__(self, channel: Path) -> None:
        self._channel = channel
        self._file = channel / _CACHE_FILE
        try:
            self._kept: dict[str, list[str]] = json.loads(self._file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            self._kept = {}

    def load(self, sha256: str, options: CondaOptions) -> tuple[Artifact, ...] | None:
        """The packages made of a wheel, if they are all still there."""
        files = self._kept.get(_make_cache_key(sha256, options))
        if not sha256 or not files or not all((self._channel / f).is_file() for f in files):
            return None
        return tuple(read_file(self._channel / file) for file in files)

    def save(self, sha256: str, packages: Sequence[Artifact], options: CondaOptions) -> None:
        paths = [package.path.relative_to(self._channel).as_posix() for package in packages]
        self._kept[_make_cache_key(sha256, options)] = paths
        write_atomically(self._file, json.dumps(self._kept, indent=0, sort_keys=True).encode())


def _make_cache_key(sha256: str, options: CondaOptions) -> str:
    """A wheel and the options that shape its package; names are looked up again every time."""
    shape = repr((_FORMAT, options.python, options.platform, options.level, options.v3))
    return f"{sha256}:{hashlib.sha256(shape.encode()).hexdigest()[:16]}"
