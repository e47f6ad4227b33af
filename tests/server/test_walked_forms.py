"""Forms of management as somebody fills them who knows only the pages."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from tests.clients.management import Api
from tests.clients.people import Person
from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from twofold.server.auth import accounts
from twofold.server.registry.browsing.numbers import Day
from twofold.server.web.pages.plots import summarize_days


@pytest.fixture
def person(served: Place) -> Person:
    made = Person(served.url)
    assert made.sign_in("owner", served.token).ok
    return made


@pytest.mark.parametrize(("word", "expected"), [("true", True), ("false", False)])
def test_a_channel_is_as_public_as_its_form_said(
    served: Place, person: Person, word: str, expected: bool
) -> None:
    form = person.get("/-/manage/act/add-channel").text
    assert '<option value="false"' in form
    assert person.act("add-channel", name="staging", public=word).ok
    assert Api(served)("GET", "/channels/staging")["channel"]["public"] is expected


def test_days_of_a_token_are_those_it_is_valid_for(person: Person) -> None:
    assert "days for which it is valid" in person.get("/-/manage/act/add-token?user=owner").text


def test_an_unknown_channel_to_promote_from_is_named_at_its_field(person: Person) -> None:
    fields = {"channel": "main", "fixed-channel": "yes", "source": "nowhere", "project": "x"}
    answer = person.act("promote", **fields)
    assert answer.status_code == 400
    assert 'id="error-source"' in answer.text
    assert "There is no channel &#39;nowhere&#39;" in answer.text


@pytest.mark.parametrize(
    ("project", "version", "field"),
    [("my-package", "9.9", "version"), ("absent", "9.9", "project"), ("absent", "", "project")],
)
def test_what_is_not_there_to_promote_is_named_at_its_field(
    place: Place, person: Person, tmp_path: Path, project: str, version: str, field: str
) -> None:
    owner = place.owner.user
    assert owner is not None
    accounts.add_channel(place.registry, "owner", "stable", owner)
    place.publish(make_wheel(tmp_path))
    fields = {"channel": "stable", "source": "main", "project": project, "version": version}
    answer = person.act("promote", **fields)
    assert answer.status_code == 400 and f'id="error-{field}"' in answer.text


def test_a_refused_rule_is_named_at_its_field(person: Person) -> None:
    answer = person.act("change-channel", channel="main", base_url="ftp://x")
    assert answer.status_code == 400
    assert 'id="error-base_url"' in answer.text


def test_a_project_is_promoted_out_of_the_channel_whose_page_it_is(
    served: Place, person: Person, tmp_path: Path
) -> None:
    served.publish(make_wheel(tmp_path))
    project = Api(served)("GET", "/channels/main/projects")[0]["key"]
    page = html.unescape(person.get(f"/-/manage/channels/main/projects/{project}").text)
    assert f"/-/manage/act/promote?source=main&project={project}&back=" in page


def test_a_reader_finds_where_to_ask_for_a_project(served: Place) -> None:
    accounts.add_user(served.registry, "operator", "bob", password="bobs-password")
    bob = Person(served.url)
    assert bob.sign_in("bob", "bobs-password").ok
    assert "/-/manage/act/ask?channel=main" in bob.get("/-/manage/channels/main").text
    assert "/main/-/storage" not in bob.get("/-/manage/channels/main").text


def test_storage_is_linked_for_administrators(person: Person) -> None:
    assert 'href="/main/-/storage"' in person.get("/-/manage/channels/main").text
    assert person.get("/main/-/storage").ok


def test_one_download_is_one() -> None:
    assert summarize_days([Day("2026-11-29", 1, 0)]).startswith("1 download in the last")


def test_times_of_requests_are_shown_as_others_are(served: Place, person: Person) -> None:
    Api(served)("POST", "/channels/main/requests", project="spam")
    page = person.get("/-/manage/channels/main").text
    assert re.search(r"<time [^>]*>[0-9-]{10} [0-9:]{5} UTC</time>[^/]*</td>", page)
    assert not re.search(r">[^<>]*[0-9]T[0-9:]{8}\.[0-9]+Z<", page)
