"""conda packages whose index or listing is set by the test."""

from __future__ import annotations

import json

from tests.factories.artifacts import (
    compress_tar,
    make_member,
)

INDEX = {
    "name": "my_package",
    "version": "1.0.0",
    "build": "py_0",
    "build_number": 0,
    "subdir": "noarch",
}


def make_info(index: object = None, paths: object = None) -> bytes:
    return compress_tar(
        make_member("info/index.json", json.dumps(INDEX if index is None else index).encode()),
        make_member("info/paths.json", json.dumps({"paths": paths or []}).encode()),
    )
