"""A damaged file is refused on every road, and healed by the same file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.factories.packages import make_sdist
from tests.server.conftest import Place


@pytest.mark.parametrize("size", [1000, 2 << 20], ids=["small", "large"])
@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-9"}], ids=["whole", "range"])
def test_damaged_bytes_are_never_sent(
    served: Place, tmp_path: Path, size: int, headers: dict[str, str]
) -> None:
    sdist = make_sdist(tmp_path, more={"data.bin": os.urandom(size)})
    done = served.publish(sdist)
    path = f"/main/files/{done.file.sha256}/{sdist.name}"
    assert served.get(path, **headers).status_code in (200, 206)
    [blob] = served.settings.data.joinpath("objects").rglob(done.file.sha256)
    good = blob.read_bytes()
    for bad in (good[:500] + bytes([good[500] ^ 1]) + good[501:], good[:-1], good + b"x"):
        blob.write_bytes(bad)
        for token in (None, served.token):
            answer = served.get(path, token, **headers)
            assert answer.status_code == 500, (len(bad), answer.content[:99])
            assert answer.json()["code"] == "damaged-file"
    assert served.upload(sdist).status_code == 200
    answer = served.get(path, **headers)
    assert answer.content == (good[:10] if headers else good)
