"""Every refusal says what to do: for each kind of target and each status a server may answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import make_conda, make_wheel
from tests.servers.package_servers import FakeServer, run_server
from twofold.errors import ProjectErrors, TwofoldError
from twofold.publish.order import Order, prepare
from twofold.publish.responses import RetryPolicy
from twofold.publish.targets.settings import TargetSettings

TARGETS = {
    "registry": 'url = "{}/main"',
    "legacy": 'url = "{}/legacy/"',
    "pypi": 'url = "{}/legacy/"\nindex = "{}/simple/"',
    "anaconda": 'url = "{}/api"\nowner = "me"',
    "prefix": 'url = "{}"\nchannel = "lab"',
    "quetz": 'url = "{}"\nchannel = "lab"',
    "artifactory": 'url = "{}/conda/lab"',
}

MESSAGES = {
    400: "twofold check",
    401: "the token from the environment (TWOFOLD_TOKEN_THERE) is wrong, expired or revoked",
    403: "the token from the environment (TWOFOLD_TOKEN_THERE) is wrong or lacks the permission",
    404: "check the URL: its form is",
    405: "this URL takes no uploads",
    409: "publish under a new version",
    413: "twofold build --list",
    422: "twofold check",
}


class Refusing(FakeServer):
    """Has nothing, shows an empty index, and answers every change with one status."""

    def do_GET(self) -> None:
        self.store.other.setdefault("read", []).append(self.headers.get("Authorization"))
        if self.path_only in ("/simple/", "/main/simple/", "/main/whoami", "/api/user"):
            return self.send_answer(200, {"files": []})
        return self.send_answer(404, {})

    do_HEAD = do_GET

    def refuse(self) -> None:
        assert self.body is not None
        self.store.writes.append(self.path_only)
        self.send_answer(int(self.store.other["status"]), {"message": "no, for a reason"})

    do_POST = do_PUT = do_DELETE = refuse


def configured(folder: Path, kind: str, address: str) -> None:
    (folder / "twofold-config").mkdir()
    table = TARGETS[kind].replace("{}", address)
    (folder / "twofold-config" / "config.toml").write_text(
        f'[targets.there]\nkind = "{kind}"\n{table}\n'
    )


@pytest.mark.parametrize("kind", TARGETS)
def test_every_refusal_of_every_kind_of_target_says_what_to_do(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN_THERE", "tk-1")
    make = make_wheel if kind in ("legacy", "pypi") else make_conda
    file = make(tmp_path, "my_package", "1.0")
    with run_server(Refusing) as (address, store):
        configured(tmp_path, kind, address)
        for status, message in MESSAGES.items():
            if kind == "anaconda" and status == 409:
                continue  # there it says that the package is known already
            store.other["status"] = status
            store.writes.clear()
            order = Order([file], ["there"], retry_policy=RetryPolicy(sleep=lambda _: None))
            with prepare(order) as publication, pytest.raises(TwofoldError) as caught:
                publication.carry_out(lambda _: None)
            assert message in caught.value.hint, (kind, status)
            # An upload URL that is not found (404, 405) is tried once more, with the other slash.
            attempts = 2 if kind in ("legacy", "pypi") and status in (404, 405) else 1
            assert len(store.writes) == attempts, "a refusal is never tried again"


@pytest.mark.parametrize("kind", [k for k in TARGETS if k not in ("legacy", "artifactory")])
def test_without_a_token_nothing_is_sent_and_both_ways_to_give_one_are_reported(
    kind: str, tmp_path: Path
) -> None:
    make = make_wheel if kind == "pypi" else make_conda
    file = make(tmp_path, "my_package", "1.0")
    with run_server(Refusing) as (address, store):
        configured(tmp_path, kind, address)
        with prepare(Order([file], ["there"])) as publication:
            assert [step.rules for step in publication.plan.steps] == [("no-right",)]
            with pytest.raises(ProjectErrors) as caught:
                publication.carry_out(lambda _: None)
    assert caught.value.hint == "run 'twofold login there', or set TWOFOLD_TOKEN_THERE"
    assert store.writes == []


class Closed(FakeServer):
    """Answers reads with a status."""

    def do_GET(self) -> None:
        self.send_answer(int(self.store.other["status"]), {"message": "no"})

    do_HEAD = do_GET


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_may_not_look_is_reported_to_be_the_reason(
    kind: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN_THERE", "tk-1")
    make = make_wheel if kind in ("legacy", "pypi") else make_conda
    file = make(tmp_path, "my_package", "1.0")
    with run_server(Closed) as (address, store):
        store.other["status"] = status
        configured(tmp_path, kind, address)
        with pytest.raises(TwofoldError) as caught:
            prepare(Order([file], ["there"], retry_policy=RetryPolicy(attempts=1)))
    assert "the token from the environment (TWOFOLD_TOKEN_THERE)" in caught.value.hint


def test_an_index_whose_pages_are_not_found_is_refused_unless_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = make_wheel(tmp_path, "my_package", "1.0")

    class Dropbox(FakeServer):
        def do_GET(self) -> None:
            self.send_answer(404, {})

        def do_POST(self) -> None:
            self.store.put("file", self.form()["content"])
            self.send_answer(200, {})

    with run_server(Dropbox) as (address, store):
        target = f"legacy+{address}/up/"
        with prepare(Order([file], [target])) as publication:
            assert publication.plan.steps[0].rules == ("cannot-be-verified",)
            with pytest.raises(ProjectErrors, match="no simple index was found") as caught:
                publication.carry_out(lambda _: None)
        assert "verify = false" in caught.value.hint
        assert store.writes == []
        events: list[Any] = []
        (tmp_path / "pyproject.toml").write_text("[tool.twofold.publish]\nverify = false\n")
        with prepare(Order([file], [target], tmp_path)) as publication:
            publication.carry_out(events.append)
        assert store.writes == ["file"]
        assert events[-1].event == "unverified"
        with prepare(Order([file], [target], tmp_path)) as publication:
            assert publication.carry_out(events.append) == []  # by the journal
        (tmp_path / "pyproject.toml").unlink()
        (tmp_path / "twofold-config").mkdir()
        (tmp_path / "twofold-config" / "config.toml").write_text(
            f'[targets.there]\nkind = "legacy"\nurl = "{address}/up/"\nverify = false\n'
        )
        monkeypatch.chdir(tmp_path)
        with prepare(Order([file], ["there"])) as publication:
            assert publication.carry_out(events.append) == []


@pytest.mark.parametrize(
    ("target", "login"),
    [
        (TargetSettings("lab", "http://h/main"), "twofold login lab"),
        (TargetSettings("http://h/main", "http://h/main"), "twofold login http://h/main"),
        (
            TargetSettings("http://h/up/", "http://h/up/", "legacy"),
            "twofold login legacy+http://h/up/",
        ),
        (TargetSettings("anaconda:me", "http://h", "anaconda"), "twofold login anaconda:me"),
    ],
)
def test_the_login_that_is_named_is_the_one_to_run(target: TargetSettings, login: str) -> None:
    from twofold.publish.responses import AuthContext

    assert AuthContext(target.name, target.kind).login_command == login
