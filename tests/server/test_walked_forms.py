"""Forms of management as somebody fills them who knows only the pages."""

from __future__ import annotations

import pytest

from tests.clients.management import Api
from tests.clients.people import Person
from tests.server.conftest import Place


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
