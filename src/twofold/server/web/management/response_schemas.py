"""Response schemas for the OpenAPI document, and serializers of the registry's classes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from twofold.server.auth.trusted_publishers import TrustedPublisher
from twofold.server.model import Actor, Channel, Project, StoredFile, Token, User
from twofold.server.proxy.config import Upstream
from twofold.server.registry.administration import AuditEntry

_TEXT = {"type": "string"}
_TEXT_OR_NULL = {"type": ["string", "null"]}
_TIME = {"type": "string", "format": "date-time"}
_TIME_OR_NULL = {"type": ["string", "null"], "format": "date-time"}
_FLAG = {"type": "boolean"}
_COUNT = {"type": "integer", "minimum": 0}
_COUNT_OR_NULL = {"type": ["integer", "null"], "minimum": 0}
_TEXTS = {"type": "array", "items": _TEXT}


def _object_schema(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


#: Name -> JSON Schema; every field is required.
SCHEMAS: dict[str, dict[str, Any]] = {
    "User": _object_schema(
        name=_TEXT,
        kind={"type": "string", "enum": ["user", "organisation"]},
        created_at=_TIME,
        disabled=_FLAG,
    ),
    "Asker": _object_schema(
        user=_TEXT, operator=_FLAG, token={"anyOf": [_ref("Token"), {"type": "null"}]}
    ),
    "Role": _object_schema(
        user=_TEXT, role={"type": "string", "enum": ["read", "upload", "admin"]}
    ),
    "Token": _object_schema(
        id=_COUNT,
        token=_TEXT,
        name=_TEXT,
        actions=_TEXTS,
        channel=_TEXT_OR_NULL,
        projects=_TEXTS,
        uploads_only=_FLAG,
        created_at=_TIME,
        expires_at=_TIME_OR_NULL,
    ),
    "NewToken": _object_schema(secret=_TEXT, token=_ref("Token")),
    "Channel": _object_schema(
        name=_TEXT,
        public=_FLAG,
        serial=_COUNT,
        quota=_COUNT_OR_NULL,
        deletion=_TEXT,
        keep=_COUNT_OR_NULL,
        keep_days=_COUNT_OR_NULL,
        keep_label_days={"type": "object", "additionalProperties": _COUNT},
        keep_bytes=_COUNT_OR_NULL,
        undelete_days=_COUNT_OR_NULL,
        allowed_names=_TEXTS,
        base_url=_TEXT_OR_NULL,
        v3=_FLAG,
        redirect=_FLAG,
        lazy=_FLAG,
        prefer=_TEXT_OR_NULL,
        offered_releases=_COUNT_OR_NULL,
    ),
    "ChannelDetail": _object_schema(channel=_ref("Channel"), owner=_TEXT, bytes=_COUNT),
    "Prefix": _object_schema(prefix=_TEXT, owner=_TEXT),
    "Publisher": _object_schema(
        id=_COUNT,
        project=_TEXT,
        issuer=_TEXT,
        claims={"type": "object", "additionalProperties": _TEXT},
    ),
    "ApprovalRequest": _object_schema(project=_TEXT, by=_TEXT, at=_TIME, reason=_TEXT),
    "ProjectName": _TEXT,
    "Upstream": _object_schema(
        kind=_TEXT,
        name=_TEXT,
        url=_TEXT,
        private_prefixes=_TEXTS,
        only=_TEXTS,
        max_age=_COUNT_OR_NULL,
    ),
    "Label": _object_schema(label=_TEXT, locked=_FLAG),
    "Project": _object_schema(
        name=_TEXT,
        key=_TEXT,
        conda_name=_TEXT_OR_NULL,
        status=_TEXT,
        status_reason=_TEXT_OR_NULL,
        summary=_TEXT,
    ),
    "ProjectDetail": _object_schema(
        project=_ref("Project"), files={"type": "array", "items": _ref("File")}
    ),
    "File": _object_schema(
        file=_TEXT,
        version=_TEXT,
        kind=_TEXT,
        size=_COUNT,
        sha256=_TEXT,
        labels=_TEXTS,
        yanked=_TEXT_OR_NULL,
        uploaded_at=_TIME,
        remark=_TEXT_OR_NULL,
    ),
    "PromotedFile": _object_schema(
        file=_TEXT,
        version=_TEXT,
        kind=_TEXT,
        size=_COUNT,
        sha256=_TEXT,
        labels=_TEXTS,
        yanked=_TEXT_OR_NULL,
        uploaded_at=_TIME,
        remark=_TEXT_OR_NULL,
        state={"type": "string", "enum": ["new", "labelled", "there"]},
    ),
    "Change": _object_schema(
        id=_COUNT,
        at=_TIME,
        actor=_TEXT,
        action=_TEXT,
        channel=_TEXT,
        subject=_TEXT,
        detail={"type": "object"},
    ),
    "Problem": {
        "type": "object",
        "description": "RFC 9457; the reason is in the status line too",
        "properties": {
            "type": _TEXT,
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "code": {"type": "string", "description": "stable error code, lower case with dashes"},
            "hint": _TEXT,
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
