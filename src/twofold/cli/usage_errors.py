"""Hints for errors of argparse: the option or word that was meant, the choices, what to add."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence

_CHOICE = re.compile(
    r"argument (?P<name>[^:]+): invalid choice: (?P<word>.+?) \(choose from (?P<all>.+)\)"
)


def explain_usage(parser: argparse.ArgumentParser, message: str) -> tuple[str, str]:
    """Message and hint of an error of argparse; the hint is '' where there is none to give."""
    choice = _CHOICE.fullmatch(message)
    if choice is not None:
        return _explain_choice(choice)
    if message.startswith("unrecognized arguments: "):
        return message, _suggest_option(parser, message.partition(": ")[2].split())
    if message.startswith("one of the arguments "):
        names = [word for word in message.split() if word.startswith("-")]
        forms = [_show_option(parser, name) for name in names]
        return f"{' or '.join(names)} is missing", f"add {' or '.join(forms)}"
    return message, ""


def _explain_choice(choice: re.Match[str]) -> tuple[str, str]:
    word = choice["word"].strip("'\"")
    known = [one.strip().strip("'\"") for one in choice["all"].split(",")]
    close = difflib.get_close_matches(word, known, n=1) or [one for one in known if one in word]
    hint = f"did you mean '{close[0]}'?" if close else f"one of: {', '.join(known)}"
    return f"{choice['name']} cannot be '{word}'", hint


def _suggest_option(parser: argparse.ArgumentParser, words: Sequence[str]) -> str:
    """The option that the first unknown one was probably meant to be; '' if none is alike."""
    word = next((word.partition("=")[0] for word in words if word.startswith("--")), "")
    known = [name for action in _list_options(parser) for name in action.option_strings]
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.7) if word else []
    return f"did you mean {close[0]}?" if close else ""


def _show_option(parser: argparse.ArgumentParser, name: str) -> str:
    """An option with its value: `--venv DIR`."""
    for action in _list_options(parser):
        if name in action.option_strings and action.nargs != 0:
            value = action.metavar or action.dest.upper()
            return f"{name} {value if isinstance(value, str) else ' '.join(value)}"
    return name


def _list_options(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if action.option_strings]
