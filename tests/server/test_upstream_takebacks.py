"""What an upstream takes back reaches pip and conda, and is lifted when it lifts it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.factories.packages import make_wheel, sha256_of
from tests.server.conftest import Place
from tests.servers.upstream import StaticServer, add_upstream, set_old_time
from tests.servers.upstream_reads import JSON, advance_clock, audited, files_of
from twofold.server.registry import lifecycle


@pytest.fixture
def wheel(served: Place, static: StaticServer, tmp_path: Path) -> Path:
    """A wheel that was fetched from the upstream of `main`."""
    made = make_wheel(tmp_path, "spam", "1.0")
    static.publish(made)
    add_upstream(served, f"{static.url}/simple")
    files_of(served, "spam")
    assert download(served, made) == 200
    assert list_conda(served) == ["spam-1.0-py_0.conda"]
    return made


def rewrite(
    served: Place, static: StaticServer, wheel: Path, yank: str = "", head: str = ""
) -> None:
    """Write the upstream's page again; an hour passes."""
    page = static.folder / "simple" / "spam" / "index.html"
    link = f'<a href="../../files/{wheel.name}#sha256={sha256_of(wheel)}" {yank}>x</a>'
    page.write_text(f"{head}{link}")
    set_old_time(page)
    hours[0] += 1
    advance_clock(served, hours[0])


hours = [0]


def download(served: Place, wheel: Path) -> int:
    return served.get(f"/main/files/{sha256_of(wheel)}/{wheel.name}").status_code


def list_conda(served: Place) -> list[str]:
    return sorted(served.get("/main/noarch/repodata.json").json()["packages.conda"])


def find_yank(served: Place) -> object:
    (file,) = served.get("/main/simple/spam/", Accept=JSON).json()["files"]
    return file["yanked"]


QUARANTINE = (
    '<meta name="pypi:project-status" content="quarantined">'
    '<meta name="pypi:project-status-reason" content="malware">'
)


def test_a_quarantine_takes_the_files_out_of_both_worlds_until_it_is_lifted(
    served: Place, static: StaticServer, wheel: Path
) -> None:
    rewrite(served, static, wheel, head=QUARANTINE)
    page = served.get("/main/simple/spam/", Accept=JSON).json()
    assert page["files"] == []
    assert page["project-status"]["status"] == "quarantined"
    assert "malware" in page["project-status"]["reason"]
    assert download(served, wheel) == 403
    assert list_conda(served) == []
    assert served.get("/main/noarch/spam-1.0-py_0.conda").status_code == 403
    assert len(audited(served, "upstream-quarantine")) == 1
    rewrite(served, static, wheel)
    assert files_of(served, "spam") == [wheel.name]
    assert download(served, wheel) == 200
    assert list_conda(served) == ["spam-1.0-py_0.conda"]
    assert len(audited(served, "upstream-release")) == 1


def test_a_yank_reaches_the_converted_package_and_is_lifted(
    served: Place, static: StaticServer, wheel: Path
) -> None:
    rewrite(served, static, wheel, yank='data-yanked="broken"')
    assert find_yank(served) == "broken"
    assert list_conda(served) == []
    assert download(served, wheel) == 200  # PEP 592: who pins it gets it
    assert [entry.detail for entry in audited(served, "upstream-yank")] == [{"reason": "broken"}]
    rewrite(served, static, wheel, yank="data-yanked")
    assert find_yank(served) is True or find_yank(served) == ""
    assert list_conda(served) == []
    rewrite(served, static, wheel)
    assert find_yank(served) is False
    assert list_conda(served) == ["spam-1.0-py_0.conda"]


@pytest.mark.usefixtures("wheel")
def test_a_wheel_that_was_yanked_before_it_was_fetched_is_yanked_for_conda(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    second = make_wheel(tmp_path, "spam", "2.0")
    static.publish(second)
    rewrite(served, static, second, yank='data-yanked="broken"')
    files_of(served, "spam")
    assert download(served, second) == 200
    assert list_conda(served) == ["spam-1.0-py_0.conda"]


def test_what_the_channel_decided_itself_stays(
    served: Place, static: StaticServer, wheel: Path
) -> None:
    place = (served.registry, served.owner, "main", "spam")
    lifecycle.yank(*place, "1.0", "our own reason")
    rewrite(served, static, wheel, yank='data-yanked="theirs"')
    assert find_yank(served) == "our own reason"
    rewrite(served, static, wheel)
    assert find_yank(served) == "our own reason"
    lifecycle.set_status(*place, "quarantined", "ours")
    rewrite(served, static, wheel, head=QUARANTINE)
    files_of(served, "spam")
    rewrite(served, static, wheel)
    assert files_of(served, "spam") == []
    lifecycle.set_status(*place, "active")
    assert find_yank(served) == "our own reason"


def test_a_quarantine_that_the_channel_ended_itself_does_not_come_back(
    served: Place, static: StaticServer, wheel: Path
) -> None:
    rewrite(served, static, wheel, head=QUARANTINE)
    assert files_of(served, "spam") == []
    lifecycle.set_status(served.registry, served.owner, "main", "spam", "active")
    rewrite(served, static, wheel, head=QUARANTINE)
    assert files_of(served, "spam") == [wheel.name]
    assert list_conda(served) == ["spam-1.0-py_0.conda"]


@pytest.mark.usefixtures("wheel")
def test_an_own_quarantine_ends_what_the_upstream_offers(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    second = make_wheel(tmp_path, "spam", "2.0")
    static.publish(second)
    hours[0] += 1
    advance_clock(served, hours[0])
    assert len(files_of(served, "spam")) == 2
    lifecycle.set_status(served.registry, served.owner, "main", "spam", "quarantined", "ours")
    assert files_of(served, "spam") == []
    assert download(served, second) == 403


@pytest.mark.usefixtures("wheel")
@pytest.mark.parametrize("status", ["archived", "deprecated"])
def test_other_states_are_shown_and_files_are_still_fetched(
    served: Place, static: StaticServer, tmp_path: Path, status: str
) -> None:
    second = make_wheel(tmp_path, "spam", "2.0")
    static.publish(second)
    rewrite(served, static, second, head=f'<meta name="pypi:project-status" content="{status}">')
    page = served.get("/main/simple/spam/", Accept=JSON).json()
    assert page["project-status"]["status"] == status
    assert f'content="{status}"' in served.get("/main/simple/spam/", Accept="text/html").text
    assert download(served, second) == 200


def test_a_quarantine_arrives_where_only_conda_reads(
    served: Place, static: StaticServer, wheel: Path
) -> None:
    rewrite(served, static, wheel, head=QUARANTINE)
    for _ in range(200):
        if list_conda(served) == []:
            break
        time.sleep(0.05)
    assert list_conda(served) == []
    assert served.get("/main/noarch/spam-1.0-py_0.conda").status_code == 403
