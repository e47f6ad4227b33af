"""Bodies of uploads: a file, alone or in a multipart form, read while it is sent."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.errors import BadFile
from twofold.publish.transport.time_limit import TimeLimit

#: Called with the number of bytes sent so far.
Progress = Callable[[int], None]


@dataclass(frozen=True)
class UploadForm:
    """A multipart form: `fields`, then the file, then `trailing_fields`.

    `content` is the file: (field name, path, file name, media type).
    """

    content: tuple[str, Path, str, str]
    fields: Sequence[tuple[str, Any]] = ()
    trailing_fields: Sequence[tuple[str, Any]] = ()


class UploadBody:
    """The body of an upload, read block by block: a file, with the fields of a form around it.

    `time_limit` is for the whole upload.
    """

    time_limit: TimeLimit | None = None

    def __init__(self, path: Path, progress: Progress | None, head: bytes, tail: bytes) -> None:
        self._path = path
        self._file = path.open("rb")
        self._progress = progress
        self._before, self._after = head, tail
        self.size = len(head) + path.stat().st_size + len(tail)

    def read(self, size: int = -1) -> bytes:
        """Read a block and report the progress of the file.

        Raises BadFile if the disk fails, TooSlow if the server takes the blocks too slowly.
        """
        if self.time_limit is not None:
            self.time_limit.get_rest(self._file.tell())
        if self._before:
            block, self._before = self._before, b""
            return block
        try:
            block = self._file.read(size)
        except OSError as error:
            message = f"it cannot be read: {error.strerror or error}"
            raise BadFile(message, "check its disk", str(self._path)) from error
        if block and self._progress is not None:
            self._progress(self._file.tell())
        if not block:
            block, self._after = self._after, b""
        return block

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def make_form_body(form: UploadForm, progress: Progress | None) -> tuple[UploadBody, str]:
    """The body of a multipart form (RFC 7578), and its media type."""
    boundary = os.urandom(16).hex()
    field_name, path, file_name, media_type = form.content
    head = b"".join(_encode_field(boundary, name, value) for name, value in form.fields)
    named = f'form-data; name="{_quote(field_name)}"; filename="{_quote(file_name)}"'
    head += f"--{boundary}\r\nContent-Disposition: {named}\r\n".encode()
    head += f"Content-Type: {media_type}\r\n\r\n".encode()
    tail = b"\r\n" + b"".join(_encode_field(boundary, *one) for one in form.trailing_fields)
    tail += f"--{boundary}--\r\n".encode()
    return UploadBody(path, progress, head, tail), f"multipart/form-data; boundary={boundary}"


def _encode_field(boundary: str, name: str, value: Any) -> bytes:
    data = value if isinstance(value, bytes) else str(value).encode()
    disposition = f'Content-Disposition: form-data; name="{_quote(name)}"'
    return f"--{boundary}\r\n{disposition}\r\n\r\n".encode() + data + b"\r\n"


def _quote(name: str) -> str:
    """A name in a header of a form, as browsers escape it."""
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
