"""The help of every command has examples and exit codes, and its options are documented."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from twofold.cli import COMMANDS, make_parser
from twofold.cli import build as build_command
from twofold.cli.admin_examples import EXAMPLES

DOCS = Path(__file__).parents[2] / "docs" / "reference"

#: The pages that describe a command, where it is not the page of its own name.
PAGES = {
    "check": "checks/README",
    "release": "publish",
    "version": "publish",
    "workspace": "publish",
    "login": "publish",
    "logout": "publish",
    "whoami": "publish",
    **dict.fromkeys(("config", "cache", "completion", "man"), "configuration"),
    **dict.fromkeys(("status", "yank", "unyank", "promote", "delete"), "published"),
}


def walk_parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser, and those of its subcommands."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from walk_parsers(child)


def list_options(parser: argparse.ArgumentParser) -> set[str]:
    """The options that the help shows."""
    return {
        option
        for one in walk_parsers(parser)
        for action in one._actions
        if action.help != argparse.SUPPRESS
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_has_an_example_and_exit_codes(command: str) -> None:
    text = make_parser(command).format_help()
    examples = text.partition("examples:\n")[2].partition("\n\n")[0]
    assert f"  twofold {command}" in examples
    assert "exit codes: 0 " in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_stands_in_the_reference_page(command: str) -> None:
    page = (DOCS / f"{PAGES.get(command, command)}.md").read_text("utf-8")
    missing = {option for option in list_options(make_parser(command)) if option not in page}
    assert not missing


def test_the_fast_parser_of_build_sets_what_the_full_one_sets() -> None:
    full = vars(build_command.parser().parse_args([]))
    assert vars(build_command.Arguments()) == full


@pytest.mark.parametrize("option", sorted(list_options(build_command.parser())))
def test_both_parsers_of_build_read_an_option_alike(option: str) -> None:
    parser = build_command.parser()
    action = parser._option_string_actions[option]
    words = [option] if action.nargs == 0 else [option, "wheel"]
    fast = build_command.quick(words)
    full = vars(parser.parse_args(words))
    assert fast is None or vars(fast) == full


def test_every_subcommand_of_admin_has_examples_that_it_can_parse() -> None:
    parser = make_parser("admin")
    (commands,) = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    assert set(EXAMPLES) == set(commands.choices)
    for what, lines in EXAMPLES.items():
        shown = commands.choices[what].format_help()
        for line in lines:
            assert f"twofold admin {line}" in shown
            words = shlex.split(line.partition(" <")[0])
            assert parser.parse_args(words).what == what
