"""The checks take time in proportion to what they read, whatever is in it."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from packaging.version import Version

from twofold.check.facts.parse import parse_facts
from twofold.check.facts.syntax import find_features, guess_newer_syntax
from twofold.check.rules.secret_values import holds_no_secret
from twofold.check.rules.secrets import find_secret
from twofold.check.rules.unwanted_files import junk_kind
from twofold.errors import TwofoldError
from twofold.formats.conda_reader import find_spec_problem
from twofold.formats.core_metadata import read_specifiers
from twofold.formats.portable_names import find_unportable
from twofold.names.match_specs import meets_version_spec, parse_match_spec
from twofold.names.star_patterns import matches_stars
from twofold.new.migrate.facts import parse_people, parse_person, strip_url_credentials
from twofold.new.migrate.poetry_constraints import convert_poetry_constraint
from twofold.new.migrate.toml_text import split_sections
from twofold.publish.addresses import redact_url, strip_page
from twofold.publish.release.member_requirements import raise_requirement
from twofold.publish.release.native_versions import find_native
from twofold.publish.responses import HttpResult, explain
from twofold.recipe.read.match_specs import normalize_spec
from twofold.server.pages.description import measure_nesting
from twofold.server.pages.description_html import fit_into_page
from twofold.source_analysis.notebooks import _NOT_PYTHON
from twofold_build.toml_lines import find_line

#: A repeated piece of a module, and what is before and behind it.
MODULES = {
    "comments in a list": ("X = [\n", "    # a\n", "    1,\n]\n"),
    "comments with commas in a list": ("X = [\n", "    # a, b,\n", "    1,\n]\n"),
    "comments in a call": ("f(a,\n", "# a\n", "  b)\n"),
    "comments in a dict": ("X = {1: 2,\n", "  # 'a': [1,\n", "}\n"),
    "blank lines": ("X = [1,\n", " \t \n", "]\n"),
    "commented code behind a bracket": ("x = y[\n", "  # *a,\n", "  0]\n"),
    "starred arguments": ("f(\n", "  *a,\n", ")\n"),
    "one long line of stars": ("f(", "*a, ", ")\n"),
    "one long line of commas": ("X = (", "1, ", ")\n"),
    "braces in an f-string": ("x = f'", "{{}}", "'\n"),
    "many f-strings": ("", "x = f'{a}' + f\"{b}\"\n", ""),
    "a long name": ("x = ", "alias", "\n"),
    "names in calls": ("", "#alias(\n", "x = 1\n"),
    "spaces": ("x = [1,", " " * 8, "]\n"),
}


def read_constraint(text: str) -> None:
    with suppress(TwofoldError):
        convert_poetry_constraint(text)


def explain_page(text: str) -> str:
    return explain(HttpResult(502, "", {"Content-Type": "text/html"}, text.encode()))


#: What reads a text from elsewhere, and a text: its begin, what it repeats, its end.
READERS: list[tuple[Callable[[str], object], str, str, str]] = [
    (lambda text: holds_no_secret(text[:65536], ".env"), "export", " ", "\0"),
    (lambda text: holds_no_secret(text[:65536], ".env"), "type=a://1:", ":", " "),
    (read_specifiers, "3", "\n", "x"),
    (read_specifiers, ">=3", " , ", "x"),
    (parse_match_spec, "a", "][", "\0"),
    (parse_match_spec, "a [", "b", "]"),
    (lambda text: meets_version_spec("1", text), "", "(", ""),
    (lambda text: matches_stars("a" * 99, text), "", "*a", "b"),
    (lambda text: matches_stars(text, "*ab*ab*ac"), "", "ab", "c"),
    (parse_person, "a", " ", "\0"),
    (parse_person, "", "1@", " \0"),
    (lambda text: parse_people("", text), "", "<", ""),
    (strip_url_credentials, "", "://", ""),
    (read_constraint, "", "\t", "x"),
    (read_constraint, "", ">=1 ", ""),
    (split_sections, "[a", " ", "\0"),
    (split_sections, "", "#\n", "[a]\n"),
    (split_sections, "a = '\"", '\\"', "\n"),
    (lambda text: find_line(text, "a", "b"), "[a", "\t", "\0"),
    (lambda text: find_line(text, "", "b"), "a = [", '"x", ', "]\nb = 1\n"),
    (lambda text: find_line(text, "", "b"), "a = '\"", '\\"', "\nb = 1"),
    (lambda text: redact_url(f"https://[{text}"), "", "/", ""),
    (lambda text: strip_page(f"https://a{text}"), "", "/legacy", "\n!"),
    (lambda text: raise_requirement(text, "a", Version("2")), "a>=1", " ", "\0"),
    (lambda text: raise_requirement(text, "a", Version("2")), "a>=", "1", "\0"),
    (explain_page, "", "<h1>", ""),
    (normalize_spec, "a", "\t", "b"),
    (measure_nesting, "<a", " a", "<"),
    (measure_nesting, "", "<b ", ""),
    (fit_into_page, "", "<img ", ""),
    (fit_into_page, "", "<h1 ", ""),
    (fit_into_page, "", "<a\n", ""),
    (fit_into_page, "<code", " ", ">"),
    (_NOT_PYTHON.match, "", " =", "\0"),
    (_NOT_PYTHON.match, "a", " ", "\0"),
]


#: How often the piece is repeated: to begin with, and eight times as often twice.
SIZES = (10, 1000, 8000, 64000)


def seconds(run: Callable[[int], object], size: int) -> float:
    started = time.process_time()
    run(size)
    return time.process_time() - started


def check_linear(run: Callable[[int], object]) -> None:
    """Eight times the input may take sixteen times as long, since short times are not exact."""
    for size in (1000, 8000):
        run(10)
        short = min(seconds(run, size) for _ in range(2))
        long = min(seconds(run, 8 * size) for _ in range(2))
        if short > 0.002:
            assert long < 16 * short
            return
    assert long < 0.5


@pytest.mark.parametrize("case", MODULES)
def test_a_module_is_read_in_linear_time(case: str) -> None:
    for ends in ("\n", "\r\n"):
        before, body, after = (part.replace("\n", ends).encode() for part in MODULES[case])
        sources = {times: before + body * times + after for times in SIZES}

        def find(times: int, sources: dict[int, bytes] = sources) -> None:
            find_features(ast.Module([], []), sources[times], [], is_lazy=False)
            guess_newer_syntax(sources[times], 1, "f-string: expecting '}'")
            find_secret("pkg/settings.txt", sources[times])

        check_linear(find)


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_commented_out_block_of_forty_lines_is_read_at_once(ends: str) -> None:
    source = f"X = [{ends}" + f"    # a{ends}" * 40 + f"    1,{ends}]{ends}"
    assert seconds(lambda _: parse_facts(source.encode()), 1) < 1


@pytest.mark.parametrize("body", [" ", "a", "[", "=", "/", "#", "\t.", "a ", "core.0", "<>"])
def test_names_and_requirements_are_read_in_linear_time(body: str) -> None:
    check_linear(lambda times: find_spec_problem("a" + body * min(times, 4000) + "\0"))
    check_linear(lambda times: junk_kind(body * min(times, 100)))
    check_linear(lambda times: list(find_unportable([body * min(times, 4000)])))


@pytest.mark.parametrize("case", range(len(READERS)))
def test_a_text_from_elsewhere_is_read_in_linear_time(case: int) -> None:
    read, *parts = READERS[case]
    for ends in ("\n", "\r\n") if "\n" in "".join(parts) else ("\n",):
        before, body, after = (part.replace("\n", ends) for part in parts)
        texts = {times: before + body * times + after for times in SIZES}
        check_linear(lambda times, texts=texts: read(texts[times]))  # type: ignore[misc]


def test_a_meson_project_without_a_version_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "meson.build"
    path.write_text(f"project('a', {'[], ' * 40}license: 'MIT')\n", "utf-8")
    assert seconds(lambda _: find_native(tmp_path, {}), 1) < 1
    path.write_text(f"# a project()\nproject('a', {'[], ' * 40}version: '1.5')\n", "utf-8")
    assert [place.version for place in find_native(tmp_path, {})] == ["1.5"]


@pytest.mark.parametrize(
    "spec", ["^(a+)+x$", "^a*a*a*a*a*x", "^(a|a)*x$", "^[", "^a{", "==" + "1" * 9999]
)
def test_an_uploaded_spec_that_takes_long_or_is_none_fits_nothing(spec: str) -> None:
    assert seconds(lambda _: meets_version_spec("a" * 40, spec), 1) < 0.1
    assert not meets_version_spec("a" * 40, spec)
