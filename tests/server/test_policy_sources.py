"""Conditions beyond names and ages: licences, known vulnerabilities, exceptions, approval."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.management import Api, member
from tests.factories.packages import make_sdist, make_wheel
from tests.server.conftest import Place
from tests.servers.upstream import StaticServer, add_upstream
from tests.servers.upstream_reads import JSON, audited
from twofold.errors import Refused, TwofoldError
from twofold.formats.core_metadata import parse_metadata
from twofold.server.admission import vulnerabilities
from twofold.server.admission.licenses import find_license_problem
from twofold.server.admission.vulnerabilities import Advisory, read_database
from twofold.server.proxy import config
from twofold.server.proxy.policy import Policy
from twofold.server.registry import approvals


def refused(place: Place, name: str = "spam") -> dict[str, str]:
    """Version -> reason of the refused files."""
    page = place.get(f"/main/simple/{name}/", Accept=JSON).json()
    return {
        file["filename"].split("-")[1].removesuffix(".tar.gz"): file["_refused"]
        for file in page["files"]
        if "_refused" in file
    }


def download(place: Place, filename: str) -> Any:
    name = filename.split("-")[0]
    page = place.get(f"/main/simple/{name}/", Accept=JSON).json()
    (url,) = (file["url"] for file in page["files"] if file["filename"] == filename)
    return place.get(f"/main/{url.removeprefix('../../')}")


def set_policy(place: Place, **conditions: Any) -> None:
    config.set_policy(place.registry, "operator", "main", Policy(**conditions))


@pytest.fixture
def front(served: Place, static: StaticServer, tmp_path: Path) -> Place:
    """`main` in front of an index with spam 1.0 (MIT), 2.0 (GPL), 3.0 (none stated)."""
    static.publish(
        make_wheel(tmp_path, "spam", "1.0", "License-Expression: MIT OR GPL-3.0-only"),
        make_wheel(tmp_path, "spam", "2.0", "License-Expression: GPL-3.0-only"),
        make_wheel(tmp_path, "spam", "3.0"),
        with_metadata=True,
    )
    add_upstream(served, f"{static.url}/simple")
    return served


def make_advisory(name: str, identifier: str = "PYSEC-1", **affected: Any) -> dict[str, Any]:
    package = {"ecosystem": "PyPI", "name": name}
    return {"id": identifier, "aliases": ["CVE-1"], "affected": [{"package": package, **affected}]}


def spans(*events: dict[str, str], kind: str = "ECOSYSTEM") -> list[dict[str, Any]]:
    return [{"type": kind, "events": list(events)}]


@pytest.mark.parametrize(
    ("affected", "expected"),
    [
        ({"versions": ["2.0"]}, {"2.0"}),
        ({"ranges": spans({"introduced": "0"}, {"fixed": "2.0"})}, {"1.0"}),
        ({"ranges": spans({"introduced": "2"}, {"last_affected": "2.0"})}, {"2.0"}),
        ({"ranges": spans({"introduced": "2.0"})}, {"2.0", "3.0"}),
        (
            {"ranges": spans({"introduced": "0"}, {"fixed": "1.5"}, {"introduced": "3.0"})},
            {"1.0", "3.0"},
        ),
        ({"ranges": spans({"introduced": "abc"}, kind="GIT")}, set()),
        ({"versions": ["v1.0.0", "2"]}, {"1.0", "2.0"}),  # in other spellings
        ({"ranges": spans({"fixed": "2.0"}, {"introduced": "0"})}, {"1.0"}),  # in any order
        (
            {
                "ranges": spans(
                    {"introduced": "3"},
                    {"last_affected": "1.0"},
                    {"introduced": "0"},
                    {"fixed": "4"},
                )
            },
            {"1.0", "3.0"},
        ),
        ({"ranges": spans({"introduced": "2.0"}, {"fixed": "next"})}, {"2.0", "3.0"}),
        ({"ranges": spans({"introduced": "?"}, {"fixed": "1.5"})}, {"1.0"}),
        ({"ranges": spans({"fixed": "2.0"})}, set()),
        ({"ranges": spans({"introduced": "9"}), "versions": ["1.0"]}, {"1.0"}),
        ({}, set()),
    ],
)
def test_releases_with_a_known_vulnerability_are_refused(
    front: Place, tmp_path: Path, affected: dict[str, Any], expected: set[str]
) -> None:
    place = tmp_path / "osv"
    place.mkdir()
    (place / "PYSEC-1.json").write_text(json.dumps(make_advisory("Spam", **affected)))
    set_policy(front, advisories=str(place))
    found = refused(front)
    assert set(found) == expected
    assert all(reason == "it has a known vulnerability: PYSEC-1" for reason in found.values())
    for version in expected:
        got = download(front, f"spam-{version}-py3-none-any.whl")
        assert got.status_code == 403 and "PYSEC-1" in got.json()["message"]


@pytest.mark.parametrize("version", ["2.0+cpu", "2.0.0+cu118", "v2.0", "2"])
def test_a_local_label_or_another_spelling_is_the_same_release(version: str) -> None:
    listed = Advisory("X", (), frozenset({"2.0"}), ())
    last = Advisory("X", (), frozenset(), ((("introduced", "0"), ("last_affected", "2.0")),))
    assert listed.concerns(version) and last.concerns(version)
    fixed = Advisory("X", (), frozenset(), ((("introduced", "0"), ("fixed", "2.0")),))
    assert not fixed.concerns(version)


def test_a_withdrawn_an_accepted_and_anothers_advisory_do_not_count(
    front: Place, tmp_path: Path
) -> None:
    withdrawn = {**make_advisory("spam", versions=["1.0"]), "withdrawn": "2026-01-01T00:00:00Z"}
    other = make_advisory("spam", "GHSA-2", versions=["2.0"])
    other["affected"][0]["package"]["ecosystem"] = "npm"
    third = make_advisory("spam", "GHSA-3", versions=["3.0"])
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for number, one in enumerate((withdrawn, other, third)):
            archive.writestr(f"{number}.json", json.dumps(one))
    set_policy(front, advisories=str(tmp_path / "all.zip"))
    assert set(refused(front)) == {"3.0"}
    set_policy(front, advisories=str(tmp_path / "all.zip"), accept=("CVE-1",))
    assert refused(front) == {}


def test_advisories_at_an_address_are_fetched_once_and_the_last_copy_counts(
    front: Place, static: StaticServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = static.folder / "all.json"
    database.write_text(json.dumps([make_advisory("spam", versions=["1.0"])]))
    set_policy(front, advisories=f"{static.url}/all.json")
    static.requested.clear()
    assert set(refused(front)) == set(refused(front)) == {"1.0"}
    assert static.requested.count("/all.json") == 1
    monkeypatch.setattr(vulnerabilities, "REFRESH_SECONDS", 0.0)
    static.fault = 500
    assert set(refused(front)) == {"1.0"}


def test_without_the_advisories_that_the_policy_names_nothing_is_served(
    front: Place, static: StaticServer, tmp_path: Path
) -> None:
    set_policy(front, advisories=str(tmp_path / "absent"))
    got = front.get("/main/simple/spam/")
    assert got.status_code == 503 and "advisories" in got.text
    assert not any(path.endswith(".whl") for path in static.requested)


@pytest.mark.parametrize("text", ["{", "[1]", '[{"affected": [{"package": 3}]}]', "[]"])
def test_a_malformed_database_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "one").mkdir()
    if text != "[]":
        (tmp_path / "one" / "x.json").write_text(text)
    with pytest.raises(TwofoldError):
        read_database(tmp_path / "one")


def test_a_licence_is_checked_before_the_wheel_is_fetched_and_shown_from_then_on(
    front: Place, static: StaticServer
) -> None:
    set_policy(front, licenses=("mit", "BSD-3-Clause"))
    assert download(front, "spam-1.0-py3-none-any.whl").status_code == 200
    static.requested.clear()
    for version, reason in (("2.0", "GPL-3.0-only"), ("3.0", "states none")):
        got = download(front, f"spam-{version}-py3-none-any.whl")
        assert got.status_code == 403 and reason in got.json()["message"]
    assert not any(path.endswith(".whl") for path in static.requested)
    assert set(refused(front)) == {"2.0", "3.0"}
    assert {entry.subject for entry in audited(front, "upstream-refused")} == {
        "spam-2.0-py3-none-any.whl",
        "spam-3.0-py3-none-any.whl",
    }
    set_policy(front, licenses=("GPL-3.0-only",))
    assert refused(front) == {}  # the reason was one of the policy before


def test_the_licence_of_an_sdist_is_checked_when_it_has_arrived(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    static.publish(make_sdist(tmp_path, "spam", "1.0"))
    add_upstream(served, f"{static.url}/simple")
    set_policy(served, licenses=("MIT",))
    got = download(served, "spam-1.0.tar.gz")
    assert got.status_code == 403 and "licence" in got.json()["message"]


@pytest.mark.parametrize(
    ("lines", "is_allowed"),
    [
        ("License-Expression: MIT", True),
        ("License-Expression: mit AND BSD-3-Clause", True),
        ("License-Expression: MIT AND GPL-3.0-only", False),
        ("License-Expression: GPL-2.0-only OR (MIT AND BSD-3-Clause)", True),
        ("License-Expression: MIT WITH Some-exception", True),
        ("License-Expression: (MIT", False),
        ("License-Expression: MIT MIT", False),
        ("License: MIT", True),
        ("License: BSD", True),
        ("License: see the file", False),
        ("Classifier: License :: OSI Approved :: MIT License", True),
        (
            "Classifier: License :: OSI Approved :: MIT License\n"
            "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
            False,
        ),
        ("Classifier: License :: OSI Approved\nLicense: MIT License", True),
        ("Keywords: x", False),
    ],
)
def test_a_licence_is_read_in_all_its_forms(lines: str, is_allowed: bool) -> None:
    text = f"Metadata-Version: 2.4\nName: spam\nVersion: 1\n{lines}\n"
    problem = find_license_problem(parse_metadata(text.encode()), ("MIT", "BSD-3-Clause"))
    assert (problem is None) is is_allowed


def test_an_exception_frees_a_release_of_every_condition(front: Place) -> None:
    conditions = {"min_age": 3, "licenses": ("MIT",), "deny": ("spam",), "approval": True}
    set_policy(front, **conditions, exceptions=("spam==2.0",))
    assert set(refused(front)) == {"1.0", "3.0"}
    assert download(front, "spam-2.0-py3-none-any.whl").status_code == 200


def test_a_name_is_asked_for_by_a_reader_granted_by_an_administrator_and_then_served(
    front: Place, twofold: Callable[..., Any]
) -> None:
    set_policy(front, approval=True)
    assert "asks for approval" in refused(front)["1.0"]
    asking = {"project": "Spam", "reason": "for the report"}
    place = "/channels/main/requests"
    assert Api(front, "").send("POST", place, **asking).status_code == 401
    assert Api(front, member(front, "ann")).send("POST", place, **asking).status_code == 204
    data = ("--data", front.settings.data, "--json")
    (line,) = twofold("admin", "approve", "main", *data).json["requests"]
    assert (line["project"], line["by"], line["reason"]) == ("spam", "ann", "for the report")
    ran = twofold("admin", "approve", "main", "spam", *data)
    assert ran.json == {"approved": ["spam"], "requests": []}
    assert refused(front) == {}
    assert download(front, "spam-1.0-py3-none-any.whl").status_code == 200
    twofold("admin", "approve", "main", "spam", "--withdraw", *data)
    assert "asks for approval" in refused(front)["2.0"]
    assert [entry.action for entry in audited(front, "approve")] == ["approve"]


def test_requests_are_bounded_and_only_of_names(front: Place) -> None:
    for name in ("https://x", "", "a b"):
        with pytest.raises(Refused):
            approvals.ask(front.registry, front.owner, "main", name, "")
    approvals.ask(front.registry, front.owner, "main", "spam", "x" * 5000)
    (found,) = approvals.list_requests(front.registry, front.owner, "main")
    assert len(found.reason) <= 500
