"""The PyPI side: pages, files, and the legacy upload."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from tests.factories.packages import make_sdist, make_wheel, metadata
from tests.server.conftest import Place
from twofold.server.registry import lifecycle
from twofold.server.web.pypi import negotiate

JSON = "application/vnd.pypi.simple.v1+json"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", "text/html"),
        ("*/*", "text/html"),
        ("application/xml", "text/html"),
        (JSON, JSON),
        (f"{JSON}; q=0, text/html", "text/html"),
        (f"{JSON};charset=utf-8;q=0.9, text/html;q=0.1", JSON),
        (f"text/html;q=0.01, {JSON}", JSON),
        (f"{JSON};q=nonsense", "text/html"),
        ("application/vnd.pypi.simple.latest+json", JSON),
        ("application/vnd.pypi.simple.v1+html", "application/vnd.pypi.simple.v1+html"),
    ],
)
def test_the_client_gets_the_form_it_asks_for(accept: str, wanted: str) -> None:
    assert negotiate(accept)[0] == wanted


@pytest.mark.parametrize("plus", ["+", "%2B"])
def test_the_form_may_stand_in_the_address(served: Place, tmp_path: Path, plus: str) -> None:
    served.upload(make_wheel(tmp_path)).raise_for_status()
    page = served.get(f"/main/simple/my-package/?format={JSON.replace('+', plus)}")
    assert page.headers["content-type"] == JSON


def test_a_project_page_has_everything_a_resolver_needs(served: Place, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "My.Package", "1.0", "Requires-Python: >=3.9")
    served.upload(wheel).raise_for_status()
    page = served.get("/main/simple/my-package/", accept=JSON)
    assert page.headers["content-type"] == JSON
    assert page.headers["vary"] == "Accept"
    (file,) = page.json()["files"]
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert file["hashes"] == {"sha256": sha256}
    assert file["requires-python"] == ">=3.9"
    assert file["size"] == wheel.stat().st_size
    assert file["upload-time"].endswith("Z")
    assert file["yanked"] is False
    assert page.json()["versions"] == ["1.0"]
    assert page.json()["project-status"] == {"status": "active"}
    message = metadata("My.Package", "1.0", "Requires-Python: >=3.9")
    assert file["core-metadata"] == {"sha256": hashlib.sha256(message).hexdigest()}
    url = f"/main/simple/my-package/{file['url']}"
    assert served.get(f"{url}.metadata").content == message
    assert served.get(url).content == wheel.read_bytes()


def test_pages_and_files_are_not_sent_again_to_who_has_them(served: Place, tmp_path: Path) -> None:
    served.upload(make_wheel(tmp_path)).raise_for_status()
    page = served.get("/main/simple/my-package/")
    again = served.get("/main/simple/my-package/", if_none_match=page.headers["etag"])
    assert (again.status_code, again.headers["etag"]) == (304, page.headers["etag"])


def test_files_can_be_read_in_parts(served: Place, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    done = served.upload(wheel).json()
    url = f"/main/files/{done['sha256']}/{wheel.name}"
    body = wheel.read_bytes()
    part = served.get(url, range="bytes=10-19")
    assert (part.status_code, part.content) == (206, body[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(body)}"
    assert served.get(url, range="bytes=-5").content == body[-5:]
    assert served.get(url, range="bytes=5-").content == body[5:]
    assert served.get(url, range=f"bytes={len(body)}-").status_code == 416
    for many in (f"bytes={'9' * 5000}-", f"bytes=-{'9' * 5000}", f"bytes=0-{'9' * 5000}"):
        assert served.get(url, range=many).content == body
    whole = served.get(url)
    assert "immutable" in whole.headers["cache-control"]
    assert "content-encoding" not in whole.headers


def test_a_name_that_is_not_normalised_is_redirected(served: Place, tmp_path: Path) -> None:
    served.upload(make_wheel(tmp_path)).raise_for_status()
    answer = served.get("/main/simple/My_Package/")
    assert answer.status_code == 200
    assert [step.status_code for step in answer.history] == [301]
    assert served.get("/main/simple/my-package").history[0].status_code == 301


def test_a_redirect_to_a_normalised_name_stays_on_this_server(served: Place) -> None:
    for name in ("x:Y", "http:Evil.example", "%5C%5CEvil.example"):
        answer = requests.get(f"{served.channel}/simple/{name}", allow_redirects=False, timeout=120)
        target = urljoin(answer.url, answer.headers["location"])
        assert answer.status_code == 301 and target.startswith(f"{served.channel}/simple/")


def test_an_unknown_project_is_not_found(served: Place) -> None:
    assert served.get("/main/simple/nothing/").status_code == 404


def test_the_index_lists_projects(served: Place, tmp_path: Path) -> None:
    assert served.get("/main/simple/", accept=JSON).json()["projects"] == []
    served.upload(make_wheel(tmp_path, "b")).raise_for_status()
    served.upload(make_sdist(tmp_path, "a")).raise_for_status()
    names = [p["name"] for p in served.get("/main/simple/", accept=JSON).json()["projects"]]
    assert names == ["a", "b"]


def test_a_refusal_stands_in_the_status_line_and_in_the_body(served: Place, tmp_path: Path) -> None:
    served.upload(make_wheel(tmp_path)).raise_for_status()
    answer = served.upload(make_wheel(tmp_path, code="other = 1\n"))
    assert answer.status_code == 400
    assert answer.reason.startswith("File already exists")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "file-exists"
    assert answer.json()["detail"].startswith("File already exists")


def test_the_same_file_again_changes_nothing(served: Place, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    assert served.upload(wheel).json()["new"] is True
    before = served.get("/main/simple/my-package/", accept=JSON).json()
    again = served.upload(wheel)
    assert (again.status_code, again.json()["new"]) == (200, False)
    assert served.get("/main/simple/my-package/", accept=JSON).json() == before


def test_a_deleted_name_is_never_given_to_other_bytes(served: Place, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    served.upload(wheel).raise_for_status()
    lifecycle.delete(served.registry, served.owner, "main", "", wheel.name)
    assert served.get("/main/simple/my-package/", accept=JSON).status_code == 404
    for code in ("x = 1\n", "other = 1\n"):
        answer = served.upload(make_wheel(tmp_path, code=code))
        assert answer.status_code == 400
        assert "File already exists" in answer.reason


@pytest.mark.parametrize("field", ["sha256_digest", "md5_digest", "blake2_256_digest"])
def test_every_digest_that_is_sent_must_match(served: Place, tmp_path: Path, field: str) -> None:
    wheel = make_wheel(tmp_path)
    body = wheel.read_bytes()
    right = {
        "sha256_digest": hashlib.sha256(body).hexdigest(),
        "md5_digest": hashlib.md5(body).hexdigest(),
        "blake2_256_digest": hashlib.blake2b(body, digest_size=32).hexdigest(),
    }
    wrong = served.upload(wheel, **{field: "0" * 32})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "digest-mismatch")
    assert served.get("/main/simple/my-package/").status_code == 404
    assert served.upload(wheel, **right).status_code == 200


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"name": "other"}, "name-mismatch"),
        ({"version": "2.0"}, "version-mismatch"),
        ({"filetype": "sdist"}, "filetype-mismatch"),
        ({":action": "submit"}, "unknown-action"),
        ({"protocol_version": "2"}, "unknown-protocol"),
    ],
)
def test_a_form_that_disagrees_with_its_file_is_refused(
    served: Place, tmp_path: Path, fields: dict[str, str], code: str
) -> None:
    answer = served.upload(make_wheel(tmp_path), **fields)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_a_file_that_is_not_what_its_name_says_is_refused(served: Place, tmp_path: Path) -> None:
    path = tmp_path / "my_package-1.0.0-py3-none-any.whl"
    path.write_text("<html></html>", encoding="utf-8")
    answer = served.upload(path)
    assert answer.status_code == 400
    assert answer.reason.startswith("Invalid file my_package-1.0.0-py3-none-any.whl")


def test_yanked_files_stay_listed_with_their_reason(served: Place, tmp_path: Path) -> None:
    served.upload(make_wheel(tmp_path)).raise_for_status()
    lifecycle.yank(served.registry, served.owner, "main", "my_package", "1.0.0", "it <breaks>")
    (file,) = served.get("/main/simple/my-package/", accept=JSON).json()["files"]
    assert file["yanked"] == "it <breaks>"
    assert 'data-yanked="it &lt;breaks&gt;"' in served.get("/main/simple/my-package/").text
    assert served.get("/main/noarch/repodata.json").json()["packages.conda"] == {}
    lifecycle.unyank(served.registry, served.owner, "main", "my_package", "1.0.0")
    (file,) = served.get("/main/simple/my-package/", accept=JSON).json()["files"]
    assert file["yanked"] is False
    assert len(served.get("/main/noarch/repodata.json").json()["packages.conda"]) == 1


def test_a_token_is_needed_and_a_wrong_one_is_reported(served: Place, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    assert served.upload(wheel, token="").status_code == 401
    wrong = served.upload(wheel, token="wrong")
    assert (wrong.status_code, wrong.reason[:13]) == (401, "Invalid token")
    almost = served.upload(wheel, token=served.token[:-1] + "-")
    assert "mistyped" in almost.reason


def test_an_upload_without_the_slash_is_sent_on(served: Place) -> None:
    import requests

    answer = requests.post(f"{served.channel}/legacy", timeout=120, allow_redirects=False)
    assert answer.status_code == 308
    assert urljoin(answer.url, answer.headers["location"]) == f"{served.channel}/legacy/"
