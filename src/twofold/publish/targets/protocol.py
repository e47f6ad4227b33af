"""The protocol of publish targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from twofold.artifact import Artifact, Kind
from twofold.errors import Problem, Refused
from twofold.publish.files import ReleaseFile
from twofold.publish.http import HttpClient
from twofold.publish.responses import NAME_USED, suggest_login
from twofold.publish.targets.settings import TargetSettings
from twofold.publish.transport.request_bodies import Progress

PYPI_KINDS = frozenset({Kind.WHEEL, Kind.SDIST})
CONDA_KINDS = frozenset({Kind.CONDA, Kind.TAR_BZ2})
ALL_KINDS = PYPI_KINDS | CONDA_KINDS
NO_KINDS: frozenset[Kind] = frozenset()


def find_missing_token(http: HttpClient) -> Problem | None:
    """The problem of a target that requires a token, if none was found."""
    if http.auth_context.source:
        return None
    return Problem("no token was found, and uploads require one", suggest_login(http.auth_context))


def describe_account(http: HttpClient) -> str:
    """As whom requests are made, and where the token or password was found."""
    if http.credentials is None:
        return "without a token"
    user = http.account or http.credentials.user or ""
    source = http.credentials.source
    is_named = user not in ("", "__token__")
    return f"as {user} (token from {source})" if is_named else f"with the token from {source}"


class UploadRule(Protocol):
    """A named function: why a target refuses a file, with a hint; None if it does not."""

    __name__: str

    def __call__(self, file: ReleaseFile, /) -> Problem | None:
        """Return why the file is refused, or None."""
        ...


class AlreadyPublishedError(Refused):
    """The target refuses a file because its name is taken, by this or another file."""

    def __init__(self, message: str, hint: str = NAME_USED) -> None:
        super().__init__("file-exists", message, hint, 409)


def as_already_published(refused: Refused) -> AlreadyPublishedError:
    """Convert a server's refusal that means this."""
    return AlreadyPublishedError(refused.problems[0].message, refused.hint or NAME_USED)


@dataclass(frozen=True)
class RemoteState:
    """The state of a file at a target.

    `unknown` means that the target cannot be queried (an index without pages). `note` is the
    reason, a remark about an existing file (`yanked: broken`), or what a missing one replaces.
    `sha256` is None if the target returns neither a hash nor the file. `has_same_content` is True
    if a file with another hash has the same contents, packed differently. `refusal` is why a
    missing file would be refused, and `rule` its code.
    """

    state: Literal["absent", "present", "unknown"]
    sha256: str | None = None
    url: str = ""
    note: str = ""
    has_same_content: bool = False
    refusal: Problem | None = None
    rule: str = ""

    def is_ours(self, artifact: Artifact) -> bool:
        """Whether the file at the target is this one."""
        return self.state == "present" and (self.has_same_content or self.sha256 == artifact.sha256)


def state_from_fetch(digest: str | None, url: str) -> RemoteState:
    """The state after fetching a file: its hash, or None if it is missing."""
    return RemoteState("present", digest, url) if digest else RemoteState("absent", url=url)


@runtime_checkable
class ProbesTogether(Protocol):
    """A target that can look up many files in one request, before `probe` is called for each."""

    def probe_together(self, files: Sequence[ReleaseFile], /) -> None:
        """Look the files up; `probe` answers from what was found."""
        ...


class Target(Protocol):
    """One publish target, with its credentials and its connection."""

    @property
    def settings(self) -> TargetSettings:
        """The settings it was opened with."""
        ...

    @property
    def account(self) -> str:
        """As whom files are sent there, for the plan: the account, and where its token is from."""
        ...

    @property
    def accepts(self) -> frozenset[Kind]:
        """The kinds of file its protocol supports."""
        ...

    @property
    def default_kinds(self) -> frozenset[Kind]:
        """The kinds it gets if the user names no files."""
        ...

    @property
    def rules(self) -> tuple[UploadRule, ...]:
        """The rules of this target."""
        ...

    @property
    def attestation_kinds(self) -> frozenset[Kind]:
        """The kinds of file whose attestations it accepts."""
        ...

    def preflight(self, files: Sequence[ReleaseFile], /) -> Problem | None:
        """Why it would refuse these files (no token, an invalid one, no permission), if known."""
        ...

    def probe(self, file: ReleaseFile) -> RemoteState:
        """Look up the file's name."""
        ...

    def send(self, file: ReleaseFile, progress: Progress) -> str:
        """Upload once; returns the file's URL ('' if unknown).

        Raises TransientError, AlreadyPublishedError, or Refused for every other refusal.
        """
        ...

    @property
    def is_readable(self) -> bool:
        """Whether files can be fetched back from it."""
        ...

    def fetch(self, file: ReleaseFile) -> RemoteState:
        """Fetch the file as users get it, and compute its hash."""
        ...

    def whoami(self) -> str:
        """The account of the credentials, or why it is unknown."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...
