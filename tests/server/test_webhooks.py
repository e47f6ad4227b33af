"""Webhooks: what is sent, to whom, signed how, how often; what a kill or a second server does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest

from tests.factories.packages import make_wheel
from tests.server.conftest import Place, new_place
from tests.servers.receiver import Receiver, run_receiver
from tests.servers.stores import PostgreSQL
from twofold.errors import Refused
from twofold.server import channel_events
from twofold.server.app import open_registry
from twofold.server.auth import accounts, second_factor, sessions
from twofold.server.auth.sessions import SignIn
from twofold.server.context import Registry
from twofold.server.registry import labels, lifecycle
from twofold.server.registry.labels import Promotion, Selection
from twofold.server.registry.webhooks import sender as senders
from twofold.server.registry.webhooks import settings as webhooks
from twofold.server.registry.webhooks.sender import WebhookSender
from twofold.server.settings import SessionLimits, Settings
from twofold.server.store.outgoing import deliveries as stored

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with run_receiver() as made:
        yield made


@pytest.fixture
def place(tmp_path: Path, receiver: Receiver) -> Iterator[Place]:
    made = new_place(Settings(tmp_path / "registry", webhook_hosts=(receiver.host,)))
    yield made
    made.registry.database.close()


def deliver(registry: Registry, **options: Any) -> int:
    """Deliver what is due now; returns how many attempts were made."""
    made = WebhookSender(registry, **options)
    total = 0
    with ThreadPoolExecutor(senders.AT_ONCE) as pool:
        while done := made.deliver_due(pool):
            total += done
    return total


def later(registry: Registry, seconds: float) -> Registry:
    """The registry at a later time."""
    return replace(registry, clock=lambda: datetime.now().astimezone() + timedelta(seconds=seconds))


def is_genuine(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """As the how-to has it."""
    page = (DOCS / "how-to" / "webhooks.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert found
    names: dict[str, Any] = {}
    exec(found[1], names)
    return bool(names["is_genuine"](secret, headers, body))


def test_uploads_yanks_promotions_and_deletions_are_posted_and_signed(
    place: Place, receiver: Receiver, tmp_path: Path
) -> None:
    registry, owner = place.registry, place.owner
    added = webhooks.add_webhook(registry, "owner", "main", f"{receiver.url}/x?token=1", [])
    place.publish(make_wheel(tmp_path, "pkg", "1.0"))
    lifecycle.yank(registry, owner, "main", "pkg", "1.0", "broken")
    lifecycle.unyank(registry, owner, "main", "pkg", "1.0")
    labels.promote(registry, owner, Promotion("main", "main", Selection("pkg"), "main", "dev"))
    lifecycle.set_status(registry, owner, "main", "pkg", "deprecated", "")
    lifecycle.delete_release(registry, owner, "main", "pkg", "1.0")
    deliver(registry)
    bodies = [json.loads(body) for _, body in receiver.received]
    assert {one["event"] for one in bodies} == set(channel_events.EVENTS.values())
    uploaded = next(one for one in bodies if one["event"] == channel_events.EVENTS["publish"])
    assert (uploaded["channel"], uploaded["actor"]) == ("main", "owner")
    assert uploaded["detail"]["sha256"]
    for headers, body in receiver.received:
        assert is_genuine(added.secret, headers, body)
        assert not is_genuine(added.secret, headers, body + b" ")
        assert not is_genuine(f"whsec_{base64.b64encode(b'x' * 24).decode()}", headers, body)
        assert headers["content-type"] == "application/json"
    names = [headers["webhook-id"] for headers, _ in receiver.received]
    assert len(set(names)) == len(names)
    assert deliver(later(registry, 10**6)) == 0
    log = webhooks.list_deliveries(registry, "main", 50)
    assert {one.status for one, _ in log} == {204} and "token" not in log[0][1]


def test_a_signature_is_that_of_standard_webhooks() -> None:
    secret, name, at, body = "whsec_" + base64.b64encode(b"k" * 24).decode(), "m", "1", b"{}"
    wanted = hmac.new(b"k" * 24, b"m.1.{}", hashlib.sha256).digest()
    assert senders.sign(secret, name, at, body) == f"v1,{base64.b64encode(wanted).decode()}"


def test_only_the_events_that_were_chosen_are_sent_and_none_of_other_channels(
    place: Place, receiver: Receiver, tmp_path: Path
) -> None:
    owner = place.owner.user
    assert owner is not None
    accounts.add_channel(place.registry, "owner", "other", owner)
    webhooks.add_webhook(place.registry, "owner", "main", receiver.url, ["yank"])
    place.publish(make_wheel(tmp_path, "pkg", "1.0"), "other")
    place.publish(make_wheel(tmp_path, "pkg", "1.0"))
    lifecycle.yank(place.registry, place.owner, "main", "pkg", "1.0", "")
    deliver(place.registry)
    assert [json.loads(body)["event"] for _, body in receiver.received] == ["yank"]


def test_a_change_that_is_not_made_is_not_reported(
    place: Place, receiver: Receiver, tmp_path: Path
) -> None:
    webhooks.add_webhook(place.registry, "owner", "main", receiver.url, [])
    place.publish(make_wheel(tmp_path, "pkg", "1.0"))
    deliver(place.registry)
    receiver.received.clear()
    with pytest.raises(Refused):
        lifecycle.yank(place.registry, place.owner, "main", "pkg", "9.9", "")
    assert deliver(place.registry) == 0 and receiver.received == []


def add_test_delivery(place: Place, receiver: Receiver) -> int:
    hook = webhooks.add_webhook(place.registry, "owner", "main", receiver.url, ["yank"])
    webhooks.queue_test(place.registry, "owner", "main", hook.id)
    return hook.id


def test_a_failed_delivery_is_tried_again_later_and_given_up_at_last(
    place: Place, receiver: Receiver
) -> None:
    add_test_delivery(place, receiver)
    receiver.statuses = [500, 302, 404]
    waits = (timedelta(seconds=10), timedelta(seconds=60))
    assert deliver(place.registry, backoff=waits) == 1
    assert deliver(later(place.registry, 5), backoff=waits) == 0, "too soon"
    assert deliver(later(place.registry, 11), backoff=waits) == 1
    assert deliver(later(place.registry, 12), backoff=waits) == 0
    ((one, _),) = webhooks.list_deliveries(place.registry, "main", 5)
    assert one.attempts == 2 and one.next_at is not None and "redirects" in one.error
    assert deliver(later(place.registry, 80), backoff=waits) == 1
    ((one, _),) = webhooks.list_deliveries(place.registry, "main", 5)
    assert (one.attempts, one.next_at, one.status) == (3, None, 404)
    assert deliver(later(place.registry, 10**6), backoff=waits) == 0
    assert len(receiver.received) == 3, "a redirect is not followed"
    names = {headers["webhook-id"] for headers, _ in receiver.received}
    assert len(names) == 1, "each attempt has the delivery's id"


def test_a_delivery_is_sent_again_with_its_id_whether_it_arrived_or_was_given_up(
    place: Place, receiver: Receiver
) -> None:
    add_test_delivery(place, receiver)
    receiver.statuses = [500]
    assert deliver(place.registry, backoff=()) == 1
    ((lost, _),) = webhooks.list_deliveries(place.registry, "main", 5)
    assert lost.next_at is None and lost.delivered_at is None
    webhooks.resend(place.registry, "owner", "main", lost.id)
    assert deliver(place.registry) == 1
    ((found, _),) = webhooks.list_deliveries(place.registry, "main", 5)
    assert found.delivered_at is not None and (found.attempts, found.error) == (1, "")
    webhooks.resend(place.registry, "owner", "main", lost.id)
    assert deliver(place.registry) == 1
    first, *others = [(headers["webhook-id"], body) for headers, body in receiver.received]
    assert others == [first, first]
    owner = place.owner.user
    assert owner is not None
    accounts.add_channel(place.registry, "owner", "other", owner)
    for channel, number in (("other", lost.id), ("main", lost.id + 1)):
        with pytest.raises(Refused, match="There is no delivery"):
            webhooks.resend(place.registry, "owner", channel, number)


def test_what_waits_for_a_webhook_goes_to_its_new_url(place: Place, receiver: Receiver) -> None:
    gone = f"http://{receiver.host.partition(':')[0]}:9/hook"
    open_to = replace(place.registry, webhook_hosts=frozenset((receiver.host, "127.0.0.1:9")))
    made = webhooks.add_webhook(open_to, "owner", "main", gone, ["yank"])
    webhooks.queue_test(open_to, "owner", "main", made.id)
    assert deliver(open_to) == 1 and receiver.received == []
    changed = webhooks.change_webhook(place.registry, "owner", "main", made.id, receiver.url)
    assert (changed.url, changed.events) == (receiver.url, ("yank",))
    assert deliver(later(place.registry, 11)) == 1
    ((headers, body),) = receiver.received
    assert is_genuine(made.secret, headers, body), "the secret is the one it had"
    both = ["upload", "yank"]
    changed = webhooks.change_webhook(place.registry, "owner", "main", made.id, events=both)
    assert (changed.url, changed.events) == (receiver.url, ("upload", "yank"))
    for url in ("http://169.254.169.254/", "https://u:p@example.org/", "ftp://example.org/", gone):
        with pytest.raises(Refused):
            webhooks.change_webhook(place.registry, "owner", "main", made.id, url)
    assert [one.url for one in webhooks.list_webhooks(place.registry, "main")] == [receiver.url]


def test_two_servers_deliver_each_once(place: Place, receiver: Receiver) -> None:
    hook = add_test_delivery(place, receiver)
    for _ in range(15):
        webhooks.queue_test(place.registry, "owner", "main", hook)
    receiver.delay = 0.01
    one, two = WebhookSender(place.registry), WebhookSender(place.registry)
    one.start()
    two.start()
    deadline = time.monotonic() + 60
    while len(receiver.received) < 16 and time.monotonic() < deadline:
        time.sleep(0.02)
    one.stop()
    two.stop()
    names = sorted(headers["webhook-id"] for headers, _ in receiver.received)
    assert len(names) == len(set(names)) == 16


@pytest.mark.slow
def test_two_servers_on_postgresql_deliver_each_once_and_a_session_is_theirs_alike(
    tmp_path: Path, receiver: Receiver, postgresql: PostgreSQL
) -> None:
    settings = Settings(
        tmp_path / "registry", postgresql.new_database(), webhook_hosts=(receiver.host,)
    )
    place = new_place(settings)
    other = open_registry(settings)
    hook = add_test_delivery(place, receiver)
    for _ in range(30):
        webhooks.queue_test(place.registry, "owner", "main", hook)
    receiver.delay = 0.01
    one, two = WebhookSender(place.registry), WebhookSender(other)
    one.start()
    two.start()
    deadline = time.monotonic() + 60
    while len(receiver.received) < 31 and time.monotonic() < deadline:
        time.sleep(0.02)
    one.stop()
    two.stop()
    names = sorted(headers["webhook-id"] for headers, _ in receiver.received)
    assert len(names) == len(set(names)) == 31
    user = place.owner.user
    assert user is not None
    secret = sessions.begin(place.registry, SignIn(user, "password"), SessionLimits())
    assert sessions.find(other, secret, SessionLimits()) is not None
    sessions.end(other, secret)
    assert sessions.find(place.registry, secret, SessionLimits()) is None
    factor = second_factor.begin(place.registry, user, "t").secret
    code = pyotp.TOTP(factor).now()
    second_factor.confirm(other, user, code, None)
    with pytest.raises(Refused):
        second_factor.check(place.registry, user, code)
    place.registry.database.close()
    other.database.close()


def test_a_delivery_that_a_killed_server_had_taken_is_delivered_by_another(
    place: Place, receiver: Receiver
) -> None:
    add_test_delivery(place, receiver)
    at = place.registry.clock()
    with place.registry.database.write() as db:
        assert len(stored.claim_due(db, at, at + senders.CLAIM, 5)) == 1
    assert deliver(later(place.registry, 30)) == 0, "it is claimed"
    assert deliver(later(place.registry, 61)) == 1 and len(receiver.received) == 1


def test_a_rotated_secret_signs_with_the_one_before_for_a_day(
    place: Place, receiver: Receiver
) -> None:
    hook = webhooks.add_webhook(place.registry, "owner", "main", receiver.url, ["yank"])
    new = webhooks.rotate_secret(place.registry, "owner", "main", hook.id)
    webhooks.queue_test(place.registry, "owner", "main", hook.id)
    deliver(place.registry)
    headers, body = receiver.received[0]
    assert is_genuine(hook.secret, headers, body) and is_genuine(new, headers, body)
    webhooks.queue_test(place.registry, "owner", "main", hook.id)
    deliver(later(place.registry, 86_500))
    headers, body = receiver.received[1]
    assert len(headers["webhook-signature"].split()) == 1 and "v1," in headers["webhook-signature"]


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://10.0.0.1/x",
        "https://169.254.169.254/latest",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://2130706433/x",
        "http://hooks.example/x",
        "ftp://hooks.example/x",
        "https://user:password@hooks.example/x",
        "https://hooks.example:99999/x",
        "https:///x",
        "x",
    ],
)
def test_a_webhook_goes_to_no_address_inside_and_sends_no_login(place: Place, url: str) -> None:
    with pytest.raises(Refused) as caught:
        webhooks.add_webhook(place.registry, "ann", "main", url, [])
    assert caught.value.status in (400, 403, 409)
    assert webhooks.list_webhooks(place.registry, "main") == []


def test_a_host_that_the_operator_allows_no_more_gets_nothing(
    place: Place, receiver: Receiver
) -> None:
    add_test_delivery(place, receiver)
    deliver(replace(place.registry, webhook_hosts=frozenset()))
    assert receiver.received == []
    ((one, _),) = webhooks.list_deliveries(place.registry, "main", 5)
    assert one.status is None and one.error and one.next_at is not None


def test_a_receiver_that_answers_much_is_not_read_to_the_end(
    place: Place, receiver: Receiver
) -> None:
    add_test_delivery(place, receiver)
    receiver.body = b"x" * (8 << 20)
    began = time.monotonic()
    assert deliver(place.registry) == 1
    assert time.monotonic() - began < 5
    ((one, _),) = webhooks.list_deliveries(place.registry, "main", 5)
    assert one.delivered_at is not None


def test_the_queue_is_bounded_and_the_log_too(
    place: Place, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(channel_events, "MAX_PENDING", 3)
    monkeypatch.setattr(senders, "KEPT", 2)
    hook = webhooks.add_webhook(place.registry, "owner", "main", receiver.url, [])
    place.publish(make_wheel(tmp_path, "pkg", "1.0"))
    for _ in range(4):
        lifecycle.yank(place.registry, place.owner, "main", "pkg", "1.0", "")
        lifecycle.unyank(place.registry, place.owner, "main", "pkg", "1.0")
    with place.registry.database.read() as db:
        assert stored.count_pending(db, hook.id) == 3
    deliver(place.registry)
    assert len(receiver.received) == 3
    assert len(webhooks.list_deliveries(place.registry, "main", 50)) == 2
    webhooks.remove_webhook(place.registry, "owner", "main", hook.id)
    assert webhooks.list_deliveries(place.registry, "main", 50) == []
