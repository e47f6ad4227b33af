"""PEP 752: a project's page tells under whose prefix its name stands, and follows every change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from twofold.errors import Refused
from twofold.server.auth import accounts
from twofold.server.model import Action, Actor, User, View
from twofold.server.registry import administration, lifecycle, queries
from twofold.server.registry.publish import Upload, publish


def namespace(place: Place, project: str, label: str = "main") -> Mapping[str, Any] | None:
    page, _ = queries.get_simple_page(
        place.registry, View(place.owner, "main", label), project, "json"
    )
    reported: Mapping[str, Any] | None = json.loads(page.body)["namespace"]
    return reported


def under(prefix: str, authorized: bool) -> dict[str, object]:
    return {"prefix": prefix, "authorized": authorized, "open": False}


def upload_as(place: Place, user: User, wheel: Path) -> None:
    copy = wheel.with_name(f"{wheel.name}.copy")
    copy.write_bytes(wheel.read_bytes())
    publish(place.registry, Actor(user), "main", Upload(copy, wheel.name))


@pytest.fixture
def guest(place: Place) -> User:
    """Somebody who may upload to `main`."""
    user = accounts.add_user(place.registry, "operator", "guest")
    administration.set_role(place.registry, "operator", "main", user, Action.UPLOAD)
    return user


def test_a_page_follows_its_prefix_reserved_moved_and_freed(
    place: Place, guest: User, tmp_path: Path
) -> None:
    registry = place.registry
    team = accounts.add_user(registry, "operator", "team", kind="organisation")
    for name in ("acme", "acme-web-tools", "acmeware"):
        upload_as(place, guest, make_wheel(tmp_path, name))

    def reported() -> list[Mapping[str, Any] | None]:
        return [namespace(place, name) for name in ("acme", "acme-web-tools", "acmeware")]

    assert reported() == [None, None, None]
    administration.reserve_prefix(registry, "operator", "main", "ACME", guest)
    assert reported() == [under("acme", True), under("acme", True), None]
    administration.reserve_prefix(registry, "operator", "main", "acme", team)
    assert reported() == [under("acme", False), under("acme", False), None]
    administration.reserve_prefix(registry, "operator", "main", "acme-web", guest)
    assert reported() == [under("acme", False), under("acme-web", True), None]
    administration.reserve_prefix(registry, "operator", "main", "acme", None)
    assert reported() == [None, under("acme-web", True), None]
    administration.reserve_prefix(registry, "operator", "main", "acme-web", None)
    assert reported() == [None, None, None]


def test_a_page_follows_who_may_use_the_grant(place: Place, guest: User, tmp_path: Path) -> None:
    registry = place.registry
    team = accounts.add_user(registry, "operator", "team", kind="organisation")
    upload_as(place, guest, make_wheel(tmp_path, "acme-tools"))
    administration.reserve_prefix(registry, "operator", "main", "acme", team)
    reported = [namespace(place, "acme-tools")]
    for role in (Action.READ, None):
        administration.set_member(registry, "operator", team, guest, role)
        reported.append(namespace(place, "acme-tools"))
    for role in (Action.ADMIN, Action.UPLOAD):
        administration.set_role(registry, "operator", "main", guest, role)
        reported.append(namespace(place, "acme-tools"))
    assert reported == [under("acme", yes) for yes in (False, True, False, True, False)]


def test_every_page_of_a_project_shows_its_namespace_after_any_change(
    place: Place, tmp_path: Path
) -> None:
    registry, owner = place.registry, place.owner
    administration.reserve_prefix(registry, "operator", "main", "acme", owner.user)
    place.publish(make_wheel(tmp_path, "acme-tools"), labels=frozenset({"main", "test"}))
    assert namespace(place, "acme-tools") == namespace(place, "acme-tools", "test")
    lifecycle.yank(registry, owner, "main", "acme-tools", "1.0.0", "broken")
    assert namespace(place, "acme-tools") == under("acme", True)
    administration.reserve_prefix(registry, "operator", "main", "acme", None)
    assert namespace(place, "acme-tools") is namespace(place, "acme-tools", "test") is None


def test_no_way_to_begin_a_project_leads_past_a_prefix(
    place: Place, guest: User, tmp_path: Path
) -> None:
    """Neither an upload nor the announcement that the Anaconda.org API begins with."""
    registry = place.registry
    administration.reserve_prefix(registry, "operator", "main", "acme", place.owner.user)
    with pytest.raises(Refused, match="reserved") as refused:
        upload_as(place, guest, make_wheel(tmp_path, "acme-tools"))
    assert (refused.value.code, refused.value.status) == ("private-prefix", 403)
    with pytest.raises(Refused, match="reserved"):
        lifecycle.describe_project(registry, Actor(guest), "main", "acme-tools", {"summary": "x"})
    assert queries.list_projects(registry, place.owner, "main") == []
