"""No secret in what others can see: output, files left behind, and the process list.

Every process that a command starts is recorded with its arguments as it is started (an audit hook
in each Python, and on Linux the system's own process list, looked at all the while).
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.factories.releases import Release, make_sdist, make_wheel
from tests.servers.package_servers import PrefixServer, run_faulty_proxy, run_server
from tests.servers.pypiserver import PASSWORD, USER

SECRET = "zq-7f3e9-the-secret-value"

#: Run at the start of every Python below ours: notes what is started, with which arguments.
HOOK = """
import json, os, sys
def note(event, details):
    if event in ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"):
        with open(os.environ["PROCESS_LOG"], "a") as log:
            log.write(json.dumps([event, repr(details[:2])]) + "\\n")
sys.addaudithook(note)
"""


@dataclass
class Watched:
    """What was seen: processes started, and the command lines in the system's process list."""

    environment: dict[str, str]
    log: Path
    listed: set[str] = field(default_factory=set)
    open_environments: list[str] = field(default_factory=list)

    @property
    def started(self) -> list[str]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [json.loads(line)[1] for line in lines]

    def look(self) -> None:
        """All processes of the system, as `ps` would show them to anybody."""
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                self.listed.add((place / "cmdline").read_bytes().replace(b"\0", b" ").decode())
                if (place / "environ").stat().st_mode & 0o077:
                    self.open_environments.append(place.name)

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """Look all the while, as somebody else on the machine could."""
        done = threading.Event()

        def go() -> None:
            while not done.wait(0.02):
                self.look()

        thread = threading.Thread(target=go)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    folder = tmp_path / "hook"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HOOK)
    log = tmp_path / "processes.log"
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return Watched({"PYTHONPATH": os.pathsep.join(paths), "PROCESS_LOG": str(log)}, log)


def run(words: list[str | Path], text: str = "", **env: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "twofold", *map(str, words)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
    )
    return done.returncode, done.stdout + done.stderr


def test_no_secret_is_in_the_output_or_in_any_file_left_behind(
    release: Release, tmp_path: Path
) -> None:
    """Every kind of failure, the token in the environment and in the address, then grep."""
    output: list[str] = []
    with run_server(PrefixServer) as (address, _), run_faulty_proxy(address) as (proxy, fault):
        with_password = proxy.replace("http://", f"prefix+http://me:{SECRET}@") + "/lab"
        condas_way = f"prefix+{proxy}/t/{SECRET}/lab"
        for kind in ("", "503", "wrong-bytes"):
            fault.kind, fault.at, fault.seen, fault.lasting = kind, 1, 0, True
            for target, env in (
                (with_password, {}),
                (condas_way, {}),
                (f"prefix+{proxy}/lab", {"TWOFOLD_TOKEN": SECRET}),
            ):
                words = ["publish", release.conda, "--to", target, "--json", "--attempts", "1"]
                output.append(run(words, **env)[1])
    everything = "\n".join(output)
    assert "401" in everything
    assert SECRET not in everything
    assert_no_file_holds(SECRET, tmp_path)


def assert_no_file_holds(secret: str, folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            assert secret.encode() not in file.read_bytes(), file


def test_no_token_is_in_the_process_list_at_any_step_up_to_the_trial(
    twofold: Callable[..., Any], registry: Any, watched: Watched, tmp_path: Path
) -> None:
    """A private channel, so that uploads, looks, pip and py-rattler all need the token."""
    data, name = ["--data", str(registry.data)], f"{registry.name}-hidden"
    assert twofold("admin", *data, "channel", name, "--private").code == 0
    assert twofold("new", "my_package").code == 0
    project = tmp_path / "my_package"
    assert twofold("build", cwd=project).code == 0
    address = f"{registry.url}/{name}"
    env = watched.environment | {"TWOFOLD_TOKEN": registry.token}
    steps: list[list[str]] = [
        ["whoami", address],
        ["publish", "--to", address, "--dry-run", "--project", str(project)],
        ["publish", "--to", address, "--try", "--project", str(project)],
    ]
    output = ""
    with watched.looking():
        logged = run(["login", address], f"{registry.token}\n", **watched.environment)
        output += logged[1]
        for words in steps:
            code, message = run(list(words), **env)
            assert code == 0, message
            output += message
        output += run(["logout", address], **watched.environment)[1]
    assert registry.token not in output
    assert len([line for line in watched.started if "'pip'" in line]) >= 1
    for line in [*watched.started, *watched.listed]:
        assert registry.token not in line
    assert watched.open_environments == []
    if Path("/proc/self/cmdline").exists():
        assert any("--try" in line for line in watched.listed)
    assert_no_file_holds(registry.token, tmp_path / "twofold-config")
    assert_no_file_holds(registry.token, project)


@pytest.mark.slow
def test_no_token_is_in_the_process_list_when_an_index_of_users_is_tried(
    release: Release, watched: Watched, pypiserver: str
) -> None:
    """A token in the address is in twofold's own arguments, by the user; in no other's."""
    address = pypiserver.replace("http://", f"legacy+http://me:{SECRET}@") + "/"
    with watched.looking():
        output = run(["publish", release.wheel, "--to", address, "--try"], **watched.environment)[1]
    assert "hint" in output  # that others can read it there
    assert SECRET not in output
    for line in watched.started:
        assert SECRET not in line
    for line in watched.listed:
        assert SECRET not in line or "-m twofold publish" in line


#: A backend that makes a wheel of nothing but a module.
BACKEND = """
import zipfile
def build_wheel(folder, settings=None, metadata=None):
    info = "my_package-1.0.0.dist-info"
    files = {
        "my_package.py": "x = 1",
        f"{info}/METADATA": "Metadata-Version: 2.1\\nName: my_package\\nVersion: 1.0.0\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(f"{folder}/my_package-1.0.0-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return "my_package-1.0.0-py3-none-any.whl"
"""
BUILD = """[build-system]
requires = ["zq_backend_of_ours"]
build-backend = "zq_backend_of_ours"

"""


@pytest.mark.slow
def test_no_password_is_in_the_process_list_when_a_trial_builds_an_sdist(
    watched: Watched, private_pypiserver: str, tmp_path: Path
) -> None:
    """pip starts a pip for what the build needs, here from the same private index, and tells it
    the index on the command line."""
    files = [
        make_wheel(tmp_path, "zq_backend_of_ours", "1.0", code=BACKEND),
        make_sdist(tmp_path, "my_package", "1.0.0", BUILD),
    ]
    address = private_pypiserver.replace("http://", f"legacy+http://{USER}@") + "/"
    (tmp_path / "nothing").mkdir()
    env = watched.environment | {
        "TWOFOLD_TOKEN": PASSWORD,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": (tmp_path / "nothing").as_uri(),
        "TMPDIR": str(tmp_path),
    }
    with watched.looking():
        code, output = run(["publish", *files, "--to", address, "--try"], **env)
    assert code == 0, output
    assert "ok   import my_package" in output
    assert any("--extra-index-url" in line for line in watched.started)
    quoted = quote(PASSWORD, safe="")
    for line in [output, *watched.started, *watched.listed]:
        assert PASSWORD not in line
        assert quoted not in line
    assert watched.open_environments == []
    assert_no_file_holds(PASSWORD, tmp_path)
