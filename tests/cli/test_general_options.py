"""Options of every command, the search for the project, and the commands about the tool itself."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CommandResult
from tests.factories.releases import make_conda, make_wheel
from twofold.cli import COMMANDS, LEFT_TO_OTHERS, SYNONYMS

Twofold = Callable[..., CommandResult]
RED = "\x1b[31m"


@pytest.mark.parametrize(
    ("words", "variables", "coloured"),
    [
        ([], {}, False),
        (["--color", "always"], {}, True),
        (["--color=always"], {"NO_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1"}, True),
        (["--color=never"], {"FORCE_COLOR": "1"}, False),
        ([], {"FORCE_COLOR": "", "NO_COLOR": ""}, False),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": ""}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour_is_as_the_option_and_the_variables_have_it(
    words: list[str], variables: dict[str, str], coloured: bool, twofold: Twofold
) -> None:
    ran = twofold("build", *words, env=variables)
    assert ran.code == 1
    assert (RED in ran.err) == coloured


def test_an_unknown_colour_is_wrong_usage(twofold: Twofold) -> None:
    ran = twofold("build", "--color", "blue")
    assert ran.code == 2
    assert "hint: pass always, never or auto" in ran.err


@pytest.mark.parametrize("word", SYNONYMS)
def test_words_of_other_tools_lead_to_the_command(word: str) -> None:
    assert word not in COMMANDS
    assert SYNONYMS[word] in COMMANDS


def test_a_command_is_suggested_by_its_meaning(twofold: Twofold) -> None:
    for word, meant in (("unpublish", "delete"), ("bump", "version"), ("upload", "publish")):
        ran = twofold(word)
        assert ran.code == 2
        assert f"did you mean 'twofold {meant}'?" in ran.err
    assert f"hint: use {LEFT_TO_OTHERS['lock']}" in twofold("lock").err


def test_help_of_a_command_is_its_help(twofold: Twofold) -> None:
    ran = twofold("help", "publish")
    assert (ran.code, ran.out) == (0, twofold("publish", "--help").out)


def test_the_project_is_found_in_a_folder_above(twofold: Twofold, tmp_path: Path) -> None:
    assert twofold("new", "my_package").code == 0
    inner = tmp_path / "my_package" / "src" / "my_package"
    ran = twofold("version", cwd=inner)
    assert (ran.code, ran.out) == (0, "my_package 1.0.0\n")
    assert "note: the project in" in ran.err
    assert twofold("build", "--only", "wheel", cwd=inner).code == 0
    assert list((tmp_path / "my_package" / "dist").glob("*.whl"))
    (tmp_path / "other" / ".git").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\n')
    assert twofold("version", cwd=tmp_path / "other").code == 1


def test_quiet_leaves_results_and_errors(twofold: Twofold, tmp_path: Path) -> None:
    assert twofold("new", "my_package").code == 0
    project = tmp_path / "my_package"
    assert twofold("-q", "build", "--only", "wheel", cwd=project).err == ""
    ran = twofold("version", "minor", "--quiet", cwd=project)
    assert (ran.out, ran.err) == ("my_package 1.0.0 -> 1.1.0\n", "")
    assert "error:" in twofold("version", "1.0", "-q", cwd=project).err


def test_offline_makes_no_connection_and_says_so_at_once(twofold: Twofold) -> None:
    ran = twofold("status", "my_package", "--to", "http://127.0.0.1:9/main", "--offline")
    assert ran.code == 1
    assert "was not contacted: --offline" in ran.err
    assert "hint: remove --offline" in ran.err


def test_offline_conversion_of_a_name_names_the_option(twofold: Twofold) -> None:
    ran = twofold("convert", "my_package", "--out", "channel", "--offline")
    assert ran.code == 1
    assert "--offline asks no index" in ran.err


@pytest.mark.parametrize(
    "words",
    [
        ("publish", "{wheel}", "--to", "s3://bucket/path?endpoint=http://127.0.0.1:9", "--yes"),
        ("install", "my_package", "--from", "http://127.0.0.1:9/main", "--conda", "env"),
        ("install", "my_package", "--from", "./channel", "--channel", "bioconda", "--conda", "env"),
    ],
)
def test_offline_holds_for_buckets_and_conda_channels(
    words: tuple[str, ...], twofold: Twofold, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "my_package", "1.0")
    package = make_conda(tmp_path, "my_package", "1.0")
    assert twofold("publish", package, "--to", "./channel").code == 0
    started = time.monotonic()
    ran = twofold(*(word.format(wheel=wheel) for word in words), "--offline")
    assert ran.code == 1
    assert "was not contacted: --offline" in ran.err
    assert time.monotonic() - started < 20


def test_verbose_names_the_kind_of_the_error_behind(twofold: Twofold) -> None:
    ran = twofold("status", "my_package", "--to", "http://127.0.0.1:9/main", "-v")
    assert "caused by: " in ran.err


def test_the_cache_is_shown_and_emptied(twofold: Twofold, tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    (folder / "x").mkdir(parents=True)
    (folder / "x" / "data").write_bytes(b"0" * 2_000_000)
    own = {"TWOFOLD_CACHE_DIR": str(folder)}
    assert twofold("cache", "dir", env=own).out == f"{folder}\n"
    assert twofold("cache", "size", env=own).out == f"2.0 MB in {folder}\n"
    assert twofold("cache", "clean", env=own).out == f"removed 2.0 MB in {folder}\n"
    assert list(folder.iterdir()) == []


def test_the_configuration_is_shown_without_its_secrets(twofold: Twofold, tmp_path: Path) -> None:
    folder = tmp_path / "twofold-config"
    folder.mkdir()
    file = folder / "config.toml"
    file.write_text('[targets.lab]\nurl = "http://127.0.0.1:9/main"\ntoken = "secret-token"\n')
    file.chmod(0o600)
    ran = twofold("config")
    assert ran.code == 0, ran.err
    assert "lab  registry  http://127.0.0.1:9/main  token in this file" in ran.out
    assert "secret-token" not in ran.out + twofold("config", "--json").out


#: How each shell is started without the user's files, and a function to see what was typed.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'twofold() { echo "<$*>"; }'),
    "zsh": (["zsh", "-f", "-i"], 'autoload -U compinit; compinit -D -u; twofold() { echo "<$*>" }'),
    "fish": (["fish", "-N", "-i"], 'function twofold; echo "<$argv>"; end'),
}


@pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal is POSIX's")
@pytest.mark.parametrize("shell", SHELLS)
def test_a_tab_completes_commands_options_and_files(
    shell: str, twofold: Twofold, tmp_path: Path
) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(twofold("completion", shell).out)
    (tmp_path / "a file.whl").touch()
    (tmp_path / "publish").mkdir()  # a folder of a command's name is not completed for it
    command, function = SHELLS[shell]
    completed = {
        "publ\t--dr\t": "publish --dry-run",
        "-q publ\t--skip\t": "-q publish --skip-existing",
        "check a\t": "check a file.whl",
        "cache cle\t": "cache clean",
        "build --off\t": "build --offline",
    }
    lines = [f"{function}; source ./script; twofold ready", *(f"twofold {w}" for w in completed)]
    assert type_lines(command, lines, tmp_path) == ["ready", *completed.values()]


def type_lines(command: list[str], lines: list[str], folder: Path) -> list[str]:
    """Type lines into a shell on a terminal; returns what each has printed as `<...>`."""
    ours, theirs = os.openpty()
    variables = {**os.environ, "TERM": "dumb", "PS1": "", "HISTFILE": ""}
    enter = "import os, sys; os.login_tty(0); os.execvp(sys.argv[1], sys.argv[1:])"
    words = [sys.executable, "-c", enter, *command]
    shell = subprocess.Popen(words, cwd=folder, env=variables, stdin=theirs)
    os.close(theirs)
    printed: list[str] = []
    try:
        for line in lines:
            shown = b""
            os.write(ours, f"{line}\n".encode())
            while not (found := re.search(rb"[\r\n]<([^<>]*)>\r*\n", shown)):
                assert select.select([ours], [], [], 20)[0], (line, printed, shown)
                shown += os.read(ours, 1 << 16)
            printed.append(found[1].decode().rstrip())
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)
    return printed


@pytest.mark.parametrize("shell", ["zsh", "fish", "powershell"])
def test_other_shells_get_every_command(shell: str, twofold: Twofold) -> None:
    ran = twofold("completion", shell)
    assert ran.code == 0
    assert all(command in ran.out for command in COMMANDS)
    assert "dry-run" in ran.out


def test_every_command_has_a_man_page(twofold: Twofold, tmp_path: Path) -> None:
    assert twofold("man", "--out", tmp_path / "man1").code == 0
    names = {path.name for path in (tmp_path / "man1").iterdir()}
    assert names == {"twofold.1", *(f"twofold-{command}.1" for command in COMMANDS)}
    page = (tmp_path / "man1" / "twofold-publish.1").read_text()
    assert "\\-\\-dry\\-run" in page
    assert page.startswith('.TH "TWOFOLD-PUBLISH" 1')
    if shutil.which("groff"):
        words = ["groff", "-ww", "-man", "-Tutf8", "-z", *sorted((tmp_path / "man1").iterdir())]
        assert subprocess.run(words, capture_output=True, text=True, check=True).stderr == ""
