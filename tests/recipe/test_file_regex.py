"""`load_file_regex`, which conda-build offers to take a version out of a file of the code."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.recipe.summary import read_for_linux
from twofold.errors import ProjectErrors
from twofold.recipe.read import jinja_modules

RECIPE = """\
{{% set found = load_file_regex({call}) %}}
package:
  name: x
  version: {{{{ {use} }}}}
"""


def version(folder: Path, call: str, use: str) -> str:
    path = folder / "meta.yaml"
    path.write_text(RECIPE.format(call=call, use=use), encoding="utf-8")
    return read_for_linux(path).outputs[0].version


@pytest.fixture
def code(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n", encoding="utf-8")
    (tmp_path / "x.py").write_text("# é\n__version__ = '4.5.6'\nletters = 'aaa'\n", "utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "use", ["found.group(1)", "found[1]", "found.group('all')", "found['all']"]
)
def test_what_was_found_is_taken_by_number_and_by_name(code: Path, use: str) -> None:
    call = "load_file='x.py', regex_pattern=\"__version__ = '(?P<all>[0-9.]+)'\""
    assert version(code, call, use) == "4.5.6"


def test_groups_and_the_whole_are_there(code: Path) -> None:
    call = "'x.py', '([0-9])[.]([0-9])[.]([0-9])'"
    assert version(code, call, "found.groups() | join('_')") == "4_5_6"
    assert version(code, call, "found.group()") == "4.5.6"
    assert version(code, call, "found.group(3, 1) | join('.')") == "6.4"


def refused(code: Path, call: str) -> str:
    with pytest.raises(ProjectErrors) as caught:
        version(code, call, "found.group()")
    (problem,) = caught.value.problems
    assert problem.where == "meta.yaml:1"
    return problem.message


def test_a_pattern_that_is_not_found_or_invalid_and_a_foreign_file_are_reported(code: Path) -> None:
    assert "is not found in x.py" in refused(code, "'x.py', 'nowhere'")
    assert "is not a valid pattern: missing )" in refused(code, "'x.py', '('")
    assert "a text of at most 1000 characters" in refused(code, "'x.py', 'a' * 2000")
    assert "is outside" in refused(code, "'../../secret', 'a'")
    (code / "large").write_bytes(b"a" * (1 << 21))
    assert "larger than 1 MiB" in refused(code, "'large', 'a'")


def test_a_pattern_that_would_take_years_and_a_loop_of_searches_are_ended(
    code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        jinja_modules, "MAX_SECONDS", 1.0
    )  # the test is not to wait for all five seconds
    (code / "x.py").write_text("a" * 60 + "!", encoding="utf-8")
    started = time.monotonic()
    assert "takes too long" in refused(code, "'x.py', '(a+)+$'")
    loop = "{% for i in range(10000) %}{{ load_file_regex('x.py', 'a').group() }}{% endfor %}"
    (code / "meta.yaml").write_text(loop, encoding="utf-8")
    with pytest.raises(ProjectErrors, match="takes too long"):
        read_for_linux(code / "meta.yaml")
    assert time.monotonic() - started < 20
