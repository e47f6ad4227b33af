"""An installed CPython as a conda package: installed by py-rattler, it runs where it was put."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from twofold.errors import SubprocessFailed
from twofold.install.conda import install_into_prefix
from twofold.install.repack_python import describe, repack_python

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="repacking is for Linux")
pytestmark = linux_only

ASK = """
import ctypes, decimal, hashlib, json, lzma, sqlite3, ssl, sys, sysconfig, zlib
print(json.dumps({"version": "{}.{}.{}".format(*sys.version_info[:3]), "prefix": sys.prefix,
                  "path": sys.path, "vars": sysconfig.get_config_var("prefix")}))
"""


def index(channel: Path) -> None:
    from rattler.index import index_fs

    asyncio.run(index_fs(channel))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def environment(channel: Path, prefix: Path, cache: Path) -> Path:
    index(channel)
    install_into_prefix(["python"], [channel], prefix, cache=cache)
    return prefix / "bin" / "python"


def ask(python: Path, code: str = ASK) -> str:
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_running_python_works_where_py_rattler_installs_it(tmp_path: Path, cache: Path) -> None:
    files = repack_python(tmp_path / "channel", cache=cache)
    assert [f.name.split("-")[0] for f in files] == ["python", "pip", "python_abi"]
    prefix = tmp_path / "environment"
    output = json.loads(ask(environment(tmp_path / "channel", prefix, cache)))
    assert output["version"] == ".".join(map(str, sys.version_info[:3]))
    assert output["prefix"] == str(prefix)
    assert not [p for p in output["path"] if p and not p.startswith(str(prefix))]


def test_the_old_prefix_is_replaced_in_what_sysconfig_reports(tmp_path: Path, cache: Path) -> None:
    base = describe().prefix
    if base.startswith("/usr"):
        pytest.skip("a prefix as common as /usr is not replaced in text")
    repack_python(tmp_path / "channel", cache=cache)
    python = environment(tmp_path / "channel", tmp_path / "environment", cache)
    code = "import sysconfig; print([v for v in sysconfig.get_config_vars().values()])"
    assert base not in ask(python, code)


def test_packages_in_site_packages_are_found_by_the_repacked_python(
    tmp_path: Path, cache: Path
) -> None:
    repack_python(tmp_path / "channel", cache=cache)
    prefix = tmp_path / "environment"
    python = environment(tmp_path / "channel", prefix, cache)
    (site,) = prefix.glob("lib/python3*/site-packages")
    (site / "put_there.py").write_text("value = 42\n", encoding="utf-8")
    assert ask(python, "import put_there; print(put_there.value)") == "42\n"


@pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="no Python of the system")
def test_the_systems_python_is_repacked_too_with_a_way_to_site_packages(
    tmp_path: Path, cache: Path
) -> None:
    repack_python(tmp_path / "channel", python=Path("/usr/bin/python3"), cache=cache)
    prefix = tmp_path / "environment"
    python = environment(tmp_path / "channel", prefix, cache)
    (site,) = prefix.glob("lib/python3*/site-packages")
    (site / "put_there.py").write_text("value = 42\n", encoding="utf-8")
    assert ask(python, "import put_there; print(put_there.value)") == "42\n"
    assert json.loads(ask(python))["prefix"] == str(prefix)


def test_pip_comes_along_because_conda_asks_for_it(tmp_path: Path, cache: Path) -> None:
    repack_python(tmp_path / "channel", cache=cache)
    index(tmp_path / "channel")
    prefix = tmp_path / "environment"
    install_into_prefix(["python", "pip"], [tmp_path / "channel"], prefix, cache=cache)
    command = [prefix / "bin" / "python", "-m", "pip", "--version"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert str(prefix) in output


def test_a_virtual_environment_stands_for_its_base(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    assert describe(tmp_path / "venv" / "bin" / "python") == describe()


def test_the_second_time_the_kept_files_are_copied(tmp_path: Path, cache: Path) -> None:
    first = repack_python(tmp_path / "one", cache=cache)
    second = repack_python(tmp_path / "two", cache=cache)
    assert [f.name for f in first] == [f.name for f in second]
    assert [f.read_bytes() for f in first] == [f.read_bytes() for f in second]
    assert len(list((cache / "interpreters").glob("making-*"))) == 0


def test_the_same_interpreter_gives_the_same_bytes(tmp_path: Path, cache: Path) -> None:
    first = repack_python(tmp_path / "one", cache=cache)
    second = repack_python(tmp_path / "two", cache=tmp_path / "another-cache")
    assert [f.read_bytes() for f in first] == [f.read_bytes() for f in second]


def test_what_an_environment_has_no_use_for_is_left_out(tmp_path: Path, cache: Path) -> None:
    python, *_ = repack_python(tmp_path / "channel", cache=cache)
    assert python.stat().st_size < 12_000_000
    paths = [entry["_path"] for entry in paths_json(python, tmp_path / "work")]
    assert not [p for p in paths if p.endswith((".pyc", ".a"))]
    for name in ("/test/", "/idlelib/", "/tkinter/", "/pip/", "/ensurepip/"):
        assert not [p for p in paths if name in p], name


def paths_json(package: Path, work: Path) -> list[dict[str, str]]:
    import conda_package_handling.api

    conda_package_handling.api.extract(str(package), dest_dir=str(work))
    try:
        found: dict[str, list[dict[str, str]]] = json.loads((work / "info/paths.json").read_text())
        return found["paths"]
    finally:
        shutil.rmtree(work)


def test_a_program_that_is_no_python_is_reported_as_such(tmp_path: Path) -> None:
    with pytest.raises(SubprocessFailed, match="is not a working Python interpreter"):
        repack_python(tmp_path, python=Path("/bin/false"))
    with pytest.raises(SubprocessFailed, match="does not run"):
        repack_python(tmp_path, python=tmp_path / "nothing")
