"""A publication or a release that is killed (SIGKILL) anywhere is completed by the same command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import Release, git, hash_file, make_conda
from tests.servers.package_servers import TOKEN, PrefixServer, Store, run_faulty_proxy, run_server

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")

#: Kills its own process right before (or after, for an even number) a file is moved into place,
#: which is how every lasting change is made; the number of the move is in KILL_AT.
HOOK = """
import os, signal, sys
moves = 0
def count(event, details):
    global moves
    if event == "os.rename" and "/.git/" not in str(details[0]):
        moves += 1
        if moves == int(os.environ["KILL_AT"]):
            os.kill(os.getpid(), signal.SIGKILL)
if "KILL_AT" in os.environ and "twofold" in sys.orig_argv:
    sys.addaudithook(count)
"""


@pytest.fixture
def killed(tmp_path: Path) -> Callable[..., int]:
    """Runs a command line that kills itself at move number `at`; the exit code."""
    folder = tmp_path / "hook"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HOOK)
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]

    def run(at: int, *words: str | Path, cwd: Path, env: dict[str, str] | None = None) -> int:
        more = {"PYTHONPATH": os.pathsep.join(paths), "KILL_AT": str(at)}
        done = subprocess.run(
            [sys.executable, "-m", "twofold", *map(str, words)],
            cwd=cwd,
            env={**os.environ, **(env or {}), **more},
            capture_output=True,
            check=False,
        )
        return done.returncode

    return run


@pytest.fixture
def prefix() -> Iterator[tuple[str, Any, Store]]:
    with run_server(PrefixServer) as (address, store), run_faulty_proxy(address) as (proxy, fault):
        yield f"prefix+{proxy}/lab", fault, store


@pytest.mark.parametrize("when", [pytest.param("before", marks=pytest.mark.slow), "after"])
def test_a_publication_killed_at_any_request_is_completed_by_the_same_command(
    prefix: tuple[str, Any, Store], twofold: Callable[..., Any], tmp_path: Path, when: str
) -> None:
    """The proxy kills the uploader when a request comes, before or after the server has acted."""
    target, fault, store = prefix
    token = {"TWOFOLD_TOKEN": TOKEN}
    for number in range(1, 10):
        file = make_conda(tmp_path, "my_package", f"1.0.{number}")
        words = ["publish", str(file), "--to", target]
        fault.kind, fault.at, fault.seen = f"kill-{when}", number, 0
        process = subprocess.Popen(
            [sys.executable, "-m", "twofold", *words],
            env={**os.environ, **token},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        fault.victim = process.pid
        code = process.wait(timeout=120)
        fault.kind = ""
        assert code == (-signal.SIGKILL if fault.seen >= number else 0)
        done = twofold(*words, "--json", env=token)
        assert done.code == 0, done.err
        assert store.history[f"/lab/noarch/{file.name}"] == {hash_file(file)}
        assert store.writes.count(f"/lab/noarch/{file.name}") == 1
        if code == 0:
            assert number > 3
            return


def test_a_publication_killed_at_any_of_its_own_writes_is_completed(
    killed: Callable[..., int], twofold: Callable[..., Any], release: Release, tmp_path: Path
) -> None:
    """Into a folder: the journal, the files and the pages are all moved into place."""
    place = tmp_path / "static"
    words = ["publish", *release.files, "--to", place]
    codes = [killed(at, *words, cwd=tmp_path) for at in (1, 2, 5, 9)]
    assert codes == [-signal.SIGKILL] * 4
    assert twofold(*words).code == 0
    again = twofold(*words, "--json")
    assert again.json["uploaded"] == 0
    assert (place / "noarch" / release.conda.name).read_bytes() == release.conda.read_bytes()
    assert release.wheel.name in (place / "simple" / "my-package" / "index.html").read_text()


#: Where the version is in one file of two, and where the build is half there.
QUICK = (2, 7)


@pytest.mark.parametrize(
    "at",
    [
        pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow)
        for n in (*range(1, 11), 12, 15)
    ],
)
def test_a_release_killed_at_any_of_its_writes_is_completed_by_the_same_command(
    killed: Callable[..., int],
    twofold: Callable[..., Any],
    project: Path,
    tmp_path: Path,
    at: int,
) -> None:
    """The version is in pyproject.toml and in the code, so that there is a between."""
    init = project / "src" / "my_package" / "__init__.py"
    init.write_text(init.read_text() + '\n__version__ = "1.0.0"\n')
    git(project, "commit", "-q", "-am", "Say the version")
    words = ["release", "1.2.0", "--to", tmp_path / "static"]
    assert killed(at, *words, cwd=project) == -signal.SIGKILL
    done = twofold(*words, cwd=project)
    assert done.code == 0, done.err
    assert '__version__ = "1.2.0"' in init.read_text()
    assert 'version = "1.2.0"' in (project / "pyproject.toml").read_text()
    assert git(project, "tag", "--points-at", "HEAD").split() == ["v1.2.0"]
    assert git(project, "status", "--porcelain", "-uno") == ""
    assert len(list((tmp_path / "static").glob("*.whl"))) == 1
