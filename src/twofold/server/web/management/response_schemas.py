"""Response schemas for the OpenAPI document, and serializers of the registry's classes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from twofold.server.auth.trusted_publishers import TrustedPublisher
from twofold.server.model import Actor, Channel, Project, StoredFile, Token, User
from twofold.server.proxy.config import Upstream
from twofold.server.registry.administration import AuditEntry

TEXT = {"type": "string"}
TEXT_OR_NULL = {"type": ["string", "null"]}
TIME = {"type": "string", "format": "date-time"}
TIME_OR_NULL = {"type": ["string", "null"], "format": "date-time"}
FLAG = {"type": "boolean"}
COUNT = {"type": "integer", "minimum": 0}
COUNT_OR_NULL = {"type": ["integer", "null"], "minimum": 0}
TEXTS = {"type": "array", "items": TEXT}


def object_schema(**properties: Any) -> dict[str, Any]:
    """Return the schema of an object with these properties, all of them required."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


_FILE = {
    "file": TEXT,
    "version": TEXT,
    "kind": TEXT,
    "size": COUNT,
    "sha256": TEXT,
    "labels": TEXTS,
    "yanked": TEXT_OR_NULL,
    "uploaded_at": TIME,
    "remark": TEXT_OR_NULL,
}

#: Name -> JSON Schema; every field is required.
SCHEMAS: dict[str, dict[str, Any]] = {
    "User": object_schema(
        name=TEXT,
        kind={"type": "string", "enum": ["user", "organisation"]},
        created_at=TIME,
        disabled=FLAG,
    ),
    "Asker": object_schema(
        user=TEXT, operator=FLAG, token={"anyOf": [_ref("Token"), {"type": "null"}]}
    ),
    "Role": object_schema(user=TEXT, role={"type": "string", "enum": ["read", "upload", "admin"]}),
    "Token": object_schema(
        id=COUNT,
        token=TEXT,
        name=TEXT,
        actions=TEXTS,
        channel=TEXT_OR_NULL,
        projects=TEXTS,
        uploads_only=FLAG,
        created_at=TIME,
        expires_at=TIME_OR_NULL,
        used_at=TIME_OR_NULL,
    ),
    "NewToken": object_schema(secret=TEXT, token=_ref("Token")),
    "Channel": object_schema(
        name=TEXT,
        public=FLAG,
        serial=COUNT,
        quota=COUNT_OR_NULL,
        deletion=TEXT,
        keep=COUNT_OR_NULL,
        keep_days=COUNT_OR_NULL,
        keep_label_days={"type": "object", "additionalProperties": COUNT},
        keep_bytes=COUNT_OR_NULL,
        undelete_days=COUNT_OR_NULL,
        allowed_names=TEXTS,
        base_url=TEXT_OR_NULL,
        v3=FLAG,
        redirect=FLAG,
        lazy=FLAG,
        images=TEXT,
        prefer=TEXT_OR_NULL,
        offered_releases=COUNT_OR_NULL,
    ),
    "ChannelDetail": object_schema(channel=_ref("Channel"), owner=TEXT, bytes=COUNT),
    "Prefix": object_schema(prefix=TEXT, owner=TEXT),
    "Publisher": object_schema(
        id=COUNT,
        project=TEXT,
        issuer=TEXT,
        claims={"type": "object", "additionalProperties": TEXT},
    ),
    "ApprovalRequest": object_schema(project=TEXT, by=TEXT, at=TIME, reason=TEXT),
    "ProjectName": TEXT,
    "Upstream": object_schema(
        kind=TEXT,
        name=TEXT,
        url=TEXT,
        private_prefixes=TEXTS,
        only=TEXTS,
        max_age=COUNT_OR_NULL,
    ),
    "Label": object_schema(label=TEXT, locked=FLAG),
    "Project": object_schema(
        name=TEXT,
        key=TEXT,
        conda_name=TEXT_OR_NULL,
        status=TEXT,
        status_reason=TEXT_OR_NULL,
        summary=TEXT,
    ),
    "ProjectDetail": object_schema(
        project=_ref("Project"), files={"type": "array", "items": _ref("File")}
    ),
    "File": object_schema(**_FILE),
    "PromotedFile": object_schema(
        **_FILE, state={"type": "string", "enum": ["new", "labelled", "there"]}
    ),
    "Change": object_schema(
        id=COUNT,
        at=TIME,
        actor=TEXT,
        action=TEXT,
        channel=TEXT,
        subject=TEXT,
        detail={"type": "object"},
    ),
    "Problem": {
        "type": "object",
        "description": "RFC 9457; the reason is in the status line too",
        "properties": {
            "type": TEXT,
            "title": TEXT,
            "status": {"type": "integer"},
            "detail": TEXT,
            "code": {"type": "string", "description": "stable error code, lower case with dashes"},
            "hint": TEXT,
        },
        "required": ["type", "title", "status", "detail", "code"],
    },
}


def serialize_user(found: User) -> dict[str, Any]:
    """Serialize a user or an organisation."""
    return {
        "name": found.name,
        "kind": found.kind,
        "created_at": found.created_at.isoformat(),
        "disabled": found.disabled,
    }


def serialize_caller(actor: Actor) -> dict[str, Any]:
    """Serialize the caller."""
    shown = serialize_token(actor.token) if actor.token else None
    return {"user": actor.name, "operator": actor.operator, "token": shown}


def serialize_role(name: str, role_: str) -> dict[str, Any]:
    """Serialize the role of a user."""
    return {"user": name, "role": role_}


def serialize_token(found: Token) -> dict[str, Any]:
    """Serialize a token without its secret."""
    return {
        "id": found.id,
        "token": found.shown,
        "name": found.name,
        "actions": sorted(found.actions),
        "channel": found.channel,
        "projects": found.projects,
        "uploads_only": found.uploads_only,
        "created_at": found.created_at.isoformat(),
        "expires_at": _iso(found.expires_at),
        "used_at": _iso(found.used_at),
    }


def serialize_channel(found: Channel) -> dict[str, Any]:
    """Serialize a channel and its settings."""
    rules = found.settings
    return {
        "name": found.name,
        "public": found.public,
        "serial": found.serial,
        "quota": rules.get("quota"),
        "deletion": rules.get("deletion", "upload"),
        "keep": rules.get("keep"),
        "keep_days": rules.get("keep-days"),
        "keep_label_days": rules.get("keep-label-days", {}),
        "keep_bytes": rules.get("keep-bytes"),
        "undelete_days": rules.get("undelete-days"),
        "allowed_names": rules.get("allowed-names", []),
        "base_url": rules.get("base-url"),
        "v3": rules.get("v3", False),
        "redirect": rules.get("redirect", False),
        "lazy": rules.get("lazy", False),
        "images": rules.get("images", "blocked"),
        "prefer": rules.get("prefer"),
        "offered_releases": rules.get("offered-releases"),
    }


def serialize_publisher(found: TrustedPublisher) -> dict[str, Any]:
    """Serialize a trusted publisher."""
    return {
        "id": found.id,
        "project": found.project,
        "issuer": found.issuer,
        "claims": found.claims,
    }


def serialize_upstream(found: Upstream) -> dict[str, Any]:
    """Serialize an upstream without its login."""
    return {
        "kind": found.kind,
        "name": found.name,
        "url": found.url,
        "private_prefixes": list(found.prefixes),
        "only": list(found.only),
        "max_age": found.max_age,
    }


def serialize_project(found: Project) -> dict[str, Any]:
    """Serialize a project without its files."""
    return {
        "name": found.name,
        "key": found.key,
        "conda_name": found.conda_name,
        "status": found.status,
        "status_reason": found.status_reason,
        "summary": found.summary,
    }


def serialize_file(found: StoredFile) -> dict[str, Any]:
    """Serialize a file."""
    return {
        "file": found.basename,
        "version": found.version,
        "kind": str(found.kind),
        "size": found.size,
        "sha256": found.sha256,
        "labels": sorted(found.labels),
        "yanked": found.yanked,
        "uploaded_at": found.uploaded_at.isoformat(),
        "remark": found.remark,
    }


def serialize_change(found: AuditEntry) -> dict[str, Any]:
    """Serialize an entry of the audit log."""
    return {
        "id": found.id,
        "at": found.at.isoformat(),
        "actor": found.actor,
        "action": found.action,
        "channel": found.channel,
        "subject": found.subject,
        "detail": found.detail or {},
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
