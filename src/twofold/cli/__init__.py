"""The command line: import the command's module, run it, and print its errors.

`--help` and `--version` import nothing else, so that they answer at the speed of Python itself.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Any, TextIO

#: Command -> its line in the help, in the order of a project's life.
COMMANDS = {
    "new": "start a project that builds at once",
    "init": "write the pyproject.toml of existing code",
    "exports": "write and update the re-exports of __init__.py",
    "deps": "list imported, declared, missing and unused dependencies",
    "check": "find mistakes in projects and built files",
    "build": "build the sdist, the wheel and the conda package",
    "try": "smoke-test built files in temporary pip and conda environments",
    "serve": "run the registry: one URL for pip and conda",
    "admin": "administer a registry: users, permissions, yanks, storage",
    "publish": "upload a release to an index, a registry or a channel",
    "version": "show the version, or set it wherever it is written",
    "release": "set the version, build, check, publish and tag",
    "workspace": "run a command for each package of a repository",
    "status": "show a project's releases at its targets",
    "yank": "yank a release: installers pass over it",
    "unyank": "undo a yank",
    "promote": "promote a release to another channel or label",
    "delete": "delete a release from a target",
    "install": "install into a virtual or a conda environment",
    "login": "store the token of a target",
    "logout": "remove the token of a target",
    "whoami": "show the account a target authenticates you as",
    "convert": "turn wheels into conda packages in a channel folder",
    "index": "make a folder of packages a static index and channel",
    "names": "show a project's names on PyPI and in conda",
    "recipe": "write a conda recipe from the project's metadata",
    "tour": "run all steps on this machine, with real clients",
    "config": "show the configuration file and its targets",
    "cache": "show or empty the folder of caches",
    "completion": "print a completion script for a shell",
    "man": "write man pages",
}

#: Command -> the module that has it, where that has another name: `try` is a keyword of Python, and
#: a module with several commands has one parser for each.
MODULES = {
    "try": "smoke_test",
    **dict.fromkeys(("config", "cache", "completion", "man"), "housekeeping"),
    **dict.fromkeys(("login", "logout", "whoami"), "account"),
    **dict.fromkeys(("status", "yank", "unyank", "promote", "delete"), "published"),
}

#: Words that other tools use, and the command that does it here.
SYNONYMS = {
    "unpublish": "delete",
    "remove-release": "delete",
    "rm": "delete",
    "deprecate": "yank",
    "retract": "yank",
    "rollback": "yank",
    "restore": "unyank",
    "purge": "delete",
    "bump": "version",
    "upload": "publish",
    "push": "publish",
    "deploy": "publish",
    "list": "status",
    "show": "status",
    "copy": "promote",
    "move": "promote",
    "create": "new",
    "generate": "new",
    "migrate": "init",
    "import": "init",
    "adopt": "init",
    "lint": "check",
    "validate": "check",
    "verify": "check",
    "package": "build",
    "compile": "build",
    "wheel": "build",
    "sdist": "build",
    "test": "try",
    "server": "serve",
    "registry": "serve",
    "auth": "login",
    "signin": "login",
    "user": "whoami",
    "download": "install",
    "upgrade": "install",
    "reindex": "index",
    "grayskull": "recipe",
    "skeleton": "recipe",
    "search": "names",
    "requirements": "deps",
    "imports": "deps",
    "clean": "cache",
    "settings": "config",
    "completions": "completion",
    "manual": "man",
    "monorepo": "workspace",
    "tag": "release",
    "ship": "release",
    "get": "install",
    "smoke-test": "try",
    "startproject": "new",
}

#: What other tools do; twofold leaves it to them on purpose.
LEFT_TO_OTHERS = {
    "add": "uv add NAME, or pixi add NAME",
    "remove": "uv remove NAME, or pixi remove NAME",
    "lock": "uv lock, or pixi lock",
    "run": "uv run COMMAND, or pixi run COMMAND",
    "sync": "uv sync, or pixi install",
    "self-update": "pip install --upgrade twofold",
}

#: New objects after which a command looks for cycles. What it imports has none to free, and
#: Python's own limit of 700 (2,000 from 3.13 on) costs a small command a fifteenth of its time.
GC_THRESHOLD = 50_000

#: Commands that look for the project in the folders above.
SEARCHING = (
    *("build", "check", "deps", "exports", "publish", "recipe", "release", "status", "version"),
)
PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg", "recipe.yaml", "meta.yaml")


def format_usage() -> str:
    """Format the help of `twofold --help`."""
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name.ljust(width)}  {text}" for name, text in COMMANDS.items())
    return f"""\
twofold: from a folder of modules to `pip install` and `conda install`.

usage: twofold COMMAND [ARGUMENTS]

commands:
{lines}

  twofold COMMAND --help   the options of a command; also: twofold help COMMAND
  twofold --version        the version

options of every command:
  -q, --quiet     print results and errors only
  -v, --verbose   print requests, and the cause of an error
  --color WHEN    always, never or auto (a terminal, unless NO_COLOR is set; FORCE_COLOR: always)
  --offline       make no network connection

exit codes: 0 success, 1 a problem (printed with a hint), 2 wrong usage
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name) and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and (stream.encoding or "").lower() not in ("utf-8", "utf8"):
            from twofold.cli.narrow_output import make_narrow

            make_narrow(stream)
    words = _take_general_options(list(sys.argv[1:] if arguments is None else arguments))
    if words is None:
        return 2
    if len(words) > 1 and words[0] == "help" and words[1] in COMMANDS:
        words = [words[1], "--help"]
    if not words or words[0] in ("-h", "--help") or words == ["help"]:
        print(format_usage(), end="", file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        from twofold import __version__

        print(f"twofold {__version__}")
        return 0
    if words[0] not in COMMANDS:
        return _report_unknown(words[1] if words[0] == "help" else words[0])
    if words[0] != "serve":
        import gc

        gc.set_threshold(GC_THRESHOLD)
    code = _run(words[0], words[1:])
    # Shutting the interpreter down would take a sixth of the time. A server's threads are joined.
    if arguments is None and words[0] != "serve":
        _leave(code)
    return code


def _leave(code: int) -> None:
    """Flush the output and end the process without shutting the interpreter down.

    py-rattler's threads continue for a moment after its last call, and crash an interpreter that
    is shutting down (in one of eight runs, measured with 0.28).
    """
    for stream in (sys.stdout, sys.stderr):
        # What a closed pipe does not take was reported; without a console there is no stream.
        if stream is not None and not stream.closed:
            _flush(stream)
    os._exit(code)


def _flush(stream: TextIO) -> None:
    try:
        stream.flush()
    except OSError:
        return


#: Option of every command -> the variable that it sets for this process and its children.
_GENERAL = {
    "-q": "TWOFOLD_QUIET",
    "--quiet": "TWOFOLD_QUIET",
    "-v": "TWOFOLD_VERBOSE",
    "--verbose": "TWOFOLD_VERBOSE",
    "--offline": "TWOFOLD_OFFLINE",
}


def _take_general_options(words: list[str]) -> list[str] | None:
    """The words without the options of every command, which are set; None for wrong usage."""
    rest: list[str] = []
    while words:
        word = words.pop(0)
        if word == "--":
            return [*rest, word, *words]
        if word in _GENERAL:
            os.environ[_GENERAL[word]] = "1"
            if word == "--offline":  # the tools that build and install for us
                os.environ.update(UV_OFFLINE="1", PIP_NO_INDEX="1")
        elif word == "--color" or word.startswith("--color="):
            when = word.partition("=")[2] or (words.pop(0) if words else "")
            if when not in ("always", "never", "auto"):
                print(f"error: --color: '{when}' is unknown", file=sys.stderr)
                print("  hint: pass always, never or auto", file=sys.stderr)
                return None
            os.environ["TWOFOLD_COLOR"] = when
        else:
            rest.append(word)
    return rest


def _report_unknown(word: str) -> int:
    import difflib

    close = difflib.get_close_matches(word, [*COMMANDS, *SYNONYMS], n=1, cutoff=0.7)
    meant = SYNONYMS.get(word.lower()) or (SYNONYMS.get(close[0], close[0]) if close else "")
    hint = f"did you mean 'twofold {meant}'?" if meant else "run 'twofold --help' for the list"
    hint = f"use {LEFT_TO_OTHERS[word]}" if word in LEFT_TO_OTHERS else hint
    print(f"error: there is no command '{word}'\n  hint: {hint}", file=sys.stderr)
    return 2


def load_module(command: str) -> Any:
    """Import the module of a command; it has `run(args: argparse.Namespace) -> int`."""
    name = f"twofold.cli.{MODULES.get(command, command)}"
    __import__(name)  # importlib's own function would import `warnings` too
    return sys.modules[name]


def make_parser(command: str) -> argparse.ArgumentParser:
    """Make the parser of a command: its module's `parser()`, or `COMMAND_parser()` of several."""
    module = load_module(command)
    make = getattr(module, f"{command}_parser", None) or module.parser
    parser: argparse.ArgumentParser = make()
    return parser


def _run(command: str, words: list[str]) -> int:
    """Import the command's module, parse with it, run it."""
    from twofold_build.errors import TwofoldError

    try:
        module = load_module(command)
        quick = getattr(module, "quick", None)  # simple command lines, parsed without argparse
        args = (quick(words) if quick else None) or make_parser(command).parse_args(words)
    except ModuleNotFoundError as error:
        return _report_missing(error)
    if command in SEARCHING and not any(os.access(name, os.F_OK) for name in PROJECT_FILES):
        from twofold.cli.terminal import take_project_above

        take_project_above(args, PROJECT_FILES)
    try:
        code = int(module.run(args))
        if sys.stdout is not None:
            sys.stdout.flush()  # a full disk or a closed pipe shows here
        return code
    except TwofoldError as error:
        from twofold.cli.terminal import show_error

        return show_error(error, as_json=bool(getattr(args, "json", False)))
    except ModuleNotFoundError as error:
        return _report_missing(error, as_json=bool(getattr(args, "json", False)))
    except BrokenPipeError:
        # The reader of a pipe (head, less) has exited: avoid a second error when Python flushes
        # stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        from twofold.cli.terminal import describe_os_error, show_error

        return show_error(describe_os_error(error), as_json=bool(getattr(args, "json", False)))
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def _report_missing(error: ModuleNotFoundError, as_json: bool = False) -> int:
    """Print which extra to install; another missing module is a fault of ours, and raised."""
    from twofold.cli.terminal import show_error
    from twofold.extras import describe_missing

    known = describe_missing(error)
    if known is None:
        raise error
    return show_error(known, as_json)
