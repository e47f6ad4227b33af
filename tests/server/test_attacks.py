"""The rows of the table of attacks, through the front door: refused, with nothing shown."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.factories.packages import (
    make_conda,
    make_sdist,
    make_wheel,
    record,
    wheel_members,
    zip_bytes,
)
from tests.server.conftest import Place
from twofold.errors import Refused
from twofold.server.auth import accounts
from twofold.server.model import Action, Actor
from twofold.server.registry import lifecycle
from twofold.server.registry.labels import Promotion, Selection, promote

NAME, VERSION = "my_package", "1.0.0"
INFO = f"{NAME}-{VERSION}.dist-info"


def spooled(place: Place) -> list[Path]:
    spool = place.registry.spool
    return list(spool.iterdir()) if spool.exists() else []


def with_record(members: dict[str, bytes]) -> bytes:
    own = f"{INFO}/RECORD"
    rest = {path: data for path, data in members.items() if path != own}
    return zip_bytes({**rest, own: record(rest, own)})


def members() -> dict[str, bytes]:
    return wheel_members(NAME, VERSION)


def twice() -> bytes:
    out = io.BytesIO(zip_bytes(members()))
    with pytest.warns(UserWarning), zipfile.ZipFile(out, "a") as archive:
        archive.writestr(f"{NAME}/__init__.py", "evil = 1\n")
    return out.getvalue()


def trailing() -> bytes:
    return zip_bytes(members()) + b"more after the end"


def prepended() -> bytes:
    return b"#!/bin/sh\n" + zip_bytes(members())


def commented() -> bytes:
    out = io.BytesIO(zip_bytes(members()))
    with zipfile.ZipFile(out, "a") as archive:
        archive.comment = b"hidden"
    return out.getvalue()


def climbing() -> bytes:
    return with_record({**members(), "../../evil.py": b"evil = 1\n"})


def absolute() -> bytes:
    return with_record({**members(), "/etc/evil.py": b"evil = 1\n"})


def outside_record() -> bytes:
    return zip_bytes({**members(), f"{NAME}/unlisted.py": b"evil = 1\n"})


def wrong_hash() -> bytes:
    return zip_bytes({**members(), f"{NAME}/__init__.py": b"changed = 1\n"})


def no_record() -> bytes:
    return zip_bytes({path: data for path, data in members().items() if "RECORD" not in path})


def script_that_climbs() -> bytes:
    text = b"[console_scripts]\n../../evil = my_package:x\n"
    return with_record({**members(), f"{INFO}/entry_points.txt": text})


def names_disagree() -> bytes:
    """The local header says another name than the central directory."""
    body = bytearray(zip_bytes(members()))
    at = body.index(b"my_package/__init__.py")
    body[at : at + 10] = b"no_package"
    return bytes(body)


def bomb() -> bytes:
    """300 MB of zeros in 300 kB."""
    return with_record({**members(), f"{NAME}/zeros": bytes(300 << 20)})


def page() -> bytes:
    return b"<!DOCTYPE html><script>alert(1)</script>"


def link() -> bytes:
    out = io.BytesIO(zip_bytes(members()))
    with zipfile.ZipFile(out, "a") as archive:
        info = zipfile.ZipInfo(f"{NAME}/link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return out.getvalue()


def cut() -> bytes:
    return zip_bytes(members())[:-30]


def other_metadata() -> bytes:
    return with_record(
        {**members(), f"{INFO}/METADATA": b"Metadata-Version: 2.1\nName: other\nVersion: 1.0.0\n"}
    )


def huge_count() -> bytes:
    """An end of the directory that claims 65,535 members."""
    body = bytearray(zip_bytes(members()))
    at = body.rindex(b"PK\x05\x06")
    body[at + 8 : at + 12] = struct.pack("<HH", 0xFFFF, 0xFFFF)
    return bytes(body)


@pytest.mark.parametrize(
    "make",
    [
        twice,
        trailing,
        prepended,
        commented,
        climbing,
        absolute,
        outside_record,
        wrong_hash,
        no_record,
        script_that_climbs,
        names_disagree,
        bomb,
        page,
        link,
        cut,
        other_metadata,
        huge_count,
    ],
    ids=lambda make: make.__name__,
)
def test_a_crafted_wheel_is_refused(
    served: Place, tmp_path: Path, make: Callable[[], bytes]
) -> None:
    path = tmp_path / f"{NAME}-{VERSION}-py3-none-any.whl"
    path.write_bytes(make())
    answer = served.upload(path)
    assert answer.status_code == 400, answer.text
    assert answer.reason.startswith("Invalid file")
    assert len(answer.reason) > len(f"Invalid file {path.name}: ")
    assert served.get("/main/simple/my-package/").status_code == 404
    assert list(served.registry.blobs.list_all()) == []
    assert spooled(served) == []


def tar_with(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    "bad",
    [
        member("../evil.py"),
        member("/etc/evil.py"),
        member(f"{NAME}-{VERSION}/link", tarfile.SYMTYPE, "/etc/passwd"),
        member(f"{NAME}-{VERSION}/link", tarfile.LNKTYPE, "../../etc/passwd"),
        member(f"{NAME}-{VERSION}/device", tarfile.CHRTYPE),
        member("elsewhere/file.py"),
    ],
    ids=["climbing", "absolute", "symlink", "hard link", "device", "second root"],
)
def test_a_crafted_sdist_is_refused(served: Place, tmp_path: Path, bad: tarfile.TarInfo) -> None:
    message = b"Metadata-Version: 2.1\nName: my_package\nVersion: 1.0.0\n"
    project = (member(f"{NAME}-{VERSION}/pyproject.toml"), b"")
    path = tmp_path / f"{NAME}-{VERSION}.tar.gz"
    info = (member(f"{NAME}-{VERSION}/PKG-INFO"), message)
    path.write_bytes(tar_with(info, project, (bad, b"" if bad.type != tarfile.REGTYPE else b"x")))
    answer = served.upload(path)
    assert answer.status_code == 400, answer.text
    assert answer.reason.startswith("Invalid file")


def test_a_conda_package_under_another_name_is_refused(served: Place, tmp_path: Path) -> None:
    package = make_conda(tmp_path)
    renamed = package.with_name("other-1.0.0-py_0.conda")
    package.rename(renamed)
    assert served.upload(renamed).status_code == 400


@pytest.mark.parametrize(
    "name",
    [
        "../my_package-1.0.0-py3-none-any.whl",
        "a/b-1.0-py3-none-any.whl",
        "a\\b-1.0-py3-none-any.whl",
        "con.whl",
        "..whl",
        "a%2fb-1.0-py3-none-any.whl",
        "a\x01-1.0-py3-none-any.whl",
        "x" * 300 + "-1.0-py3-none-any.whl",
        "pk\xe9-1.0-py3-none-any.whl",
    ],
)
def test_a_file_name_that_could_do_harm_is_refused(
    served: Place, tmp_path: Path, name: str
) -> None:
    wheel = make_wheel(tmp_path)
    headers = {"authorization": f"Bearer {served.token}"}
    answer = requests.post(
        f"{served.channel}/upload",
        files={"file": (name, wheel.read_bytes())},
        headers=headers,
        timeout=120,
    )
    assert answer.status_code == 400, answer.text
    assert spooled(served) == []


def test_a_message_cannot_add_headers_or_end_the_status_line(served: Place, tmp_path: Path) -> None:
    evil = "1.0\r\nSet-Cookie: evil=1\r\n\r\n\u2713" + "y" * 9000
    answer = served.upload(make_wheel(tmp_path), version=evil)
    assert answer.status_code == 400
    assert "set-cookie" not in answer.headers
    assert len(answer.reason) <= 400
    assert answer.reason.isprintable()


@pytest.mark.parametrize(
    ("first", "second"),
    [("util1", "utill"), ("foo", "f00"), ("a-b", "ab"), ("my-pack.age", "MY_PACKAGE")],
)
def test_confusable_names_are_refused(
    served: Place, tmp_path: Path, first: str, second: str
) -> None:
    served.publish(make_wheel(tmp_path, first))
    answer = served.upload(make_wheel(tmp_path, second))
    assert (answer.status_code, answer.json()["code"]) == (400, "confusable-name")


def test_a_deleted_project_leaves_its_name_to_others_and_is_compared_when_it_returns(
    served: Place, tmp_path: Path
) -> None:
    first, second = make_wheel(tmp_path, "mypackage", "1.0"), make_wheel(tmp_path, "my_package")
    served.publish(first)
    assert ">mypackage<" in served.get("/main/simple/").text
    lifecycle.delete_release(served.registry, served.owner, "main", "mypackage")
    for path in ("/main/simple/", "/main"):
        assert "/mypackage" not in served.get(path).text
        assert ">mypackage<" not in served.get(path).text
    assert served.upload(second).status_code == 200
    answer = served.upload(make_wheel(tmp_path, "mypackage", "1.1"))
    assert (answer.status_code, answer.json()["code"]) == (400, "confusable-name")
    lifecycle.delete_release(served.registry, served.owner, "main", "my-package")
    assert served.upload(make_wheel(tmp_path, "mypackage", "1.1")).status_code == 200


def test_a_described_project_holds_its_name(served: Place, tmp_path: Path) -> None:
    lifecycle.describe_project(served.registry, served.owner, "main", "util1", {"summary": "x"})
    assert served.upload(make_wheel(tmp_path, "utill")).json()["code"] == "confusable-name"
    assert served.upload(make_wheel(tmp_path, "util1")).status_code == 200


def test_promotion_passes_the_admission_checks_of_an_upload(place: Place, tmp_path: Path) -> None:
    """A lookalike, a name under a private prefix, and more bytes than the quota has room for."""
    from twofold.server.registry import administration

    registry, owner = place.registry, place.owner
    assert owner.user is not None
    accounts.add_channel(registry, "owner", "stable", owner.user)
    ann = accounts.add_user(registry, "operator", "ann")
    administration.set_role(registry, "operator", "stable", ann, Action.UPLOAD)
    place.publish(make_wheel(tmp_path, "util1"), channel="stable")
    for name in ("utill", "acme-tools", "my_package"):
        place.publish(make_wheel(tmp_path, name))
    administration.reserve_prefix(registry, "operator", "stable", "acme", owner.user)

    def refusal(name: str) -> str:
        with pytest.raises(Refused) as refused:
            promote(registry, Actor(ann), Promotion("main", "stable", Selection(name)))
        return refused.value.code

    assert refusal("utill") == "confusable-name"
    assert refusal("acme-tools") == "private-prefix"
    administration.set_rules(registry, "operator", "stable", {"quota": 3000})
    assert refusal("my_package") == "quota"
    administration.set_rules(registry, "operator", "stable", {"quota": None})
    assert len(promote(registry, Actor(ann), Promotion("main", "stable", Selection("my_package"))))


def test_names_of_python_itself_are_refused(served: Place, tmp_path: Path) -> None:
    assert "standard library" in served.upload(make_wheel(tmp_path, "json")).reason


def test_equal_work_is_done_for_an_unknown_user_and_a_wrong_password(place: Place) -> None:
    """Both verify one argon2 hash, by the work of the processor: a pause is nobody's work."""
    import time

    accounts.add_user(place.registry, "owner", "someone", "right-password")

    def seconds(user: str) -> float:
        best = 9.0
        for _ in range(3):
            begun = time.process_time()
            with pytest.raises(Refused, match="Invalid user name or password"):
                accounts.check_password(place.registry, user, "wrong")
            best = min(best, time.process_time() - begun)
        return best

    seconds("nobody")
    known, unknown = seconds("someone"), seconds("nobody")
    assert 0.2 < known / unknown < 5  # without the hash it would be some hundred


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"nonsense", "multipart/form-data; boundary=x"),
        (b"--x\r\nno header\r\n\r\n\r\n--x--", "multipart/form-data; boundary=x"),
        (
            b"--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--",
            "multipart/form-data; boundary=x",
        ),
        (b"{}", "application/json"),
        (b"", "multipart/form-data"),
        (b"--x", "multipart/form-data; boundary=" + "x" * 500),
        (
            b"".join(
                b'--x\r\nContent-Disposition: form-data; name="a%d"\r\n\r\n1\r\n' % n
                for n in range(1001)
            )
            + b"--x--",
            "multipart/form-data; boundary=x",
        ),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\xfe\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
    ],
    ids=["nonsense", "no header", "no name", "json", "no boundary", "long", "1001 parts", "bytes"],
)
def test_a_malformed_form_is_refused(served: Place, body: bytes, kind: str) -> None:
    answer = requests.post(
        f"{served.channel}/legacy/",
        data=body,
        headers={"content-type": kind},
        auth=("__token__", served.token),
        timeout=120,
    )
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["code"]
    assert spooled(served) == []


@pytest.mark.parametrize(
    "path",
    [
        "/main/simple/%00/",
        "/main/simple/..%2f..%2fetc/",
        "/main/files/x/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/main/noarch/%00.conda",
        "/main/..%2f..%2f/repodata.json",
        "/main/label/%00/noarch/repodata.json",
        "/%00/simple/",
        "/" + "x" * 5000 + "/simple/",
        "/main/noarch/shards/zz.msgpack.zst",
        "/t/%00/main/simple/",
        "/main/simple/%ff%fe/",
        "/main/pypi/%00/json",
        "/main/integrity/x/1/%00/provenance",
        "/api/package/main/%00",
        "/api/user/%00",
    ],
)
def test_odd_addresses_are_answered_with_4xx(served: Place, path: str) -> None:
    answer = served.get(path)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["detail"]


def test_sdists_and_wheels_of_good_make_pass(served: Place, tmp_path: Path) -> None:
    for path in (make_wheel(tmp_path), make_sdist(tmp_path), make_conda(tmp_path, "c")):
        headers = {"authorization": f"Bearer {served.token}", "x-file-name": path.name}
        answer = requests.post(
            f"{served.channel}/upload", data=path.read_bytes(), headers=headers, timeout=120
        )
        assert answer.status_code == 200, answer.text


def test_a_local_version_is_taken_by_an_index_of_ones_own(served: Place, tmp_path: Path) -> None:
    """PyPI refuses it (TF023); builds of one's own are what it is for (PEP 440)."""
    wheel = make_wheel(tmp_path, version="1.0+cpu")
    assert served.upload(wheel).status_code == 200
    page = requests.get(f"{served.channel}/simple/my-package/", timeout=120).text
    assert "1.0+cpu" in page or "1.0%2Bcpu" in page
    twin = requests.get(f"{served.channel}/noarch/repodata.json", timeout=120).json()
    assert [one["version"] for one in twin["packages.conda"].values()] == ["1.0+cpu"]
