"""Zstandard as Python 3.14 has it, or backports.zstd before: the same C code, 2 MB to install.

The C module alone is loaded: the packages around it import `enum`, `tarfile` and `zipfile`, which
take a fifth of a small build's time. Errors of the decompressor are raised as ValueError.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, Protocol

    class Source(Protocol):
        """What compressed data are read from."""

        def read(self, size: int, /) -> bytes:
            """Return up to `size` bytes; none at the end."""
            ...


#: Bytes of compressed data that are read at once.
_BLOCK = 1 << 17
#: Bytes that are decompressed ahead: a tar is read in blocks of 512.
_AHEAD = 1 << 16
#: zstd's numbers of what follows a block: nothing yet, or the end of the frame.
_END_OF_FRAME = 2
#: zstd's numbers of parameters (zstd.h, which never changes them).
_LEVEL, _WINDOW_LOG, _WORKERS, _JOB_SIZE = 100, 101, 400, 401
_LARGEST_WINDOW_LOG = 100


def _load() -> ModuleType:
    name = "_zstd" if sys.version_info >= (3, 14) else "backports.zstd._zstd"
    loaded = sys.modules.get(name)
    if loaded is not None:
        return loaded
    package = name.rpartition(".")[0]
    module = _load_extension(package) if package else None
    if module is None:  # a part of Python, or PyPy's own form
        __import__(name)
        return sys.modules[name]
    return module


def _load_extension(package: str) -> ModuleType | None:
    """Load the extension in a package without the package; None where there is none."""
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import ExtensionFileLoader, PathFinder

    parent = PathFinder.find_spec("backports")
    inner = parent and PathFinder.find_spec(package, parent.submodule_search_locations)
    name = f"{package}._zstd"
    spec = inner and PathFinder.find_spec(name, inner.submodule_search_locations)
    if spec is None or not isinstance(spec.loader, ExtensionFileLoader):
        return None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module  # where the package finds it, if it is imported later
    return module


def compress(data: bytes, level: int) -> bytes:
    """Return the data as one frame, which holds their size."""
    packed: bytes = _load().ZstdCompressor(level=level).compress(data, _END_OF_FRAME)
    return packed


def make_compressor(level: int, threads: int, window_log: int = 0, job_size: int = 0) -> Any:
    """Return a compressor with `compress(data)` and `flush()`, for data of unknown size.

    `threads` compress; 0 is the caller's own. 0 leaves the window (a power of two) and the bytes
    that a thread takes at a time to zstd.
    """
    chosen = {_WORKERS: threads, _WINDOW_LOG: window_log, _JOB_SIZE: job_size}
    options = {_LEVEL: level, **{key: value for key, value in chosen.items() if value}}
    return _load().ZstdCompressor(options=options)


def decompress(packed: bytes) -> bytes:
    """Return the data of a first frame. Raises ValueError when it is damaged or cut short."""
    zstd = _load()
    decompressor = zstd.ZstdDecompressor()
    try:
        data: bytes = decompressor.decompress(packed)
    except zstd.ZstdError as error:
        raise ValueError(str(error)) from error
    if not decompressor.eof:
        raise ValueError("the compressed data end too early")
    return data


class ZstdReader:
    """Reads the data of all frames of a source."""

    def __init__(self, source: Source, window_log: int) -> None:
        """`window_log` limits the memory that a frame may ask for: a power of two, in bytes."""
        self._zstd = _load()
        self._source = source
        self._options = {_LARGEST_WINDOW_LOG: window_log}
        self._decompressor = self._zstd.ZstdDecompressor(options=self._options)
        self._is_inside_frame = False
        self._ahead = b""
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        """Return `size` bytes, fewer at the end only; all for -1. Raises ValueError."""
        start, end = self._at, self._at + size
        if size >= 0 and end <= len(self._ahead):
            self._at = end
            return self._ahead[start:end]
        left = self._ahead[start:]
        self._ahead, self._at = b"", 0
        if not 0 <= size < _AHEAD:
            return left + self._read_on(size - len(left) if size > 0 else size)
        self._ahead = left + self._read_on(_AHEAD)
        self._at = min(size, len(self._ahead))
        return self._ahead[: self._at]

    def _read_on(self, size: int) -> bytes:
        parts: list[bytes] = []
        missing = size
        while missing:
            part = self._read_some(missing)
            if not part:
                break
            parts.append(part)
            missing -= len(part) if size > 0 else 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_some(self, size: int) -> bytes:
        while True:
            packed = b""
            if self._decompressor.eof:
                packed = self._decompressor.unused_data
                self._decompressor = self._zstd.ZstdDecompressor(options=self._options)
                self._is_inside_frame = False
            if not packed and self._decompressor.needs_input:
                packed = self._source.read(_BLOCK)
                if not packed and self._is_inside_frame:
                    raise ValueError("the compressed data end too early")
                if not packed:
                    return b""
            self._is_inside_frame = True
            try:
                data: bytes = self._decompressor.decompress(packed, size)
            except self._zstd.ZstdError as error:
                raise ValueError(str(error)) from error
            if data:
                return data
