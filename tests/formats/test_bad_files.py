"""Wheels, sdists and conda packages that lie about themselves."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import tarfile
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest
import zstandard

from tests.factories.artifacts import (
    METADATA,
    STEM,
    compress_tar,
    make_member,
    make_tar,
    make_wheel_files,
    write_conda,
    write_raw_conda,
    write_sdist,
    write_wheel,
    write_zip,
)
from tests.factories.conda_info import INDEX, make_info
from twofold.check import check_file
from twofold.errors import BadFile
from twofold.formats.deep_check import find_problems, find_wheel_problems
from twofold.formats.reader import read_artifact

WHEEL = "my_package-1.0.0-py3-none-any.whl"
DIST_INFO = "my_package-1.0.0.dist-info"


def error_text(path: Path) -> str:
    with pytest.raises(BadFile) as refusal:
        read_artifact(path)
    return str(refusal.value)


@pytest.mark.parametrize("ending", [".whl", ".tar.gz", ".conda", ".tar.bz2"])
@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><title>404</title>", b"\x00" * 2000])
def test_a_page_with_a_packages_name_is_refused(
    tmp_path: Path, ending: str, content: bytes
) -> None:
    names = {".whl": WHEEL, ".tar.gz": "my_package-1.0.0.tar.gz"}
    path = tmp_path / names.get(ending, STEM + ending)
    path.write_bytes(content)
    words = error_text(path)
    assert "not a" in words or "empty" in words
    assert "hint:" in words


def test_other_extensions_and_folders_are_refused(tmp_path: Path) -> None:
    assert "not a wheel" in error_text(tmp_path / "my_package-1.0.0.zip")
    folder = tmp_path / WHEEL
    folder.mkdir()
    assert "a folder" in error_text(folder)


@pytest.mark.parametrize("missing", ["METADATA", "WHEEL", "RECORD"])
def test_a_wheel_without_its_metadata_is_refused(tmp_path: Path, missing: str) -> None:
    files = make_wheel_files()
    del files[f"{DIST_INFO}/{missing}"]
    assert f"has no {DIST_INFO}/{missing}" in error_text(write_zip(tmp_path / WHEEL, files))


def test_a_wheel_without_dist_info_is_refused(tmp_path: Path) -> None:
    assert "no .dist-info" in error_text(write_zip(tmp_path / WHEEL, {"a.py": b""}))


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (METADATA.replace("my_package", "other"), "the name in METADATA is 'other'"),
        (METADATA.replace("1.0.0", "2.0.0"), "the version in METADATA is '2.0.0'"),
        ("Metadata-Version: 2.4\nName: my_package\n", "no Version"),
        (METADATA + "Name: evil\n", "more than one Name"),
        (METADATA.replace("1.0.0", "1" + "0" * 5000), "Version has more than 255 letters"),
        (METADATA + "<html>\n", "not a field"),
        (METADATA + "Requires-Dist: numpy >=\n", "Requires-Dist 'numpy >='"),
        (METADATA + "Requires-Python: three\n", "Requires-Python"),
    ],
)
def test_metadata_that_disagree_are_refused(tmp_path: Path, metadata: str, words: str) -> None:
    assert words in error_text(write_wheel(tmp_path, metadata=metadata))


def test_all_mistakes_in_the_metadata_are_reported_together(tmp_path: Path) -> None:
    metadata = METADATA + "Requires-Dist: a >=\nRequires-Dist: b ==x.y\nRequires-Python: >=x\n"
    words = error_text(write_wheel(tmp_path, metadata=metadata))
    assert all(part in words for part in ("'a >='", "'b ==x.y'", "Requires-Python"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Requires-Python: " + ">=1," * 1_000_000, "Requires-Python has more than 4000"),
        ("Keywords: " + "a," * 1_000_000, "Keywords has more than"),
        ("Requires-Dist: a\n" * 200_000, "requirements have more than 500000 characters"),
        ("Requires-Dist: a;" + "(" * 20_000, "more than 10000 parentheses"),
    ],
)
def test_what_takes_seconds_to_parse_is_refused_before(
    tmp_path: Path, line: str, words: str
) -> None:
    assert words in error_text(write_wheel(tmp_path, None, f"{METADATA.strip()}\n{line}\n"))


def test_metadata_of_ten_megabytes_are_refused(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, metadata=METADATA + "\n" + "x" * (10 << 20))
    assert "more than the" in error_text(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda r: r.replace(b"__init__.py,", b"__main__.py,"),
            "does not list my_package/__init__",
        ),
        (lambda r: r.replace(b",12\n", b",13\n"), "does not match its hash or size in RECORD"),
        (lambda r: r + b"gone.py,sha256=" + b"A" * 43 + b",1\n", "gone.py, which is missing"),
        (lambda r: r + b"../evil,,\n", "leaves the archive"),
        (lambda r: r + b"/etc/passwd,,\n", "absolute"),
        (lambda r: r.replace(b"sha256=", b"md5="), "in RECORD is weak or unknown"),
        (lambda r: r + r, "twice"),
        (lambda r: r.replace(b"sha256=", b"sha256=!"), "in RECORD is malformed"),
    ],
)
def test_a_wrong_record_is_found(tmp_path: Path, change: object, words: str) -> None:
    assert callable(change)
    files = make_wheel_files()
    record = f"{DIST_INFO}/RECORD"
    files[record] = change(files[record])
    reported = "\n".join(map(str, find_wheel_problems(write_zip(tmp_path / WHEEL, files))))
    assert words in reported


@pytest.mark.parametrize(
    ("more", "words"),
    [(b"a,,\n" * 200, "RECORD has 204 lines"), (b"a" * (2 << 20), "more than the 11")],
)
def test_a_record_without_end_is_refused_before_it_is_parsed(
    tmp_path: Path, more: bytes, words: str
) -> None:
    files = make_wheel_files()
    files[f"{DIST_INFO}/RECORD"] += more
    with zipfile.ZipFile(tmp_path / WHEEL, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    assert words in error_text(tmp_path / WHEEL)


@pytest.mark.parametrize("flaw", ["", "0"])
def test_a_record_in_hexadecimal_is_compared_too(tmp_path: Path, flaw: str) -> None:
    files = make_wheel_files()
    rows = [
        f"{name},sha256={flaw}{sha256(data).hexdigest()[len(flaw) :]},{len(data)}\n"
        for name, data in files.items()
        if not name.endswith("/RECORD")
    ]
    record = f"{DIST_INFO}/RECORD"
    files[record] = f"{''.join(rows)}{record},,\n".encode()
    found = find_wheel_problems(write_zip(tmp_path / WHEEL, files))
    assert bool(found) == bool(flaw), found


@pytest.mark.parametrize(
    "line", ["../x = a:f", "x = a b:f", "x/y = a:f", "x = a:f()", "x = ../a:f"]
)
def test_an_entry_point_that_could_climb_is_found(tmp_path: Path, line: str) -> None:
    points = f"[console_scripts]\n{line}\n".encode()
    path = write_wheel(tmp_path, {"a.py": b"", f"{DIST_INFO}/entry_points.txt": points})
    assert "is not valid for a script" in str(find_problems(path))


def test_names_that_windows_cannot_hold_or_distinguish_are_found(tmp_path: Path) -> None:
    path = write_wheel(tmp_path, {"a/b.py": b"", "a/B.py": b"", "aux.py": b"", "a/c?.py": b""})
    reported = "\n".join(map(str, find_problems(path)))
    assert "only in case" in reported
    assert reported.count("Windows does not allow") == 2


def test_a_wheel_that_was_renamed_to_other_tags_is_found(tmp_path: Path) -> None:
    path = write_wheel(tmp_path)
    renamed = path.rename(tmp_path / "my_package-1.0.0-cp311-cp311-win_amd64.whl")
    assert "the tags in WHEEL (py3-none-any)" in str(find_problems(renamed))
    assert {f.severity for f in check_file(renamed) if f.code == "TF413"} == {"warning"}


def test_entry_points_without_end_are_refused_before_they_are_parsed(tmp_path: Path) -> None:
    lines = b"".join(b"[g%d]\na = a:b\n" % number for number in range(6000))
    path = write_wheel(tmp_path, {"a.py": b"", f"{DIST_INFO}/entry_points.txt": lines})
    assert "entry_points.txt has 12000 lines" in find_problems(path)[0].message


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (make_member("my_package-1.0.0/../../evil"), "leaves the archive"),
        (make_member("/etc/evil"), "absolute"),
        (make_member("other/file"), "has one folder"),
        (
            make_member("my_package-1.0.0/l", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
            "link leaves",
        ),
        (
            make_member("my_package-1.0.0/l", type=tarfile.SYMTYPE, linkname="../../x"),
            "link leaves",
        ),
        (make_member("my_package-1.0.0/l", type=tarfile.LNKTYPE, linkname="../x"), "link leaves"),
        (make_member("my_package-1.0.0/d", type=tarfile.CHRTYPE), "device"),
        (make_member("my_package-1.0.0/f", type=tarfile.FIFOTYPE), "device"),
        (make_member("my_package-1.0.0/x", pax_headers={"GNU.sparse.major": "1"}), "sparse"),
    ],
)
def test_an_sdist_that_could_harm_is_refused(
    tmp_path: Path, entry: tuple[tarfile.TarInfo, io.BytesIO], words: str
) -> None:
    assert words in error_text(write_sdist(tmp_path, entry))


def test_a_file_twice_is_refused_but_hatchlings_second_pkg_info_counts(tmp_path: Path) -> None:
    once = [make_member("my_package-1.0.0/a.py", b"a = 1\n") for _ in range(2)]
    assert "twice" in error_text(write_sdist(tmp_path, *once))
    second = METADATA + "Summary: the one that unpacking leaves\n"
    path = write_sdist(tmp_path, make_member("my_package-1.0.0/PKG-INFO", second.encode()))
    assert b"unpacking leaves" in read_artifact(path).metadata


def test_a_link_within_the_sdist_is_taken(tmp_path: Path) -> None:
    link = make_member("my_package-1.0.0/a/l", type=tarfile.SYMTYPE, linkname="../PKG-INFO")
    assert read_artifact(write_sdist(tmp_path, link)).name == "my_package"


def test_an_sdist_of_another_project_or_cut_off_is_refused(tmp_path: Path) -> None:
    path = write_sdist(tmp_path, metadata=METADATA.replace("my_package", "other"))
    assert "the name in PKG-INFO is 'other'" in error_text(path)
    whole = write_sdist(tmp_path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "damaged" in error_text(path) or "cut off" in error_text(path)


def test_a_tar_with_two_sizes_of_a_member_is_refused(tmp_path: Path) -> None:
    """TARmageddon (CVE-2025-62518): readers that believe the other size see other members."""
    header = tarfile.TarInfo("my_package-1.0.0/inner.tar")
    header.size = 512
    block = bytearray(header.tobuf(tarfile.USTAR_FORMAT))
    pax = tarfile.TarInfo("x").create_pax_header(
        {"name": "x", "mode": 0, "uid": 0, "gid": 0, "size": 1024, "mtime": 0, "type": b"0",
         "linkname": "", "uname": "", "gname": "", "devmajor": 0, "devminor": 0, "chksum": 0},
        "utf-8",
    )  # fmt: skip
    assert pax
    records = b"13 size=1024\n"
    extended = tarfile.TarInfo("pax")
    extended.type = tarfile.XHDTYPE
    extended.size = len(records)
    body = extended.tobuf(tarfile.USTAR_FORMAT) + records.ljust(512, b"\0") + bytes(block)
    path = tmp_path / "my_package-1.0.0.tar.gz"
    path.write_bytes(gzip.compress(body + bytes(2048)))
    assert "two sizes" in error_text(path)


def test_a_gzip_bomb_is_refused(tmp_path: Path) -> None:
    zeros = make_member("my_package-1.0.0/zeros", bytes(200 << 20))
    assert "a bomb" in error_text(write_sdist(tmp_path, zeros))


@pytest.mark.parametrize("ending", [".conda", ".tar.bz2"])
def test_a_conda_package_may_not_be_renamed(tmp_path: Path, ending: str) -> None:
    path = write_conda(tmp_path, ending=ending)
    renamed = path.rename(path.with_name(f"my_package-2.0.0-py_0{ending}"))
    words = error_text(renamed)
    assert "2.0.0" in words
    assert "inner archive names" in words or "version is '1.0.0'" in words


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ({**INDEX, "name": "evil"}, "name is 'evil'"),
        ({**INDEX, "build": "py_1"}, "build is 'py_1'"),
        ({**INDEX, "depends": [1]}, "'depends'"),
        ({**INDEX, "depends": "numpy"}, "no usable 'depends'"),
        ({**INDEX, "build_number": "0"}, "no usable 'build_number'"),
        ({"name": "my_package"}, "no usable 'version'"),
        ([], "not a JSON object"),
    ],
)
def test_a_wrong_index_json_is_refused(tmp_path: Path, index: object, words: str) -> None:
    assert words in error_text(write_raw_conda(tmp_path, make_info(index), compress_tar()))


def test_a_conda_package_of_another_format_is_refused(tmp_path: Path) -> None:
    path = write_raw_conda(tmp_path, make_info(), compress_tar(), {"conda_pkg_format_version": 3})
    assert "version of the .conda format" in error_text(path)


def test_a_conda_package_without_index_json_is_refused(tmp_path: Path) -> None:
    assert "info/index.json is missing" in error_text(
        write_raw_conda(tmp_path, compress_tar(), compress_tar())
    )


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (make_member("../evil"), "leaves the archive"),
        (make_member("lib/x"), "does not list lib/x"),
        (make_member("info/index.json"), "metadata among the files"),
        (make_member("l", type=tarfile.SYMTYPE, linkname="../../etc/passwd"), "link leaves"),
        (make_member("d", type=tarfile.BLKTYPE), "device"),
    ],
)
def test_a_harmful_member_of_the_inner_archive_is_found(
    tmp_path: Path, entry: tuple[tarfile.TarInfo, io.BytesIO], words: str
) -> None:
    reported = "\n".join(
        map(str, find_problems(write_raw_conda(tmp_path, make_info(), compress_tar(entry))))
    )
    assert words in reported


def test_a_file_that_differs_from_paths_json_is_found(tmp_path: Path) -> None:
    paths = [{"_path": "a", "path_type": "hardlink", "sha256": "0" * 64, "size_in_bytes": 1}]
    path = write_raw_conda(tmp_path, make_info(paths=paths), compress_tar(make_member("a", b"a")))
    assert "does not match its hash in info/paths.json" in str(find_problems(path)[0])
    path = write_raw_conda(tmp_path, make_info(paths=paths), compress_tar())
    assert "lists a, which is missing" in str(find_problems(path)[0])


def test_zstd_and_bz2_bombs_are_refused(tmp_path: Path) -> None:
    zeros = bytes(200 << 20)
    bomb = compress_tar(
        make_member("info/zeros", zeros), make_member("info/index.json", json.dumps(INDEX).encode())
    )
    assert "a bomb" in error_text(write_raw_conda(tmp_path, bomb, compress_tar()))
    path = tmp_path / f"{STEM}.tar.bz2"
    path.write_bytes(bz2.compress(make_member("info/a", zeros)[0].tobuf() + b"\0"))

    def fill(tar: tarfile.TarFile) -> None:
        tar.addfile(*make_member("info/zeros", zeros))

    path.write_bytes(bz2.compress(make_tar(fill)))
    assert "a bomb" in error_text(path)


def test_a_zstd_window_larger_than_clients_take_is_refused(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=29, compression_level=1)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    info = zstandard.ZstdDecompressor().decompress(make_info())
    large = stream.compress(info) + stream.flush()
    assert "damaged" in error_text(write_raw_conda(tmp_path, large, compress_tar()))


def test_a_conda_package_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    for ending in (".conda", ".tar.bz2"):
        path = write_conda(tmp_path, ending=ending)
        whole = path.read_bytes()
        for part in range(1, 8):
            path.write_bytes(whole[: len(whole) * part // 8])
            assert find_problems(path), (ending, part)
