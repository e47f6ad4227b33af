"""A wheel's twin may have another name than its project: whose right that name is."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.factories.packages import make_conda, make_wheel, sha256_of
from tests.server.conftest import Place
from tests.servers.upstream import StaticServer, add_upstream
from twofold.server.auth import accounts
from twofold.server.model import Action
from twofold.server.registry import administration, conversion, labels, lifecycle
from twofold.server.registry.labels import Promotion, Selection
from twofold.server.registry.publish import Upload, publish

#: conda knows `tables` as `pytables`.
UPLOAD = frozenset({Action.READ, Action.UPLOAD})


def listed(place: Place, channel: str = "main") -> set[str]:
    value = place.get(f"/{channel}/noarch/repodata.json").json()
    page = place.get(f"/{channel}/v3/noarch/repodata.json")
    wheels = page.json().get("v3", {}).get("whl", {})
    return {*value["packages.conda"], *(f"v3 {record['name']}" for record in wheels.values())}


def token(place: Place, user: str = "owner", project: str | None = None) -> str:
    who = accounts.get_user(place.registry, user)
    request = accounts.TokenRequest("ci", UPLOAD, "main", project)
    return accounts.issue_token_for(place.registry, "operator", who, request)[0]


def fetch(place: Place, wheel: Path) -> None:
    """As pip does it."""
    assert place.get("/main/simple/tables/").status_code == 200
    assert place.get(f"/main/files/{sha256_of(wheel)}/{wheel.name}").status_code == 200


def test_a_token_of_one_project_makes_no_package_of_another_ones_name(
    served: Place, tmp_path: Path
) -> None:
    administration.change_rule(served.registry, "operator", "main", "v3", "yes")
    own = served.publish(make_conda(tmp_path, "pytables", "1.0"))
    narrow = token(served, project="tables")
    body = served.upload(make_wheel(tmp_path, "tables", "9.0"), narrow).json()
    assert body["new"] and body["conda"] == []
    assert (
        "name of 'tables' is 'pytables'" in body["remark"] and "lacks permission" in body["remark"]
    )
    assert listed(served) == {own.file.filename}
    conversion.reconvert_all(served.registry, "main")
    assert listed(served) == {own.file.filename}
    whole = served.upload(make_wheel(tmp_path, "tables", "9.1"), token(served)).json()
    assert whole["conda"] == ["noarch/pytables-9.1-py_0.conda"]
    served.upload(make_wheel(tmp_path, "tables", "9.2"), narrow)
    assert listed(served) == {own.file.filename, "pytables-9.1-py_0.conda", "v3 pytables"}
    lifecycle.set_status(served.registry, served.owner, "main", "pytables", "archived")
    body = served.upload(make_wheel(tmp_path, "tables", "9.3"), token(served)).json()
    assert body["conda"] == [] and "archived" in body["remark"]


def test_a_reserved_prefix_holds_for_the_name_that_conda_has(served: Place, tmp_path: Path) -> None:
    ann = accounts.add_user(served.registry, "operator", "ann")
    administration.set_role(served.registry, "operator", "main", ann, Action.UPLOAD)
    administration.reserve_prefix(
        served.registry, "operator", "main", "pytables", served.owner.user
    )
    wheel = make_wheel(tmp_path, "tables", "1.0")
    body = served.upload(wheel, token(served, "ann")).json()
    assert body["conda"] == [] and "reserved" in body["remark"]
    body = served.upload(make_wheel(tmp_path, "tables", "1.1"), token(served)).json()
    assert body["conda"] == ["noarch/pytables-1.1-py_0.conda"]


def test_what_an_upstream_has_never_appears_under_a_private_name_of_conda(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    evil = make_wheel(tmp_path / "evil", "tables", "99.0")
    static.publish(evil)
    add_upstream(served, f"{static.url}/simple")
    own = served.publish(make_conda(tmp_path, "pytables", "1.0"))
    fetch(served, evil)
    assert listed(served) == {own.file.filename}
    assert conversion.reconvert_all(served.registry, "main")[0] == []
    assert listed(served) == {own.file.filename}


def test_what_an_upstream_has_appears_under_no_private_prefix_by_condas_name(
    served: Place, static: StaticServer, tmp_path: Path
) -> None:
    wheels = [make_wheel(tmp_path, "tables", version) for version in ("1.0", "2.0")]
    static.publish(*wheels)
    add_upstream(served, f"{static.url}/simple")
    fetch(served, wheels[0])
    assert listed(served) == {"pytables-1.0-py_0.conda"}
    add_upstream(served, f"{static.url}/simple", "pypi", "pytables")
    fetch(served, wheels[1])
    assert listed(served) == {"pytables-1.0-py_0.conda"}


def test_promotion_copies_no_converted_package_under_the_name_of_another_project(
    served: Place, tmp_path: Path
) -> None:
    ann = accounts.add_user(served.registry, "operator", "ann")
    accounts.add_channel(served.registry, "operator", "lab", ann)
    lab = accounts.identify(
        served.registry,
        accounts.issue_token_for(served.registry, "x", ann, accounts.TokenRequest("all"))[0],
    )
    wheel = make_wheel(tmp_path / "lab", "tables", "9.0")
    shutil.copy(wheel, tmp_path / "copy")
    publish(served.registry, lab, "lab", Upload(tmp_path / "copy", wheel.name))
    assert listed(served, "lab") == {"pytables-9.0-py_0.conda"}
    own = served.publish(make_conda(tmp_path, "pytables", "1.0"))
    administration.set_role(served.registry, "operator", "main", ann, Action.UPLOAD)
    narrow = accounts.identify(served.registry, token(served, "ann", "tables"))
    promotion = Promotion("lab", "main", Selection("tables"))
    carried = labels.promote(served.registry, narrow, promotion)
    assert [file.filename for file in carried] == [wheel.name]
    assert listed(served) == {own.file.filename}
    again = Promotion("lab", "main", Selection("tables"), existing="keep")
    labels.promote(served.registry, lab, again)
    assert listed(served) == {own.file.filename, "pytables-9.0-py_0.conda"}
