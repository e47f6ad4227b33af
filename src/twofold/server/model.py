"""The registry's values: users, channels, tokens, files. Frozen; no SQL, no HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from twofold.artifact import Artifact, Kind


class Action(StrEnum):
    """An action that a permission allows; each includes the ones before it."""

    READ = "read"
    UPLOAD = "upload"
    ADMIN = "admin"

    def includes(self, other: Action) -> bool:
        """Whether a permission for this action covers the other one."""
        order = list(Action)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class User:
    """A user or organisation. `home` is its channel in the Anaconda.org API."""

    id: int
    name: str
    kind: str
    created_at: datetime
    home: str | None = None
    disabled: bool = False


#: Key of a token's `application`: it uploads, and neither yanks, deletes nor relabels.
UPLOADS_ONLY = "uploads-only"


@dataclass(frozen=True, slots=True)
class Token:
    """A token as stored: never the secret itself. None means 'no limit'.

    `used_at` is right to ten minutes (`server.auth.token_uses`), None before its first use.
    `project` is a normalized name, or several separated by commas.
    """

    id: int
    user_id: int
    shown: str
    name: str
    actions: frozenset[Action]
    created_at: datetime
    channel: str | None = None
    project: str | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None
    application: dict[str, Any] = field(default_factory=dict)

    @property
    def projects(self) -> list[str]:
        """The normalized names of the projects; empty for no limit."""
        return self.project.split(",") if self.project else []

    @property
    def uploads_only(self) -> bool:
        """Whether it uploads and changes nothing that is there, as a trusted publisher's."""
        return "publisher" in self.application or UPLOADS_ONLY in self.application

    @property
    def is_whole(self) -> bool:
        """Whether it has all permissions of its user."""
        unlimited = self.channel is None and self.project is None and not self.uploads_only
        return Action.ADMIN in self.actions and unlimited


@dataclass(frozen=True, slots=True)
class Session:
    """A browser's session; `method` is how its user signed in. Times are UTC.

    One with a `token_id` has the limits of that token, and ends with it.
    """

    id: int
    user_id: int
    token_id: int | None
    method: str
    agent: str
    address: str
    created_at: datetime
    used_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller: a user with a token or password, the operator at the store, or anonymous.

    `session` is that of a browser, where the user has signed in.
    """

    user: User | None = None
    token: Token | None = None
    operator: bool = False
    session: Session | None = None

    @property
    def name(self) -> str:
        """The name in the audit log; of a trusted publisher, the CI run."""
        if self.token is not None and "publisher" in self.token.application:
            return self.token.name
        if self.user is not None:
            return self.user.name
        return "operator" if self.operator else "anonymous"


ANONYMOUS = Actor()


@dataclass(frozen=True, slots=True)
class View:
    """A channel as seen by an actor under one label."""

    actor: Actor
    channel: str
    label: str = "main"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel, serving pip and conda. `serial` counts its changes."""

    id: int
    name: str
    owner_id: int
    public: bool
    serial: int
    names_serial: int
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Project:
    """A project of a channel, for pip and conda. `key` is the normalized name (PEP 503).

    `status_before` is its own status before an upstream quarantined it, None while none did.
    """

    id: int
    key: str
    name: str
    conda_name: str | None
    status: str
    status_reason: str | None
    summary: str
    attributes: dict[str, Any]
    created_at: datetime
    serial: int
    status_before: str | None = None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a channel. `subdir` is '' on the PyPI side; `record` is its repodata record.

    `remark` says why a wheel was not converted; `made_from` is the id of the wheel from which a
    package was converted. `yanked` is the reason ('' for none given), None when not yanked.
    `about` is JSON: info/about.json of an author's conda package, a wheel's entry points and names.
    `uploaded_with` is JSON (`auth.upload_credentials`); None for uploads before it was recorded.
    """

    id: int
    project_id: int
    subdir: str
    filename: str
    kind: Kind
    name: str
    version: str
    build: str
    build_number: int
    size: int
    sha256: str
    md5: str
    requires_python: str | None
    tags: tuple[str, ...]
    depends: tuple[str, ...]
    metadata: bytes = field(repr=False)
    record: str | None = field(repr=False)
    run_exports: str | None
    uploaded_at: datetime
    uploader_id: int | None
    yanked: str | None
    deleted_at: datetime | None
    made_from: int | None
    remark: str | None
    provenance: str | None = field(repr=False)
    labels: frozenset[str] = frozenset()
    about: str | None = field(default=None, repr=False)
    uploaded_with: str | None = field(default=None, repr=False)

    @property
    def basename(self) -> str:
        """Anaconda.org's basename: `noarch/x-1-py_0.conda`, or the file name of a wheel."""
        return f"{self.subdir}/{self.filename}" if self.subdir else self.filename

    @property
    def artifact(self) -> Artifact:
        """The file's own metadata; its `path` is the bare name."""
        return Artifact(
            path=Path(self.filename),
            kind=self.kind,
            name=self.name,
            version=self.version,
            size=self.size,
            sha256=self.sha256,
            md5=self.md5,
            metadata=self.metadata,
            tags=self.tags,
            requires_python=self.requires_python,
            depends=self.depends,
        )


@dataclass(frozen=True, slots=True)
class Page:
    """A rendered page; a stale one is served while its successor is rendered.

    `fresh_until` is when its upstream is to be asked again, None where it depends on the database
    alone.
    """

    body: bytes = field(repr=False)
    etag: str
    serial: int
    is_stale: bool = False
    fresh_until: datetime | None = None


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def to_text(time: datetime) -> str:
    """Format a time as stored."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> datetime:
    """Parse a stored time."""
    return datetime.fromisoformat(text)  # strptime takes twenty times as long
