"""The command line of publishing: questions on a terminal, --yes elsewhere, several targets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import Release, hash_file, make_wheel
from tests.servers.package_servers import TOKEN, PrefixServer, run_server
from twofold.cli import main
from twofold.publish.addresses import is_on_loopback

posix_only = pytest.mark.skipif(os.name != "posix", reason="a pseudo-terminal is POSIX's")


#: The end of login's question in these tests; Ctrl-C, Ctrl-D.
ASKED, KEYS = b"token for http://127.0.0.1:9/main: ", ("\x03", "\x04")


def on_a_terminal(words: list[str], answer: str, folder: Path) -> tuple[int, str]:
    """Run twofold on a pseudo-terminal, answer its question; exit code and what it showed."""
    import pty

    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execv(sys.executable, [sys.executable, "-m", "twofold", *words])
    shown = b""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            block = os.read(terminal, 4096)
        except OSError:  # the other end has gone
            break
        if not block:
            break
        shown += block
        if b"[y/N]" in block or shown.endswith((b"[y/N] ", ASKED)):
            os.write(terminal, answer.encode() if answer in KEYS else f"{answer}\n".encode())
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.decode()


@posix_only
@pytest.mark.parametrize(
    ("answer", "code"), [("y", 0), ("n", 1), ("", 1), ("\x04", 1), ("\x03", 130)]
)
def test_on_a_terminal_the_plan_is_shown_and_confirmed(
    release: Release, tmp_path: Path, answer: str, code: int
) -> None:
    place = tmp_path / "static"
    words = ["publish", str(release.wheel), "--to", str(place)]
    found, shown = on_a_terminal(words, answer, tmp_path)
    assert found == code, shown
    assert "upload" in shown
    assert (place / release.wheel.name).exists() == (code == 0)
    assert ("100 %" in shown) == (code == 0)


@posix_only
@pytest.mark.parametrize(("key", "code"), [("\x04", 1), ("\x03", 130)])
def test_a_login_that_is_broken_off_at_the_question_stores_nothing(
    tmp_path: Path, key: str, code: int
) -> None:
    found, shown = on_a_terminal(["login", "http://127.0.0.1:9/main"], key, tmp_path)
    assert found == code, shown
    assert "Traceback" not in shown
    assert ("no token was given" in shown) == (code == 1)
    assert not (tmp_path / "twofold-config").exists()


def test_elsewhere_progress_is_plain_lines_and_with_json_one_object_a_line(
    twofold: Callable[..., Any], release: Release, tmp_path: Path
) -> None:
    plain = twofold("publish", release.wheel, "--to", tmp_path / "a")
    assert plain.code == 0, plain.err
    assert "\r" not in plain.err
    assert f"uploaded  {release.wheel.name}" in plain.err
    output = twofold("publish", release.wheel, "--to", tmp_path / "b", "--json")
    events = [json.loads(line) for line in output.err.splitlines()]
    assert {frozenset(event) for event in events} == {
        frozenset({"event", "target", "file", "sent", "total", "note"})
    }
    assert (events[0]["event"], events[0]["note"]) == ("planned", "upload: new")
    assert events[1]["event"] == "uploading"
    assert events[-1]["event"] == "verified"
    assert any(event["sent"] == event["total"] > 0 for event in events)


@pytest.mark.parametrize(
    "target",
    [
        "https://packages.example.org/main",
        "legacy+https://packages.example.org/legacy/",
        "anaconda+https://packages.example.org/api/me",
        "s3://bucket/path",
        "pypi",
    ],
)
def test_what_leaves_this_machine_needs_a_yes_without_a_terminal(
    release: Release, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refused before anybody is asked anything: the address of the tests answers to nobody."""
    assert main(["publish", str(release.wheel), "--to", target]) == 2
    output = capsys.readouterr().err
    assert target.rpartition("+")[2] in output
    assert "hint: add --yes" in output


def test_a_server_of_this_machine_and_a_folder_need_no_yes(
    twofold: Callable[..., Any], release: Release, pypiserver: str, tmp_path: Path
) -> None:
    config = tmp_path / "twofold-config" / "config.toml"
    config.parent.mkdir()
    index = f"{pypiserver}/simple/"
    config.write_text(f'[targets.pypi]\nurl = "{pypiserver}/"\nkind = "pypi"\nindex = "{index}"\n')
    words = ["publish", release.wheel, "--to", "pypi", "--to", tmp_path / "static"]
    done = twofold(*words, env={"TWOFOLD_TOKEN_PYPI": "t"})
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:8080/main", True),
        ("http://[::1]/main", True),
        ("http://localhost/main", True),
        ("http://registry.localhost/main", True),
        ("s3://b/p?endpoint=http://127.0.0.1:9000", True),
        ("s3://b/p", False),
        ("http://192.168.0.2/main", False),
        ("http://127.0.0.1.example.org/main", False),
        ("http://localhost.example.org/main", False),
    ],
)
def test_loopback_is_distinguished_from_what_looks_like_it(address: str, here: bool) -> None:
    assert is_on_loopback(address) == here


def test_one_release_goes_to_several_places_each_with_its_own_token(
    twofold: Callable[..., Any], release: Release, pypiserver: str
) -> None:
    with run_server(PrefixServer) as (address, store):
        ran = twofold(
            "publish", *release.files, "--to", f"prefix+{address}/lab",
            "--to", f"legacy+{pypiserver}/", "--json",
            env={f"TWOFOLD_TOKEN_{variable(f'{address}/lab')}": TOKEN},
        )  # fmt: skip
        assert ran.code == 0, ran.err
        assert store.history == {f"/lab/noarch/{release.conda.name}": {hash_file(release.conda)}}
    rows = {(row["file"], row["action"]) for row in ran.json["files"]}
    assert (release.conda.name, "skip") in rows
    assert (release.wheel.name, "upload") in rows


def variable(name: str) -> str:
    from twofold.publish.targets.settings import get_token_variable

    return get_token_variable(name).removeprefix("TWOFOLD_TOKEN_")


def test_anaconda_orgs_api_of_a_registry_is_spoken(
    twofold: Callable[..., Any], release: Release, registry: Any
) -> None:
    """The registry's own implementation of that API, which the real anaconda-client uses too."""
    target = f"anaconda+{registry.url}/api/{registry.name}"
    env = {"TWOFOLD_TOKEN": registry.token}
    first = twofold("publish", release.conda, "--to", target, "--json", env=env)
    assert first.code == 0, first.err
    again = twofold("publish", release.conda, "--to", target, "--json", env=env)
    assert again.json["uploaded"] == 0, again.err
    who = twofold("whoami", target, env=env)
    assert "owner" in who.out, who.err


RECIPE = (
    "package: {name: my_package, version: 1.0.0}\nbuild: {noarch: python}\n"
    "requirements: {run: [python >=3.11, requests]}\n"
)


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("pyproject.toml", ('version = "1.0.0"', 'version = "1.1.0"'), "my_package-1.1.0"),
        ("src/my_package/__init__.py", ("", "#"), "src/my_package/__init__.py has changed"),
        ("src/my_package/new.py", None, "my_package/new.py is new"),
        ("README.md", ("", "More.\n"), "README.md has changed"),
        ("meta.yaml", ("requests", "requests >=2"), "meta.yaml has changed"),
    ],
)
def test_files_of_a_build_are_not_published_when_the_project_has_moved_on(
    twofold: Callable[..., Any],
    tmp_path: Path,
    path: str,
    content: tuple[str, str] | None,
    message: str,
) -> None:
    assert twofold("new", "my_package").code == 0
    project = tmp_path / "my_package"
    if path == "meta.yaml":
        (project / path).write_text(RECIPE)
    assert twofold("build", cwd=project).code == 0
    old = (project / path).read_text() if content else ""
    new = "x = 1\n" if content is None else old.replace(*content, 1)
    (project / path).write_text(new)
    ran = twofold("publish", "--to", "./out", cwd=project)
    assert ran.code == 1
    assert "has changed since its last build: " in ran.err
    assert message in ran.err
    assert not (project / "out").exists()
    assert twofold("try", cwd=project).code == 1
    (project / path).unlink() if content is None else (project / path).write_text(old)
    ran = twofold("publish", "--to", "./out", cwd=project)
    assert ran.code == 0, ran.err
    named = sorted((project / "dist").glob("*.whl"))
    (project / "src/my_package/__init__.py").write_text("later = 1\n")
    assert twofold("publish", *named, "--to", "./other", cwd=project).code == 0


def test_sources_of_another_backend_are_compared_too(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    project = tmp_path / "plain"
    (project / "plain").mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
        '[project]\nname = "plain"\ndynamic = ["version", "description"]\n'
    )
    (project / "plain/__init__.py").write_text('"""Plain."""\n__version__ = "1.0.0"\n')
    assert twofold("build", cwd=project).code == 0
    assert twofold("publish", "--to", "./out", cwd=project).code == 0
    (project / "plain/__init__.py").write_text('"""Plain."""\n__version__ = "1.1.0"\n')
    ran = twofold("publish", "--to", "./out", cwd=project)
    assert ran.code == 1
    assert "plain/__init__.py has changed" in ran.err


@pytest.mark.parametrize("command", ["publish", "check", "try"])
def test_a_pattern_is_expanded_and_what_is_no_package_is_passed_over(
    twofold: Callable[..., Any], release: Release, command: str
) -> None:
    """As cmd.exe and PowerShell hand it over, and in a folder that other tools have filled."""
    (release.folder / "old").mkdir()
    release.conda.unlink()
    beside = ("asc", "minisig", "sha256", "cdx.json", "intoto.jsonl")
    for name in ("SHA256SUMS", "checksums.txt", *(f"{release.wheel.name}.{end}" for end in beside)):
        (release.folder / name).write_text("x")
    more = ("--to", "./out", "--json") if command == "publish" else ("--json",)
    ran = twofold(command, "dist/*", *more)
    assert ran.code == 0, ran.out + ran.err
    assert "passed over: dist/SHA256SUMS, dist/checksums.txt, " in ran.err
    if command == "publish":
        assert ran.json["uploaded"] == 2
    none = twofold(command, "dist/*.conda", *more)
    assert none.code == 1
    assert "no file matches dist/*.conda" in none.err + none.out


def test_one_file_in_two_spellings_is_published_once(
    twofold: Callable[..., Any], release: Release
) -> None:
    words = (release.wheel, "dist/../dist/" + release.wheel.name, f"dist/{release.wheel.name}")
    ran = twofold("publish", *words, "dist/*.whl", "--to", "./out", "--json")
    assert ran.code == 0, ran.err
    assert len(ran.json["files"]) == 1


def test_without_files_the_last_build_is_published(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    assert twofold("new", "my_package").code == 0
    assert twofold("build", "--only", "wheel", cwd=tmp_path / "my_package").code == 0
    ran = twofold("publish", "--to", "./out", "--json", cwd=tmp_path / "my_package")
    assert ran.code == 0, ran.err
    assert ran.json["uploaded"] == 1


def test_a_folder_is_no_file_to_publish(twofold: Callable[..., Any], release: Release) -> None:
    assert release.folder.name == "dist"
    ran = twofold("publish", "dist", "--to", "./out")
    assert ran.code == 1
    assert "'dist' is a folder" in ran.err
    assert "dist/*" in ran.err


@pytest.mark.skipif(os.name == "nt", reason="a terminal of POSIX")
@pytest.mark.parametrize("command", ["publish", "delete", "release"])
def test_a_declined_question_is_no_error(
    command: str, release: Release, twofold: Callable[..., Any], tmp_path: Path
) -> None:
    assert twofold("new", "demo_project", cwd=tmp_path).code == 0
    assert twofold("publish", release.wheel, "--to", "./out", cwd=tmp_path).code == 0
    before = sorted((tmp_path / "out").rglob("*"))
    words = {
        "publish": ["publish", str(release.wheel), "--to", "./new"],
        "delete": ["delete", f"{release.wheel.name.partition('-')[0]}==*", "--to", "./out"],
        "release": ["release", "minor", "--to", "./new", "--project", "demo_project"],
    }[command]
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "twofold", *words],
        cwd=tmp_path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(ours, 4096)
    os.write(ours, b"n\n")
    while b"cancelled: nothing was" not in shown:
        shown += os.read(ours, 4096)
    assert process.wait(30) == 1
    os.close(ours)
    assert b"error:" not in shown
    assert not (tmp_path / "new").exists()
    assert sorted((tmp_path / "out").rglob("*")) == before


def test_a_folder_is_shown_where_it_is_and_several_versions_are_noted(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    wheels = [make_wheel(tmp_path, "demo", version) for version in ("1.0.0", "1.1.0")]
    ran = twofold("publish", *wheels, "--to", "../out", "--dry-run", cwd=tmp_path / "here")
    assert ran.code == 0, ran.err
    assert f"to ../out ({(tmp_path / 'out').resolve()}), a folder" in ran.out
    assert "note: several versions of demo: 1.0.0, 1.1.0" in ran.err
    single = twofold("publish", wheels[0], "--to", "../out", "--dry-run", cwd=tmp_path / "here")
    assert "several" not in single.err


def test_a_file_of_an_earlier_build_of_the_same_release_is_noted(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    assert twofold("new", "demo_package").code == 0
    project = tmp_path / "demo_package"
    assert twofold("build", "--only", "wheel", cwd=project).code == 0
    (wheel,) = (path.name for path in (project / "dist").glob("*.whl"))
    (project / "dist" / "demo_package-9.0-py3-none-any.whl").write_bytes(b"")
    assert twofold("build", "--only", "sdist", cwd=project).code == 0
    ran = twofold("publish", "--to", "./out", "--dry-run", cwd=project)
    assert ran.code == 0, ran.err
    assert ran.err.count("is of the same release") == 1 and f"note: {wheel} is of" in ran.err
    assert twofold("build", cwd=project).code == 0
    again = twofold("publish", "--to", "./out", "--dry-run", cwd=project)
    assert again.code == 0 and "same release" not in again.err
