"""`twofold convert` of wheels that lie: refused with a hint, nothing written, bounded."""

from __future__ import annotations

import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.factories.artifacts import METADATA, make_wheel_files, write_wheel, write_zip

RECORD = "my_package-1.0.0.dist-info/RECORD"
NAME = "my_package-1.0.0-py3-none-any.whl"
#: Bytes of address space and seconds of processor that a refusal may take.
MEMORY, SECONDS = 1 << 30, 20


def wheel_without(path: str) -> dict[str, bytes]:
    return {name: data for name, data in make_wheel_files().items() if name != path}


def zip_writer(files: Mapping[str, bytes]) -> Callable[[Path], None]:
    return lambda path: write_zip(path, files) and None


def truncate(path: Path) -> None:
    data = write_wheel(path.parent, filename=NAME).read_bytes()
    path.write_bytes(data[: len(data) // 2])


def declare_absurd_size(path: Path) -> None:
    data = bytearray(write_wheel(path.parent, filename=NAME).read_bytes())
    struct.pack_into("<I", data, data.rfind(b"PK\x01\x02") + 24, 0xFFFFFFF0)
    path.write_bytes(bytes(data))


def add_member_twice(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        for name, data in make_wheel_files().items():
            archive.writestr(name, data)
        archive.writestr("my_package/__init__.py", b"evil = 1\n")


def add_link(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in make_wheel_files({"my_package/link": b"/etc/passwd"}).items():
            member = zipfile.ZipInfo(name)
            member.external_attr = (0o120777 if name.endswith("link") else 0o644) << 16
            archive.writestr(member, data)


def overlap_members(path: Path) -> None:
    """A hundred entries that share the bytes of one: a bomb that needs no ratio."""
    kernel = b"\0" * (8 << 20)
    files = make_wheel_files({f"f{n:02}": kernel for n in range(2)})
    write_zip(path, files)
    data = bytearray(path.read_bytes())
    first = data.find(b"PK\x01\x02")
    second = data.find(b"PK\x01\x02", first + 4)
    struct.pack_into("<I", data, second + 42, struct.unpack_from("<I", data, first + 42)[0])
    path.write_bytes(bytes(data))


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a truncated archive": (truncate, "truncated"),
    "a page in place of a wheel": (lambda p: p.write_bytes(b"<html>"), "not a zip archive"),
    "an empty file": (lambda p: p.write_bytes(b""), "empty"),
    "no RECORD": (zip_writer(wheel_without(RECORD)), "has no"),
    "another name in METADATA": (
        zip_writer(make_wheel_files(metadata=METADATA.replace("my_package", "other"))),
        "the name in METADATA is 'other'",
    ),
    "another version in METADATA": (
        zip_writer(make_wheel_files(metadata=METADATA.replace("1.0.0", "2.0"))),
        "the version in METADATA is '2.0'",
    ),
    "METADATA that is none": (zip_writer(make_wheel_files(metadata="garbage\n")), "is not a field"),
    "a member that leaves the archive": (
        zip_writer(make_wheel_files({"../../evil.py": b"x"})),
        "leaves the archive",
    ),
    "an absolute member": (zip_writer(make_wheel_files({"/etc/evil": b"x"})), "absolute"),
    "a drive of Windows": (zip_writer(make_wheel_files({"C:\\evil.py": b"x"})), "backslash"),
    "a member twice": (add_member_twice, "twice"),
    "a symbolic link": (add_link, "symbolic link"),
    "an absurd size": (declare_absurd_size, "two sizes"),
    "members that overlap": (overlap_members, "f0"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_wheel_is_refused_with_a_hint_and_nothing_is_written(
    case: str, tmp_path: Path
) -> None:
    make, expected = CASES[case]
    wheel = tmp_path / NAME
    make(wheel)
    code = "import sys; from twofold.cli import main; sys.exit(main(sys.argv[1:]))"
    if sys.platform != "win32":
        code = (
            "import resource as r; "
            f"r.setrlimit(r.RLIMIT_CPU, ({SECONDS}, {SECONDS})); "
            f"r.setrlimit(r.RLIMIT_AS, ({MEMORY}, {MEMORY})); " + code
        )
    command = [sys.executable, "-c", code, "convert", str(wheel), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stderr
    assert expected in done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "out").glob("*/*.conda"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource limits")
def test_what_swells_is_converted_in_little_memory(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, {"zeros.bin": bytes(300 << 20)})
    code = (
        "import resource as r, sys; from pathlib import Path\n"
        "from twofold.convert import convert_wheel\n"
        "convert_wheel(Path(sys.argv[1]), Path(sys.argv[2]))\n"
        # On Linux ru_maxrss begins with what the process that started this one had.
        "import re; own = Path('/proc/self/status')\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', own.read_text())[1] if own.exists()"
        " else r.getrusage(r.RUSAGE_SELF).ru_maxrss)"
    )
    command = [sys.executable, "-c", code, str(wheel), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=True)
    kilobytes = int(done.stdout) // (1024 if sys.platform == "darwin" else 1)
    assert kilobytes < 256 << 10
