"""Malformed and random input: JSON values and multipart forms."""

from __future__ import annotations

from hypothesis import strategies as st


def json_values() -> st.SearchStrategy[object]:
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )


def form(*parts: bytes, boundary: bytes = b"B") -> bytes:
    lines = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return lines + b"--" + boundary + b"--\r\n"


def field(name: str, value: bytes = b"x", extra: str = "") -> bytes:
    return f'Content-Disposition: form-data; name="{name}"{extra}\r\n\r\n'.encode() + value


START = (field(":action", b"file_upload"), field("protocol_version", b"1"))


FORM = "multipart/form-data; boundary=B"
