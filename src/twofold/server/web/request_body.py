"""Request bodies and multipart forms, streamed to the spool within limits of size and time."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from twofold.errors import Refused

#: Time every client gets (seconds), and the minimum average rate after it (bytes a second): a
#: client that drips bytes would hold a connection and a spool file for as long as it likes.
GRACE_SECONDS = 60.0
MIN_BYTES_PER_SECOND = 1024


async def stream_body(request: Request, max_bytes: int, error: Refused) -> AsyncIterator[bytes]:
    """Yield the body block by block.

    Raises `too_large` beyond `largest` bytes, Refused 408 for a client that sends too slowly, and
    Refused for one that disconnects.
    """
    declared = request.headers.get("content-length", "")
    is_number = declared.isascii() and declared.isdigit()  # int() refuses '²', and long numbers
    if is_number and (len(declared) > 18 or int(declared) > max_bytes):
        raise error
    loop = asyncio.get_running_loop()
    end = loop.time() + GRACE_SECONDS
    blocks = aiter(request.stream())
    total = 0
    while True:
        try:
            async with asyncio.timeout_at(end + total / MIN_BYTES_PER_SECOND):
                block = await anext(blocks)
        except StopAsyncIteration:
            return
        except TimeoutError:
            message = f"The body is sent too slowly: {total} bytes so far"
            raise Refused("too-slow", message, "try again with a faster connection", 408) from None
        except ClientDisconnect:
            raise Refused(
                "cut-off", "The client disconnected before the request was complete"
            ) from None
        total += len(block)
        if total > max_bytes:
            raise error
        yield block


if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

#: Maximum size of a form's text fields together (bytes) and number of parts: twine sends some 40.
MAX_FIELD_BYTES = 16 << 20
MAX_PARTS = 1000

#: Parts that are the file of a form. Others are signatures and the like, which clients send beside
#: it and PyPI drops too, unless the file's name is that of a package.
FILE_PARTS = ("content", "file")
PACKAGE_ENDINGS = (".whl", ".tar.gz", ".conda", ".tar.bz2")

#: A field of PyPI's form that some clients send as a file.
TEXT_PART = "attestations"

#: rattler-build's uploader sends no filename: its part of this name is still the file.
UNNAMED_FILE = "file"


@dataclass
class Spool:
    """The folder for uploads in progress, and how many bytes this process received into it."""

    folder: Path
    max_file_size: int
    quota: int
    used: int = 0

    def new_path(self) -> Path:
        """Return a new random path in the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder / f"incoming-{os.urandom(12).hex()}"

    def take(self, size: int) -> None:
        """Count bytes about to be written. Raises Refused (507) beyond the quota."""
        if self.used + size > self.quota:
            raise Refused(
                "spool-full", "Too many uploads are in progress", "try again in a minute", 507
            )
        self.used += size


@dataclass
class MultipartForm:
    """A multipart form: its text fields in order, and its file in the spool.

    `size` is what it holds of the spool's quota (bytes); `dropped` are the names of other files.
    """

    spool: Spool
    fields: list[tuple[str, str]] = field(default_factory=list)
    path: Path | None = None
    filename: str = ""
    size: int = 0
    dropped: list[str] = field(default_factory=list)

    def get(self, name: str) -> str:
        """Return the first value of a field, '' if it is missing."""
        return next((value for key, value in self.fields if key == name), "")

    def discard(self) -> None:
        """Delete the file from the spool, if it is still there, and give its room back."""
        self.spool.used -= self.size
        self.size = 0
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def write(self, file: BinaryIO, block: bytes) -> None:
        """Write a block of the file within the spool's quota."""
        self.spool.take(len(block))
        self.size += len(block)
        file.write(block)


async def receive_body(request: Request, spool: Spool) -> MultipartForm:
    """Write the body to a file in the spool. The caller discards it."""
    form = MultipartForm(spool, path=spool.new_path())
    assert form.path is not None
    try:
        with form.path.open("wb") as file:
            async for block in _stream_upload(request, spool.max_file_size):
                form.write(file, block)
    except BaseException:
        form.discard()
        raise
    return form


async def receive_form(request: Request, spool: Spool) -> MultipartForm:
    """Read a multipart form. The caller discards it. Raises Refused if it is malformed."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise Refused("not-a-form", "Expected a multipart/form-data body", status=400)
    reader = _FormReader(spool)
    try:
        parser = MultipartParser(options[b"boundary"], reader.callbacks)
        async for block in _stream_upload(request, spool.max_file_size + MAX_FIELD_BYTES):
            parser.write(block)
        parser.finalize()
        reader.finish()
    except BaseException as error:
        reader.close()  # before the file is deleted: Windows deletes none that is open
        reader.form.discard()
        if isinstance(error, FormParserError):
            raise Refused("malformed-form", f"The form is malformed: {error}") from error
        raise
    reader.close()
    return reader.form


def _stream_upload(request: Request, largest: int) -> AsyncIterator[bytes]:
    too_large = Refused("too-large", f"The upload is larger than {largest} bytes", status=413)
    return stream_body(request, largest, too_large)


class _FormReader:
    """Callbacks for python-multipart that fill a MultipartForm."""

    def __init__(self, spool: Spool) -> None:
        self.form = MultipartForm(spool)
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
        is_text = b"filename" not in options and self.name != UNNAMED_FILE
        if is_text or self.name == TEXT_PART:
            return
        self.is_file = True
        filename = options.get(b"filename", b"").decode("utf-8", "replace")
        if self.name not in FILE_PARTS and not filename.endswith(PACKAGE_ENDINGS):
            self.form.dropped.append(self.name)
            return
        if self.form.path is not None:
            raise Refused("several-files", "The form contains more than one file")
        self.form.filename = filename
        self.form.path = self.form.spool.new_path()
        self.file = self.form.path.open("wb")

    def part_data(self, data: bytes, start: int, end: int) -> None:
        if self.is_file and self.file is None:
            return  # a file that is dropped
        if self.is_file:
            assert self.file is not None
            self.form.write(self.file, data[start:end])
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
            raise Refused("cut-off", "The form is incomplete")

    def close(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None
