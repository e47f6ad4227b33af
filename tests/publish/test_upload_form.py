"""The upload form is the one that twine sends, field by field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from twine.package import PackageFile

from tests.factories.artifacts import make_member, write_sdist, write_wheel
from tests.factories.checked_files import GOOD
from twofold.formats.reader import read_artifact
from twofold.publish.files import ReleaseFile
from twofold.publish.targets.legacy import make_legacy_form
from twofold.publish.transport.request_bodies import UploadForm, make_form_body

FIELDS = """\
Author: Zoë
Keywords: a,b
Classifier: Typing :: Typed
Classifier: Environment :: Console
Requires-Dist: numpy>=1
Provides-Extra: all
Project-URL: Home, https://example.org
Project-URL: Source, https://example.org/s
Platform: any
License-File: LICENSE
"""


def read_form(pairs: list[tuple[str, Any]]) -> dict[str, list[str]]:
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(str(value))
    return form


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_it_has_the_fields_of_twine(kind: str, tmp_path: Path) -> None:
    metadata = GOOD.replace("Summary:", FIELDS + "Summary:").replace(
        "my_package\nV", "my_package\nV"
    )
    path = (
        write_wheel(tmp_path, None, metadata)
        if kind == "wheel"
        else write_sdist(tmp_path, make_member("my_package-1.0.0/LICENSE"), metadata=metadata)
    )
    package = PackageFile.from_filename(str(path), None)
    theirs: list[tuple[str, Any]] = [(":action", "file_upload"), ("protocol_version", "1")]
    for key, value in package.metadata_dictionary().items():
        if isinstance(value, dict):
            theirs += [(key, f"{label}, {url}") for label, url in value.items()]
        elif key == "keywords":
            theirs.append((key, ", ".join(package.metadata["keywords"])))
        elif isinstance(value, (list, tuple)):
            theirs += [(key, item) for item in value]
        else:
            theirs.append((key, value))
    ours = read_form(make_legacy_form(ReleaseFile(read_artifact(path))))
    assert ours == read_form(theirs)


def test_its_body_is_read_in_blocks_and_has_the_announced_size(tmp_path: Path) -> None:
    path = tmp_path / 'a "b".bin'
    path.write_bytes(b"x" * 100_000)
    seen: list[int] = []
    content = ("content", path, path.name, "application/octet-stream")
    form = UploadForm(content, [("n", "é")], [("last", json.dumps({}))])
    body, media = make_form_body(form, seen.append)
    blocks = []
    while block := body.read(1 << 14):
        blocks.append(block)
    body.close()
    sent = b"".join(blocks)
    assert len(sent) == body.size
    assert seen[-1] == 100_000
    assert b'filename="a %22b%22.bin"' in sent
    assert sent.endswith(f"--{media.partition('boundary=')[2]}--\r\n".encode())
