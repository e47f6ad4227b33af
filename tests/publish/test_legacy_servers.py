"""Publishing to indexes with the legacy API that others wrote: pypiserver and devpi-server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import Release, hash_file, make_sdist, make_wheel
from tests.servers.devpi import run_devpi
from tests.servers.package_servers import FAULTS, make_hasty_policy, run_faulty_proxy
from twofold.errors import ProjectErrors, Refused, Unreachable
from twofold.publish.order import Order, prepare
from twofold.publish.responses import RetryPolicy
from twofold.publish.run import IncompletePublicationError

PATIENT = RetryPolicy(sleep=lambda _: None)
VERSIONS = count(1)


@pytest.fixture(scope="module")
def devpi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The host of a devpi-server with the index me/dev."""
    with run_devpi(tmp_path_factory.mktemp("devpi")) as host:
        yield host


@pytest.fixture(params=["pypiserver", "devpi"])
def index(request: pytest.FixtureRequest) -> tuple[str, str]:
    """(host, target's address with {} in place of the host)."""
    host = str(request.getfixturevalue(request.param))
    path = {"pypiserver": "/", "devpi": "/me/dev/"}[request.param]
    return host, "legacy+http://me:pw-devpi@{}" + path


def make(folder: Path, version: str) -> list[Path]:
    folder.mkdir()
    return [make_wheel(folder, "my_package", version), make_sdist(folder, "my_package", version)]


def publish(files: list[Path], target: str, patience: RetryPolicy) -> tuple[list[str], list[str]]:
    with prepare(Order(files, [target], retry_policy=patience)) as publication:
        planned = [step.file.name for step in publication.plan.uploads]
        return planned, [step.file.name for step in publication.carry_out(lambda _: None)]


def test_a_release_goes_up_and_a_second_run_changes_nothing(
    index: tuple[str, str], tmp_path: Path
) -> None:
    host, target = index
    files = make(tmp_path / "dist", f"2.0.{next(VERSIONS)}")
    address = target.format(host.removeprefix("http://"))
    names = sorted(file.name for file in files)
    planned, uploaded = publish(files, address, PATIENT)
    assert sorted(planned) == sorted(uploaded) == names
    assert publish(files, address, PATIENT) == ([], [])


def test_other_bytes_under_a_used_name_are_refused_with_both_hashes(
    index: tuple[str, str], tmp_path: Path
) -> None:
    host, target = index
    version = f"2.1.{next(VERSIONS)}"
    files = make(tmp_path / "dist", version)
    address = target.format(host.removeprefix("http://"))
    publish(files, address, PATIENT)
    (tmp_path / "other").mkdir()
    other = make_wheel(tmp_path / "other", "my_package", version, code="x = 2\n")
    with pytest.raises(ProjectErrors) as caught:
        publish([other], address, PATIENT)
    assert hash_file(other) in str(caught.value)
    assert hash_file(files[0]) in str(caught.value)


QUICK = ("cut-after", "wrong-bytes")


@pytest.mark.parametrize(
    "index", ["pypiserver", pytest.param("devpi", marks=pytest.mark.slow)], indirect=True
)
@pytest.mark.parametrize(
    "kind", [pytest.param(k, marks=[] if k in QUICK else pytest.mark.slow) for k in FAULTS]
)
def test_a_second_run_completes_what_a_fault_at_any_request_broke(
    index: tuple[str, str], kind: str, tmp_path: Path
) -> None:
    host, target = index
    with run_faulty_proxy(host) as (proxy, fault):
        address = target.format(proxy.removeprefix("http://"))
        fault.delay = 2.0
        for number in count(1):
            files = make(tmp_path / str(number), f"1.0.{next(VERSIONS)}")[:1]
            fault.kind, fault.at, fault.seen = kind, number, 0
            ended = False
            with contextlib.suppress(
                IncompletePublicationError, Unreachable, Refused, ProjectErrors
            ):
                publish(files, address, make_hasty_policy(kind, number, late=1.0))
                ended = fault.seen < number
            fault.kind = ""
            planned, uploaded = publish(files, address, PATIENT)
            assert planned == uploaded
            assert publish(files, address, PATIENT) == ([], [])
            if ended:
                assert number > 3
                return


def test_a_wrong_password_is_reported(devpi: str, release: Release) -> None:
    address = f"legacy+http://me:wrong-pw@{devpi.removeprefix('http://')}/me/dev/"
    with pytest.raises((IncompletePublicationError, Refused)) as caught:
        publish([release.wheel], address, PATIENT)
    assert "wrong-pw" not in str(caught.value)
    assert "token" in caught.value.hint


def test_a_release_is_tried_from_an_index_whose_files_lie_beside_it(
    devpi: str, twofold: Callable[..., Any], tmp_path: Path
) -> None:
    """devpi's page is at me/dev/+simple/, its files are at me/dev/+f/."""
    address = f"legacy+http://me:pw-devpi@{devpi.removeprefix('http://')}/me/dev/"
    file = make(tmp_path / "dist", f"3.0.{next(VERSIONS)}")[0]
    ran = twofold("publish", file, "--to", address, "--try")
    assert ran.code == 0, ran.out


def test_the_command_does_it_from_the_terminal(
    twofold: Callable[..., Any], release: Release, pypiserver: str
) -> None:
    ran = twofold("publish", release.wheel, release.sdist, "--to", f"legacy+{pypiserver}/")
    assert ran.code == 0, ran.err
    assert "published: 2 uploaded, 0 already there" in ran.out
    assert "verified" in ran.err
