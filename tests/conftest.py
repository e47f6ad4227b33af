"""What every room's tests share: sample projects, a runner of the command line, a real registry."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from tests.clients.installers import Clients
from tests.servers.registry import Registry, run_registry
from tests.surroundings import home_in, kept_from_home, users_settings

PROJECTS = Path(__file__).parent / "projects"

# In CI the same examples every time: a run says something about the change alone. Elsewhere new
# ones, and what they find becomes a sample.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

# A run begun in a script's background has SIGINT ignored, and hands that on to the programs that
# tests start and then interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow too")


NO_GIT = "git is not installed"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items if shutil.which("git") is None else ():
        if item.get_closest_marker("git"):
            item.add_marker(pytest.mark.skip(reason=NO_GIT))
    if config.getoption("--slow"):
        return
    reason = pytest.mark.skip(reason="slow: longer than the default run allows; use --slow")
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    """Skip a test whose fixture calls git, where there is none."""
    with _skipped_without_git():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Skip a test that calls git itself, where there is none; `git` marks the others."""
    with _skipped_without_git():
        return (yield)


@contextmanager
def _skipped_without_git() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if error.filename != "git" or shutil.which("git") is not None:
            raise
        pytest.skip(NO_GIT)


@pytest.fixture(scope="session", autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing of the user's for session fixtures either; one cache for the run's processes.

    With one cache python is repacked once, not per test.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with pytest.MonkeyPatch.context() as patch:
        for name in users_settings(os.environ):
            patch.delenv(name)
        for name, value in (kept_from_home(os.environ) | home_in(base / "home")).items():
            patch.setenv(name, value)
        patch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
        patch.setenv("OTEL_SDK_DISABLED", "true")
        patch.setenv("TWOFOLD_CACHE_DIR", str(shared / "twofold-cache"))
        yield


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home and configuration of each test's own; the home is beside the test's folder."""
    home = tmp_path.with_name(f"{tmp_path.name}-home")
    for name, value in home_in(home).items():
        monkeypatch.setenv(name, value)
    # Releases commit: git wants to know by whom.
    (home / ".gitconfig").write_text("[user]\nname = Ada\nemail = ada@example.org\n", "utf-8")
    monkeypatch.setenv("TWOFOLD_CONFIG_DIR", str(tmp_path / "twofold-config"))
    monkeypatch.setenv("BINSTAR_CONFIG_DIR", str(tmp_path / "binstar-config"))


@pytest.fixture
def sample(tmp_path: Path) -> Callable[[str], Path]:
    """A fresh copy of one of tests/projects/, named after its case."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(PROJECTS / name, tmp_path / name, symlinks=True))

    return copy


@dataclass(frozen=True)
class CommandResult:
    """A finished command line."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        return json.loads(self.out)


@pytest.fixture
def twofold(tmp_path: Path) -> Callable[..., CommandResult]:
    """Run `twofold ...` as a process of its own, in `cwd` (the test's folder unless said)."""

    def run(
        *words: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None
    ) -> CommandResult:
        done = subprocess.run(
            [sys.executable, "-m", "twofold", *map(str, words)],
            cwd=cwd or tmp_path,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return CommandResult(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with run_registry(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """numpy's wheel, which the document's package depends on, fetched by pip as configured."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "-d", str(folder), "numpy"]
    subprocess.run(command, check=True, timeout=300)
    return folder


@pytest.fixture(scope="session")
def offline(tmp_path_factory: pytest.TempPathFactory, wheels: Path) -> Path:
    """A channel with the running python repacked and numpy converted: there is no conda-forge."""
    from twofold.install.repack_python import repack_python

    channel = tmp_path_factory.mktemp("offline")
    repack_python(channel)
    command = [sys.executable, "-m", "twofold", "convert", *wheels.glob("*.whl"), "--out", channel]
    subprocess.run([str(word) for word in command], check=True, timeout=300)
    return channel


@pytest.fixture
def clients(registry: Registry, offline: Path, wheels: Path) -> Clients:
    environment = {
        **os.environ,
        "PIP_INDEX_URL": f"{registry.channel}/simple/",
        "PIP_FIND_LINKS": str(wheels),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "TWINE_REPOSITORY_URL": f"{registry.channel}/legacy/",
        "TWINE_USERNAME": "__token__",
        "TWINE_PASSWORD": registry.token,
        "UV_DEFAULT_INDEX": f"{registry.channel}/simple/",
        "UV_PUBLISH_URL": f"{registry.channel}/legacy/",
        "UV_PUBLISH_TOKEN": registry.token,
        "OTEL_SDK_DISABLED": "true",
    }
    return Clients(registry, offline, environment)
