"""Output of commands: results to stdout, the rest to stderr, colour on a terminal only."""

from __future__ import annotations

import argparse
import errno
import os
import sys

from twofold.errors import SubprocessFailed, TwofoldError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO


class Parser(argparse.ArgumentParser):
    """An argument parser without abbreviated options; errors have a hint and exit code 2."""

    def __init__(self, command: str, description: str, epilog: str = "") -> None:
        super().__init__(
            prog=f"twofold {command}",
            description=description,
            epilog=epilog or None,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def with_json(self) -> Parser:
        self.add_argument("--json", action="store_true", help="print the result as JSON on stdout")
        return self

    def error(self, message: str) -> Any:  # argparse says NoReturn; exit() below never returns
        print(f"error: {message}\n  hint: run '{self.prog} --help'", file=sys.stderr)
        self.exit(2)


def is_coloured(stream: TextIO) -> bool:
    """Whether to use colour: on a terminal only, without NO_COLOR or TERM=dumb."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def note(text: str) -> None:
    """Print progress or a remark as a plain line on stderr."""
    print(text, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Print a command's `--json` result as one line on stdout."""
    import json

    print(json.dumps(value, ensure_ascii=False, default=str), flush=True)


def show_error(error: TwofoldError, as_json: bool = False) -> int:
    """Print every problem of an error with its location and hint; returns the exit code."""
    red, dim, off = ("\x1b[31m", "\x1b[2m", "\x1b[0m") if is_coloured(sys.stderr) else ("", "", "")
    if isinstance(error, SubprocessFailed) and error.output:
        print(f"{dim}{error.output.rstrip()}{off}", file=sys.stderr)
    for problem in error.problems:
        place = f"{problem.where}: " if problem.where else ""
        print(f"{red}error:{off} {place}{problem.message}", file=sys.stderr)
        if problem.hint:
            print(f"  hint: {problem.hint}", file=sys.stderr)
    if as_json:
        print_json(
            {
                "errors": [
                    {"message": p.message, "hint": p.hint, "where": p.where} for p in error.problems
                ]
            }
        )
    return 2 if isinstance(error, UsageError) else 1


def describe_os_error(error: OSError) -> TwofoldError:
    """Convert an OSError (full disk, no permission, ...) to a message with a hint."""
    hints = {
        errno.ENOSPC: "free some space, or choose another disk; no partial files were kept",
        errno.EFBIG: "the file exceeds a size limit: see 'ulimit -f', or choose another disk",
        errno.EDQUOT: "your disk quota is used up; free some space or choose another folder",
        errno.EACCES: "change its permissions, or choose a folder that you can read and write",
        errno.EPERM: "change its permissions, or choose a folder that you can read and write",
        errno.EROFS: "the file system is read-only; choose another folder",
        errno.ENOENT: "check the path",
        errno.ENOTDIR: "a part of the path is a file, not a folder",
        errno.EEXIST: "another file or folder has that name: move it, or choose another path",
        errno.EISDIR: "the path is a folder, but a file is needed",
    }
    what = error.strerror or str(error)
    return TwofoldError(what, hints.get(error.errno or 0, ""), str(error.filename or ""))
