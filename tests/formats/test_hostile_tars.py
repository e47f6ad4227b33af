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
from twofold.formats.deep_check import find_problems

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
    words = ("link", "twice")
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


@pytest.mark.parametrize("case", TWO_READERS)
def test_a_tar_that_two_readers_would_read_differently_is_refused(
    case: str, tmp_path: Path
) -> None:
    metadata = METADATA.encode()
    body = block(f"{ROOT}/PKG-INFO", len(metadata)) + padded(metadata)
    path = tmp_path / f"{ROOT}.tar.gz"
    path.write_bytes(gzip.compress(body + bytes(1024)))
    assert find_problems(path) == []
    path.write_bytes(gzip.compress(body + TWO_READERS[case] + bytes(1024)))
    assert find_problems(path)


@pytest.mark.parametrize("dots", ["./", "././", "./././"])
def test_a_path_may_begin_with_dots(dots: str, tmp_path: Path) -> None:
    metadata = METADATA.encode()
    body = block(f"{dots}{ROOT}/PKG-INFO", len(metadata)) + padded(metadata)
    path = tmp_path / f"{ROOT}.tar.gz"
    path.write_bytes(gzip.compress(body + bytes(1024)))
    assert find_problems(path) == []
