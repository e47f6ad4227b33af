"""Rounds over what is offered by metadata: pauses that upstreams ask for, and what is made."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator

import pytest

from tests.server.conftest import Place
from tests.servers.raw_upstream import RawUpstream, make_answer, make_entry, make_page
from tests.servers.upstream import add_upstream
from twofold.fetching import client
from twofold.server.proxy import config, offer_list, offer_rounds, offered_wheels
from twofold.server.proxy.offer_rounds import RoundResult
from twofold.server.proxy.offered_wheels import OfferedWheel
from twofold.server.proxy.policy import Policy
from twofold.server.registry import administration, queries
from twofold.server.store import offers

METADATA = b"Metadata-Version: 2.1\nName: spam\nVersion: 1.0\n"
NAMES = [f"spam-{version}-py3-none-any.whl" for version in ("1.0", "2.0", "3.0")]


@pytest.fixture
def upstream(place: Place) -> Iterator[RawUpstream]:
    """An index with three releases of spam."""
    made = RawUpstream()
    entries = [make_entry(name, name.encode(), size=9, **promise()) for name in NAMES]
    made.answers["/simple/spam/"] = make_page(*entries)
    for name in NAMES:
        made.answers[f"/files/{name}.metadata"] = make_answer(METADATA)
    add_upstream(place, f"{made.url}/simple")
    set_rule(place, "lazy", "yes")
    offer_list.add(place.registry, place.owner, "main", ["spam"])
    yield made
    made.close()


def promise() -> dict[str, object]:
    return {"core-metadata": {"sha256": hashlib.sha256(METADATA).hexdigest()}}


def set_rule(place: Place, name: str, value: str) -> None:
    administration.change_rule(place.registry, "operator", "main", name, value)


def run_round(place: Place) -> RoundResult:
    channel = queries.get_channel(place.registry, place.owner, "main")
    return offer_rounds.run_round(place.registry, channel)


def read_wheels(place: Place) -> list[OfferedWheel]:
    with place.registry.database.read() as db:
        body = offers.read_wheels(db, 1, "spam")
    return sorted(offered_wheels.unpack(body).wheels if body else (), key=lambda one: one.filename)


def refuse_first(upstream: RawUpstream, answer: bytes) -> list[float]:
    """Give the first request for the page another answer; return when each came."""
    page, came = upstream.answers["/simple/spam/"], list[float]()

    def give(line: socket.socket) -> None:
        came.append(time.monotonic())
        assert isinstance(page, bytes)
        line.sendall(answer if len(came) == 1 else page)

    upstream.answers["/simple/spam/"] = give
    return came


@pytest.mark.parametrize(
    "answer", [make_answer(b"", 429, Retry_After="1"), make_answer(b"", 503, Retry_After="1")]
)
def test_a_round_waits_as_long_as_the_upstream_asks(
    place: Place, upstream: RawUpstream, answer: bytes
) -> None:
    came = refuse_first(upstream, answer)
    assert run_round(place).missing == {}
    assert len(came) == 2 and came[1] - came[0] >= 1.0
    assert [wheel.filename for wheel in read_wheels(place)] == NAMES


def test_too_many_requests_without_a_time_are_a_pause_too(
    place: Place, upstream: RawUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PAUSE_AFTER_429", 0.3)
    came = refuse_first(upstream, make_answer(b"", 429))
    assert run_round(place).missing == {}
    assert came[1] - came[0] >= 0.3 and read_wheels(place)


def test_a_round_ends_where_the_pause_is_long_and_nothing_counts_as_missing(
    place: Place, upstream: RawUpstream
) -> None:
    offer_list.add(place.registry, place.owner, "main", [f"p{number}" for number in range(200)])
    upstream.default = make_answer(b"", 429, Retry_After="3000")
    done = run_round(place)
    assert done.missing == {} and done.read == 0 and done.postponed
    assert len(upstream.requested) <= offer_rounds.PARALLEL  # and then none more
    with place.registry.database.read() as db:
        assert offers.list_missing(db, 1) == {}
        due = offers.list_due(db, 1, place.registry.clock(), 1000)
    assert len(due) == 201  # the next round goes on


def test_what_was_read_for_another_policy_is_read_again(
    place: Place, upstream: RawUpstream
) -> None:
    """The policy is set after the page was requested, and before it is stored."""
    page = upstream.answers["/simple/spam/"]

    def set_policy_first(line: socket.socket) -> None:
        config.set_policy(place.registry, "operator", "main", Policy(deny=("spam>1",)))
        assert isinstance(page, bytes)
        line.sendall(page)

    upstream.answers["/simple/spam/"] = set_policy_first
    run_round(place)
    assert [wheel.filename for wheel in read_wheels(place)] == NAMES[:1]


@pytest.mark.usefixtures("upstream")
def test_the_reason_of_the_policy_is_why_a_project_is_missing(place: Place) -> None:
    config.set_policy(place.registry, "operator", "main", Policy(min_age=3))
    assert "3 days after their upload" in run_round(place).missing["spam"]


@pytest.mark.usefixtures("upstream")
def test_v3_records_are_made_only_where_the_rule_is_on(place: Place) -> None:
    run_round(place)
    assert [wheel.v3 for wheel in read_wheels(place)] == [{}, {}, {}]
    set_rule(place, "v3", "yes")
    run_round(place)
    assert all("noarch" in wheel.v3 for wheel in read_wheels(place))
    set_rule(place, "v3", "no")
    run_round(place)
    assert [wheel.v3 for wheel in read_wheels(place)] == [{}, {}, {}]
