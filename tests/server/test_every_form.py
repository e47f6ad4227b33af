"""Every form of management, filled in wrongly: each mistake at its field, what was entered kept."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.clients.management import Api
from tests.clients.people import Person
from tests.server.conftest import Place, new_place, serve
from twofold.server.settings import Settings
from twofold.server.web.manage.act_table import ACTS
from twofold.server.web.manage.fields import list_parameters

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = new_place(Settings(tmp_path_factory.mktemp("forms") / "registry"))
    with serve(made):
        yield made
    made.registry.database.close()


@pytest.fixture(scope="module")
def owner_person(place: Place) -> Person:
    person = Person(place.url)
    assert person.sign_in("owner", place.token).ok
    return person


def choose_wrong(schema: Mapping[str, Any]) -> str:
    """A text that is no value of a schema."""
    kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    if kind == "array":
        return choose_wrong(schema["items"])
    if kind == "object":
        return 'no <equals> "sign"'
    if "enum" in schema or kind == "boolean":
        return "nonsense"
    if kind == "integer":
        return "<many>"
    return "<w>" * (schema["maxLength"] // 3 + 1)


@pytest.mark.parametrize("name", sorted(ACTS))
def test_every_form_says_a_mistake_at_its_field_and_keeps_the_rest(
    place: Place, owner_person: Person, name: str
) -> None:
    """Every parameter of every call gets a value that no rule admits."""
    person, endpoint = owner_person, ACTS[name]
    schemas = list_parameters(endpoint)
    wrong = {key: choose_wrong(schema) for key, schema in schemas.items()}
    if name == "change-channel":  # whose further fields are for operators of a known channel
        wrong["channel"] = "main"
    csrf = person.token(f"/-/manage/act/{name}")
    before = len(Api(place)("GET", "/log?after=0"))
    answer = person.send(f"/-/manage/act/{name}", csrf=csrf, **wrong)
    assert answer.status_code == 400, (name, answer.status_code)
    for key, value in wrong.items():
        if value == "main":
            continue
        assert f'id="error-{key}' in answer.text, key
        assert f'aria-describedby="error-{key}' in answer.text, key
        if "<" in value and key not in ("password", "current"):
            assert html.escape(value).replace("&quot;", "&#34;") in answer.text, key
    assert len(Api(place)("GET", "/log?after=0")) == before
