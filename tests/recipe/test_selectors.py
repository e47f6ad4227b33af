"""Selectors mean what they mean to conda-build, and nothing else is evaluated."""

from __future__ import annotations

import pytest

from twofold.errors import Problem
from twofold.recipe.read.selectors import find_selector, select_lines
from twofold.recipe.request import Environ, Platform

LINUX = Platform("linux-64", "3.12")
ENVIRON = Environ({"MODE": "fast", "HOME": "/h"})


def chosen(text: str, platform: Platform = LINUX) -> list[str]:
    mistakes: list[Problem] = []
    selected = select_lines(text, platform, ENVIRON, mistakes, "meta.yaml")
    assert mistakes == []
    return [line.split("#")[0].strip() for _, line in selected.lines]


def mistakes_in(text: str) -> list[Problem]:
    mistakes: list[Problem] = []
    select_lines(text, LINUX, ENVIRON, mistakes, "meta.yaml")
    return mistakes


def test_arm_is_32_bit_linux_as_for_conda_build() -> None:
    text = "a # [arm]\nb # [arm64]\nc # [aarch64]"
    assert chosen(text, Platform("osx-arm64", "3.12")) == ["b"]
    assert chosen(text, Platform("linux-aarch64", "3.12")) == ["c"]
    assert chosen(text, Platform("linux-armv7l", "3.12")) == ["a"]


@pytest.mark.parametrize(
    "selector",
    [
        "linux",
        "not win",
        "unix and x86_64",
        "linux64",
        "linux and py>=39",
        "py==312",
        "py>=39 and py<313",
        "win or (linux and not arm64)",
        "py3k",
        "target_platform == 'linux-64'",
        "win if py < 30 else linux",
        "[linux]",
        "py / 10 > 31 and -py < -300",
        "any([win, linux]) and not all((win, linux))",
        "HOME == '/h'",
        "not (arm or freebsd or zos or ppc64)",
        "target_platform in ('linux-64', 'osx-64')",
        'environ.get("MODE", "slow") == "fast"',
        'os.environ.get("MODE") == "fast"',
        'environ["MODE"] == "fast"',
        'environ.get("NOT_SET", "") == ""',
        'target_platform.startswith("linux")',
        "int(python.split('.')[1]) >= 12",
        "py // 100 == 3",
        "True",
        "mpi != 'openmpi'",
    ],
)
def test_a_line_stays_when_its_selector_is_true(selector: str) -> None:
    assert chosen(f"- a  # [{selector}]\n- b") == ["- a", "- b"]


@pytest.mark.parametrize(
    "selector",
    ["win", "osx", "py<39", "not linux", "aarch64", "arm64 or win", "py27", "False", "vc == 14"],
)
def test_a_line_goes_when_its_selector_is_false(selector: str) -> None:
    assert chosen(f"- a  # [{selector}]\n- b") == ["- b"]


def test_names_follow_the_platform() -> None:
    text = "\n".join(f"- {n}  # [{n}]" for n in ("linux", "osx", "win", "unix", "arm64", "aarch64"))
    assert chosen(text, Platform("osx-arm64", "3.12")) == ["- osx", "- unix", "- arm64"]
    assert chosen(text, Platform("win-64", "3.12")) == ["- win"]
    assert chosen(text, Platform("linux-aarch64", "3.12")) == ["- linux", "- unix", "- aarch64"]


def test_a_flow_list_is_not_a_selector() -> None:
    assert chosen("host: [python, pip]\nrun: [win]  # a remark") == [
        "host: [python, pip]",
        "run: [win]",
    ]


def test_the_last_brackets_of_a_comment_count_and_comment_lines_have_no_selector() -> None:
    assert find_selector("- a  # see [1] below [win]") == "win"
    assert find_selector("# - a  [win]") is None
    assert find_selector("- a  # [win] but (only) there") is None
    assert find_selector("url: x#[win]") is None
    assert find_selector("- a  # [environ['X'] == '1']") == "environ['X'] == '1'"


@pytest.mark.parametrize(
    "selector",
    [
        '(cuda_compiler_version or "None") == "None"',
        '(nowhere and "x") != "x"',
        '("12.9" or "").startswith("12")',
        '(environ.get("NOT_SET") or "a") == "a"',
        '("" or "a") == "a" and ("a" and "b") == "b"',
        '(linux and "l" or "w") == "l"',
        "(0 or 3) + 1 == 4",
        'float("2.5") > 2',
    ],
)
def test_and_and_or_return_the_operand_that_decides(selector: str) -> None:
    assert chosen(f"- a  # [{selector}]\n- b  # [not ({selector})]") == ["- a"]


def select(text: str) -> list[str]:
    return [line for _, line in select_lines(text, LINUX, ENVIRON, [], "meta.yaml").lines]


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("  python -c 'a'  # [unix]", "  python -c 'a'"),
        ('path: "../a  # [unix]"', 'path: "../a"'),
        ("summary: 'hello  # [unix]'", "summary: 'hello'"),
        ('- "a"  # [unix]', '- "a"'),
        ("- a  # needed [unix] here", "- a"),
        ("{% set a = 1 %}  # [linux]", "{% set a = 1 %}"),
        ("- it's  # [unix]", "- it's"),
        ("- a  # no selector", "- a  # no selector"),
    ],
)
def test_the_comment_of_a_selector_is_cut_off_and_its_quote_closed(line: str, kept: str) -> None:
    assert select(line) == [kept]


def test_a_line_that_is_only_a_comment_is_emptied_and_keeps_its_number() -> None:
    text = "a: 1\n# {{ nowhere }}\n  # {% if broken %}\nb: 2"
    assert select(text) == ["a: 1", "", "", "b: 2"]


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("skip: true  [win or osx]", []),
        ("- numpy [linux]", ["- numpy"]),
        ("- numpy >=1 [not win and py>=39]", ["- numpy >=1"]),
        ("- numpy [mkl]", ["- numpy [mkl]"]),
        ("host: [python, pip]", ["host: [python, pip]"]),
        ("host: [python]", ["host: [python]"]),
        ("- [win]", ["- [win]"]),
        ('- numpy [version=">=1.2"]', ['- numpy [version=">=1.2"]']),
        ("- test [ -f x ]", ["- test [ -f x ]"]),
        ("run [linux] more", ["run [linux] more"]),
    ],
)
def test_a_condition_without_the_comment_sign_is_a_selector_and_is_reported(
    line: str, kept: list[str]
) -> None:
    selected = select_lines(line, LINUX, ENVIRON, [], "meta.yaml")
    assert [text for _, text in selected.lines] == kept
    assert bool(selected.list_remarks("meta.yaml")) == (kept != [line])


def test_lines_keep_their_numbers() -> None:
    selected = select_lines("a: 1  # [win]\nb: 2\nc: 3  # [linux]", LINUX, ENVIRON, [], "meta.yaml")
    assert [number for number, _ in selected.lines] == [2, 3]
    assert selected.names == {"win", "linux"}


def test_an_unknown_name_is_false_as_for_conda_build_and_is_reported() -> None:
    selected = select_lines("- a  # [liunx]", LINUX, ENVIRON, [], "meta.yaml")
    assert selected.lines == ()
    assert selected.unknown == ((1, "liunx"),)


@pytest.mark.parametrize(
    "selector",
    [
        "__import__('os').system('true')",
        "().__class__",
        "linux.__class__",
        "lambda: 1",
        "(linux := 1)",
        "[x for x in 'a']",
        "9 ** 9 ** 9",
        "'a' * 999999999",
        "open('/etc/passwd')",
        "environ.clear()",
        "f'{linux}'",
        "linux and",
        "py < 'a'",
        "1 // 0",
        "int('a')",
        "x" * 1000,
        "(" * 200 + ")" * 200,
        "environ['NOT_SET']",
    ],
)
def test_anything_but_a_condition_is_an_error_with_its_line(selector: str) -> None:
    (problem,) = mistakes_in(f"a: 1\n- a  # [{selector}]")
    assert problem.where == "meta.yaml:2"
    assert problem.hint


def test_all_wrong_selectors_are_reported_together() -> None:
    assert [p.where for p in mistakes_in("- a  # [1 +]\n- b\n- c  # [lambda: 1]")] == [
        "meta.yaml:1",
        "meta.yaml:3",
    ]


@pytest.mark.parametrize(
    ("selector", "is_reported"),
    [("py in [311, 312]", True), ("MODE[0] == 'f'", True), ("[linux]", False), ("linux", False)],
)
def test_brackets_inside_a_selector_are_reported(selector: str, is_reported: bool) -> None:
    selected = select_lines(f"a  # [{selector}]", LINUX, ENVIRON, [], "meta.yaml")
    remarks = selected.list_remarks("meta.yaml")
    assert any("inner brackets" in remark for remark in remarks) is is_reported
