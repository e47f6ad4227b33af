"""Output of commands: results to stdout, the rest to stderr, colour on a terminal only."""

from __future__ import annotations

import argparse
import errno
import os
import sys
import unicodedata
from pathlib import Path

from twofold.errors import Cancelled, SubprocessFailed, TwofoldError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TextIO


#: Command -> examples in its help.
EXAMPLES = {
    "new": ("new my_package", "new my_package --layout flat --dep numpy"),
    "init": ("init", "init path/to/project --verify"),
    "exports": ("exports src/my_package", "exports --check"),
    "deps": ("deps", "deps --check --env .venv"),
    "check": ("check", "check dist/* --ignore TF112"),
    "build": (
        "build",
        "build path/to/project --only wheel,conda",
        "build recipe --render-only",
        "build recipe --target-platform linux-64 --target-platform win-64",
    ),
    "try": ("try", "try dist/my_package-1.0.0-py3-none-any.whl"),
    "serve": ("serve", "serve --host 0.0.0.0 --port 8080 --data /srv/twofold"),
    "admin": ("admin users", "admin role main alice upload", "admin log --channel main --csv"),
    "publish": ("publish --to testpypi --dry-run", "publish dist/* --to http://host/main --yes"),
    "version": ("version", "version 1.3.0", "version patch --dry-run"),
    "release": ("release 1.2.0 --to pypi --dry-run", "release 1.2.0 --to pypi --to anaconda:me"),
    "workspace": (
        "workspace",
        "workspace --changed release patch --to pypi",
        "workspace --package my_core build",
    ),
    "status": ("status", "status my_package --to http://host/main --json"),
    "yank": ('yank my_package==1.0.0 --to http://host/main --reason "broken"',),
    "unyank": ("unyank my_package==1.0.0 --to http://host/main",),
    "promote": ("promote http://host/staging http://host/main my_package==1.0.0",),
    "delete": ("delete my_package==1.0.0 --to anaconda:me --dry-run",),
    "install": (
        "install my_package --from http://host/main --venv .venv",
        "install my_package --from http://host/main --conda env --python 3.12",
    ),
    "login": ("login http://host/main", "login pypi < token-file"),
    "logout": ("logout http://host/main",),
    "whoami": ("whoami", "whoami http://host/main"),
    "convert": ("convert dist/*.whl", "convert numpy --with-deps --python 3.12 --out channel"),
    "index": ("index packages",),
    "names": ("names opencv-python", "names sklearn --json"),
    "recipe": ("recipe", "recipe --format recipe.yaml --out recipe"),
    "config": ("config", "config lab --json"),
    "cache": ("cache dir", "cache size", "cache clean"),
    "completion": ("completion bash", "completion fish"),
    "man": ("man --out ~/.local/share/man/man1",),
    "tour": ("tour", "tour path/to/project --no-conda-forge --keep"),
}

#: Command -> the meaning of its exit code 1, if it is not just a problem.
FAILURES = {
    "check": "errors were found",
    "deps": "a problem, or with --check a missing or unused dependency",
    "exports": "a problem, or with --check outdated exports",
    "index": "a file could not be indexed",
    "try": "a smoke test failed",
    "whoami": "a target refused the token or is unreachable",
    "yank": "a target refused the change or is unreachable",
    "delete": "a target refused the change, or none has the release",
    "publish": "a file was refused, an upload or a smoke test failed",
}


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the terminal.

    argparse makes a formatter for each option that is added, and imports `shutil` with three
    compression libraries for the width.
    """

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, **{"width": _get_columns(sys.stdout) - 2, **options})


class Parser(argparse.ArgumentParser):
    """An argument parser without abbreviated options; errors have a hint and exit code 2."""

    def __init__(self, command: str, description: str, epilog: str = "") -> None:
        examples = "\n".join(f"  twofold {line}" for line in EXAMPLES[command])
        failure = FAILURES.get(command, "a problem, printed with a hint")
        parts = [
            epilog.strip(),
            f"examples:\n{examples}",
            f"exit codes: 0 success, 1 {failure}, 2 wrong usage",
        ]
        super().__init__(
            prog=f"twofold {command}",
            description=description,
            epilog="\n\n".join(filter(None, parts)),
            allow_abbrev=False,
            formatter_class=HelpFormatter,
        )

    def with_json(self) -> Parser:
        """Add the option `--json`."""
        self.add_argument("--json", action="store_true", help="print the result as JSON on stdout")
        return self

    def error(self, message: str) -> Any:  # argparse says NoReturn; exit() below never returns
        """Print a usage error with a hint, and exit with code 2."""
        from twofold.cli.usage_errors import explain_usage

        message, hint = explain_usage(self, message)
        hint = hint or f"run '{self.prog} --help'"
        print(f"error: {message}\n  hint: {hint}", file=sys.stderr)
        self.exit(2)


def is_coloured(stream: TextIO) -> bool:
    """Whether to use colour: as `--color` has it, else FORCE_COLOR, NO_COLOR, else a terminal.

    An empty NO_COLOR or FORCE_COLOR counts as not set (no-color.org, force-color.org).
    """
    when = os.environ.get("TWOFOLD_COLOR", "auto")
    if when != "auto":
        return when == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def remove_controls(text: str) -> str:
    """Text without control and bidirectional characters, which servers could send to a terminal."""
    return "".join("\ufffd" if _is_control(c) and c not in "\n\t" else c for c in text)


def _is_control(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf")


def print_text(text: str, end: str = "\n") -> None:
    """Print a result that holds what others wrote: users, servers, archives."""
    print(remove_controls(text), end=end)


def note(text: str) -> None:
    """Print progress or a remark as plain lines on stderr; nothing with `--quiet`."""
    if not os.environ.get("TWOFOLD_QUIET"):
        print_wrapped(text, sys.stderr, "  ")


def get_width(stream: TextIO) -> int:
    """The columns of a terminal, as COLUMNS has them if it is set; of anything else, no limit."""
    return _get_columns(stream) if stream.isatty() else 1 << 20


def _get_columns(stream: TextIO | None) -> int:
    """COLUMNS, else the columns of a terminal, else 80."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns):
        return int(columns)
    try:
        return os.get_terminal_size(stream.fileno() if stream else -1).columns or 80
    except OSError:
        return 80


def print_wrapped(text: str, stream: TextIO, indent: str = "") -> None:
    """Print lines, each wrapped to a terminal's width; `indent` begins what follows of one."""
    lines = remove_controls(text).split("\n")
    width = get_width(stream)
    print("\n".join(_wrap(line, width, indent) for line in lines), file=stream, flush=True)


def _wrap(line: str, width: int, indent: str) -> str:
    if len(line) <= width:
        return line
    import textwrap

    return textwrap.fill(line, width, subsequent_indent=indent, break_on_hyphens=False)


def format_size(size: int) -> str:
    """A size in bytes with the unit that suits it, such as `5.1 kB`."""
    amount, unit = float(size), "B"
    for larger in ("kB", "MB", "GB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{size} B" if unit == "B" else f"{amount:.1f} {unit}"


def take_project_above(args: Any, names: Sequence[str]) -> None:
    """Take the project of the nearest folder above, if the command line names nothing.

    A project has one of the files `names`. The search ends at the top of the repository.
    """
    if getattr(args, "files", None) or getattr(args, "paths", None):
        return
    here = Path.cwd()
    for folder in (here, *here.parents):
        if any((folder / name).is_file() for name in names):
            for name in ("path", "project"):
                if str(getattr(args, name, "")) == ".":
                    setattr(args, name, type(getattr(args, name))(folder))
            if hasattr(args, "paths"):
                args.paths = [str(folder)]
            note(f"note: the project in {folder}")
            return
        if (folder / ".git").exists():
            return


#: How built files end, those too that twofold refuses: a release must not be incomplete in silence.
#: What ends otherwise in dist/ are signatures, hashes, lists of them, bills of materials.
_BUILT_FILES = (
    *(".whl", ".conda", ".tar.gz", ".tar.bz2", ".tgz", ".tar.xz", ".tar.zst", ".tar", ".zip"),
    *(".egg", ".exe", ".msi", ".rpm", ".deb"),
)
#: How attestations end, which go with their files.
_ATTESTATIONS = (".attestation", ".attestation.json", ".sigstore", ".sigstore.json")


def expand_files(words: Sequence[str | Path]) -> list[Path]:
    """The files that the words of a command line name, each once.

    Patterns (`dist/*`) are expanded here: the shells of Windows hand them over as they are. Of
    several words, folders without a project and side files are passed over with a note.
    """
    found: dict[Path, Path] = {}
    for word in map(str, words):
        path = Path(word)
        matches = [path]
        if any(mark in word for mark in "*?[") and not path.exists():
            found_here = Path(path.anchor).glob(str(path.relative_to(path.anchor)))
            matches = sorted(match for match in found_here if not match.name.startswith("."))
        if not matches:
            raise TwofoldError(f"no file matches {word}", "run 'twofold build' first")
        for match in matches:
            found.setdefault(match.resolve(), match)
    if len(words) <= 1 and len(found) <= 1:
        return list(found.values())
    passed = [path for path in found.values() if _is_side_file(path)]
    files = [path for path in found.values() if path not in passed]
    if not files:
        listed = ", ".join(map(str, passed))
        raise TwofoldError(f"no built file among {listed}", "run 'twofold build' first")
    others = [str(path) for path in passed if not path.name.endswith(_ATTESTATIONS)]
    if others:
        note(f"note: passed over: {', '.join(others)}")
    return files


def _is_side_file(path: Path) -> bool:
    if path.is_dir():
        projects = ("pyproject.toml", "setup.py", "setup.cfg")
        return not any((path / name).is_file() for name in projects)
    return path.exists() and not path.name.lower().endswith(_BUILT_FILES)


def print_json(value: Any) -> None:
    """Print a command's `--json` result as one line on stdout."""
    import json

    # Escaped where the stream could not print it, or a terminal obeys it: JSON stays JSON.
    is_narrow = (sys.stdout.encoding or "").lower() not in ("utf-8", "utf8")
    text = json.dumps(value, ensure_ascii=is_narrow, default=str)
    if not text.isprintable():
        text = "".join(json.dumps(c)[1:-1] if _is_control(c) else c for c in text)
    print(text, flush=True)


def show_error(error: TwofoldError, as_json: bool = False) -> int:
    """Print every problem of an error with its location and hint; returns the exit code."""
    red, dim, off = ("\x1b[31m", "\x1b[2m", "\x1b[0m") if is_coloured(sys.stderr) else ("", "", "")
    if isinstance(error, SubprocessFailed) and error.output:
        print(f"{dim}{error.output.rstrip()}{off}", file=sys.stderr)
    for problem in error.problems:
        if isinstance(error, Cancelled):
            note(problem.message)
            continue
        place = f"{problem.where}: " if problem.where else ""
        text = remove_controls(f"error: {place}{problem.message}")
        width = get_width(sys.stderr)
        lines = "\n".join(_wrap(line, width, "  ") for line in text.split("\n"))
        print(f"{red}error:{off}{lines.removeprefix('error:')}", file=sys.stderr)
        if problem.hint:
            print_wrapped(f"  hint: {problem.hint}", sys.stderr, "    ")
    if os.environ.get("TWOFOLD_VERBOSE"):
        _print_causes(error)
    if as_json:
        print_json(
            {
                "errors": [
                    {"message": p.message, "hint": p.hint, "where": p.where} for p in error.problems
                ]
            }
        )
    return 2 if isinstance(error, UsageError) else 1


def _print_causes(error: BaseException) -> None:
    """The kinds of the errors behind an error; their texts may hold secrets."""
    cause = error.__cause__ or error.__context__
    while cause is not None:
        why = f": {cause.strerror}" if isinstance(cause, OSError) and cause.strerror else ""
        print(f"  caused by: {type(cause).__name__}{why}", file=sys.stderr)
        cause = cause.__cause__ or cause.__context__


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
    # A copy names its source first, and only the target's disk can be full.
    is_of_target = error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS)
    where = (error.filename2 if is_of_target else None) or error.filename or ""
    return TwofoldError(what, hints.get(error.errno or 0, ""), str(where))
