"""A bzip2 stream compressed in pieces is one stream, which every reader takes."""

from __future__ import annotations

import bz2
import io
import os
import random
from pathlib import Path

import pytest
from conda_package_handling import api
from rattler.package_streaming import extract

from tests.factories.artifacts import write_conda
from twofold.formats.tar_bz2 import BZ2_PIECE, Bz2Stream, extract_blocks

TEXT = b"".join(b"line %d of a text that repeats itself\n" % (n * n) for n in range(150_000))
SAMPLES = {
    "nothing": b"",
    "a byte": b"x",
    "one piece to the byte": random.Random(1).randbytes(BZ2_PIECE),
    "a byte more than a piece": random.Random(2).randbytes(BZ2_PIECE + 1),
    "runs that grow before they shrink": b"aaaa" * (BZ2_PIECE // 4) + b"b" * BZ2_PIECE,
    "text": TEXT,
}


def packed(data: bytes, threads: int) -> bytes:
    out = io.BytesIO()
    stream = Bz2Stream(out, threads=threads)
    for at in range(0, len(data), 1 << 18):
        stream.write(data[at : at + (1 << 18)])
    stream.close()
    return out.getvalue()


@pytest.mark.parametrize("data", SAMPLES.values(), ids=SAMPLES)
def test_what_is_read_is_what_was_written_in_one_stream(data: bytes) -> None:
    made = packed(data, threads=2)
    reader = bz2.BZ2Decompressor()
    assert reader.decompress(made) == data
    assert reader.eof
    assert not reader.unused_data
    assert len(made) <= len(bz2.compress(data)) * 1.02 + 200


def test_the_bytes_do_not_depend_on_the_threads() -> None:
    assert packed(TEXT, threads=1) == packed(TEXT, threads=3)


def test_data_that_look_like_a_block_are_not_taken_for_one() -> None:
    mark = bytes.fromhex("314159265359")
    stream = bz2.compress(mark * 1000 + os.urandom(100) + mark)
    _, count, checks = extract_blocks(stream)
    assert len(checks) == 1
    assert count < len(stream) * 8


def test_rattler_and_condas_own_reader_take_a_package_of_many_pieces(tmp_path: Path) -> None:
    files = {
        "site-packages/large.bin": random.Random(3).randbytes(2 * BZ2_PIECE),
        "site-packages/last.py": b"answer = 42\n",
    }
    path = write_conda(tmp_path, files=files, ending=".tar.bz2")
    extract(path, tmp_path / "rattler")
    api.extract(str(path), str(tmp_path / "conda"))
    for folder in ("rattler", "conda"):
        for name, data in files.items():
            assert (tmp_path / folder / name).read_bytes() == data
