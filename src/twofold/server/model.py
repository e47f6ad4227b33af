"""The registry's nouns: users, channels, tokens, stored files. Frozen, and free of SQL and HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from twofold.artifact import Artifact, Kind


class Action(StrEnum):
    """What a right allows; each includes the ones before it."""

    READ = "read"
    UPLOAD = "upload"
    ADMIN = "admin"

    def includes(self, other: Action) -> bool:
        order = list(Action)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class User:
    """A person or an organisation. `home` is the channel the Anaconda.org API shows for it."""

    id: int
    name: str
    kind: str
    created_at: datetime
    home: str | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """A credential as the store knows it: never the secret itself. None means 'no limit'.

    `project` is a normalised name, or several with commas between them.
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
    application: dict[str, Any] = field(default_factory=dict)

    @property
    def projects(self) -> list[str]:
        return self.project.split(",") if self.project else []

    @property
    def is_whole(self) -> bool:
        """Whether it is good for everything its user may do."""
        return Action.ADMIN in self.actions and self.channel is None and self.project is None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks: a user by a token or a password, the operator at the store, or nobody."""

    user: User | None = None
    token: Token | None = None
    operator: bool = False

    @property
    def name(self) -> str:
        """Who is named in the audit log: the run behind a token of a trusted publisher."""
        if self.token is not None and "publisher" in self.token.application:
            return self.token.name
        if self.user is not None:
            return self.user.name
        return "operator" if self.operator else "anonymous"


ANONYMOUS = Actor()


@dataclass(frozen=True, slots=True)
class View:
    """A channel as one asker looks at it: under one label."""

    actor: Actor
    channel: str
    label: str = "main"


@dataclass(frozen=True, slots=True)
class Channel:
    """One address for both worlds. `serial` counts its changes."""

    id: int
    name: str
    owner_id: int
    public: bool
    serial: int
    names_serial: int
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Project:
    """A name in a channel, in both worlds. `key` is the normalised name (PEP 503)."""

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


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in a channel. `subdir` is '' on the PyPI side; `record` is its line of repodata.

    `remark` says why a wheel has no twin on the conda side; `made_from` is the wheel of which a
    conda package is the twin. `yanked` is a reason, '' when none was given, None when not yanked.
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

    @property
    def basename(self) -> str:
        """As Anaconda.org spells it: `noarch/x-1-py_0.conda`, or the bare name of a wheel."""
        return f"{self.subdir}/{self.filename}" if self.subdir else self.filename

    @property
    def artifact(self) -> Artifact:
        """What the file says of itself; its `path` is the bare name."""
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
    """A page rendered on write."""

    body: bytes = field(repr=False)
    etag: str
    serial: int


def now() -> datetime:
    return datetime.now(UTC)


def to_text(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def from_text(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
