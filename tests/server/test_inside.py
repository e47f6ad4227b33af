"""Members of files are listed and shown, and releases compared, to those who may download them."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import update

from tests.factories.packages import (
    make_conda,
    make_sdist,
    make_wheel,
    record,
    sha256_of,
    wheel_members,
    zip_bytes,
)
from tests.server.conftest import Place
from twofold.errors import Refused
from twofold.server.auth import accounts
from twofold.server.model import ANONYMOUS
from twofold.server.registry import lifecycle
from twofold.server.registry.browsing import comparison, inside
from twofold.server.registry.browsing.comparison import Comparison
from twofold.server.registry.browsing.members import Content
from twofold.server.store.blobs.backend import make_key
from twofold.server.store.schema import files as files_table


def make_wheel_with(folder: Path, version: str, files: dict[str, bytes]) -> Path:
    """A wheel of my_package with further files."""
    members = wheel_members("my_package", version)
    own = f"my_package-{version}.dist-info/RECORD"
    del members[own]
    members.update(files)
    members[own] = record(members, own)
    folder.mkdir(exist_ok=True)
    path = folder / f"my_package-{version}-py3-none-any.whl"
    path.write_bytes(zip_bytes(members))
    return path


def compare(place: Place, old: str, new: str) -> Comparison:
    found = comparison.choose_files(place.registry, ANONYMOUS, "main", "my-package", (old, new))
    assert found.old is not None and found.new is not None
    return comparison.compare(place.registry, found.old, found.new)


def test_every_kind_of_file_is_opened(served: Place, tmp_path: Path) -> None:
    served.publish(make_wheel(tmp_path, code="print('<b>hello</b>')\n"))
    served.publish(make_sdist(tmp_path))
    served.publish(make_conda(tmp_path, "gamma"))
    page = "/main/project/my-package/-/files/"
    wheel = served.get(f"{page}my_package-1.0.0-py3-none-any.whl").text
    assert "my_package-1.0.0.dist-info/METADATA" in wheel and "4 files" in wheel
    text = served.get(f"{page}my_package-1.0.0-py3-none-any.whl?member=my_package/__init__.py").text
    assert "print(&#39;&lt;b&gt;hello&lt;/b&gt;&#39;)" in text and "<b>hello" not in text
    assert "PKG-INFO" in served.get(f"{page}my_package-1.0.0.tar.gz").text
    conda = "/main/project/gamma/-/files/noarch/gamma-1.0.0-py_0.conda"
    listed = served.get(conda).text
    assert "info/index.json" in listed and "site-packages/gamma/__init__.py" in listed
    assert "info/about.json" in listed and "info/recipe/meta.yaml" in listed
    index = served.get(f"{conda}?member=info/index.json").text
    assert "&#34;name&#34;: &#34;gamma&#34;" in index  # indented
    converted = "/main/project/my-package/-/files/noarch/my_package-1.0.0-py_0.conda"
    assert "info/paths.json" in served.get(converted).text
    assert "No path has this part" in served.get(f"{conda}?part=nowhere&page=7").text
    for wrong in (f"{conda}?member=nowhere", f"{page}noarch/gamma-1.0.0-py_0.conda", f"{page}no"):
        assert served.get(wrong).status_code == 404, wrong


def test_who_may_not_download_a_file_does_not_look_into_it(served: Place, tmp_path: Path) -> None:
    assert served.owner.user is not None
    accounts.add_channel(served.registry, "owner", "secret", served.owner.user, public=False)
    served.publish(make_wheel(tmp_path), "secret")
    served.publish(make_wheel(tmp_path, version="2.0"), "secret")
    file = "/secret/project/my-package/-/files/my_package-1.0.0-py3-none-any.whl"
    for path in (
        file,
        f"{file}?member=my_package/__init__.py",
        file.partition("files")[0] + "compare",
    ):
        assert served.get(path).status_code == 401, path
        answer = served.get(path, token=served.token)
        assert answer.ok and "private" in answer.headers["cache-control"], path
    lifecycle.set_status(served.registry, served.owner, "secret", "my-package", "quarantined")
    assert served.get(file, token=served.token).status_code == 403
    compared = served.get("/secret/project/my-package/-/compare", token=served.token)
    assert compared.status_code == 403


def test_texts_are_bounded_and_what_is_binary_or_hidden_says_so(
    place: Place, tmp_path: Path
) -> None:
    long = ("é" * 99 + "\n").encode() * 2000
    file = place.publish(
        make_wheel_with(
            tmp_path,
            "1.0",
            {
                "my_package/long.txt": b"x" + long,
                "my_package/data.bin": bytes(range(256)) * 40,
                "my_package/latin.txt": "é".encode("latin-1") * 9,
                "my_package/trojan.py": "if a: \u202e} \u2066# x\r\nb\x1b[31m\n".encode(),
                "my_package/empty.py": b"",
                "my_package/bad.json": b"{" * 5000,
            },
        )
    ).file

    def read(name: str) -> inside.MemberText:
        return inside.read_member(place.registry, file, f"my_package/{name}")

    cut = read("long.txt")
    assert cut.is_cut and cut.size == len(long) + 1
    assert cut.text is not None and inside.MAX_TEXT - 4 <= len(cut.text.encode()) <= inside.MAX_TEXT
    assert read("data.bin").text is None and read("latin.txt").text is None
    assert read("trojan.py").text == "if a: <U+202E>} <U+2066># x\nb<U+001B>[31m\n"
    assert read("empty.py").text == "" and read("bad.json").text == "{" * 5000
    assert inside.decode_text(Content(b"a\xc3", 3)) == "a"
    assert inside.decode_text(Content(b"a\xc3", 2)) is None
    with pytest.raises(Refused, match="There is no"):
        read("nowhere")


def test_two_releases_are_compared(place: Place, tmp_path: Path) -> None:
    one = {"my_package/a.py": b"1\n2\n3\n", "my_package/old.py": b"", "my_package/b.bin": b"\0"}
    two = {
        "my_package/a.py": b"1\ntwo\n3\n",
        "my_package/new.py": b"x",
        "my_package/b.bin": b"\0\1",
    }
    place.publish(make_wheel_with(tmp_path, "1.0", one))
    place.publish(make_wheel_with(tmp_path, "1.1", two))
    place.publish(make_sdist(tmp_path, version="1.1"))
    found = compare(place, "", "")
    assert [path for path, _ in found.added] == ["my_package/new.py"]
    assert [path for path, _ in found.removed] == ["my_package/old.py"]
    changes = {one.path: one for one in found.changed}
    assert "-2\n+two\n" in changes["my_package/a.py"].diff
    assert changes["my_package/b.bin"].note == "binary"
    assert "+Version: 1.1" in changes["my_package-1.1.dist-info/METADATA"].diff
    assert changes["my_package-1.1.dist-info/RECORD"].note == "a list of hashes"
    assert found.unchanged == 2  # __init__.py and WHEEL
    conda = compare(place, "noarch/my_package-1.0-py_0.conda", "1.1")
    assert conda.new.filename == "my_package-1.1-py_0.conda"
    assert "site-packages/my_package/new.py" in dict(conda.added)
    for old, new in (("9.9", "1.1"), ("1.0", "my_package-1.1.tar.gz.x")):
        with pytest.raises(Refused):
            compare(place, old, new)


def test_differences_are_bounded_in_lines_and_time(place: Place, tmp_path: Path) -> None:
    """Texts made to keep a comparison busy: many lines, each other way round."""
    lines = [f"line {number}\n" for number in range(1900)]
    names = [f"my_package/m{number}.txt" for number in range(12)]
    old = {name: "".join(lines).encode() for name in names}
    new = {name: "".join(reversed(lines)).encode() for name in names}
    old["my_package/a_many.txt"], new["my_package/a_many.txt"] = b"a\n" * 3000, b"b\n" * 3000
    old["my_package/big.txt"], new["my_package/big.txt"] = b"a" * 200_000, b"b" * 200_000
    place.publish(make_wheel_with(tmp_path, "1.0", old))
    place.publish(make_wheel_with(tmp_path, "1.1", new))
    found = compare(place, "1.0", "1.1")
    notes = {one.path: one.note for one in found.changed}
    assert "more than 2000 lines" in notes["my_package/a_many.txt"]
    assert "too large" in notes["my_package/big.txt"]
    total = sum(len(one.diff.splitlines()) for one in found.changed)
    assert total <= comparison.MAX_DIFF_LINES
    assert any("too many differences" in note for note in notes.values())


def test_a_bomb_and_a_damaged_file_end_in_an_error_page(served: Place, tmp_path: Path) -> None:
    """The upload refuses both; a store may hold what an older version took."""
    file = served.publish(make_sdist(tmp_path)).file
    page = f"/main/project/my-package/-/files/{quote(file.filename)}"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        header = tarfile.TarInfo("my_package-1.0.0/PKG-INFO")
        header.size = 80 << 20
        tar.addfile(header, _Zeros(header.size))
    bomb = tmp_path / "bomb"
    for content in (out.getvalue(), b"\x1f\x8bnothing", b""):
        bomb.write_bytes(content)
        digest = sha256_of(bomb)
        served.registry.blobs.put(digest, bomb)
        with served.registry.database.write() as db:
            db.execute(update(files_table).where(files_table.c.id == file.id).values(sha256=digest))
        answer = served.get(page, accept="text/html")
        assert answer.status_code in (422, 500, 503) and "Traceback" not in answer.text
        assert "are damaged" not in answer.text
    assert served.registry.blobs.folder is not None
    stored = served.registry.blobs.folder / make_key(digest)
    stored.write_bytes(b"another")
    assert served.get(page).json()["code"] == "damaged-file"
    stored.unlink()
    assert served.get(page).status_code == 503
    assert not list(served.registry.spool.glob("inside-*"))


class _Zeros(io.RawIOBase):
    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        taken = min(size, self.left)
        self.left -= taken
        return bytes(taken)
