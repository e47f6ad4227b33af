"""Malformed pyproject.toml files: each mistake with its code, line, table and key; all at once."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.check.conftest import GOOD, write
from tests.conftest import CommandResult
from twofold.check import check_project
from twofold.convert import parse_options
from twofold_build.errors import ProjectErrors
from twofold_build.pyproject import read_project
from twofold_build.toml import loads

FOLDER = Path(__file__).parent / "pyprojects"

#: File -> what is told of it, as 'CODE LINE: [table] key'.
EXPECTED = {
    "author_email": ["TF011 8: [project] authors"],
    "author_key": ["TF002 8: [project] authors"],
    "author_number": ["TF011 8: [project] maintainers"],
    "authors_string": ["TF011 8: [project] authors"],
    "authors_strings": ["TF011 8: [project] authors"],
    "backend_number": ["TF011 3: [build-system] build-backend"],
    "bad_date": ["TF001 9"],
    "bad_escape": ["TF001 8"],
    "bad_number": ["TF001 9"],
    "bare_value": ["TF001 8"],
    "build_system_key": ["TF002 4: [build-system] backend"],
    "build_system_list": ["TF011 1: [build-system]"],
    "build_system_no_requires": ["TF011 1: [build-system]"],
    "build_system_requirement": ["TF005 2: [build-system] requires"],
    "build_system_requires_string": ["TF011 2: [build-system] requires"],
    "byte_order_mark": ["TF001 1"],
    "classifiers_string": ["TF011 8: [project] classifiers"],
    "colon_for_equals": ["TF001 6"],
    "deep": ["TF001 8"],
    "dependencies_several": [
        "TF005 8: [project] dependencies",
        "TF005 8: [project] dependencies",
        "TF005 8: [project] dependencies",
    ],
    "dependencies_string": ["TF011 8: [project] dependencies"],
    "dependencies_table": ["TF011 8: [project] dependencies"],
    "dependency_brackets": ["TF005 8: [project] dependencies"],
    "dependency_caret": ["TF005 8: [project] dependencies"],
    "dependency_empty": ["TF005 8: [project] dependencies"],
    "dependency_marker": ["TF005 8: [project] dependencies"],
    "dependency_number": ["TF011 8: [project] dependencies"],
    "dependency_operator": ["TF005 10: [project] dependencies"],
    "description_is_list": ["TF011 8: [project] description"],
    "description_of_two_lines": ["TF011 8: [project] description"],
    "dotted_clash": ["TF001 9"],
    "dynamic_is_string": ["TF011 8: [project] dynamic"],
    "dynamic_name": ["TF011 8: [project] dynamic", "TF011 8: [project] dynamic"],
    "dynamic_unknown": ["TF002 8: [project] dynamic", "TF011 8: [project] dynamic"],
    "dynamic_version_from_nowhere": ["TF004 7: [project] dynamic"],
    "empty": ["TF001 "],
    "entry_points_console": ["TF008 8: [project.entry-points] console_scripts"],
    "entry_points_flat": ["TF008 9: [project.entry-points] run"],
    "entry_points_object": ["TF008 9: [project.entry-points.pytest11] x"],
    "everything_at_once": [
        "TF003 6: [project] name",
        "TF004 7: [project] version",
        "TF006 8: [project] requires-python",
        "TF007 9: [project] license",
        "TF009 10: [project] readme",
        "TF002 11: [project] dependancies",
        "TF005 12: [project] dependencies",
        "TF008 15: [project.scripts] run",
    ],
    "extra_name": ["TF005 9: [project.optional-dependencies] my docs"],
    "extra_requirement": ["TF005 9: [project.optional-dependencies] docs"],
    "extra_string": ["TF011 9: [project.optional-dependencies] docs"],
    "extra_twice": ["TF005 10: [project.optional-dependencies] my_docs"],
    "extras_list": ["TF011 8: [project] optional-dependencies"],
    "import_name": ["TF011 8: [project] import-names"],
    "inline_newline": ["TF001 9"],
    "json": ["TF001 1"],
    "key_twice": ["TF001 8"],
    "keyword_comma": ["TF011 8: [project] keywords"],
    "keywords_string": ["TF011 8: [project] keywords"],
    "licence_classifier": ["TF031 11: [project] classifiers"],
    "licence_file_missing": ["TF007 9: [project] license-files"],
    "licence_files_string": ["TF007 9: [project] license-files"],
    "licence_list": ["TF007 8: [project] license"],
    "licence_old_both": ["TF007 8: [project] license"],
    "licence_outside": ["TF007 9: [project] license-files"],
    "licence_unknown": ["TF007 8: [project] license"],
    "missing_comma": ["TF001 8"],
    "mixed_line_ends": ["TF011 8: [project] description"],
    "name_and_version_missing": ["TF003 5: [project]", "TF004 5: [project]"],
    "name_is_empty": ["TF003 6: [project] name"],
    "name_is_number": ["TF003 6: [project] name"],
    "name_not_ascii": ["TF003 6: [project] name"],
    "name_with_space": ["TF003 6: [project] name"],
    "no_equals": ["TF001 6"],
    "no_name": ["TF003 5: [project]"],
    "no_project": ["TF001 "],
    "no_version": ["TF004 5: [project]"],
    "not_utf8": ["TF001 8"],
    "nul_byte": ["TF001 8"],
    "poetry_keys": ["TF002 8: [project] packages"],
    "project_is_string": ["TF001 1: [project]"],
    "python_true": ["TF001 9"],
    "readme_both": ["TF009 8: [project] readme"],
    "readme_ending": ["TF009 8: [project] readme", "TF009 8: [project] readme"],
    "readme_list": ["TF009 8: [project] readme"],
    "readme_missing": ["TF009 8: [project] readme"],
    "readme_no_type": ["TF009 8: [project] readme"],
    "readme_outside": ["TF009 8: [project] readme"],
    "readme_type": ["TF009 8: [project] readme"],
    "requires_python_bare": ["TF006 8: [project] requires-python"],
    "requires_python_caret": ["TF006 8: [project] requires-python"],
    "requires_python_list": ["TF006 8: [project] requires-python"],
    "requires_python_number": ["TF006 8: [project] requires-python"],
    "script_dashes": ["TF008 9: [project.scripts] run"],
    "script_list": ["TF008 9: [project.scripts] run"],
    "script_path": ["TF008 9: [project.scripts] ../run"],
    "script_without_function": ["TF008 9: [project.scripts] run"],
    "scripts_string": ["TF011 8: [project] scripts"],
    "table_twice": ["TF001 8"],
    "twofold_check_code": [
        "TF011 9: [tool.twofold.check] ignore",
        "TF002 10: [tool.twofold.check] ignored",
    ],
    "twofold_check_ignore": ["TF011 9: [tool.twofold.check] ignore"],
    "twofold_conda_key": ["TF002 9: [tool.twofold.conda] build_number"],
    "twofold_conda_number": ["TF011 9: [tool.twofold.conda] build-number"],
    "twofold_exclude_absolute": ["TF011 9: [tool.twofold] exclude"],
    "twofold_exclude_backslash": ["TF011 9: [tool.twofold] exclude"],
    "twofold_include_nothing": ["TF010 9: [tool.twofold] include"],
    "twofold_include_string": ["TF011 9: [tool.twofold] include"],
    "twofold_key": ["TF002 9: [tool.twofold] module"],
    "twofold_module_missing": ["TF010 9: [tool.twofold] modules"],
    "twofold_modules": ["TF010 9: [tool.twofold] modules"],
    "twofold_source": ["TF010 9: [tool.twofold] source"],
    "twofold_source_outside": ["TF010 9: [tool.twofold] source"],
    "twofold_string": ["TF011 9: [tool.twofold]"],
    "twofold_version_from": ["TF004 9: [tool.twofold.version] from"],
    "twofold_version_path": ["TF004 10: [tool.twofold.version] path"],
    "twofold_wheel_data": ["TF002 9: [tool.twofold.wheel.data] share"],
    "unclosed_header": ["TF001 5"],
    "unclosed_list": ["TF001 9"],
    "unclosed_string": ["TF001 6"],
    "unknown_key": ["TF002 8: [project] dependancies"],
    "unknown_keys": [
        "TF002 8: [project] author",
        "TF002 9: [project] requires_python",
        "TF002 10: [project] keyword",
    ],
    "unknown_table": ["TF002 8"],
    "url_label": ["TF011 9: [project.urls] A label that is much too long for an index"],
    "url_number": ["TF011 9: [project.urls] Home"],
    "urls_list": ["TF011 8: [project] urls"],
    "utf16": ["TF001 1"],
    "version_is_empty": ["TF004 7: [project] version"],
    "version_is_number": ["TF004 7: [project] version"],
    "version_is_word": ["TF004 7: [project] version"],
    "version_twice": ["TF011 8: [project] dynamic"],
    "yaml": ["TF001 1"],
}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_each_mistake_is_reported_with_its_place_and_a_hint(
    name: str, project: Callable[..., Path]
) -> None:
    root = project({"pyproject.toml": (FOLDER / f"{name}.toml").read_bytes()})
    every = check_project(root, (), {"conda": parse_options})
    found = [f for f in every if f.is_error or f.code == "TF031"]
    places = [f.where.removeprefix("pyproject.toml").removeprefix(":") for f in found]
    assert [f"{f.code} {place}" for f, place in zip(found, places, strict=True)] == EXPECTED[name]
    assert all(finding.hint and finding.message for finding in found)


def test_the_corpus_is_whole() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(EXPECTED)
    assert len(EXPECTED) >= 60


@pytest.mark.parametrize("name", ["everything_at_once", "not_utf8", "deep", "unclosed_list"])
def test_the_command_exits_with_1_and_no_traceback(
    name: str, project: Callable[..., Path], twofold: Callable[..., CommandResult]
) -> None:
    root = project({"pyproject.toml": (FOLDER / f"{name}.toml").read_bytes()})
    for words in (("check",), ("build",), ("build", "--list")):
        ran = twofold(*words, root)
        assert ran.code == 1
        assert "Traceback" not in ran.out + ran.err
        assert "pyproject.toml" in ran.out + ran.err


# What mutations are made of: real texts, cut, doubled, swapped and sprinkled with odd bytes.
_TEXTS = [path.read_bytes() for path in sorted(FOLDER.glob("*.toml"))]
_TEXTS += [GOOD["pyproject.toml"].encode()]
_ODD = [b"", b"[", b"]]", b'"', b"'''", b"=", b"\\", b"#", b"{", b"\x00", b"\xff", b"\r", b"\n"]
_ODD += [b"5", b"true", b"[]", b"{}", b'""', b"1979-05-27", b"inf", b".", b",", b"\xef\xbb\xbf"]


@st.composite
def _mutated(draw: st.DrawFn) -> bytes:
    text = draw(st.sampled_from(_TEXTS))
    for _ in range(draw(st.integers(1, 4))):
        lines = text.split(b"\n")
        at = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.integers(0, 4))
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(at, draw(st.sampled_from(lines)))
        elif kind == 2:
            other = draw(st.sampled_from(_TEXTS)).split(b"\n")
            lines.insert(at, draw(st.sampled_from(other)))
        elif kind == 3:
            cut = draw(st.integers(0, len(lines[at])))
            lines[at] = lines[at][:cut] + draw(st.sampled_from(_ODD)) + lines[at][cut:]
        else:
            key, equals, _ = lines[at].partition(b"=")
            lines[at] = key + equals + b" " + draw(st.sampled_from(_ODD))
        text = b"\n".join(lines) or b"\n"
    return text


_SETTINGS = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@_SETTINGS
@given(_mutated())
@example(b'[project]\nname = "pkg"\nversion = "1"\ndescription = "\\uD800"\n')
def test_a_mutated_file_gives_findings_with_places_or_is_right(tmp_path: Path, text: bytes) -> None:
    root = tmp_path / "mutated"
    shutil.rmtree(root, ignore_errors=True)
    write(root, {**GOOD, "pyproject.toml": text})
    findings = check_project(root, (), {"conda": parse_options})
    assert all(finding.message and finding.where for finding in findings)
    try:
        read_project(root)
    except ProjectErrors as error:
        assert error.problems
        assert any(finding.is_error for finding in findings)


@_SETTINGS
@given(_mutated())
def test_the_quick_toml_reader_agrees_with_tomllib(text: bytes) -> None:
    plain = text.decode("utf-8", "replace")
    try:
        expected: object = tomllib.loads(plain)
    except (tomllib.TOMLDecodeError, RecursionError):
        with pytest.raises((tomllib.TOMLDecodeError, RecursionError)):
            loads(plain)
    else:
        assert loads(plain) == expected
