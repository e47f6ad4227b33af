"""The request of a build and its result.

Plain classes and not dataclasses: importing dataclasses costs a third of a small build.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from twofold.check import Finding
    from twofold.errors import Problem, TwofoldError

#: The manifest of the last build, in dist/.
MANIFEST_NAME = ".twofold-build.json"

#: The kinds of file a build can make, as `--only` spells them, in the order of the chain.
KINDS = ("sdist", "wheel", "conda", "tar.bz2")
DEFAULT_KINDS = ("sdist", "wheel", "conda")


class BackendOptions:
    """How another backend is run.

    `config_settings` are passed to every hook (PEP 517): a string for each key, or a list where
    the key was given several times. `is_isolated` says whether the backend gets an environment of
    its own. `python` names its interpreter as uv does (`3.12`, a path); '' is the running one.
    `constraints` are pip's constraints files for what the backend requires. `further_requires` are
    requirements that the environment has beside the project's own: those of a recipe's host.
    `needs_requires` is False where, without isolation, what the backend requires may be missing.
    `is_by_hooks` says that uv is not to build what it could build without the hooks.
    """

    __slots__ = (
        "config_settings",
        "constraints",
        "further_requires",
        "is_by_hooks",
        "is_isolated",
        "needs_requires",
        "python",
    )

    def __init__(
        self,
        config_settings: Mapping[str, str | list[str]] | None = None,
        is_isolated: bool = True,
        python: str = "",
        constraints: Sequence[str | os.PathLike[str]] = (),
        further_requires: Sequence[str] = (),
    ) -> None:
        self.config_settings = dict(config_settings or {})
        self.is_isolated = is_isolated
        self.python = python
        self.constraints = [os.fspath(path) for path in constraints]
        self.further_requires = tuple(further_requires)
        self.needs_requires = True
        self.is_by_hooks = False


class BuildRequest:
    """What to build, where, and who listens.

    `kinds` as in KINDS; None means DEFAULT_KINDS, without the conda package where a
    requirement names a URL, which only a wheel can have. `out` is the folder for dist/ and
    conda-bld/ (the project's root when None). `report` takes remarks for the user, `progress`
    (bytes done, bytes in all).
    `backend` says how another backend is run.
    `is_checked` is False for the source of a recipe, which the packager did not write and cannot
    change: the rules of `twofold check` then stop nothing.
    """

    __slots__ = ("backend", "is_checked", "kinds", "needs_conda", "out", "progress", "report")

    def __init__(
        self,
        kinds: Sequence[str] | None = None,
        out: str | os.PathLike[str] | None = None,
        report: Callable[[str], None] | None = None,
        progress: Callable[[int, int], None] | None = None,
        backend: BackendOptions | None = None,
        *,
        is_checked: bool = True,
    ) -> None:
        self.kinds = tuple(DEFAULT_KINDS if kinds is None else kinds)
        self.needs_conda = kinds is not None
        self.out = out
        self.report = report or _ignore_remark
        self.progress = progress
        self.backend = backend or BackendOptions()
        self.is_checked = is_checked

    def with_kinds(self, kinds: Sequence[str]) -> BuildRequest:
        """Return the same request for other kinds."""
        made = BuildRequest(
            kinds,
            self.out,
            self.report,
            self.progress,
            self.backend,
            is_checked=self.is_checked,
        )
        made.needs_conda = self.needs_conda
        return made

    def leave_out_conda(self, error: TwofoldError) -> None:
        """Report why there will be no conda package. Raises `error` where one was named."""
        if self.needs_conda:
            from twofold.errors import ProjectErrors

            raise ProjectErrors(hint_at_other_kinds(error)) from error
        for problem in error.problems:
            self.report(f"warning: no conda package: {problem.message}; {problem.hint}")


class BuiltFile:
    """One file that was made: `kind` as in KINDS, `sha256` in lower-case hex, `size` in bytes."""

    __slots__ = ("kind", "path", "sha256", "size")

    def __init__(self, kind: str, path: str, sha256: str, size: int) -> None:
        self.kind = kind
        self.path = path
        self.sha256 = sha256
        self.size = size

    def __repr__(self) -> str:
        return f"BuiltFile({self.kind!r}, {self.path!r})"


class BuildResult:
    """What a build made: its files, and the seconds of the whole and of each known step."""

    __slots__ = ("artifacts", "backend", "name", "seconds", "steps", "version")

    def __init__(self, name: str, version: str, backend: str) -> None:
        self.name = name
        self.version = version
        self.backend = backend
        self.artifacts: list[BuiltFile] = []
        self.steps: list[tuple[str, float]] = []
        self.seconds = 0.0


def hint_at_other_kinds(error: TwofoldError) -> list[Problem]:
    """The problems of a conda package, each with the way to build without it."""
    from twofold.errors import Problem

    return [
        Problem(p.message, f"{p.hint}; --only sdist,wheel builds without conda", p.where)
        for p in error.problems
    ]


def stop_at_errors(found: Sequence[Finding], report: Callable[[str], None]) -> None:
    """Raise ProjectErrors for the findings that stop a build, and report the others.

    What only some targets refuse is right for others: the build warns, those targets refuse it.
    """
    if not found:
        return
    from twofold.check.rule_table import BY_CODE
    from twofold.errors import Problem, ProjectErrors

    stopping = [one for one in found if one.is_error and BY_CODE[one.code].stops_build]
    if stopping:
        raise ProjectErrors([Problem(f"{e.message} ({e.code})", e.hint, e.where) for e in stopping])
    for one in found:
        report(f"warning: {one.where}: {one.message} ({one.code})")


def _ignore_remark(_: str) -> None:
    """For callers that do not listen."""


def without_sdist(source: str, kinds: Sequence[str]) -> tuple[str, ...]:
    """The kinds that can be built of an sdist. Raises TwofoldError if none is left."""
    left = tuple(kind for kind in kinds if kind != "sdist")
    if not left:
        from twofold.errors import TwofoldError

        raise TwofoldError(f"{source} is an sdist already", "build the wheel of it with --wheel")
    return left


class Step:
    """Times one step and reports its begin."""

    def __init__(self, result: BuildResult, request: BuildRequest, what: str) -> None:
        self._result = result
        self._request = request
        self._what = what
        self._notes: list[str] = []

    def note(self, text: str) -> None:
        """Add a note that is shown beside the step's time."""
        if text:
            self._notes.append(text)

    def __enter__(self) -> Step:
        self._request.report(self._what)
        self._started = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        what = f"{self._what} ({'; '.join(self._notes)})" if self._notes else self._what
        self._result.steps.append((what, time.perf_counter() - self._started))
