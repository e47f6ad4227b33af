"""What specifications of the PyPI side ask for off the common road, and the page of it all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import requests

from tests.factories.packages import make_sdist, make_wheel
from tests.server.conftest import Place

ROOT = Path(__file__).parents[2]

JSON = "application/vnd.pypi.simple.v1+json"


def test_pages_say_the_version_of_the_api_and_when_files_came(
    served: Place, tmp_path: Path
) -> None:
    served.publish(make_wheel(tmp_path))
    page = served.get("/main/simple/my-package/", accept=JSON).json()
    assert page["meta"] == {"api-version": "1.4", "_last-serial": 1}
    (file,) = page["files"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", file["upload-time"])
    assert "dist-info-metadata" not in file  # PEP 714: it makes pip 22.3 to 23.1 fail
    html = served.get("/main/simple/my-package/").text
    assert '<meta name="pypi:repository-version" content="1.4">' in html
    assert "data-core-metadata" in html and "data-dist-info-metadata" in html


def test_a_file_is_requested_by_head_and_not_sent_again(served: Place, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    done = served.upload(wheel).json()
    url = f"{served.channel}/files/{done['sha256']}/{wheel.name}"
    head = requests.head(url, timeout=120)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == wheel.stat().st_size
    assert head.headers["accept-ranges"] == "bytes" and "immutable" in head.headers["cache-control"]
    again = requests.get(url, headers={"if-none-match": head.headers["etag"]}, timeout=120)
    assert (again.status_code, again.content) == (304, b"")
    page = f"{served.channel}/simple/my-package/"
    assert requests.head(page, timeout=120).headers["etag"]


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["License-Expression: MIT OR Apache-2.0"], 200),
        (["License-Expression: NOT-A-LICENCE"], 400),
        # PEP 639 calls these classifiers superseded; PyPI holds files that have both.
        (["License-Expression: MIT", "Classifier: License :: OSI Approved :: MIT License"], 200),
        (["Import-Name: my_package"], 200),
    ],
)
def test_names_licences_and_import_names_are_held_to_their_specifications(
    served: Place, tmp_path: Path, lines: list[str], status: int
) -> None:
    answer = served.upload(make_wheel(tmp_path, "my_package", "1.0", *lines))
    assert answer.status_code == status, answer.text
    sdist = make_sdist(tmp_path, "other_one")
    renamed = sdist.rename(sdist.with_name("Other-One-1.0.0.tar.gz"))
    assert served.upload(renamed).status_code == 400


def test_every_test_that_the_page_names_is_there() -> None:
    page = (ROOT / "docs" / "reference" / "what-is-held.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", page)
    assert len(named) > 60
    for file, name in named:
        path = ROOT / file if "/" in file else ROOT / "tests" / "server" / file
        assert f"def {name}(" in path.read_text(encoding="utf-8"), (file, name)
