"""The tree of errors.

    TwofoldError                what the command line prints as message and hint, exit code 1
    ├── ProjectErrors           all the mistakes in a project   (twofold_build)
    ├── UsageError              wrong usage of the command line, exit code 2
    ├── BadFile                 a file that does not match its name, or is malformed
    ├── ToolFailed              a program we ran (a backend, pip) failed; its output is kept
    ├── Unreachable             the outside world did not answer; what was tried
    │   └── StoreUnreachable    the registry's own database or object store did not
    └── Refused                 a registry or index refused a request; `code` is stable

Anything else that is raised is a defect of twofold and is shown as a traceback.
"""

from __future__ import annotations

from twofold_build.errors import Problem, ProjectErrors, TwofoldError

__all__ = [
    "BadFile",
    "Problem",
    "ProjectErrors",
    "Refused",
    "StoreUnreachable",
    "SubprocessFailed",
    "TwofoldError",
    "Unreachable",
    "UsageError",
]


class UsageError(TwofoldError):
    """Wrong usage of the command line: exit code 2."""


class Cancelled(TwofoldError):
    """The user answered no to a question: exit code 1, and no error is printed."""


class BadFile(TwofoldError):
    """A file that does not match its name, is damaged, or could do harm when unpacked."""


class SubprocessFailed(TwofoldError):
    """A program that twofold ran failed. `output` is what it printed (text, may be long)."""

    def __init__(self, message: str, hint: str = "", where: str = "", output: str = "") -> None:
        super().__init__(message, hint, where)
        self.output = output


class Unreachable(TwofoldError):
    """A server, an index or a service did not answer, or not in a usable way.

    `retry_after` is when it may answer again (seconds), 0 where that is unknown.
    """

    def __init__(
        self, message: str, hint: str = "", where: str = "", retry_after: float = 0.0
    ) -> None:
        super().__init__(message, hint, where)
        self.retry_after = retry_after


class StoreUnreachable(Unreachable):
    """The registry's own database or object store is unreachable.

    The message may name hosts and paths: it is for the operator, and no answer of the server.
    """


class Refused(TwofoldError):
    """A registry refuses a request. `code` is stable and lower case with dashes."""

    def __init__(self, code: str, message: str, hint: str = "", status: int = 400) -> None:
        super().__init__(message, hint)
        self.code = code
        self.status = status
