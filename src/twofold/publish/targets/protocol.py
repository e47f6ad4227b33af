"""What every place one can publish to has in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from twofold.artifact import Artifact, Kind
from twofold.errors import Problem, Refused
from twofold.publish.config import TargetSettings
from twofold.publish.files import ReleaseFile
from twofold.publish.http import HttpClient, Progress
from twofold.publish.responses import NAME_USED, suggest_login

PYPI_KINDS = frozenset({Kind.WHEEL, Kind.SDIST})
CONDA_KINDS = frozenset({Kind.CONDA, Kind.TAR_BZ2})
ALL_KINDS = PYPI_KINDS | CONDA_KINDS
NO_KINDS: frozenset[Kind] = frozenset()


def find_missing_token(http: HttpClient) -> Problem | None:
    """The objection of a target that takes nothing without a token."""
    if http.auth_context.source:
        return None
    return Problem(
        "it takes files with a token only, and none was found", suggest_login(http.auth_context)
    )


class UploadRule(Protocol):
    """A function with a name: why a target is known to refuse a file, and what to do about it;
    None: it does not apply."""

    __name__: str

    def __call__(self, file: ReleaseFile, /) -> Problem | None: ...


class AlreadyPublishedError(Refused):
    """The target refuses a file because the name is taken: by the same bytes, or by others."""

    def __init__(self, message: str, hint: str = NAME_USED) -> None:
        super().__init__("file-exists", message, hint, 409)


def as_already_published(refused: Refused) -> AlreadyPublishedError:
    """A server's no, where it means that."""
    return AlreadyPublishedError(refused.problems[0].message, refused.hint or NAME_USED)


@dataclass(frozen=True)
class RemoteState:
    """What a target has under a file's name.

    `unknown` means that the target cannot be asked (an index without a page to look into).
    `note` says why, or what else there is to say of a file that is there (`yanked: broken`).
    `sha256` is None when the target tells no hash and gives no file to compute it from.
    `same_content` says that a file with another hash holds the same, packed differently. `refusal`
    is why a file that is not there would not be taken, and `rule` what to call that.
    """

    state: Literal["absent", "present", "unknown"]
    sha256: str | None = None
    url: str = ""
    note: str = ""
    has_same_content: bool = False
    refusal: Problem | None = None
    rule: str = ""

    def is_ours(self, artifact: Artifact) -> bool:
        return self.state == "present" and (self.has_same_content or self.sha256 == artifact.sha256)


def state_from_fetch(digest: str | None, url: str) -> RemoteState:
    """What fetching a file gave: its hash, or None when it is not there."""
    return RemoteState("present", digest, url) if digest else RemoteState("absent", url=url)


class Target(Protocol):
    """One place to publish to, with its credentials and its connection."""

    @property
    def settings(self) -> TargetSettings: ...

    @property
    def accepts(self) -> frozenset[Kind]:
        """The kinds of file its protocol knows."""
        ...

    @property
    def default_kinds(self) -> frozenset[Kind]:
        """The kinds it gets when the user names no files."""
        ...

    @property
    def rules(self) -> tuple[UploadRule, ...]:
        """What this target is known to refuse."""
        ...

    @property
    def attestation_kinds(self) -> frozenset[Kind]:
        """The kinds of file whose attestations it takes."""
        ...

    def preflight(self, files: Sequence[ReleaseFile], /) -> Problem | None:
        """Why it would not take these files from us now (no token, a wrong one, one without the
        right), as far as it can be asked before anything is sent."""
        ...

    def probe(self, file: ReleaseFile) -> RemoteState:
        """What is there under the file's name."""
        ...

    def send(self, file: ReleaseFile, progress: Progress) -> str:
        """Upload once; returns where the file then is ('' if not told).

        Raises Transient, AlreadyThere, or Refused for every other no.
        """
        ...

    @property
    def is_readable(self) -> bool:
        """Whether files can be fetched back from it."""
        ...

    def fetch(self, file: ReleaseFile) -> RemoteState:
        """The file as others now get it: fetched, and its hash computed here."""
        ...

    def whoami(self) -> str:
        """Who the credentials stand for, or a sentence on why that cannot be asked."""
        ...

    def close(self) -> None: ...
