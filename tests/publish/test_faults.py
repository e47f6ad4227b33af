"""Faults between every two requests: a second run always completes the release, never with other
bytes, and does exactly what its plan says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import hash_file, make_conda, make_sdist, make_wheel
from tests.servers.package_servers import (
    FAULTS,
    TOKEN,
    WIRES,
    Fault,
    Store,
    make_hasty_policy,
    run_faulty_proxy,
    run_server,
)
from twofold.errors import ProjectErrors, Refused, Unreachable
from twofold.publish.order import Order, prepare
from twofold.publish.responses import RetryPolicy
from twofold.publish.run import Event, IncompletePublicationError

PATIENT = RetryPolicy(attempts=4, sleep=lambda _: None)


@dataclass
class Place:
    """A server behind the proxy, and the word that names it as a target."""

    target: str
    fault: Fault
    files: list[str]
    stored: Callable[[str], set[str]]
    events: list[Event] = field(default_factory=list)


def name_in(pattern: str, file: Path) -> str:
    name, version = file.name.split("-")[:2]
    base = f"noarch/{file.name}" if file.suffix == ".conda" else file.name
    return pattern.format(n=name, v=version, b=base, f=file.name)


@pytest.fixture(params=WIRES)
def place(request: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    handler, target, files, pattern = WIRES[request.param]
    monkeypatch.setenv("TWOFOLD_TOKEN", TOKEN)
    with run_server(handler) as (address, store), run_faulty_proxy(address) as (proxy, fault):

        def stored(name: str) -> set[str]:
            return _hashes(store, pattern, name)

        yield Place(target.format(proxy), fault, files, stored)


def _hashes(store: Store, pattern: str, name: str) -> set[str]:
    return store.history.get(name_in(pattern, Path(name)), set())


def make_release(folder: Path, version: str, kinds: list[str]) -> list[Path]:
    folder.mkdir()
    makers = {"wheel": make_wheel, "sdist": make_sdist, "conda": make_conda}
    return [makers[kind](folder, "my_package", version) for kind in kinds]


def publish(place: Place, files: list[Path], patience: RetryPolicy) -> tuple[list[str], list[str]]:
    """Publish; returns the file names the plan would upload and those that were."""
    place.events.clear()
    with prepare(Order(files, [place.target], retry_policy=patience)) as publication:
        planned = [step.file.name for step in publication.plan.uploads]
        uploaded = publication.carry_out(place.events.append)
        return planned, [step.file.name for step in uploaded]


@pytest.mark.parametrize("kind", FAULTS)
def test_a_second_run_completes_what_a_fault_at_any_request_broke(
    place: Place, kind: str, tmp_path: Path
) -> None:
    number = 0
    while True:
        number += 1
        files = make_release(tmp_path / str(number), f"1.0.{number}", place.files)
        place.fault.kind, place.fault.at, place.fault.seen = kind, number, 0
        ended = False
        with contextlib.suppress(IncompletePublicationError, Unreachable, Refused, ProjectErrors):
            publish(place, files, make_hasty_policy(kind, number))
            ended = place.fault.seen < number
        place.fault.kind = ""
        planned, uploaded = publish(place, files, PATIENT)
        assert planned == uploaded
        for file in files:
            assert place.stored(file.name) == {hash_file(file)}, (kind, number, file.name)
        assert publish(place, files, PATIENT) == ([], [])
        if ended:
            assert number > 3
            return


@pytest.mark.parametrize("kind", FAULTS)
def test_one_patient_run_gets_past_a_fault_at_any_request(
    place: Place, kind: str, tmp_path: Path
) -> None:
    number = 0
    while True:
        number += 1
        files = make_release(tmp_path / str(number), f"1.0.{number}", place.files)
        place.fault.kind, place.fault.at, place.fault.seen = kind, number, 0
        # On a busy machine an honest answer may be late too: often enough, and it is there.
        patience = replace(make_hasty_policy(kind, number), attempts=50)
        try:
            publish(place, files, patience)
        except (ProjectErrors, Refused, IncompletePublicationError) as error:
            # Wrong bytes while the target is asked can look like a refusal: told, nothing sent.
            assert kind == "wrong-bytes", error
        else:
            for file in files:
                assert place.stored(file.name) == {hash_file(file)}, (kind, number, file.name)
        if place.fault.seen < number:
            return


def test_a_target_that_stays_away_is_reported_with_what_is_done_and_what_is_missing(
    place: Place, tmp_path: Path
) -> None:
    files = make_release(tmp_path / "dist", "1.0", place.files)
    place.fault.kind, place.fault.at, place.fault.lasting = "503", 2 * len(files), True
    with pytest.raises((IncompletePublicationError, Unreachable)) as caught:
        publish(place, files, PATIENT)
    assert "503" in str(caught.value)
    assert caught.value.hint


def test_a_different_file_under_the_name_is_an_error_that_names_both_hashes(
    place: Place, tmp_path: Path
) -> None:
    files = make_release(tmp_path / "one", "1.0", ["conda"])
    publish(place, files, PATIENT)
    (tmp_path / "two").mkdir()
    other = make_conda(tmp_path / "two", "my_package", "1.0", code="x = 2\n")
    with pytest.raises(ProjectErrors) as caught:
        publish(place, [other], PATIENT)
    assert hash_file(other) in str(caught.value)
    assert hash_file(files[0]) in str(caught.value)
    assert place.stored(other.name) == {hash_file(files[0])}


def test_a_wrong_token_is_reported_and_not_tried_again(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", "wrong-token-7777")
    files = make_release(tmp_path / "dist", "1.0", place.files)
    with pytest.raises((IncompletePublicationError, ProjectErrors)) as caught:
        publish(place, files, PATIENT)
    assert "401" in str(caught.value)
    assert "the token from the environment (TWOFOLD_TOKEN)" in caught.value.hint
    assert "wrong-token-7777" not in str(caught.value)
    assert [event.event for event in place.events if event.event == "retry"] == []
