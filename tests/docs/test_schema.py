"""The JSON schema of [tool.twofold] accepts every sample, and knows every key."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import twofold
from twofold.convert import options
from twofold.publish.release.version import RELEASE_KEYS
from twofold_build.settings import DATA_KINDS, KEYS, OTHER_TABLES

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads(
    Path(twofold.__file__).with_name("tool-twofold.schema.json").read_text("utf-8")
)
SAMPLES = [ROOT / "pyproject.toml", *sorted(ROOT.glob("tests/**/pyproject.toml"))]
PAGES = sorted(ROOT.glob("docs/**/*.md"))


def read_settings(text: str) -> Any:
    """[tool.twofold] of a document; {} for text that is no TOML or has none."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}
    tool = document.get("tool", {})
    return tool.get("twofold", {}) if isinstance(tool, dict) else {}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_sample_is_valid(sample: Path) -> None:
    jsonschema.validate(read_settings(sample.read_text("utf-8")), SCHEMA)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_examples_of_a_page_are_valid(page: Path) -> None:
    for block in re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL):
        jsonschema.validate(read_settings(block), SCHEMA)


def test_every_key_is_known_and_others_are_not() -> None:
    properties = SCHEMA["properties"]
    assert set(properties) == {*KEYS, *OTHER_TABLES}
    assert set(properties["conda"]["properties"]) == set(options.KEYS)
    assert set(properties["release"]["properties"]) == set(RELEASE_KEYS)
    assert set(properties["wheel"]["properties"]["data"]["properties"]) == set(DATA_KINDS)
    jsonschema.Draft7Validator.check_schema(copy.deepcopy(SCHEMA))
    for wrong in ({"modulse": []}, {"conda": {"depend": []}}, {"release": {"tag": "v"}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, SCHEMA)
