"""The command line's door: help, version, unknown commands, and the speed of both."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from tests.conftest import CommandResult
from twofold import __version__
from twofold.cli import COMMANDS, make_parser


def test_version_and_help_go_to_stdout_with_exit_code_0(
    twofold: Callable[..., CommandResult],
) -> None:
    assert twofold("--version").out == f"twofold {__version__}\n"
    ran = twofold("--help")
    assert ran.code == 0
    assert all(command in ran.out for command in COMMANDS)


def test_no_command_is_wrong_usage(twofold: Callable[..., CommandResult]) -> None:
    ran = twofold()
    assert (ran.code, ran.out) == (2, "")
    assert "usage:" in ran.err


def test_an_unknown_command_gets_a_suggestion(twofold: Callable[..., CommandResult]) -> None:
    ran = twofold("bild")
    assert ran.code == 2
    assert "did you mean 'twofold build'?" in ran.err


@pytest.mark.parametrize(
    ("command", "words", "message", "hint"),
    [
        (
            "publish",
            ["--dry-runn"],
            "unrecognized arguments: --dry-runn",
            "did you mean --dry-run?",
        ),
        ("publish", ["--tto=x"], "unrecognized arguments: --tto=x", "did you mean --to?"),
        ("publish", ["--zzz"], "unrecognized arguments: --zzz", "run 'twofold publish --help'"),
        ("install", ["x"], "--venv or --conda is missing", "add --venv DIR or --conda DIR"),
        ("admin", ["add-upstream"], "WHAT cannot be 'add-upstream'", "did you mean 'upstream'?"),
        ("completion", ["tcsh"], "shell cannot be 'tcsh'", "one of: bash, zsh, fish, powershell"),
    ],
)
def test_wrong_usage_gets_a_suggestion(
    command: str,
    words: list[str],
    message: str,
    hint: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        make_parser(command).parse_args(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"error: {message}\n  hint: {hint}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_refuses_unknown_options(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        make_parser(command).parse_args(["--help"])
    assert ended.value.code == 0
    assert f"twofold {command}" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        make_parser(command).parse_args(["--no-such-option"])
    assert ended.value.code == 2
    assert "hint:" in capsys.readouterr().err


def test_help_and_version_import_next_to_nothing() -> None:
    """Counted in modules, which no busy machine can change: argparse alone would add thirty."""
    code = (
        "import sys; before = set(sys.modules); from twofold.cli import main; "
        "main(['--version']); main(['--help']); print(len(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout.splitlines()[-1]) <= 4


def test_version_answers_within_two_and_a_half_times_bare_python() -> None:
    bare, ours = [], []
    for _ in range(9):
        bare.append(_seconds([sys.executable, "-c", "pass"]))
        ours.append(_seconds([sys.executable, "-m", "twofold", "--version"]))
    assert statistics.median(ours) <= 2.5 * statistics.median(bare)


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("unpublish", "delete"),
        ("upload", "publish"),
        ("bump", "version"),
        ("ship", "release"),
        ("test", "try"),
    ],
)
def test_words_of_other_tools_are_answered_by_meaning(
    twofold: Callable[..., CommandResult], word: str, meant: str
) -> None:
    ran = twofold(word)
    assert ran.code == 2
    assert f"did you mean 'twofold {meant}'?" in ran.err


def test_a_word_that_is_like_no_command_is_not_guessed(
    twofold: Callable[..., CommandResult],
) -> None:
    assert "twofold --help" in twofold("frobnicate").err
    assert twofold("help", "publish").out == twofold("publish", "--help").out
