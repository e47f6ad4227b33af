"""Promotion of many projects, with their dependencies, and without changing anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.management import Api
from tests.factories.packages import make_conda, make_wheel
from tests.server.conftest import Place
from twofold.errors import Refused
from twofold.server.auth import accounts
from twofold.server.model import ANONYMOUS
from twofold.server.registry import administration, lifecycle, queries
from twofold.server.registry.labels import Promotion, Selection
from twofold.server.registry.promotions import Scope, promote_all


@pytest.fixture
def stable(place: Place) -> Place:
    """A channel `stable` beside `main`."""
    assert place.owner.user is not None
    accounts.add_channel(place.registry, "owner", "stable", place.owner.user)
    return place


def carry(place: Place, project: str, version: str | None = None, **scope: bool) -> dict[str, str]:
    promotion = Promotion("main", "stable", Selection(project, version), existing="add")
    done = promote_all(place.registry, place.owner, promotion, Scope(**scope))
    return {one.file.filename: one.state for one in done}


def list_files(place: Place) -> set[str]:
    projects = queries.list_projects(place.registry, ANONYMOUS, "stable")
    return {file.filename for one in projects for file in queries.list_files(place.registry, one)}


def test_what_a_project_requires_comes_in_the_newest_version_that_fits(
    stable: Place, tmp_path: Path
) -> None:
    for name, version, needs in (
        ("top", "1.0", ("middle>=1,<2", "absent", 'extra-one; extra == "more"')),
        ("middle", "1.0", ("leaf",)),
        ("middle", "1.5", ("leaf", "top")),
        ("middle", "2.0", ()),
        ("leaf", "0.1", ()),
        ("leaf", "0.2", ()),
        ("extra-one", "1.0", ()),
    ):
        lines = [f"Requires-Dist: {text}" for text in needs]
        stable.publish(make_wheel(tmp_path, name, version, *lines))
    lifecycle.yank(stable.registry, stable.owner, "main", "leaf", "0.2")
    stable.publish(make_wheel(tmp_path, "leaf", "0.1"), channel="stable")
    done = carry(stable, "top", with_dependencies=True)
    wheels = {name for name in done if name.endswith(".whl")}
    assert wheels == {"top-1.0-py3-none-any.whl", "middle-1.5-py3-none-any.whl"}
    assert set(done.values()) == {"new"}
    assert set(carry(stable, "top", with_dependencies=True).values()) == {"there"}


def test_a_conda_package_brings_what_it_depends_on(stable: Place, tmp_path: Path) -> None:
    stable.publish(make_wheel(tmp_path, "dep", "1.0"))
    wheel = make_wheel(tmp_path / "w", "needs-dep", "1.0", "Requires-Dist: dep")
    stable.publish(wheel)
    done = carry(stable, "needs_dep", with_dependencies=True)
    assert any(name.startswith("dep-1.0") for name in done)


def test_a_whole_channel_is_carried_by_labels(stable: Place, tmp_path: Path) -> None:
    stable.publish(make_wheel(tmp_path, "one", "1.0"))
    stable.publish(make_wheel(tmp_path, "one", "2.0rc1"))
    stable.publish(make_conda(tmp_path, "two", "1.0"))
    stable.publish(make_wheel(tmp_path, "unlabelled"), labels=("dev",))
    carry(stable, "", whole_channel=True)
    assert not any("unlabelled" in name for name in list_files(stable))
    assert {name.split("-py")[0] for name in list_files(stable)} == {
        "one-1.0",
        "one-2.0rc1",
        "two-1.0",
    }


def test_a_dry_run_says_the_same_and_changes_nothing(stable: Place, tmp_path: Path) -> None:
    stable.publish(make_wheel(tmp_path, "one", "1.0"))
    log = administration.read_changes(stable.registry, administration.AuditQuery())
    planned = carry(stable, "one", dry_run=True)
    assert list_files(stable) == set()
    assert administration.read_changes(stable.registry, administration.AuditQuery()) == log
    assert carry(stable, "one") == planned


def test_a_refusal_of_one_project_carries_none(stable: Place, tmp_path: Path) -> None:
    for name in ("aaa", "bbb"):
        stable.publish(make_wheel(tmp_path, name))
    stable.publish(make_wheel(tmp_path / "other", "bbb", code="y = 2\n"), channel="stable")
    before = list_files(stable)
    with pytest.raises(Refused, match="already exists"):
        carry(stable, "", whole_channel=True)
    assert list_files(stable) == before


def test_the_api_does_it_too(served: Place, tmp_path: Path) -> None:
    assert served.owner.user is not None
    accounts.add_channel(served.registry, "owner", "stable", served.owner.user)
    served.publish(make_wheel(tmp_path, "one", "1.0"))
    api, path = Api(served), "/channels/stable/promotions"
    assert api.send("POST", path, source="main").status_code == 422
    both = api.send("POST", path, source="main", all=True, project="one")
    assert both.status_code == 422
    planned = api("POST", path, source="main", all=True, dry_run=True)
    assert {one["state"] for one in planned} == {"new"}
    done = api("POST", path, source="main", all=True)
    assert [one["file"] for one in done] == [one["file"] for one in planned]
