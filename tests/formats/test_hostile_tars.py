"""Tars that two readers would unpack differently, or that leave their folder through links."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

import pytest

from tests.factories.artifacts import (
    METADATA,
    compress_tar,
    make_member,
    write_raw_conda,
    write_sdist,
)
from tests.factories.conda_info import make_info
from twofold.check import check_file
from twofold.formats.deep_check import find_problems
from twofold.formats.ustar import add_bytes

ROOT = "my_package-1.0.0"
Link = tuple[str, bytes, str]


def link(path: str, target: str, kind: bytes = tarfile.SYMTYPE) -> Link:
    return path, kind, target


#: (path, kind, target) of the members of an archive, in their order.
LEAVING: dict[str, list[Link]] = {
    "a chain": [link("s/a", ".."), link("e", "s/a/../.."), link("e/x", "", b"0")],
    "a chain, target first": [link("e", "s/a/../.."), link("s/a", "..")],
    "a file below a link": [link("a", "b"), link("a/x", "", b"0")],
    "a file below a link that comes later": [link("a/x", "", b"0"), link("a", "b")],
    "a file below a link of another case": [link("Aa", "b"), link("aA/x", "", b"0")],
    "a folder over a link": [link("a", "b"), link("a", "", b"5")],
    "a hard link to nothing": [link("h", "gone", tarfile.LNKTYPE)],
    "a hard link to a later file": [link("h", "f", tarfile.LNKTYPE), link("f", "", b"0")],
    "a hard link through a link": [link("a", "b"), link("h", "a/f", tarfile.LNKTYPE)],
    "a hard link to a link": [link("a", "b"), link("h", "a", tarfile.LNKTYPE)],
    "a circle": [link("a", "b"), link("b", "a")],
    "a circle of one": [link("a", "a")],
    "a link that is a file too": [link("a", "b"), link("a", "", b"0")],
    "a target that is empty": [link("a", "")],
    "a target with an escape sequence": [link("a", "b\x1b[2J")],
    "a target longer than any path": [link("a", "b/" * 600)],
    "one link with two targets": [link("a", "b"), link("a", "c")],
    "a file and a hard link in its place": [
        link("f", "", b"0"),
        link("g", "", b"0"),
        link("g", "f", tarfile.LNKTYPE),
    ],
    "through one of two links that differ in case": [
        link("s/Aa", ".."),
        link("s/aA", "d/d/d"),
        link("e", "s/Aa/../.."),
    ],
    "a file in the place of a folder": [link("d/x", "", b"0"), link("d", "", b"0")],
    "a file below a file": [link("d", "", b"0"), link("d/x", "", b"0")],
    "a file over its folder's entry": [link("d", "", b"5"), link("d", "", b"0")],
    "a folder that Windows reads as '..'": [link(".. /x", "", b"0")],
    "links that lead up step by step": [
        link("d/d/up", "../.."),
        link("d/up", "d/up/.."),
        link("out", "d/up/.."),
    ],
}
STAYING: dict[str, list[Link]] = {
    "a chain of names": [
        link("l.so", "l.so.1"),
        link("l.so.1", "l.so.1.2"),
        link("l.so.1.2", "", b"0"),
    ],
    "through a linked folder": [
        link("bin/x", "../lib64/x"),
        link("lib/x", "", b"0"),
        link("lib64", "lib"),
    ],
    "a hard link to an earlier file": [link("f", "", b"0"), link("h", "f", tarfile.LNKTYPE)],
    "a link to nothing": [link("a", "gone/x")],
    "links that differ in case, as in terminfo": [link("N/a", "../x"), link("n/a", "../y")],
    "a name of three dots and a letter": [link("...x", "", b"0")],
}


def members_below(root: str, links: list[Link]) -> list[tuple[tarfile.TarInfo, object]]:
    made = []
    for path, kind, target in links:
        full = f"{root}/{target}" if kind == tarfile.LNKTYPE and root else target
        made.append(make_member(f"{root}/{path}".lstrip("/"), type=kind, linkname=full))
    return made


@pytest.mark.parametrize("case", LEAVING)
def test_an_sdist_whose_links_lead_out_or_astray_is_refused(case: str, tmp_path: Path) -> None:
    below = [*LEAVING[case]]
    assert find_problems(write_sdist(tmp_path, *members_below(f"{ROOT}/x", below)))


@pytest.mark.parametrize("case", LEAVING)
def test_a_conda_package_whose_links_lead_out_or_astray_is_refused(
    case: str, tmp_path: Path
) -> None:
    paths = [{"_path": path, "path_type": "softlink"} for path, _, _ in LEAVING[case]]
    paths = list({path["_path"]: path for path in paths}.values())
    package = write_raw_conda(
        tmp_path, make_info(paths=paths), compress_tar(*members_below("", LEAVING[case]))
    )
    words = ("link", "twice", "a file and a folder", "not plain")
    assert any(word in problem.message for problem in find_problems(package) for word in words)


@pytest.mark.parametrize("case", STAYING)
def test_links_that_stay_inside_are_taken(case: str, tmp_path: Path) -> None:
    assert find_problems(write_sdist(tmp_path, *members_below(ROOT, STAYING[case]))) == []
    paths = [{"_path": path, "path_type": "hardlink"} for path, _, _ in STAYING[case]]
    package = write_raw_conda(
        tmp_path, make_info(paths=paths), compress_tar(*members_below("", STAYING[case]))
    )
    assert find_problems(package) == []


def test_many_links_are_resolved_in_linear_time(tmp_path: Path) -> None:
    links = [link(f"l{n}", f"l{n + 1}") for n in range(3000)]
    assert find_problems(write_sdist(tmp_path, *members_below(ROOT, links)))


def block(name: str, size: int, kind: bytes = b"0", size_field: bytes = b"") -> bytes:
    header = tarfile.TarInfo(name)
    header.size, header.type = size, kind
    raw = bytearray(header.tobuf(tarfile.USTAR_FORMAT))
    if size_field:
        raw[124:136] = size_field.ljust(12, b"\0")
        raw[148:156] = b" " * 8
        raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def pax(**records: str | list[str]) -> bytes:
    body = b""
    for key, values in records.items():
        for value in [values] if isinstance(values, str) else values:
            text = f" {key}={value}\n".encode()
            length = len(text) + len(str(len(text) + 2))
            body += f"{length}".encode() + text
    return block("pax", len(body), b"x") + padded(body)


def gnu(kind: bytes, text: str) -> bytes:
    return block("././@LongLink", len(text), kind) + padded(text.encode())


def header(**fields: bytes) -> bytes:
    """A file's header with the bytes of some fields replaced."""
    places = {"uid": 108, "gid": 116, "size": 124, "mtime": 136, "kind": 156}
    raw = bytearray(block(f"{ROOT}/f", 0))
    for field, value in fields.items():
        raw[places[field] : places[field] + len(value)] = value
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw)


def global_pax(record: bytes) -> bytes:
    body = b"%d %s\n" % (len(record) + 4, record)
    return block("g", len(body), b"g") + padded(body)


FILE = block(f"{ROOT}/f", 4) + padded(b"abcd")
EMPTY = block(f"{ROOT}/f", 0)
INNER = block(f"{ROOT}/evil.py", 0)
TWO_READERS = {
    "a size that the header contradicts": pax(size="512") + EMPTY + INNER,
    "a size smaller than the header's": pax(size="0") + FILE,
    "two names": gnu(b"L", f"{ROOT}/../../evil.py") + pax(path=f"{ROOT}/good.py") + EMPTY,
    "two names, the other way": pax(path=f"{ROOT}/good.py") + gnu(b"L", f"{ROOT}/evil.py") + EMPTY,
    "two pax headers": pax(path=f"{ROOT}/a") + pax(mtime="1") + EMPTY,
    "two long names": gnu(b"L", f"{ROOT}/a") + gnu(b"L", f"{ROOT}/b") + EMPTY,
    "two long targets": gnu(b"K", "a") + gnu(b"K", "b") + block(f"{ROOT}/l", 0, b"2"),
    "a path twice in one header": pax(path=[f"{ROOT}/a", f"{ROOT}/b"]) + EMPTY,
    "an extended header at the end": FILE + pax(path=f"{ROOT}/a"),
    "a long name at the end": FILE + gnu(b"L", f"{ROOT}/a"),
    "a global header after an extended one": pax(path=f"{ROOT}/a") + block("g", 0, b"g") + EMPTY,
    "octal with an underscore": block(f"{ROOT}/f", 4, size_field=b"0000_000004") + padded(b"abcd"),
    "octal with 0o": block(f"{ROOT}/f", 4, size_field=b"0o000000004") + padded(b"abcd"),
    "octal with a sign": block(f"{ROOT}/f", 4, size_field=b"+0000000004") + padded(b"abcd"),
    "octal with a NUL inside": block(f"{ROOT}/f", 4, size_field=b"4\x000") + padded(b"abcd"),
    "a superscript as size": pax(size="\u00b2") + FILE,
    "a size of 5,000 digits": pax(size="9" * 5000) + FILE,
    "a size that is no number": pax(size="four") + FILE,
    "a link with content": block(f"{ROOT}/l", 512, b"1") + INNER,
    "a folder with content": block(f"{ROOT}/d/", 512) + INNER,
    "a NUL in a name": pax(path=f"{ROOT}/a\0b") + EMPTY,
}


#: Python fails on some of these, GNU tar on others, and each takes what the other refuses.
NOT_FOR_EVERY_READER = {
    **{f"a time of {text!r}": pax(mtime=text) + EMPTY for text in ("nan", "inf", "1e400", "x", "")},
    "a time after the year 9999": pax(mtime="253402300800") + EMPTY,
    "another time that is not a number": pax(atime="nan") + EMPTY,
    **{f"an owner {text[:9]!r}": pax(uid=text) + EMPTY for text in ("abc", "-5", "9" * 5000, "")},
    "a group that no system has": pax(gid="4294967296") + EMPTY,
    "an owner's name with an escape sequence": pax(uname="\x1b[31m") + EMPTY,
    "a time of 2 ** 87": header(mtime=b"\x80" + b"\x7f" * 11) + bytes(512),
    "an owner of 2 ** 55": header(uid=b"\x80" + b"\x7f" * 7),
    "an owner below 0": header(uid=b"\xff" * 8),
    "an owner that is not octal": header(uid=b"zzzz\0"),
    "a group that is not octal": header(gid=b"9999999\0"),
    "a size below 0": header(size=b"\xff" * 12),
    "an extended header of a size below 0": header(kind=b"x", size=b"\xff" * 12),
    "a time of nan for all": global_pax(b"mtime=nan") + EMPTY,
    "an owner for all": global_pax(b"uid=abc") + EMPTY,
    "a sparse file for all": global_pax(b"GNU.sparse.size=123") + EMPTY,
    "a sparse file of Solaris": pax(**{"SUN.holesdata": "0 1"}) + EMPTY,
    "a sparse file of star": pax(**{"SCHILY.realsize": "999999"}) + EMPTY,
    "another kind for star": pax(**{"SCHILY.filetype": "dir"}) + EMPTY,
    "a sparse file of GNU": header(kind=b"S"),
    "a contiguous file": header(kind=b"7"),
    "a pipe": header(kind=b"6"),
    "the metadata in another case": block(f"{ROOT}/pkg-info", 0),
}
FOR_EVERY_READER = {
    "times before 1970 and parts of a second": pax(mtime="-1.5", atime="1700000000.123456") + EMPTY,
    "a time before 1970 in GNU's form": header(mtime=b"\xff" * 12),
    "the largest owner": pax(uid="4294967295") + EMPTY,
    "attributes": pax(**{"SCHILY.xattr.user.note": "x", "comment": "x"}) + EMPTY,
    "the comment of git": global_pax(b"comment=0123abc") + EMPTY,
}


def write_tar(folder: Path, *parts: bytes, version: str = "1.0.0") -> Path:
    metadata = METADATA.replace("1.0.0", version).encode()
    body = block(f"{ROOT}/PKG-INFO", len(metadata)) + padded(metadata)
    path = folder / f"{ROOT}.tar.gz"
    path.write_bytes(gzip.compress(b"".join((body, *parts, bytes(1024)))))
    return path


@pytest.mark.parametrize("case", NOT_FOR_EVERY_READER)
def test_a_tar_that_some_reader_cannot_unpack_is_refused(case: str, tmp_path: Path) -> None:
    assert find_problems(write_tar(tmp_path, NOT_FOR_EVERY_READER[case]))


@pytest.mark.parametrize("case", FOR_EVERY_READER)
def test_a_tar_that_every_reader_unpacks_is_taken(case: str, tmp_path: Path) -> None:
    assert find_problems(write_tar(tmp_path, FOR_EVERY_READER[case])) == []


def test_an_sdist_of_another_version_than_its_name_is_refused(tmp_path: Path) -> None:
    [problem] = find_problems(write_tar(tmp_path, version="2.0"))
    assert problem.message == "the version in PKG-INFO is '2.0', in the file name '1.0.0'"
    assert find_problems(write_tar(tmp_path, version="1.0")) == []


@pytest.mark.parametrize(
    "name", ["CON.txt", "x:y", "a.py:s", "a ", "b?", "READ.me", "D", "e\u0301"]
)
def test_names_that_only_posix_systems_distinguish_are_a_warning_in_an_sdist(
    name: str, tmp_path: Path
) -> None:
    others = [block(f"{ROOT}/{path}", 0) for path in ("read.me", "d/x", "\u00e9")]
    sdist = write_tar(tmp_path, *others, block(f"{ROOT}/{name}", 0))
    assert find_problems(sdist) == []
    found = [one for one in check_file(sdist) if one.code == "TF207"]
    assert [one.severity for one in found] == ["warning"]


@pytest.mark.parametrize("case", TWO_READERS)
def test_a_tar_that_two_readers_would_read_differently_is_refused(
    case: str, tmp_path: Path
) -> None:
    assert find_problems(write_tar(tmp_path)) == []
    assert find_problems(write_tar(tmp_path, TWO_READERS[case]))


@pytest.mark.parametrize("dots", ["./", "././", "./././"])
def test_a_path_may_begin_with_dots(dots: str, tmp_path: Path) -> None:
    metadata = METADATA.encode()
    body = block(f"{dots}{ROOT}/PKG-INFO", len(metadata)) + padded(metadata)
    path = tmp_path / f"{ROOT}.tar.gz"
    path.write_bytes(gzip.compress(body + bytes(1024)))
    assert find_problems(path) == []


@pytest.mark.parametrize("block", [bytes(512), b"\xff" * 512, bytes(range(256)) * 2, b"a" * 300])
def test_the_sum_of_a_header_is_exact(block: bytes) -> None:
    assert add_bytes(block) == sum(block)
