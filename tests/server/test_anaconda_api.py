"""The Anaconda.org API call by call: by the client's library, rattler-build's uploader, bare."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from binstar_client import Binstar
from binstar_client.errors import BinstarError, Conflict, NotFound, Unauthorized

from tests.clients.anaconda import client, second_user
from tests.factories.packages import make_conda, make_sdist, make_wheel
from tests.server.conftest import Place
from twofold.server.auth import authentications
from twofold.server.model import now


def send(api: Binstar, path: Path, owner: str = "owner", channels: tuple[str, ...] = ()) -> Any:
    """As `anaconda upload` sends a file, without the questions before it."""
    name, version = path.name.split("-")[:2]
    version = version.removesuffix(".tar.gz")
    conda = path.suffix == ".conda"
    basename = f"noarch/{path.name}" if conda else path.name
    api.add_package(owner, name, "a summary")
    api.add_release(owner, name, version, [], None, {"description": "described"})
    kind = "conda" if conda else "pypi"
    with path.open("rb") as file:
        return api.upload(owner, name, version, basename, file, kind, channels=list(channels))


# Logging in and tokens


def test_a_password_gives_a_token_and_a_wrong_one_a_401(served: Place) -> None:
    bea = second_user(served)
    api = client(served, "")
    token = api.authenticate("bea", bea.password, "laptop")
    assert client(served, token).user()["login"] == "bea"
    with pytest.raises(Unauthorized, match="Invalid user name or password"):
        client(served, "").authenticate("bea", "wrong", "laptop")
    with pytest.raises(Unauthorized):
        client(served, "").authenticate("nobody", "wrong", "laptop")


def test_an_unknown_bearer_makes_the_client_ask_for_the_password(served: Place) -> None:
    with pytest.raises(Unauthorized, match=r"^\('Bearer token authentication is not enabled', 401"):
        client(served, "").bearer_authentication(auth="of-another-service", application="x")
    assert client(served, "").bearer_authentication(auth=served.token, application="x")


def test_a_name_is_taken_once_when_the_client_asks_for_that_and_replaced_otherwise(
    served: Place,
) -> None:
    api = client(served, "")
    first = api.authenticate("owner", served.token, "laptop", fail_if_already_exists=True)
    with pytest.raises(BinstarError, match="already") as refused:
        api.authenticate("owner", served.token, "laptop", fail_if_already_exists=True)
    assert refused.value.args[1] == 400
    second = api.authenticate("owner", served.token, "laptop")
    assert client(served, second).user()["login"] == "owner"
    with pytest.raises(BinstarError, match="revoked"):
        client(served, first).user()


def test_a_token_ends_after_its_age_and_no_token_of_it_lives_longer(place: Place) -> None:
    registry = place.registry
    wish = authentications.TokenSpec("short", max_age=60)
    short = authentications.create(registry, place.owner, wish)
    actor = authentications.log_in(registry, "owner", short)
    child = authentications.create(registry, actor, authentications.TokenSpec("child"))
    later = now() + timedelta(seconds=61)
    object.__setattr__(registry, "clock", lambda: later)
    for secret in (short, child):
        with pytest.raises(Exception, match="expired"):
            authentications.log_in(registry, "owner", secret)


@pytest.mark.parametrize(
    ("scopes", "may_upload", "may_lock"),
    [
        (["conda:download"], False, False),
        (["pypi:upload"], True, False),
        (["conda"], True, False),
        (["all"], True, True),
        ([], True, True),
    ],
)
def test_scopes_say_what_a_token_may_do(
    served: Place, tmp_path: Path, scopes: list[str], may_upload: bool, may_lock: bool
) -> None:
    token = client(served, "").authenticate("owner", served.token, "ci", scopes=scopes)
    api = client(served, token)
    assert api.list_channels("owner") == {"main": {"is_locked": False}}
    _expect(may_upload, lambda: send(api, make_conda(tmp_path)))
    _expect(may_lock, lambda: api.lock_channel("main", "owner"))


def _expect(allowed: bool, call: Any) -> None:
    if allowed:
        call()
        return
    with pytest.raises(BinstarError) as refused:
        call()
    assert refused.value.args[1] == 403


def test_scopes_narrow_a_token_to_a_channel_or_a_project(served: Place, tmp_path: Path) -> None:
    second_user(served)
    scopes = ["conda", "project:one"]
    api = client(served, client(served, "").authenticate("owner", served.token, "1", scopes=scopes))
    send(api, make_conda(tmp_path / "1", "one"))
    with pytest.raises(BinstarError, match="lacks permission"):
        send(api, make_conda(tmp_path / "2", "two"))
    scopes = ["all", "channel:bea"]
    api = client(served, client(served, "").authenticate("owner", served.token, "2", scopes=scopes))
    with pytest.raises(BinstarError, match="lacks permission"):
        send(api, make_conda(tmp_path / "3", "three"))
    with pytest.raises(BinstarError, match="no scope"):
        client(served, "").authenticate("owner", served.token, "3", scopes=["conda:everything"])


def test_a_narrow_token_sees_and_removes_no_others_but_ends_itself(served: Place) -> None:
    token = client(served, "").authenticate("owner", served.token, "ci", scopes=["conda"])
    api = client(served, token)
    for call in (api.authentications, lambda: api.remove_authentication("first start")):
        with pytest.raises(BinstarError, match="may not see or remove"):
            call()
    assert api.authentication()["application"] == "ci"
    with pytest.raises(BinstarError, match="more"):
        api.bearer_authentication(auth=token, application="more", scopes=["all"])
    api.remove_authentication()
    with pytest.raises(BinstarError, match="revoked"):
        api.user()


def test_tokens_are_listed_without_their_secret_and_removed_by_name(served: Place) -> None:
    api = client(served)
    secret = client(served, "").authenticate("owner", served.token, "a b/c", max_age=7200)
    shown = {token["application"]: token for token in api.authentications()}
    assert secret not in str(shown) and shown["a b/c"]["expires"] > now().isoformat()
    api.remove_authentication("a b/c")
    assert "a b/c" not in {token["application"] for token in api.authentications()}
    with pytest.raises(NotFound):
        api.remove_authentication("a b/c")


# Uploads


def test_a_wheel_an_sdist_and_a_package_arrive_with_the_converted_package(
    served: Place, tmp_path: Path
) -> None:
    api = client(served)
    done = send(api, make_wheel(tmp_path, "two"))
    assert done["conda"] == ["noarch/two-1.0.0-py_0.conda"]
    send(api, make_sdist(tmp_path, "two"))
    send(api, make_conda(tmp_path, "one"))
    package = api.package("owner", "two")
    assert package["package_types"] == ["conda", "pypi"]
    assert {file["basename"] for file in package["files"]} == {
        "two-1.0.0-py3-none-any.whl",
        "two-1.0.0.tar.gz",
        "noarch/two-1.0.0-py_0.conda",
    }
    release = api.release("owner", "two", "1.0.0")
    assert release["public_attrs"]["description"] == "described"
    assert api.distribution("owner", "one", "1.0.0", "noarch/one-1.0.0-py_0.conda")["attrs"] == {
        "subdir": "noarch",
        "build": "py_0",
        "build_number": 0,
        **{
            key: value
            for key, value in served.get("/main/noarch/repodata.json")
            .json()["packages.conda"]["one-1.0.0-py_0.conda"]
            .items()
            if key in ("depends", "constrains", "license", "noarch", "timestamp")
        },
    }


def test_the_newest_version_is_the_newest_and_not_the_last_of_the_alphabet(
    served: Place, tmp_path: Path
) -> None:
    for version in ("1.9", "1.10", "1.10rc1"):
        served.publish(make_wheel(tmp_path, "two", version))
    assert client(served).package("owner", "two")["latest_version"] == "1.10"
    assert client(served).user_packages("owner")[0]["latest_version"] == "1.10"


def test_the_labels_of_an_upload_are_kept_and_a_wrong_one_refused(
    served: Place, tmp_path: Path
) -> None:
    api = client(served)
    send(api, make_conda(tmp_path), channels=("dev", "nightly"))
    assert set(api.list_channels("owner")) == {"main", "dev", "nightly"}
    assert served.get("/main/noarch/repodata.json").json()["packages.conda"] == {}
    with pytest.raises(BinstarError, match="cannot be a label"):
        send(api, make_conda(tmp_path, "other"), channels=("a/b",))


def test_a_deleted_file_comes_back_by_its_own_bytes_and_by_no_others(
    served: Place, tmp_path: Path
) -> None:
    api, wheel = client(served), make_wheel(tmp_path, "two")
    send(api, wheel)
    api.remove_dist("owner", "two", "1.0.0", wheel.name)
    assert served.get("/main/noarch/two-1.0.0-py_0.conda").status_code == 404
    with pytest.raises(BinstarError, match="a used name stays used"):
        send(api, make_wheel(tmp_path / "2", "two", code="other = 1\n"))
    send(api, wheel)
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert served.get(f"/main/files/{sha256}/{wheel.name}").content == wheel.read_bytes()
    assert served.get("/main/noarch/two-1.0.0-py_0.conda").status_code == 200


def test_bytes_damaged_on_their_way_are_refused_as_the_client_expects(
    served: Place, tmp_path: Path
) -> None:
    conda = make_conda(tmp_path)
    stage = _announce(served, conda)
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    for bytes_sent, md5 in ((conda.read_bytes(), wrong), (b"other", wrong)):
        response = requests.post(
            stage["post_url"], {"Content-MD5": md5}, files={"file": ("x", bytes_sent)}, timeout=120
        )
        assert (response.status_code, response.headers["content-type"]) == (400, "application/xml")
        assert "<Code>InvalidDigest</Code>" in response.text
    response = requests.post(
        f"{served.url}/api/staged/{'0' * 64}", files={"file": ("x", b"")}, timeout=120
    )
    assert response.status_code == 404 and "<Code>AccessDenied</Code>" in response.text


def _announce(served: Place, conda: Path, **more: Any) -> Any:
    version = conda.name.split("-")[1]
    address = f"my_package/{version}/noarch/{conda.name}"
    sha256 = hashlib.sha256(conda.read_bytes()).hexdigest()
    response = requests.post(
        f"{served.url}/api/stage/owner/{address}",
        json={"sha256": sha256, "channels": [], **more},
        headers={"Authorization": f"token {served.token}"},
        timeout=120,
    )
    assert response.status_code == 200, response.text
    return response.json()


def test_only_who_announced_a_file_commits_it_and_not_before_it_came(
    served: Place, tmp_path: Path
) -> None:
    bea, conda = second_user(served), make_conda(tmp_path)
    stage = _announce(served, conda)
    address = f"{served.url}/api/commit/owner/my_package/1.0.0/noarch/{conda.name}"
    body = {"dist_id": stage["dist_id"]}
    own = {"Authorization": f"token {served.token}"}
    early = requests.post(address, json=body, headers=own, timeout=120)
    assert (early.status_code, early.json()["code"]) == (400, "nothing-received")
    requests.post(stage["post_url"], files={"file": ("x", conda.read_bytes())}, timeout=120)
    hers = client(served, "").authenticate("bea", bea.password, "x")
    other = requests.post(
        address, json=body, headers={"Authorization": f"token {hers}"}, timeout=120
    )
    assert other.status_code == 403
    assert requests.post(address, json=body, headers=own, timeout=120).status_code == 200


def test_of_two_files_racing_for_a_name_one_is_committed(served: Place, tmp_path: Path) -> None:
    names = [make_wheel(tmp_path / str(n), "two", code=f"x = {n}\n") for n in range(6)]
    won: list[str] = []

    def race(path: Path) -> None:
        try:
            send(client(served), path)
            won.append(hashlib.sha256(path.read_bytes()).hexdigest())
        except BinstarError as error:
            assert "already exists" in str(error)

    threads = [threading.Thread(target=race, args=(path,)) for path in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert client(served).distribution("owner", "two", "1.0.0", names[0].name)["sha256"] == won[0]


def test_rattler_builds_uploader_uploads_repeats_and_forces(served: Place, tmp_path: Path) -> None:
    conda = make_conda(tmp_path)
    rattler_upload(served, conda, "main", "dev")
    assert served.get(f"/main/label/dev/noarch/{conda.name}").content == conda.read_bytes()
    rattler_upload(served, conda, "main", code=1)
    rattler_upload(served, conda, "main", force=True)
    assert served.get(f"/main/noarch/{conda.name}").content == conda.read_bytes()


def rattler_upload(
    served: Place, conda: Path, *labels: str, force: bool = False, code: int = 0
) -> None:
    """In a process of its own: the uploader keeps Python's lock, and the server is in this one."""
    call = (
        "import rattler_build as it, sys; it.upload_package_to_anaconda([sys.argv[1]], 'owner',"
        " channel=sys.argv[5:], api_key=sys.argv[2], url=sys.argv[3], force=bool(sys.argv[4]))"
    )
    words = [sys.executable, "-c", call, str(conda), served.token, f"{served.url}/api"]
    words += ["yes" if force else "", *labels]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stdout + done.stderr


# Showing, searching, downloading


def test_a_search_finds_what_the_asker_may_read(served: Place, tmp_path: Path) -> None:
    second_user(served, "bea", public=False)
    served.publish(make_wheel(tmp_path, "spam_eggs"))
    assert [hit["full_name"] for hit in client(served, "").search("m-EGG")] == ["main/spam_eggs"]
    assert client(served, "").search("100%_") == []
    assert client(served, "").search("spam", platform="noarch")
    assert client(served, "").search("spam", platform="linux-64") == []
    served.publish(make_wheel(tmp_path, "other", "1.0", "Keywords: spam,breakfast"))
    found = client(served, "").search("spam")
    assert [hit["name"] for hit in found] == ["spam_eggs", "other"]
    assert [hit["summary"] for hit in client(served, "").search("breakfast")] == ["x"]


def test_what_is_private_is_shown_to_nobody_else(served: Place, tmp_path: Path) -> None:
    bea = second_user(served, "bea", public=False)
    token = client(served, "").authenticate("bea", bea.password, "x")
    conda = make_conda(tmp_path)
    send(client(served, token), conda, "bea")
    mine, name = client(served, token), f"noarch/{conda.name}"
    assert [hit["full_name"] for hit in mine.search("my")] == ["bea/my_package"]
    assert mine.package("bea", "my_package")["public"] is False
    assert mine.download("bea", "my_package", "1.0.0", name).content == conda.read_bytes()
    for other in (client(served, ""), client(served)):
        assert other.search("my") == []
        for call in (
            lambda api=other: api.package("bea", "my_package"),
            lambda api=other: api.distribution("bea", "my_package", "1.0.0", name),
            lambda api=other: api.user_packages("bea"),
            lambda api=other: api.list_channels("bea"),
            lambda api=other: api.download("bea", "my_package", "1.0.0", name),
        ):
            with pytest.raises(BinstarError) as refused:
                call()
            assert refused.value.args[1] in (401, 404)


def test_a_download_of_a_known_version_is_not_sent_again(served: Place, tmp_path: Path) -> None:
    conda, api = make_conda(tmp_path), client(served)
    send(api, conda)
    place = ("owner", "my_package", "1.0.0", f"noarch/{conda.name}")
    assert api.download(*place).content == conda.read_bytes()
    assert api.download(*place, md5=hashlib.md5(conda.read_bytes()).hexdigest()) is None


# Labels and copies


def test_a_label_takes_whole_packages_versions_and_single_files(
    served: Place, tmp_path: Path
) -> None:
    api = client(served)
    for version in ("1.0", "2.0"):
        served.publish(make_conda(tmp_path, "one", version))
    api.add_channel("all", "owner", "one")
    api.add_channel("new", "owner", "one", "2.0")
    api.add_channel("old", "owner", "one", "1.0", "noarch/one-1.0-py_0.conda")
    counts = {label: len(api.show_channel(label, "owner")["files"]) for label in ("all", "new")}
    assert counts == {"all": 2, "new": 1}
    files = api.show_channel("old", "owner")["files"]
    assert files[0]["full_name"] == "owner/one/1.0/noarch/one-1.0-py_0.conda"
    for wrong in (("one", "3.0"), ("two",), ("one", "1.0", "noarch/one-2.0-py_0.conda")):
        with pytest.raises(NotFound):
            api.add_channel("all", "owner", *wrong)
    api.add_channel("empty", "owner")
    assert api.show_channel("empty", "owner") == {"is_locked": False, "files": []}
    for missing in (
        lambda: api.show_channel("nowhere", "owner"),
        lambda: api.remove_channel("nowhere", "owner"),
        lambda: api.copy_channel("nowhere", "owner", "x"),
        lambda: api.unlock_channel("nowhere", "owner"),
    ):
        with pytest.raises(NotFound):
            missing()


def test_a_locked_label_takes_nothing_and_gives_nothing(served: Place, tmp_path: Path) -> None:
    api = client(served)
    send(api, make_conda(tmp_path, "one"))
    api.lock_channel("main", "owner")
    for call in (
        lambda: send(api, make_conda(tmp_path, "two")),
        lambda: api.remove_channel("main", "owner", "one"),
        lambda: api.remove_channel("main", "owner"),
    ):
        with pytest.raises(BinstarError, match="locked"):
            call()
    api.unlock_channel("main", "owner")
    api.remove_channel("main", "owner", "one")


def test_files_are_copied_between_owners_by_right_and_kept_or_replaced(
    served: Place, tmp_path: Path
) -> None:
    bea = second_user(served)
    conda, name = make_conda(tmp_path), ("my_package", "1.0.0")
    send(client(served), conda)
    hers = client(served, client(served, "").authenticate("bea", bea.password, "x"))
    copied = hers.copy("owner", *name)
    assert copied == [{"basename": f"noarch/{conda.name}"}]
    assert served.get(f"/bea/noarch/{conda.name}").content == conda.read_bytes()
    with pytest.raises(Conflict):
        hers.copy("owner", *name)
    hers.copy("owner", *name, update=True, to_label="dev")
    assert set(hers.list_channels("bea")) == {"main"}
    hers.copy("owner", *name, replace=True, to_label="dev")
    assert (
        hers.show_channel("dev", "bea")["files"] and not hers.show_channel("main", "bea")["files"]
    )
    with pytest.raises(BinstarError, match="lacks permission"):
        hers.copy("bea", *name, to_owner="owner", from_label="dev")


def test_removing_a_release_and_a_package_empties_their_pages(
    served: Place, tmp_path: Path
) -> None:
    api = client(served)
    for version in ("1.0", "2.0"):
        served.publish(make_wheel(tmp_path, "two", version))
    api.remove_release("owner", "two", "1.0")
    assert api.package("owner", "two")["versions"] == ["2.0"]
    with pytest.raises(NotFound):
        api.remove_release("owner", "two", "1.0")
    api.remove_package("owner", "two")
    assert api.package("owner", "two")["files"] == []
    assert served.get("/main/noarch/repodata.json").json()["packages.conda"] == {}
