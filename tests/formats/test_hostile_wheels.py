"""Wheels whose members, numbers or scripts installers would take differently."""

from __future__ import annotations

from pathlib import Path
from struct import pack_into

import pytest

from tests.factories.artifacts import make_wheel_files, write_wheel, write_zip
from tests.formats import bad_zips
from twofold.check import check_file
from twofold.convert import convert_all
from twofold.errors import BadFile
from twofold.formats.deep_check import find_problems

NAME = "my_package-1.0.0-py3-none-any.whl"
DATA = "my_package-1.0.0.data"
CLASHES = {
    "purelib over a module": f"{DATA}/purelib/my_package/__init__.py",
    "platlib over a module": f"{DATA}/platlib/my_package/__init__.py",
    "of another case": f"{DATA}/purelib/My_Package/__INIT__.py",
    "over METADATA": f"{DATA}/purelib/my_package-1.0.0.dist-info/METADATA",
    "over RECORD": f"{DATA}/platlib/my_package-1.0.0.dist-info/RECORD",
}


@pytest.mark.parametrize("case", CLASHES)
def test_members_that_install_to_one_path_are_refused(case: str, tmp_path: Path) -> None:
    path = write_wheel(tmp_path, {"my_package/__init__.py": b"x = 1\n", CLASHES[case]: b"evil\n"})
    (problem,) = find_problems(path)
    assert "install to one path" in problem.message
    (code,) = {finding.code for finding in check_file(path) if finding.is_error}
    assert code == ("TF404" if "RECORD" in case else "TF403")


def test_a_conversion_refuses_members_that_install_to_one_path(tmp_path: Path) -> None:
    files = {"my_package/__init__.py": b"x = 1\n", CLASHES["purelib over a module"]: b"x = 2\n"}
    with pytest.raises(BadFile, match="install to one path"):
        convert_all(write_wheel(tmp_path, files), tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.conda"))


@pytest.mark.parametrize("place", ["unknown/x", "purelib", "scripts/", "x"])
def test_a_file_that_no_installer_knows_where_to_put_is_refused(place: str, tmp_path: Path) -> None:
    path = write_wheel(tmp_path, {"my_package/__init__.py": b"", f"{DATA}/{place}y": b"1"})
    is_known = place == "scripts/"
    assert bool(find_problems(path)) != is_known


@pytest.mark.parametrize("size", ["\u00b2", "9" * 5000, "\u0663", "+1", "1_0", "-1"])
def test_a_size_in_record_that_is_no_number_is_a_finding(size: str, tmp_path: Path) -> None:
    files = make_wheel_files()
    record = f"{bad_zips.DIST_INFO}/RECORD"
    lines = files[record].decode().splitlines()
    lines[0] = lines[0].rpartition(",")[0] + f",{size}"
    files[record] = "\n".join(lines).encode()
    found = check_file(write_zip(tmp_path / NAME, files))
    assert "TF404" in {finding.code for finding in found}


SCRIPTS_THAT_ARE_NONE = {
    "no section": "x = a:b\n",
    "no equals": "[console_scripts]\nx\n",
    "not UTF-8": b"[console_scripts]\nx = a:b\xff\n",
    "bad extras": "[console_scripts]\nx = a:b [extra;]\n",
    "code behind": "[console_scripts]\nx = a:b;import os\n",
    "the first of two": "[gui_scripts]\nx = a:b;import os\nx = a:b\n",
    "in a continued line": "[console_scripts]\nx = a:b\n  ../y = c:d\n",
    "an open section": "[console_scripts\nx = a:b\n",
}


@pytest.mark.parametrize("case", SCRIPTS_THAT_ARE_NONE)
def test_scripts_that_not_every_installer_reads_are_refused(case: str, tmp_path: Path) -> None:
    text = SCRIPTS_THAT_ARE_NONE[case]
    data = text if isinstance(text, bytes) else text.encode()
    files = make_wheel_files({f"{bad_zips.DIST_INFO}/entry_points.txt": data, "a.py": b""})
    found = check_file(write_zip(tmp_path / NAME, files))
    assert "TF406" in {finding.code for finding in found if finding.is_error}


def test_extras_comments_and_other_groups_are_taken(tmp_path: Path) -> None:
    text = "# one\n[console_scripts]\nx = a:b [e1, e-2]\n; two\n\n[any.group]\ny = what: ever/1\n"
    files = make_wheel_files({f"{bad_zips.DIST_INFO}/entry_points.txt": text.encode(), "a.py": b""})
    assert find_problems(write_zip(tmp_path / NAME, files)) == []


def change_headers(data: bytes, mark: bytes, at: int, form: str, value: int) -> bytes:
    changed = bytearray(data)
    pack_into(form, changed, data.index(mark) + at, value)
    return bytes(changed)


ZIPS = {
    "version 9.9 in the directory": (b"PK\1\2", 6, "<H", 99),
    "version 9.9 in the local header": (b"PK\3\4", 4, "<H", 99),
    "encryption in the local header": (b"PK\3\4", 6, "<H", 1),
    "UTF-8 in the local header alone": (b"PK\3\4", 6, "<H", 0x800),
    "UTF-8 in the directory alone": (b"PK\1\2", 8, "<H", 0x800),
    "a level in the local header alone": (b"PK\3\4", 6, "<H", 0x6),
}


@pytest.mark.parametrize("case", ZIPS)
def test_a_zip_whose_headers_no_client_reads_alike_is_refused(case: str, tmp_path: Path) -> None:
    data = bad_zips.build(bad_zips.sound_members())
    path = tmp_path / NAME
    path.write_bytes(change_headers(data, *ZIPS[case]))
    assert {finding.code for finding in check_file(path)} & {"TF401", "TF403"}


@pytest.mark.parametrize(
    "extra",
    [
        b"\x01\x00\x10\x00" + bytes(16),  # ZIP64 sizes for sizes that need none
        b"\x75\x70\x05\x00\x01" + bytes(4),  # a second name
        b"\x01\x00\xff\x00",  # longer than the field
    ],
    ids=["ZIP64", "a second name", "damaged"],
)
def test_an_extra_field_in_the_local_header_alone_is_checked_too(
    extra: bytes, tmp_path: Path
) -> None:
    members = bad_zips.sound_members()
    members[0].local_extra = extra
    path = tmp_path / NAME
    path.write_bytes(bad_zips.build(members))
    assert {finding.code for finding in check_file(path)} & {"TF401", "TF403"}


@pytest.mark.parametrize("with_offset", [False, True])
def test_zip64_sizes_that_repeat_the_headers_are_taken(with_offset: bool, tmp_path: Path) -> None:
    members = bad_zips.sound_members()
    for member in members:  # as zipfile wrote them for files opened with force_zip64
        body = 2 * len(member.data).to_bytes(8, "little")
        member.local_extra = b"\x01\x00\x10\x00" + body
    first = members[0]
    offset = bytes(8) if with_offset else b""
    body = 2 * len(first.data).to_bytes(8, "little") + offset
    first.extra = b"\x01\x00" + len(body).to_bytes(2, "little") + body
    path = tmp_path / NAME
    path.write_bytes(bad_zips.build(members))
    assert not {finding.code for finding in check_file(path)} & {"TF401", "TF403"}
