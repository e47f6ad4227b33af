"""What happens between the plan and the upload: to the target, and to the files themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories.releases import hash_file, make_conda
from tests.servers.package_servers import TOKEN, WIRES, run_server
from twofold.publish.order import Order, prepare
from twofold.publish.responses import RetryPolicy
from twofold.publish.run import IncompletePublicationError

ONCE = RetryPolicy(attempts=1, sleep=lambda _: None)


@pytest.fixture(params=[*WIRES, "folder"])
def target(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    monkeypatch.setenv("TWOFOLD_TOKEN", TOKEN)
    if request.param == "folder":
        yield str(tmp_path / "static")
        return
    handler, target, *_ = WIRES[request.param]
    with run_server(handler) as (address, _):
        yield target.format(address)


def package(folder: Path, code: str = "x = 1\n") -> Path:
    folder.mkdir(exist_ok=True)
    return make_conda(folder, "my_package", "1.0", code)


def publish(target: str, file: Path) -> int:
    with prepare(Order([file], [target], retry_policy=ONCE)) as publication:
        return len(publication.carry_out(lambda _: None))


def test_the_same_file_that_somebody_else_uploaded_meanwhile_is_success(
    target: str, tmp_path: Path
) -> None:
    mine, theirs = package(tmp_path / "mine"), package(tmp_path / "theirs")
    with prepare(Order([mine], [target], retry_policy=ONCE)) as publication:
        assert publish(target, theirs) == 1
        publication.carry_out(lambda _: None)
    assert publish(target, mine) == 0


def test_another_file_that_somebody_else_uploaded_meanwhile_is_reported_with_both_hashes(
    target: str, tmp_path: Path
) -> None:
    mine, theirs = package(tmp_path / "mine"), package(tmp_path / "theirs", "x = 2\n")
    with prepare(Order([mine], [target], retry_policy=ONCE)) as publication:
        assert publish(target, theirs) == 1
        with pytest.raises(IncompletePublicationError) as caught:
            publication.carry_out(lambda _: None)
    assert hash_file(mine) in str(caught.value)
    assert hash_file(theirs) in str(caught.value)
    assert publish(target, theirs) == 0


def test_a_file_that_was_built_again_meanwhile_is_not_sent(target: str, tmp_path: Path) -> None:
    mine, other = package(tmp_path / "mine"), package(tmp_path / "other", "x = 2\n")
    with prepare(Order([mine], [target], retry_policy=ONCE)) as publication:
        mine.write_bytes(other.read_bytes())
        with pytest.raises(IncompletePublicationError, match="has changed since it was checked"):
            publication.carry_out(lambda _: None)
    assert publish(target, mine) == 1
