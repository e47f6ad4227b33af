"""Zstandard's frames are those of the library `zstandard`, byte for byte, in both directions."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
import zstandard

from twofold.formats.light.zstd import ZstdReader, compress, decompress, make_compressor

DATA = b"".join(f"line {number} of {number * 7919 % 1000}\n".encode() for number in range(60_000))


@pytest.mark.parametrize("level", [5, 11, 19])
def test_a_frame_has_the_bytes_of_the_library(level: int) -> None:
    data = DATA[: 200_000 if level == 19 else len(DATA)]
    packed = compress(data, level)
    assert packed == zstandard.ZstdCompressor(level=level).compress(data)
    assert decompress(packed) == data


@pytest.mark.parametrize("threads", [1, 3])
def test_a_stream_by_threads_has_the_bytes_of_the_library(threads: int) -> None:
    ours = make_compressor(5, threads, job_size=1 << 20)
    chosen = zstandard.ZstdCompressionParameters.from_level(5, threads=2, job_size=1 << 20)
    theirs = zstandard.ZstdCompressor(compression_params=chosen).compressobj()
    assert ours.compress(DATA) + ours.flush() == theirs.compress(DATA) + theirs.flush()


def test_a_reader_gives_what_is_asked_for_in_small_and_large_steps() -> None:
    packed = compress(DATA[:300_000], 5) + compress(DATA[300_000:], 5)
    reader = ZstdReader(io.BytesIO(packed), 27)
    steps = [512, 0, 65_535, 1, 65_536, 200_000, 512, 65_537, 3]
    parts = [reader.read(size) for size in steps]
    assert [len(part) for part in parts] == steps
    assert b"".join(parts) + reader.read() == DATA
    assert reader.read(1) == b""


def test_a_reader_goes_from_frame_to_frame_in_any_steps() -> None:
    packed = compress(DATA[:1000], 5) + zstandard.compress(DATA[1000:5000]) + compress(b"", 5)
    assert ZstdReader(io.BytesIO(packed), 27).read() == DATA[:5000]
    reader = ZstdReader(io.BytesIO(packed), 27)
    assert b"".join(iter(lambda: reader.read(333), b"")) == DATA[:5000]
    assert len(ZstdReader(io.BytesIO(packed), 27).read(1234)) == 1234
    assert ZstdReader(io.BytesIO(b""), 27).read() == b""


def make_wide_frame() -> bytes:
    """A frame that asks for a window of 512 MB."""
    chosen = zstandard.ZstdCompressionParameters(window_log=29, compression_level=1)
    stream = zstandard.ZstdCompressor(compression_params=chosen).compressobj()
    return stream.compress(b"x" * 100) + stream.flush()


@pytest.mark.parametrize(
    "packed",
    [
        pytest.param(compress(DATA, 5)[:-10], id="cut short"),
        pytest.param(compress(DATA, 5)[:3], id="cut in its header"),
        pytest.param(compress(DATA[:100], 5) + b"rubbish that is no frame", id="rubbish behind it"),
        pytest.param(b"PK\x03\x04 is no frame", id="another format"),
        pytest.param(make_wide_frame(), id="too wide a window"),
    ],
)
def test_damaged_data_are_an_error_and_never_a_part_of_the_truth(packed: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        ZstdReader(io.BytesIO(packed), 27).read()


def test_a_frame_cut_short_is_an_error_where_all_is_read_at_once() -> None:
    with pytest.raises(ValueError, match="too early"):
        decompress(compress(DATA, 5)[:-1])


def test_the_compressor_loads_one_module_alone() -> None:
    code = (
        "import sys\n"
        "from twofold.formats.light.zstd import compress\n"
        "before = set(sys.modules)\n"
        "compress(b'x', 5)\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"backports.zstd._zstd", "_zstd"}
