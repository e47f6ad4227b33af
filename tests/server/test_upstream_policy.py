"""What an upstream's policy refuses is not fetched, and its reason reaches every client."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.factories.packages import make_sdist, make_wheel
from tests.server.conftest import Place
from tests.servers.upstream import StaticServer, add_upstream
from tests.servers.upstream_reads import JSON, advance_clock
from twofold.errors import Refused
from twofold.server.model import now
from twofold.server.proxy import config
from twofold.server.proxy.policy import Policy, PolicyFacts
from twofold.server.proxy.remote_files import RemoteFile


@pytest.fixture
def front(served: Place, behind: Place, tmp_path: Path) -> Place:
    """`main` in front of an index with releases of spam and eggs, uploaded now."""
    for version in ("1.0", "2.0"):
        behind.publish(make_wheel(tmp_path, "spam", version))
        behind.publish(make_sdist(tmp_path, "spam", version))
    behind.publish(make_wheel(tmp_path, "eggs", "1.0"))
    add_upstream(served, f"{behind.channel}/simple/")
    return served


def refused(place: Place, name: str = "spam") -> set[str]:
    """The refused files; each is yanked with its reason, and answered 403 with it."""
    page = place.get(f"/main/simple/{name}/", Accept=JSON).json()
    found = {file["filename"] for file in page["files"] if "_refused" in file}
    for file in page["files"]:
        url = file["url"].removeprefix("../../")
        if file["filename"] in found:
            assert file["yanked"] == file["_refused"]
            for address in (url, f"{url}.metadata"):
                got = place.get(f"/main/{address}")
                assert (got.status_code, got.json()["code"]) == (403, "policy")
                assert file["_refused"] in got.json()["message"]
    return found


WHEELS = {"spam-1.0-py3-none-any.whl", "spam-2.0-py3-none-any.whl"}
SDISTS = {"spam-1.0.tar.gz", "spam-2.0.tar.gz"}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy(), set()),
        (Policy(wheels_only=True), SDISTS),
        (Policy(deny=("Spam",)), WHEELS | SDISTS),
        (Policy(deny=("spam>=2",)), {"spam-2.0-py3-none-any.whl", "spam-2.0.tar.gz"}),
        (Policy(allow=("eggs",)), WHEELS | SDISTS),
        (Policy(allow=("eggs", "spam<2")), {"spam-2.0-py3-none-any.whl", "spam-2.0.tar.gz"}),
        (Policy(min_age=3), WHEELS | SDISTS),
        (Policy(min_age=3, at_once=("SPAM",)), set()),
    ],
)
def test_a_policy_refuses_files_on_pages_and_at_their_addresses(
    front: Place, policy: Policy, expected: set[str]
) -> None:
    config.set_policy(front.registry, "operator", "main", policy)
    assert refused(front) == expected


def test_a_file_is_served_once_it_is_old_enough(front: Place) -> None:
    config.set_policy(front.registry, "operator", "main", Policy(min_age=3))
    assert refused(front) == WHEELS | SDISTS
    advance_clock(front, 73)
    assert refused(front) == set()


def test_a_file_without_an_upload_time_is_refused_where_an_age_is_required(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "spam", "1.0")
    static.publish(wheel)
    add_upstream(served, f"{static.url}/simple")
    config.set_policy(served.registry, "operator", "main", Policy(min_age=1))
    assert refused(served) == {wheel.name}
    assert f"/files/{wheel.name}" not in static.requested


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (Policy(min_age=3), "takes files 3 days after their upload"),
        (Policy(deny=("spam",)), "denies 'spam'"),
        (Policy(approval=True), "asks for approval"),
        (Policy(licenses=("MIT",)), "licence"),
    ],
)
def test_the_reason_of_a_refusal_is_in_every_page_and_in_the_log(
    front: Place, caplog: pytest.LogCaptureFixture, policy: Policy, reason: str
) -> None:
    """In notices of conda, the JSON API, the web and the log; the address was known before."""
    caplog.set_level("INFO", logger="twofold.server")
    files = front.get("/main/simple/spam/", Accept=JSON).json()["files"]
    config.set_policy(front.registry, "operator", "main", policy)
    for file in files:
        for headers in ({}, {"Range": "bytes=0-9"}):
            assert front.get(f"/main/{file['url'][6:]}", **headers).status_code == 403
    notices = front.get("/main/with/spam/notices.json").json()["notices"]
    assert reason in notices[0]["message"]
    releases = front.get("/main/pypi/spam/json").json()["releases"]
    listed = [file for files in releases.values() for file in files]
    assert all(file["yanked"] and reason in file["yanked_reason"] for file in listed) and listed
    assert front.get("/main/project/spam").text.count("Not served") == 4
    assert sum(reason in record.getMessage() for record in caplog.records) >= 4


def test_what_a_policy_refuses_is_not_offered_to_conda_either(front: Place) -> None:
    config.set_policy(front.registry, "operator", "main", Policy(deny=("spam==2.0",)))
    value = front.get("/main/with/spam/noarch/repodata.json").json()
    assert set(value["packages.conda"]) == {"spam-1.0-py_0.conda"}


def test_a_new_login_of_the_upstream_does_not_lift_the_policy(front: Place, behind: Place) -> None:
    config.set_policy(front.registry, "operator", "main", Policy(deny=("spam",)))
    add_upstream(front, f"{behind.channel}/simple/")
    assert refused(front) == WHEELS | SDISTS


@pytest.mark.parametrize(
    "policy",
    [Policy(deny=("spam; os_name == 'nt'",)), Policy(allow=("?",)), Policy(min_age=-1)],
)
def test_a_malformed_policy_is_refused(front: Place, policy: Policy) -> None:
    with pytest.raises(Refused) as error:
        config.set_policy(front.registry, "operator", "main", policy)
    assert error.value.code == "invalid-policy"


@pytest.mark.parametrize("written", ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456+00:00"])
def test_upload_times_are_read_in_every_spelling(written: str) -> None:
    file = RemoteFile("spam-1.0-py3-none-any.whl", "0", "", {"upload-time": written})
    at = now().replace(year=2026, month=1, day=2, hour=12)
    before = PolicyFacts(at - timedelta(days=1))
    assert Policy(min_age=1).find_reason("spam", file, PolicyFacts(at)) is None
    assert Policy(min_age=1).find_reason("spam", file, before) is not None


@pytest.mark.slow
def test_the_command_sets_and_shows_the_policy(front: Place, twofold: Callable[..., Any]) -> None:
    def admin(*words: object) -> Any:
        ran = twofold("admin", "--data", front.settings.data, "upstream", *words, "--json")
        assert ran.code == 0, ran.err
        return ran.json

    admin(
        "policy", "main", "--min-age", "3", "--at-once", "spam", "--deny", "eggs", "--wheels-only"
    )
    (listed,) = admin("list")
    assert listed["policy"] == {
        "min_age": 3,
        "at_once": ["spam"],
        "allow": [],
        "deny": ["eggs"],
        "wheels_only": True,
        "licenses": [],
        "advisories": "",
        "accept": [],
        "approval": False,
        "exceptions": [],
    }
    assert refused(front, "eggs") == {"eggs-1.0-py3-none-any.whl"}
    admin("policy", "main")
    assert refused(front) == set()
