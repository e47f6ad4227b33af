"""Uploads as they come in: written to the spool block by block, never held in memory."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from twofold.errors import Refused
from twofold.server.web.blocks import stream_body

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

#: A form's text parts together (bytes), and how many parts it may have: twine sends some 40.
MAX_FIELD_BYTES = 16 << 20
MAX_PARTS = 1000

#: rattler-build's uploader names no file: its part of this name is the file all the same.
UNNAMED_FILE = "file"


@dataclass
class MultipartForm:
    """A multipart form: its text fields in order, and its one file in the spool."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    path: Path | None = None
    filename: str = ""

    def get(self, name: str) -> str:
        """The first value of a field, '' when there is none."""
        return next((value for key, value in self.fields if key == name), "")

    def discard(self) -> None:
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def new_spool_path(spool: Path) -> Path:
    spool.mkdir(parents=True, exist_ok=True)
    return spool / f"incoming-{os.urandom(12).hex()}"


async def receive_body(request: Request, spool: Path, max_bytes: int) -> Path:
    """The body as a file in the spool. The caller removes it."""
    path = new_spool_path(spool)
    try:
        with path.open("wb") as file:
            async for block in _uploaded(request, max_bytes):
                file.write(block)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


async def receive_form(request: Request, spool: Path, max_bytes: int) -> MultipartForm:
    """A multipart form. The caller discards it. Raises Refused when it is malformed."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise Refused("not-a-form", "A multipart/form-data body is expected", status=400)
    reader = _Reader(spool)
    try:
        parser = MultipartParser(options[b"boundary"], reader.callbacks)
        async for block in _uploaded(request, max_bytes + MAX_FIELD_BYTES):
            parser.write(block)
        parser.finalize()
        reader.finish()
    except FormParserError as error:
        reader.form.discard()
        raise Refused("malformed-form", f"The form cannot be read: {error}") from error
    except BaseException:
        reader.form.discard()
        raise
    finally:
        reader.close()
    return reader.form


def _uploaded(request: Request, largest: int) -> AsyncIterator[bytes]:
    too_large = Refused("too-large", f"The upload is larger than {largest} bytes", status=413)
    return stream_body(request, largest, too_large)


class _Reader:
    """python-multipart's callbacks, filling a Form."""

    def __init__(self, spool: Path) -> None:
        self.form = MultipartForm()
        self.spool = spool
        self.file: BinaryIO | None = None
        self.value = bytearray()
        self.header = b""
        self.header_value = b""
        self.headers: dict[bytes, bytes] = {}
        self.name = ""
        self.is_file = False
        self.parts = 0
        self.text_bytes = 0
        self.ended = False
        self.callbacks: MultipartCallbacks = {
            "on_part_begin": self.part_begin,
            "on_header_field": self.header_field,
            "on_header_value": self.header_text,
            "on_header_end": self.header_end,
            "on_headers_finished": self.headers_finished,
            "on_part_data": self.part_data,
            "on_part_end": self.part_end,
            "on_end": self.end,
        }

    def part_begin(self) -> None:
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise Refused("too-many-parts", f"The form has more than {MAX_PARTS} parts")
        self.headers, self.value, self.is_file = {}, bytearray(), False

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self.header += data[start:end]

    def header_text(self, data: bytes, start: int, end: int) -> None:
        self.header_value += data[start:end]

    def header_end(self) -> None:
        self.headers[self.header.lower()] = self.header_value
        self.header = self.header_value = b""

    def headers_finished(self) -> None:
        _, options = parse_options_header(self.headers.get(b"content-disposition", b""))
        if b"name" not in options:
            raise Refused("malformed-form", "A part of the form has no name")
        self.name = options[b"name"].decode("utf-8", "replace")
        if b"filename" not in options and self.name != UNNAMED_FILE:
            return
        if self.form.path is not None:
            raise Refused("several-files", "The form holds more than one file")
        self.is_file = True
        self.form.filename = options.get(b"filename", b"").decode("utf-8", "replace")
        self.form.path = new_spool_path(self.spool)
        self.file = self.form.path.open("wb")

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if self.is_file:
            assert self.file is not None
            self.file.write(data[start:end])
            return
        self.text_bytes += end - start
        if self.text_bytes > MAX_FIELD_BYTES:
            raise Refused("too-large", "The form's fields are larger than 16 MiB", status=413)
        self.value += data[start:end]

    def part_end(self) -> None:
        if self.is_file:
            self.close()
            return
        try:
            self.form.fields.append((self.name, self.value.decode("utf-8")))
        except UnicodeDecodeError:
            raise Refused("malformed-form", f"The field {self.name[:50]!a} is not UTF-8") from None

    def end(self) -> None:
        self.ended = True

    def finish(self) -> None:
        if not self.ended:
            raise Refused("cut-off", "The form ends in the middle")

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None
