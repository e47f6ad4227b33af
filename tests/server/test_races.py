"""Several processes change one thing at once: each is told success or why not, and nothing is lost.

Each colleague here is a registry of its own on the store, as another server process is: with its
own connections and nothing shared but the store. Nothing depends on who comes first.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.factories.packages import make_conda, make_wheel
from tests.server.conftest import Place
from tests.server.workload import conda_names
from tests.servers.processes import Fleet
from twofold.errors import Refused
from twofold.server.admission.checks import find_prefix
from twofold.server.app import open_registry
from twofold.server.auth import accounts, authentications, invitations, trusted_publishers
from twofold.server.auth.invitations import InvitationTarget
from twofold.server.auth.login_throttle import MAX_FOR_USER, LoginThrottle
from twofold.server.context import Registry
from twofold.server.model import Action, User, View, now
from twofold.server.proxy import config
from twofold.server.registry import (
    administration,
    labels,
    lifecycle,
    maintenance,
    notices,
    queries,
    staged_upload,
)
from twofold.server.registry.administration import AuditEntry, AuditQuery, read_changes
from twofold.server.registry.channel_retention import Retention, apply_channel_retention
from twofold.server.registry.labels import Promotion, Selection
from twofold.server.registry.publish import Upload, publish
from twofold.server.store import blob_refs, channels, files, upstream_cache

#: Processes, and how many do the same at once.
COLLEAGUES, AT_ONCE = 4, 12

Job = Callable[[Registry], Any]


@dataclass(frozen=True)
class Team:
    """Registries on one store, and where their files come from."""

    place: Place
    registries: list[Registry]

    def at_once(self, *jobs: Job) -> list[Any]:
        """What each job gave, or the Refused it raised; any other trouble fails the test."""
        barrier = threading.Barrier(len(jobs))

        def one(number: int) -> Any:
            barrier.wait(60)
            try:
                return jobs[number](self.registries[number % COLLEAGUES])
            except Refused as error:
                assert 400 <= error.status < 500, error
                return error

        with ThreadPoolExecutor(len(jobs)) as pool:
            return list(pool.map(one, range(len(jobs))))

    def all_do(self, job: Job) -> tuple[list[Any], list[str]]:
        """What the same job gave, where it did, and the codes of the refusals."""
        results = self.at_once(*[job] * AT_ONCE)
        refused = [one.code for one in results if isinstance(one, Refused)]
        return [one for one in results if not isinstance(one, Refused)], refused

    def publisher(self, path: Path, channel: str = "main") -> Job:
        copy = path.with_name(f"{path.name}.{channel}.copy")
        copy.write_bytes(path.read_bytes())
        upload = Upload(copy, path.name)
        return lambda registry: publish(registry, self.place.owner, channel, upload)

    def logged(self, action: str) -> list[AuditEntry]:
        return read_changes(self.place.registry, AuditQuery(action=action))

    def assert_sound(self) -> None:
        verdict = maintenance.verify(self.place.registry)
        assert verdict.is_sound, verdict


@pytest.fixture
def team(place: Place) -> Iterator[Team]:
    own = [
        open_registry(replace(place.settings, data=place.settings.data / f"colleague{number}"))
        if place.settings.database
        else open_registry(place.settings)
        for number in range(COLLEAGUES)
    ]
    yield Team(place, own)
    for registry in own:
        registry.database.close()


def test_a_name_is_given_once_and_the_others_get_a_conflict(team: Team) -> None:
    made, refused = team.all_do(lambda r: accounts.add_user(r, "operator", "ann"))
    assert (len(made), set(refused)) == (1, {"user-exists"})
    made, refused = team.all_do(
        lambda r: accounts.add_user(r, "operator", "team", kind="organisation")
    )
    assert (len(made), set(refused)) == (1, {"user-exists"})
    owner = team.place.owner.user
    assert owner is not None
    made, refused = team.all_do(lambda r: accounts.add_channel(r, "operator", "lab", owner))
    assert (len(made), set(refused)) == (1, {"channel-exists"})
    assert [change.subject for change in team.logged("user")] == ["ann", "team"]
    assert [change.subject for change in team.logged("channel")] == ["lab"]


def test_an_invitation_makes_one_account_and_none_without_its_role(team: Team) -> None:
    registry = team.place.registry
    secret, _ = invitations.invite(
        registry, "owner", InvitationTarget(channel="main"), Action.UPLOAD
    )
    results = team.at_once(
        *(
            lambda r, n=number: invitations.accept_as_new(r, secret, f"guest{n}", "a long password")
            for number in range(AT_ONCE)
        )
    )
    taken = [one for one in results if isinstance(one, User)]
    assert len(taken) == 1
    assert {one.code for one in results if one is not taken[0]} == {"no-invitation"}
    (_, _, roles), *_ = administration.list_channels(registry)
    assert roles == {taken[0].name: Action.UPLOAD}
    assert [change.subject for change in team.logged("user")] == [taken[0].name]


def test_rights_given_and_taken_at_once_leave_one_of_them(team: Team) -> None:
    registry = team.place.registry
    ann = accounts.add_user(registry, "operator", "ann")
    crew = accounts.add_user(registry, "operator", "crew", kind="organisation")
    roles = [Action.READ, Action.UPLOAD, Action.ADMIN, None] * 3

    def role(wanted: Action | None) -> Job:
        return lambda r: administration.set_role(r, "operator", "main", ann, wanted)

    def member(wanted: Action | None) -> Job:
        return lambda r: administration.set_member(r, "operator", crew, ann, wanted)

    assert team.at_once(*map(role, roles)) == [None] * len(roles)
    assert team.at_once(*map(member, roles)) == [None] * len(roles)
    last = {action: team.logged(action)[-1].detail for action in ("role", "member")}
    (_, _, results), *_ = administration.list_channels(registry)
    assert results.get("ann") == last["role"]["role"]  # type: ignore[index]
    assert administration.list_members(registry, crew).get("ann") == last["member"]["role"]  # type: ignore[index]
    assert len(team.logged("role")) == len(team.logged("member")) == len(roles)


def test_prefixes_publishers_and_upstreams_set_at_once_are_there_once(team: Team) -> None:
    registry, owner = team.place.registry, team.place.owner.user
    team.all_do(lambda r: administration.reserve_prefix(r, "o", "main", "acme", owner))
    assert administration.get_channel_detail(registry, "main").prefixes == {"acme": "owner"}

    issuer, claims = "https://ci.invalid", {"repository": "o/r"}
    made, _ = team.all_do(
        lambda r: trusted_publishers.add_publisher(r, "o", "main", "p", issuer, claims)
    )
    assert len({one.id for one in made}) == AT_ONCE
    gone, refused = team.all_do(
        lambda r: trusted_publishers.remove_publisher(r, "o", "main", made[0].id)
    )
    assert (len(gone), set(refused)) == (1, {"not-found"})
    assert len(team.logged("publisher-removed")) == 1

    front = config.UpstreamConfig("http://127.0.0.1:9/simple", "pypi")
    team.all_do(lambda r: config.add(r, "o", "main", front))
    ((_, upstream),) = config.list_all(registry)
    heard = upstream_cache.CachedResponse(b"{}", "0" * 64, now())

    def hear(r: Registry) -> None:
        with r.database.write() as db:
            upstream_cache.save_response(db, upstream, "p", heard)

    assert team.all_do(hear) == ([None] * AT_ONCE, [])
    gone, refused = team.all_do(lambda r: config.remove(r, "o", "main", "pypi"))
    assert (len(gone), set(refused)) == (1, {"no-upstream"})


def test_rules_notices_and_labels_set_at_once_are_all_kept(team: Team) -> None:
    registry, owner = team.place.registry, team.place.owner
    rules = {"quota": "1000000", "keep": "3", "keep-days": "9", "deletion": "admin", "v3": "yes"}
    rules["base-url"] = "https://mirror.invalid/conda"

    def rule(name: str) -> Job:
        return lambda r: administration.change_rule(r, "operator", "main", name, rules[name])

    def notice(number: int) -> Job:
        return lambda r: notices.add(r, owner, "main", notices.NoticeRequest(f"notice {number}"))

    def label(number: int) -> Job:
        return lambda r: labels.add_label(r, owner, "main", f"label{number % 3}")

    results = team.at_once(*map(rule, rules), *map(notice, range(6)), *map(label, range(6)))
    assert not any(isinstance(one, Refused) for one in results), results
    settings = administration.get_channel_detail(registry, "main").channel.settings
    assert {name: settings[name] for name in rules} == {
        name: administration.RULES[name](word) for name, word in rules.items()
    }
    shown, _ = notices.list_active(registry, View(owner, "main"))
    assert {one.message for one in shown} == {f"notice {number}" for number in range(6)}
    assert set(labels.list_labels(registry, owner, "main")) == {
        "main",
        "label0",
        "label1",
        "label2",
    }


def test_tokens_of_one_name_made_or_ended_at_once_are_one(team: Team) -> None:
    owner = team.place.owner
    wish = authentications.TokenSpec("laptop")
    only = replace(wish, name="only", fail_if_exists=True)
    made, refused = team.all_do(lambda r: authentications.create(r, owner, wish))
    assert (len(made), refused) == (AT_ONCE, [])
    made, refused = team.all_do(lambda r: authentications.create(r, owner, only))
    assert (len(made), set(refused)) == (1, {"token-exists"})
    names = Counter(token.name for token in authentications.list_all(team.place.registry, owner))
    assert (names["laptop"], names["only"]) == (1, 1)
    before = len(team.logged("revoke"))
    gone, refused = team.all_do(lambda r: authentications.revoke(r, owner, "only"))
    assert (len(gone), set(refused)) == (1, {"no-token-named"})
    assert len(team.logged("revoke")) == before + 1


def test_passwords_guessed_at_over_several_processes_are_counted_together(team: Team) -> None:
    accounts.add_user(team.place.registry, "operator", "ann", "a-long-password")

    def guess(registry: Registry, password: str = "wrong") -> None:
        with LoginThrottle(registry.database).attempt("10.0.0.1", "ann"):
            accounts.check_password(registry, "ann", password)

    _, refused = team.all_do(guess)
    assert Counter(refused) == {"invalid-login": MAX_FOR_USER, "too-many-attempts": 2}
    _, refused = team.all_do(lambda r: guess(r, "a-long-password"))
    assert refused == ["too-many-attempts"] * AT_ONCE
    for registry in team.registries:
        with LoginThrottle(registry.database).attempt("10.0.0.2", "ann"):
            accounts.check_password(registry, "ann", "a-long-password")


def test_a_project_begun_by_several_at_once_is_one_project(team: Team, tmp_path: Path) -> None:
    wheels = [make_wheel(tmp_path, "new", f"1.{number}") for number in range(8)]
    results = team.at_once(
        *[team.publisher(wheel) for wheel in wheels],
        *[
            lambda r: lifecycle.describe_project(
                r, team.place.owner, "main", "new", {"summary": "x"}
            )
            for _ in range(4)
        ],
    )
    assert not any(isinstance(one, Refused) for one in results), results
    (project,) = queries.list_projects(team.place.registry, team.place.owner, "main")
    assert len(queries.list_files(team.place.registry, project)) == 16
    assert len(team.logged("publish")) == 8
    team.assert_sound()


def test_pages_agree_with_prefixes_that_change_beside_uploads(team: Team, tmp_path: Path) -> None:
    registry, owner = team.place.registry, team.place.owner
    ann = accounts.add_user(registry, "operator", "ann")
    wheels = [make_wheel(tmp_path, f"acme-{number}") for number in range(6)]

    def reserve(prefix: str, whose: User | None) -> Job:
        return lambda r: administration.reserve_prefix(r, "operator", "main", prefix, whose)

    results = team.at_once(
        *[team.publisher(wheel) for wheel in wheels],
        *[reserve("acme", ann), reserve("acme-2", owner.user), reserve("acme", None)],
        *[reserve("acme", owner.user), reserve("acme-2", None), reserve("acme-5", ann)],
    )
    assert not any(isinstance(one, Refused) for one in results), results
    prefixes = administration.get_channel_detail(registry, "main").prefixes
    for number in range(6):
        page, _ = queries.get_simple_page(registry, View(owner, "main"), f"acme-{number}", "json")
        namespace = json.loads(page.body)["namespace"]
        expected = find_prefix(f"acme-{number}", prefixes)
        assert (namespace and namespace["prefix"]) == expected


def test_a_wheel_and_its_authors_package_that_come_at_once_are_one_package(
    team: Team, tmp_path: Path
) -> None:
    """Either the wheel's twin is what the author sent, or the author's own stands instead."""
    for number in range(4):
        name = f"both{number}"
        wheel, package = make_wheel(tmp_path, name), make_conda(tmp_path / "conda", name)
        results = team.at_once(team.publisher(wheel), team.publisher(package))
        assert not any(isinstance(one, Refused) for one in results), results
    projects = queries.list_projects(team.place.registry, team.place.owner, "main")
    assert [len(queries.list_files(team.place.registry, one)) for one in projects] == [2] * 4
    team.assert_sound()


def test_uploads_that_fit_alone_but_not_together_never_exceed_the_quota(
    team: Team, tmp_path: Path
) -> None:
    registry, owner = team.place.registry, team.place.owner
    first = team.place.publish(make_wheel(tmp_path, "first"))
    size = first.file.size + first.converted[0].size
    quota = int(size * 3.5)
    administration.set_rules(registry, "operator", "main", {"quota": quota})
    accounts.add_channel(registry, "operator", "source", owner.user)  # type: ignore[arg-type]
    carried = team.place.publish(make_wheel(tmp_path, "carried"), "source")
    assert carried.is_new
    lifecycle.delete_release(registry, owner, "main", "first")
    wheel = make_wheel(tmp_path, "first")
    stage = staged_upload.begin(registry, owner, "main", staged_upload.StagedUpload(wheel.name))
    staged_upload.store_bytes(registry, stage, wheel)
    promotion = Promotion("source", "main", Selection("carried"))
    jobs: list[Job] = [team.publisher(make_wheel(tmp_path, f"p{number}")) for number in range(6)]
    jobs.append(lambda r: labels.promote(r, owner, promotion))
    jobs.append(lambda r: staged_upload.commit(r, owner, stage, staged_upload.FormClaims()))
    results = team.at_once(*jobs)
    codes = {one.code for one in results if isinstance(one, Refused)}
    assert codes == {"quota"}, results
    with registry.database.read() as db:
        assert size < files.sum_sizes(db, 1) <= quota
    team.assert_sound()


def test_an_upload_that_waits_for_its_turn_goes_by_the_rules_that_hold_then(
    team: Team, tmp_path: Path
) -> None:
    """Who holds the channel's turn changes its rules; who waited must not go by the old ones."""
    owner = team.place.owner
    wheel = make_wheel(tmp_path)
    with ThreadPoolExecutor(1) as pool:
        with team.registries[0].transaction(owner, "main", Action.ADMIN) as change:
            waiting = pool.submit(team.publisher(wheel), team.registries[1])
            threading.Event().wait(0.3)  # time to arrive; the outcome does not depend on it
            settings = {**change.channel.settings, "quota": 1}
            channels.update_channel(change.db, change.channel.id, settings=settings)
        with pytest.raises(Refused, match="quota"):
            waiting.result(60)


def test_retention_yanks_deletions_and_promotions_beside_uploads_lose_nothing(
    team: Team, tmp_path: Path
) -> None:
    registry, owner = team.place.registry, team.place.owner
    accounts.add_channel(registry, "operator", "stable", owner.user)  # type: ignore[arg-type]
    for number in range(6):
        team.place.publish(make_wheel(tmp_path, "busy", f"1.{number}"))

    def delete(version: str) -> Job:
        return lambda r: lifecycle.delete_release(r, owner, "main", "busy", version)

    def promote(version: str) -> Job:
        wanted = Promotion("main", "stable", Selection("busy", version), existing="keep")
        return lambda r: labels.promote(r, owner, wanted)

    results = team.at_once(
        *[team.publisher(make_wheel(tmp_path, "busy", f"2.{number}")) for number in range(4)],
        *[lambda r: apply_channel_retention(r, owner, "main", Retention(2)) for _ in range(3)],
        *[delete("1.4"), delete("1.4"), delete("1.3")],
        *[promote("1.5"), promote("1.3"), promote("1.5")],
        lambda r: lifecycle.yank(r, owner, "main", "busy", "1.5", "broken"),
        lambda r: lifecycle.unyank(r, owner, "main", "busy", "1.5"),
        lambda r: lifecycle.delete(r, owner, "main", "", "busy-1.2-py3-none-any.whl"),
    )
    refused = {one.code for one in results if isinstance(one, Refused)}
    assert refused <= {"not-found"}, results
    project = queries.get_project(registry, owner, "main", "busy")
    versions = {file.version for file in queries.list_files(registry, project)}
    newest = {f"2.{number}" for number in range(4)}
    assert len(versions & newest) >= 2  # retention alone may take them, and keeps two
    gone = Counter(change.subject for change in team.logged("delete"))
    assert set(gone.values()) <= {1}
    published = {change.subject for change in team.logged("publish")}
    there = {f"busy-{version}-py3-none-any.whl" for version in versions}
    assert published - set(gone) == there
    team.assert_sound()


def test_a_collection_beside_uploads_of_deleted_bytes_deletes_no_blob_that_is_needed(
    team: Team, tmp_path: Path
) -> None:
    registry, owner = team.place.registry, team.place.owner

    def sweep(r: Registry) -> None:
        """As if every object were old."""
        for blob in list(r.blobs.list_all()):
            blob_refs.delete_unreferenced(r.database, r.blobs, blob.sha256, blob.size, r.clock())

    for number in range(3):
        name = f"swept{number}"
        wheel = make_wheel(tmp_path, name)
        accounts.add_channel(registry, "operator", f"other{number}", owner.user)  # type: ignore[arg-type]
        accounts.add_channel(registry, "operator", f"third{number}", owner.user)  # type: ignore[arg-type]
        team.place.publish(wheel)
        lifecycle.delete_release(registry, owner, "main", name)
        stage = staged_upload.begin(registry, owner, "main", staged_upload.StagedUpload(wheel.name))
        staged_upload.store_bytes(registry, stage, wheel)
        results = team.at_once(
            team.publisher(wheel, f"other{number}"),
            sweep,
            sweep,
            lambda r, stage=stage: staged_upload.commit(
                r, owner, stage, staged_upload.FormClaims()
            ),
            team.publisher(wheel, f"third{number}"),
        )
        refused = {one.code for one in results if isinstance(one, Refused)}
        assert refused <= {"swept", "nothing-received"}, results
        team.assert_sound()


def test_who_reads_on_in_the_audit_log_misses_no_line(team: Team, tmp_path: Path) -> None:
    """A line is not numbered before a line of a change that may still be given up or take long."""
    owner = team.place.owner
    accounts.add_channel(team.place.registry, "operator", "other", owner.user)  # type: ignore[arg-type]
    start = max(change.id for change in read_changes(team.place.registry, AuditQuery()))
    seen: list[AuditEntry] = []

    def read_on() -> None:
        after = seen[-1].id if seen else start
        seen.extend(read_changes(team.place.registry, AuditQuery(after=after)))

    with ThreadPoolExecutor(1) as pool:
        with team.registries[0].transaction(owner, "main", Action.UPLOAD) as change:
            change.audit("first", "x")
            wheel = make_wheel(tmp_path)
            other = pool.submit(team.publisher(wheel, "other"), team.registries[1])
            threading.Event().wait(0.3)  # the other one may try; the outcome does not depend on it
            if team.place.settings.database:
                read_on()
        other.result(60)
    read_on()
    assert [one.action for one in seen] == ["first", "publish"]


def test_servers_answer_changes_that_race_with_success_or_a_reason(
    fleet: Fleet, tmp_path: Path
) -> None:
    """Over HTTP, between processes: the same changes through all of them, many at once."""
    (token,) = fleet.tokens
    manage = "/api/manage"
    same: Sequence[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/users", {"name": "ann"}),
        ("POST", "/channels", {"name": "lab"}),
        ("PUT", "/channels/main/roles/owner", {"role": "read"}),
        ("PUT", "/channels/main/prefixes/acme", {"owner": "owner"}),
        ("PATCH", "/channels/main", {"keep": 3}),
        ("DELETE", "/channels/main/prefixes/acme", {}),
    ]
    clients = 8
    for method, path, fields in same:
        barrier = threading.Barrier(clients)

        def client(
            number: int,
            barrier: threading.Barrier = barrier,
            call: tuple[str, str, dict[str, Any]] = (method, path, fields),
        ) -> requests.Response:
            barrier.wait(60)
            url = f"{fleet.urls[number % len(fleet.urls)]}{manage}{call[1]}"
            login = {"authorization": f"Bearer {token}"}
            return requests.request(call[0], url, json=call[2] or None, headers=login, timeout=120)

        with ThreadPoolExecutor(clients) as pool:
            answers = list(pool.map(client, range(clients)))
        results = Counter(answer.status_code for answer in answers)
        if method == "POST":
            assert results == {201: 1, 409: clients - 1}, [answer.text for answer in answers]
        else:
            assert set(results) <= {200, 204}, [answer.text for answer in answers]
    wheels = [make_wheel(tmp_path, "new", f"1.{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        uploads = list(pool.map(lambda job: fleet.upload(*job), enumerate(wheels)))
    assert {answer.status_code for answer in uploads} == {200}
    for url in fleet.urls:
        assert len(conda_names(f"{url}/main")) == 8
    text = requests.get(
        f"{fleet.urls[0]}{manage}/log", headers={"authorization": f"Bearer {token}"}, timeout=60
    ).text
    assert sum(1 for line in json.loads(text) if line["action"] == "publish") == 8
