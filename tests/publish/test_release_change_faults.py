"""A fault at any request of a yank, a deletion or a promotion: the second run does the rest."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from tests.factories.releases import make_wheel
from tests.servers.package_servers import run_faulty_proxy
from tests.servers.registry import Registry
from twofold.errors import ProjectErrors, Refused, Unreachable
from twofold.publish.order import Order, prepare
from twofold.publish.release_changes import (
    ReleaseChange,
    Verb,
    carry_out_changes,
    make_manager,
    open_all,
    plan_changes,
)
from twofold.publish.resolve import resolve_targets
from twofold.publish.responses import RetryPolicy
from twofold.publish.targets.release_managers import Promotion

HASTY = RetryPolicy(attempts=1, read=5, sleep=lambda _: None)


def change(verb: Verb, channel: str, name: str) -> list[str]:
    """Make the change of a release; the actions of its plan."""
    targets = resolve_targets([channel])
    made = ReleaseChange(verb, name, "1.0", reason="broken" if verb == "yank" else "")
    if verb == "set-status":
        made = ReleaseChange(verb, name, status="archived", reason="done")
    if verb == "promote":
        made = replace(made, promotion=Promotion(targets[0], "main", "stable"))
    with open_all(targets, HASTY) as opened:
        steps = plan_changes(made, opened)
        carry_out_changes(steps, lambda _step, _text: None)
        return [step.action for step in steps]


def publish(verb: Verb, channel: str, wheel: Path, name: str) -> None:
    """Make the state before the change."""
    with prepare(Order([wheel], [channel])) as publication:
        publication.carry_out(lambda _: None)
    if verb == "unyank":
        change("yank", channel, name)


VERBS: tuple[Verb, ...] = ("yank", "unyank", "promote", "delete", "set-status")
CASES = [(verb, kind) for verb in VERBS for kind in ("503", "cut-after")]


@pytest.mark.parametrize(
    ("verb", "kind"), [CASES[0], *(pytest.param(*c, marks=pytest.mark.slow) for c in CASES[1:])]
)
def test_a_second_run_completes_a_change_that_a_fault_broke(
    verb: Verb, kind: str, registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", registry.token)
    with run_faulty_proxy(registry.url) as (address, fault):
        for number in count(1):
            (tmp_path / str(number)).mkdir()
            name = f"package_{number}"
            wheel = make_wheel(tmp_path / str(number), name, "1.0")
            publish(verb, registry.channel, wheel, name)
            faulty = f"{address}/{registry.name}"
            fault.kind, fault.at, fault.seen = kind, number, 0
            ended = False
            with contextlib.suppress(Unreachable, Refused, ProjectErrors):
                change(verb, faulty, name)
                ended = fault.seen < number
            fault.kind = ""
            if verb != "delete":
                assert change(verb, faulty, name) in (["change"], ["nothing"])
                assert change(verb, faulty, name) == ["nothing"]
            else:
                with contextlib.suppress(ProjectErrors):
                    change(verb, faulty, name)
                with pytest.raises(ProjectErrors, match="there is no"):
                    change(verb, faulty, name)
            if ended:
                assert number > 2
                return


@pytest.mark.parametrize("kind", ["503", pytest.param("cut-after", marks=pytest.mark.slow)])
def test_a_status_that_a_fault_broke_is_read_by_the_second_run(
    kind: str, registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", registry.token)
    wheel = make_wheel(tmp_path, "my_package", "1.0")
    publish("yank", registry.channel, wheel, "my_package")
    with run_faulty_proxy(registry.url) as (address, fault):
        (settings,) = resolve_targets([f"{address}/{registry.name}"])
        for number in count(1):
            fault.kind, fault.at, fault.seen = kind, number, 0
            with open_all([settings], HASTY) as (target,):
                if fault.seen >= number:
                    continue
                try:
                    files = make_manager(target).read("my_package").files
                except Unreachable as error:
                    assert error.hint
                    fault.kind = ""
                    files = make_manager(target).read("my_package").files
            assert wheel.name in [file.name for file in files]
            if fault.seen < number:
                return
