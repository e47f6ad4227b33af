"""What tests of upstreams ask and read."""

from __future__ import annotations

from datetime import timedelta

from tests.server.conftest import Place
from twofold.server.model import now
from twofold.server.store import audit

JSON = "application/vnd.pypi.simple.v1+json"


def files_of(place: Place, name: str, code: int = 200) -> list[str]:
    response = place.get(f"/main/simple/{name}/", Accept=JSON)
    assert response.status_code == code, response.text
    return [file["filename"] for file in response.json()["files"]] if code == 200 else []


def advance_clock(place: Place, hours: float = 1) -> None:
    """The registry's clock goes ahead: what upstreams said is no longer fresh."""
    ahead = now() + timedelta(hours=hours)
    object.__setattr__(place.registry, "clock", lambda: ahead)


def audited(place: Place, action: str) -> list[audit.AuditEntry]:
    with place.registry.database.read() as db:
        return list(audit.list_entries(db, audit.AuditQuery(action=action)))
