"""What a twofold registry or an index would refuse is in the plan, before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.factories.releases import hash_file, make_conda, make_wheel
from tests.servers.package_servers import TOKEN, FakeServer, run_server
from tests.servers.registry import Registry
from twofold.errors import TwofoldError
from twofold.publish.order import Order, prepare
from twofold.publish.release_changes import (
    ReleaseChange,
    carry_out_changes,
    open_all,
    plan_changes,
)
from twofold.publish.resolve import resolve_targets
from twofold.publish.responses import RetryPolicy


@pytest.fixture
def main(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TWOFOLD_TOKEN", registry.token)
    yield f"{registry.channel}"


def plan(target: str, *files: Path) -> list[tuple[str, tuple[str, ...]]]:
    with prepare(Order(files, [target], retry_policy=RetryPolicy(attempts=1))) as publication:
        return [(step.action.value, step.rules) for step in publication.plan.steps]


def publish(target: str, *files: Path) -> int:
    with prepare(Order(files, [target])) as publication:
        return len(publication.carry_out(lambda _: None))


def test_every_state_of_a_project_in_a_registry_shows_in_the_plan(
    twofold: Callable[..., Any], registry: Registry, main: str, tmp_path: Path
) -> None:
    def admin(*words: str) -> None:
        ran = twofold("admin", words[0], "--data", registry.data, *words[1:])
        assert ran.code == 0, ran.err

    old = make_wheel(tmp_path, "my_package", "1.0")
    old_conda = make_conda(tmp_path, "other_package", "1.0")
    assert publish(main, old, old_conda) == 2
    new = make_wheel(tmp_path, "my_package", "1.1")
    new_conda = make_conda(tmp_path, "other_package", "1.1")
    assert plan(main, new, new_conda) == [("upload", ()), ("upload", ())]
    admin("status", registry.name, "my-package", "archived")
    admin("status", registry.name, "other-package", "quarantined")
    closed = [("refused", ("project-archived",)), ("refused", ("project-quarantined",))]
    assert plan(main, new, new_conda) == closed
    for name in ("my-package", "other-package"):
        admin("status", registry.name, name, "active")
    close = make_wheel(tmp_path, "mypackage", "1.0")
    assert plan(main, close) == [("refused", ("confusable-name",))]
    admin("rule", registry.name, "quota", "100")
    assert plan(main, new) == [("refused", ("quota",))]
    admin("rule", registry.name, "quota", "none")
    admin("delete", registry.name, "my-package", "1.0")
    admin("delete", registry.name, "other-package", "1.0")
    used = ("file-name-used",)
    assert plan(main, old, old_conda) == [("refused", used), ("refused", used)]
    (tmp_path / ".twofold-publish.json").unlink()
    other = make_wheel(tmp_path, "my_package", "1.0", code="y = 2\n")
    assert plan(main, other) == [("refused", used)]
    assert plan(main, new, new_conda) == [("upload", ()), ("upload", ())]


def test_a_refusal_is_reported_once_with_the_registrys_hint_alone(
    twofold: Callable[..., Any], registry: Registry, main: str, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "my_package", "1.0")
    assert publish(main, wheel) == 1
    ran = twofold("admin", "delete", "--data", registry.data, registry.name, "my-package")
    assert ran.code == 0, ran.err
    (tmp_path / ".twofold-publish.json").unlink()
    ran = twofold("publish", wheel, "--to", main, "--json")
    assert ran.code == 1
    (error,) = ran.json["errors"]
    assert "was deleted; a used name stays used" in error["message"]
    assert error["hint"] == "release a new version, or raise the build number"


class Archived(FakeServer):
    """An index that says of a project that it is archived (PEP 792)."""

    def do_GET(self) -> None:
        value = {"files": [], "project-status": {"status": "archived"}}
        self.send_answer(200, value)


def test_an_archived_project_of_any_index_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", TOKEN)
    wheel = make_wheel(tmp_path, "my_package", "1.0")
    with run_server(Archived) as (address, _):
        assert plan(f"legacy+{address}/legacy/", wheel) == [("refused", ("project-archived",))]


class Yanked(FakeServer):
    """An index with a file that is yanked, in one form of its page or the other."""

    def do_GET(self) -> None:
        held = self.store.other
        if held["as_html"]:
            text = f'<a href="x/{held["name"]}#sha256={held["hash"]}" data-yanked="{held["why"]}">'
            return self.send_answer(200, data=text.encode())
        hashes, why = {"sha256": held["hash"]}, held["why"] or True
        file = {"filename": held["name"], "url": "x", "hashes": hashes, "yanked": why}
        return self.send_answer(200, {"files": [file]})


@pytest.mark.parametrize("as_html", [False, True])
@pytest.mark.parametrize(("why", "reported"), [("broken", "yanked: broken"), ("", "yanked")])
def test_a_file_that_is_there_and_yanked_is_reported_as_that(
    tmp_path: Path, as_html: bool, why: str, reported: str
) -> None:
    wheel = make_wheel(tmp_path, "my_package", "1.0")
    with run_server(Yanked) as (address, store):
        store.other |= {
            "as_html": as_html,
            "why": why,
            "name": wheel.name,
            "hash": hash_file(wheel),
        }
        with prepare(Order([wheel], [f"legacy+{address}/legacy/"])) as publication:
            (step,) = publication.plan.steps
    assert (step.action.value, step.reason) == (
        "nothing",
        f"identical file already there, {reported}",
    )


class Taken(FakeServer):
    """An index that shows nothing and has a file of the name all the same."""

    def do_GET(self) -> None:
        self.send_answer(200, {"files": []})

    def do_POST(self) -> None:
        self.form()
        self.send_answer(400, {"message": "File already exists", "hint": "take another name"})


def test_a_name_that_is_taken_unseen_is_reported_in_one_sentence(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "my_package", "1.0")
    with run_server(Taken) as (address, _):
        ran = twofold("publish", wheel, "--to", f"legacy+{address}/legacy/", "--json")
    (error,) = ran.json["errors"]
    assert "hint" not in error["message"]
    assert error["hint"] == "take another name"


def test_older_metadata_go_to_a_registry_and_are_refused_by_the_plan_for_an_index(
    main: str, pypiserver: str, tmp_path: Path
) -> None:
    """Backends of 2024 wrote License-Expression with Metadata-Version 2.3; PyPI has such wheels."""
    older = make_wheel(tmp_path, "older", "1.0", extra="License-Expression: MIT\n")
    newer = make_wheel(tmp_path, "newer", "1.0")
    assert plan(f"legacy+{pypiserver}", newer, older) == [
        ("upload", ()),
        ("refused", ("core-metadata",)),
    ]
    assert publish(main, older) == 1
    assert plan(main, older) == [("nothing", ())]
    assert publish(str(tmp_path / "static"), older) == 1


def test_a_registry_without_a_channel_is_reported_with_the_form_of_its_url(
    registry: Registry, tmp_path: Path
) -> None:
    wheel = make_wheel(tmp_path, "newer", "1.0")
    with pytest.raises(TwofoldError, match="has no channel") as caught:
        plan(registry.url, wheel)
    assert f"{registry.url}/CHANNEL" in caught.value.hint


@pytest.mark.parametrize(
    "path", ["CHANNEL", "CHANNEL/simple/", "CHANNEL/noarch", "", "other/x/y", "legacy/", "simple"]
)
def test_an_upload_to_a_wrong_address_gets_the_right_one(registry: Registry, path: str) -> None:
    connection = HTTPConnection(registry.url.removeprefix("http://"))
    path = path.replace("CHANNEL", registry.name)
    connection.request("POST", f"/{path}", b"x")
    answer = connection.getresponse()
    assert answer.status in (404, 405)
    body = json.loads(answer.read())
    channel = path.partition("/")[0]
    channel = "CHANNEL" if channel in ("", "legacy", "simple") else channel
    assert body["hint"] == f"upload packages to {registry.url}/{channel}/legacy/"
    assert body["title"] == HTTPStatus(answer.status).phrase
    connection.request("POST", f"/{registry.name}/legacy", b"x")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Location"]) == (308, f"{registry.channel}/legacy/")
    connection.close()


@pytest.mark.parametrize("kind", ["anaconda", "registry"])
def test_the_authors_package_replaces_the_converted_one_as_planned(
    kind: str, registry: Registry, main: str, tmp_path: Path
) -> None:
    """As after `twine upload` and then `anaconda upload`, or by the registry's own API."""
    name = f"{kind}_pkg"
    wheel = make_wheel(tmp_path, name, "1.0")
    assert publish(main, wheel) == 1
    package = make_conda(tmp_path, name, "1.0", depends=["python >=3.9", "zlib"])
    package = package.rename(tmp_path / f"{name}-1.0-py_0.conda")
    target = f"anaconda+{registry.url}/api/{registry.name}" if kind == "anaconda" else main
    with prepare(Order([package], [target])) as publication:
        (step,) = publication.plan.steps
    assert (step.action.value, step.rules) == ("upload", ())
    assert "replaces the package that the registry converted" in step.reason
    assert publish(target, package) == 1
    assert publish(target, package) == 0
    other = make_conda(tmp_path / "other", name, "1.0", depends=["python >=3.9", "xz"])
    other = other.rename(tmp_path / "other" / f"{name}-1.0-py_0.conda")
    with prepare(Order([other], [target])) as publication:
        (step,) = publication.plan.steps
    assert step.action.value == "refused"


def test_a_yanked_conda_package_is_called_yanked_by_the_plan(main: str, tmp_path: Path) -> None:
    package = make_conda(tmp_path, "taken_back", "1.0")
    wheel = make_wheel(tmp_path, "taken_back", "1.0")
    assert publish(main, package) == publish(main, wheel) == 1
    with open_all(resolve_targets([main]), RetryPolicy()) as targets:
        change = ReleaseChange("yank", "taken_back", "1.0", reason="broken")
        assert [step.action for step in plan_changes(change, targets)]
        carry_out_changes(plan_changes(change, targets), lambda _step, _text: None)
    with prepare(Order([package, wheel], [main])) as publication:
        assert [step.reason for step in publication.plan.steps] == [
            "identical file already there, yanked: broken"
        ] * 2


def test_another_build_of_the_version_is_left_alone_on_request(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    """As CI that runs again builds the wheel again, with other bytes."""
    out, first, second = tmp_path / "out", tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    assert twofold("publish", make_wheel(first, "again", "1.0"), "--to", out).code == 0
    wheel = make_wheel(second, "again", "1.0", extra="Keywords: other\n")
    new = make_wheel(second, "again", "1.1")
    words = ["publish", wheel, new, "--to", out]
    assert twofold(*words).code == 1
    ran = twofold(*words, "--skip-existing", "--json")
    assert ran.code == 0, ran.err
    actions = {row["file"]: row["action"] for row in ran.json["files"]}
    assert actions == {wheel.name: "skip", new.name: "upload"}


def test_the_authors_package_replaces_the_converted_one_of_the_other_format(
    registry: Registry, main: str, tmp_path: Path
) -> None:
    """conda takes both formats of a build for one package, and installs the .conda."""
    wheel = make_wheel(tmp_path, "formats", "1.0")
    own = make_conda(tmp_path, "formats", "1.0", depends=["zlib"], ending=".tar.bz2")
    later = make_wheel(tmp_path, "later", "1.0")
    first = make_conda(tmp_path, "later", "1.0", depends=["xz"], ending=".tar.bz2")
    for file in (wheel, own, first, later):
        assert publish(main, file) == 1
    repodata = requests.get(f"{registry.channel}/noarch/repodata.json", timeout=30).json()
    records = {**repodata["packages"], **repodata["packages.conda"]}
    ours = {name for name in records if name.startswith(("formats-", "later-"))}
    assert ours == {own.name, first.name}
    assert records[own.name]["depends"] == ["zlib"]
    assert publish(main, own) == 0


def test_a_publication_of_many_files_asks_once_and_gets_what_each_would_get(
    twofold: Callable[..., Any], registry: Registry, main: str, tmp_path: Path
) -> None:
    """An identical file, another one of the name, a deleted one, an archived project, new ones."""
    same, taken, gone, shut = (
        make_wheel(tmp_path, f"many_{name}", "1.0") for name in ("same", "taken", "gone", "shut")
    )
    assert publish(main, same, taken, gone, shut) == 4
    author = {"TWOFOLD_TOKEN": registry.token}
    assert twofold("delete", "many-gone==1.0", "--to", main, "--yes", env=author).code == 0
    archived = ("admin", "status", "--data", registry.data, registry.name, "many-shut", "archived")
    assert twofold(*archived).code == 0
    (tmp_path / "other").mkdir()
    taken = make_wheel(tmp_path / "other", "many_taken", "1.0", extra="Summary: other\n")
    later = make_wheel(tmp_path, "many_shut", "1.1")
    new = [make_wheel(tmp_path, f"many_new{number}", "1.0") for number in range(8)]
    files = [same, taken, gone, later, *new]
    alone = [plan(main, file)[0] for file in files]
    before = count_requests(registry)
    together = plan(main, *files)
    asked = count_requests(registry) - before
    in_order = sorted(files, key=lambda file: file.name)
    assert dict(zip(files, alone, strict=True)) == dict(zip(in_order, together, strict=True))
    assert asked == 4  # one for all, the pages of the two that are refused, and the metrics
    assert {action for action, _ in together} == {"nothing", "refused", "upload"}


def count_requests(registry: Registry) -> int:
    """The requests for files of the registry and for what is known of them."""
    lines = requests.get(f"{registry.url}/metrics", timeout=30).text.splitlines()
    counted = [line for line in lines if line.startswith("twofold_requests_total{")]
    return sum(int(line.rpartition(" ")[2]) for line in counted)


def test_the_request_for_many_files_is_refused_as_a_whole_where_it_is_none(
    registry: Registry,
) -> None:
    url = f"{registry.channel}/whoami"
    auth = {"Authorization": f"Bearer {registry.token}"}
    assert requests.post(url, json={"files": []}, timeout=30).status_code == 401
    for body, status in (({"files": 1}, 400), ({"files": [{"file": 1}]}, 400)):
        assert requests.post(url, json=body, headers=auth, timeout=30).status_code == status
    many = requests.post(url, json={"files": [{}] * 501}, headers=auth, timeout=30)
    assert (many.status_code, many.json()["code"]) == (413, "too-many-files")
    empty = requests.post(url, json={"files": [{}]}, headers=auth, timeout=30)
    assert empty.json()["files"][0]["status"] in (200, 400)
