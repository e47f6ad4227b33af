"""The examples of a page, as steps of one shell: commands to run, files to save, lines to change.

```console              a line that begins with `$ ` is a command; the lines below it must occur in
                        what it prints (`...` stands for more)
```LANG title="PATH"    a file that the reader saves; with LANG `diff` lines to change in one
```powershell           the same for Windows: not run here, but compared with the block before it

A block that cannot be run here has `<!-- not run: REASON -->` above it, one whose command fails on
purpose `<!-- exit code 1 -->`.
"""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

BLOCK = re.compile(
    r"(?:(?P<skip>^ *<!-- not run: [^\n]+ -->\n+)|(?P<fails>^ *<!-- exit code 1 -->\n+))?"
    r"^(?P<indent> *)```(?P<kind>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n"
    r"(?P<body>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
#: Replaces lines of a file: the lines removed must be there once, together.
CHANGE = """\
import pathlib, sys
path, old, new = sys.argv[1:]
text = pathlib.Path(path).read_text("utf-8")
sys.exit(f"{path} has not once: {old}") if text.count(old) != 1 else None
pathlib.Path(path).write_text(text.replace(old, new), "utf-8")
"""


@dataclass(frozen=True)
class Step:
    """A command, and the lines its output must hold."""

    command: str
    wanted: list[str] = field(default_factory=list)


def read_steps(page: Path) -> list[Step]:
    """The steps of a page, in its order."""
    found: list[Step] = []
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["skip"]:
            continue
        body = textwrap.dedent(block["body"])
        if block["title"]:
            found.append(Step(_change(block["title"], body, block["kind"])))
        elif block["kind"] == "console":
            steps = _commands(body)
            if block["fails"]:
                steps = (
                    replace(one, command=f"if {one.command}; then exit 97; fi") for one in steps
                )
            found += steps
    return found


def _commands(body: str) -> Iterator[Step]:
    steps: list[Step] = []
    for line in re.sub(r"\\\n +", "", body).splitlines():
        if line.startswith("$ "):
            steps.append(Step(line[2:]))
        elif line.strip() and line.strip() != "...":
            steps[-1].wanted.append(line.rstrip())
    return iter(steps)


def _change(path: str, body: str, kind: str) -> str:
    if kind != "diff":
        folder = shlex.quote(str(Path(path).parent))
        return f"mkdir -p {folder} && printf %s {shlex.quote(body)} > {path}"
    lines = body.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] in "- ")
    new = "".join(line[1:] for line in lines if line[0] in "+ ")
    return shlex.join(["python", "-c", CHANGE, path, old, new])


def pair_systems(page: Path) -> Iterator[tuple[list[str], list[str]]]:
    """Of each PowerShell block, and of the console block before it: the commands, made alike."""
    before: list[str] = []
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        body = textwrap.dedent(block["body"])
        if block["kind"] == "console":
            before = [_alike(step.command) for step in _commands(body)]
        elif block["kind"] == "powershell":
            yield before, [_alike(line) for line in re.sub(r"`\n +", "", body).splitlines() if line]


def _alike(command: str) -> str:
    """A command without what differs between a POSIX shell and PowerShell."""
    command = command.replace("\\", "/").replace("/Scripts/", "/bin/")
    command = re.sub(r"^\$env:(\w+) = (.*)$", r"export \1=\2", command)
    command = command.replace("$HOME", "~").replace('"', "").replace("'", "").removeprefix("& ")
    command = re.sub(r"^(\. )?\.venv/bin/[Aa]ctivate(\.ps1)?$", "activate", command)
    command = re.sub(r"^(py|python3) ", "python ", command)
    # A conda environment has its python.exe at the top on Windows.
    return re.sub(r"/(?:bin/)?(python|twofold|pip)(?:\.exe)?\b", r"/\1", command)
