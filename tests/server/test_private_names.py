"""A private name, in any spelling, is asked of no upstream in any way to offer or show projects."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.clients.management import Api
from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from tests.servers.upstream import StaticServer, add_upstream
from tests.servers.upstream_reads import JSON
from twofold.errors import TwofoldError
from twofold.names import normalize_name
from twofold.names.platforms import Target
from twofold.server.proxy import config, offer_list, offer_rounds, offers, sync
from twofold.server.proxy.policy import Policy
from twofold.server.registry import administration, approvals, lifecycle, queries

#: Under the private prefix, a project of the channel's own, one whose files were deleted, and one
#: that has no file yet; the upstream has a higher version of each.
SPELLINGS = [
    *("acme", "ACME", "acme.tools", "Acme__Tools"),
    *("mine", "Mine", "MINE>=9", "mine[fast]", "my.Own_1", "My--own.1"),
    *("gone", "Gone", "begun", "BEGUN"),
]
PRIVATE = {"acme", "acme-tools", "mine", "my-own-1", "gone", "begun"}


@pytest.fixture
def front(served: Place, static: StaticServer, tmp_path: Path) -> Place:
    """`main` in front of an index that has every private name; its spam requires them all."""
    required = [f"Requires-Dist: {name}" for name in sorted(PRIVATE)]
    static.publish(make_wheel(tmp_path, "spam", "1.0", *required), with_metadata=True)
    for name in PRIVATE:
        static.publish(make_wheel(tmp_path, name.replace("-", "_"), "99.0"), with_metadata=True)
    add_upstream(served, f"{static.url}/simple", "pypi", "acme")
    for name in ("mine", "my_own_1", "gone"):
        served.publish(make_wheel(tmp_path / "own", name, "1.0"))
    lifecycle.delete_release(served.registry, served.owner, "main", "gone", "1.0")
    lifecycle.describe_project(served.registry, served.owner, "main", "begun", {})
    for name in ("lazy", "v3"):
        administration.change_rule(served.registry, "operator", "main", name, "yes")
    static.requested.clear()
    return served


def offer_by_metadata(place: Place, wanted: str) -> None:
    offer_list.add(place.registry, place.owner, "main", [wanted])
    channel = queries.get_channel(place.registry, place.owner, "main")
    offer_rounds.run_round(place.registry, channel)
    for page in ("lazy/noarch/repodata.json", "v3/noarch/repodata.json", "lazy/notices.json"):
        place.get(f"/main/{page}")


def offer_by_name(place: Place, wanted: str) -> None:
    offers.offer(place.registry, place.owner, offers.OfferRequest("main", (wanted,), TARGET))
    place.get(f"/main/with/{wanted}/noarch/repodata.json")


def follow(place: Place, wanted: str) -> None:
    sync.sync_projects(place.registry, place.owner, "main", [wanted], TARGET)
    sync.resync(place.registry, place.owner, "main")


def approve(place: Place, wanted: str) -> None:
    name = Requirement(wanted).name
    config.set_policy(place.registry, "operator", "main", Policy(approval=True))
    reader = Api(place, place.token)
    reader.send("POST", "/channels/main/requests", project=name, reason="x")
    place.get(f"/main/simple/{normalize_name(name)}/")
    approvals.grant(place.registry, place.owner, "main", [name])
    place.get(f"/main/simple/{normalize_name(name)}/")


def show(place: Place, wanted: str) -> None:
    name = Requirement(wanted).name
    key = normalize_name(name)
    conda, wheel = f"{name}-99.0-py_0.conda", f"{key.replace('-', '_')}-99.0-py3-none-any.whl"
    for path in (
        *(f"simple/{one}/" for one in (name, key, f"{name}_", f"_{key}", f"{key}.%20")),
        *(f"project/{one}" for one in (name, f"{name}/99.0")),
        *(f"pypi/{one}/json" for one in (name, f"{name}/99.0")),
        *(f"files/{'0' * 64}/{one}" for one in (wheel, f"{wheel}.metadata")),
        *(f"{prefix}noarch/{conda}" for prefix in ("", "lazy/", "v3/", f"with/{name}/")),
        f"integrity/{name}/99.0/{wheel}/provenance",
    ):
        place.get(f"/main/{path}", Accept=JSON)
    for query in (f"/main?q={name}", f"/api/search?name={name}", f"/-/search?q={name}"):
        place.get(query)


TARGET = Target.parse("3.12", "linux-64")
WAYS = [offer_by_metadata, offer_by_name, follow, approve, show]


FAULTS = [None, *(pytest.param(fault, marks=pytest.mark.slow) for fault in ("hangs up", 503))]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("way", WAYS)
def test_a_private_name_is_never_requested(
    front: Place, static: StaticServer, way: Callable[[Place, str], None], fault: object
) -> None:
    static.fault = fault
    for wanted in [*SPELLINGS, "spam"]:
        with suppress(TwofoldError):  # the upstream is away, or the name is private
            way(front, wanted)
    asked = {part for path in static.requested for part in path.strip("/").split("/")}
    leaked = {part for part in asked if normalize_name(part.split("-")[0]) in PRIVATE}
    assert not leaked and not {normalize_name(part) for part in asked} & PRIVATE
    assert "spam" in asked  # the upstream was asked for what is not private
