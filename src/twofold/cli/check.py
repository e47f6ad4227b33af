"""`twofold check [PROJECT | FILES]`: report all findings, with location and hint."""

from __future__ import annotations

import sys
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from twofold.check import Finding


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold check`."""
    from twofold.cli.terminal import Parser

    made = Parser(
        "check",
        "Find mistakes that break installations or that indexes refuse: in a project before it\n"
        "is built, and in wheels, sdists and conda packages. No code of the project is run.",
        "Exit code 1 when there are errors; warnings alone leave it at 0. The rules and how to\n"
        "switch one off: docs/reference/checks/.",
    ).with_json()
    made.add_argument("paths", nargs="*", metavar="PATH", help="one project, or built files (.)")
    made.add_argument("--github", action="store_true", help="print annotations for GitHub Actions")
    made.add_argument("--fix", action="store_true", help="apply the safe fixes")
    made.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="CODES",
        help="ignore these rules, such as TF112",
    )
    return made


def run(args: argparse.Namespace) -> int:
    """Run `twofold check`; returns the exit code."""
    from twofold.cli.terminal import expand_files

    paths = expand_files(args.paths or ["."])
    ignore = parse_codes(args.ignore)
    findings = _findings(paths, ignore)
    if args.fix:
        findings = _fix(paths, findings, ignore)
    errors = sum(finding.is_error for finding in findings)
    if args.json:
        from twofold.cli.terminal import print_json

        print_json(
            {
                "findings": [finding.as_dict() for finding in findings],
                "errors": errors,
                "warnings": len(findings) - errors,
            }
        )
    elif args.github:
        _annotate(findings, paths)
    else:
        _print_findings(findings, errors)
    return 1 if errors else 0


def _findings(paths: Sequence[Path], ignore: Sequence[str]) -> list[Finding]:
    from twofold.check import check_files, check_project
    from twofold.convert import parse_options
    from twofold.errors import UsageError
    from twofold.new.migrate import read_declared_project

    folders = [path for path in paths if not path.is_file()]
    if not folders:
        return check_files(paths, ignore)
    missing = [path for path in folders if not path.exists()]
    if missing:
        hint = "name one project, or built files; 'twofold build' makes them"
        raise UsageError(f"there is no {missing[0]}", hint)
    if len(paths) > 1:
        raise UsageError("several paths, one of them a folder", "name one project, or built files")
    return check_project(folders[0], ignore, {"conda": parse_options}, read_declared_project)


def _fix(paths: Sequence[Path], findings: list[Finding], ignore: Sequence[str]) -> list[Finding]:
    """Fix and check again, as long as there are fixes: one may uncover another finding."""
    from twofold.check.finding import apply_fixes
    from twofold.cli.terminal import note

    for _ in range(10):
        mended = apply_fixes(paths[0], findings) if paths[0].is_dir() else []
        if not mended:
            break
        for finding in mended:
            note(f"fixed {finding.where}: {finding.code} {finding.message}")
        findings = _findings(paths, ignore)
    return findings


def parse_codes(words: Sequence[str]) -> list[str]:
    """Parse the codes of `--ignore`, comma-separated; raises UsageError for unknown ones."""
    from twofold.check.rule_table import BY_CODE
    from twofold.errors import UsageError
    from twofold_build.diagnostics import suggest

    codes = [code.strip().upper() for word in words for code in word.split(",") if code.strip()]
    for code in codes:
        if code not in BY_CODE:
            raise UsageError(
                f"--ignore: there is no rule '{code}'",
                suggest(code, BY_CODE) or "the rules are listed in docs/reference/checks/",
            )
    return codes


def _print_findings(findings: Sequence[Finding], errors: int) -> None:
    from twofold.cli.terminal import is_coloured, note, print_text, remove_controls

    colour = is_coloured(sys.stdout)
    marks = {"error": "\x1b[31m", "warning": "\x1b[33m"} if colour else {}
    off = "\x1b[0m" if colour else ""
    for finding in findings:
        mark = marks.get(finding.severity, "")
        where, message = map(remove_controls, (finding.where, finding.message))
        print(f"{where}: {mark}{finding.severity} {finding.code}{off} {message}")
        if finding.hint:
            print_text(f"  hint: {finding.hint}")
    warnings = len(findings) - errors
    fixable = sum(finding.fix is not None for finding in findings)
    text = f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}"
    note(text + (f"; --fix can fix {fixable}" if fixable else ""))


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _annotate(findings: Sequence[Finding], paths: Sequence[Path]) -> None:
    """Print GitHub's workflow commands; paths are relative to the working folder."""
    from twofold.cli.terminal import print_text

    root = paths[0] if paths[0].is_dir() else None
    for finding in findings:
        file, line = finding.place
        shown = (root / file).as_posix() if root else file
        places = f"file={_escaped(shown, True)}" + (f",line={line}" if line else "")
        text = f"{finding.message}\n{finding.hint}" if finding.hint else finding.message
        title = _escaped(finding.code, True)
        print_text(f"::{finding.severity} {places},title={title}::{_escaped(text, False)}")


def _escaped(text: str, is_property: bool) -> str:
    """Escape data or properties of workflow commands, as GitHub's toolkit does."""
    for mark, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(mark, code)
    if is_property:
        text = text.replace(":", "%3A").replace(",", "%2C")
    return text
