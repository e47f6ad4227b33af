"""The management API: every endpoint, its permissions, its document, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyotp
import requests

from tests.clients.management import Api, member
from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from twofold.server.app import create_app
from twofold.server.auth import accounts, second_factor, sessions
from twofold.server.auth.required_roles import RequiredRole
from twofold.server.auth.sessions import SignIn
from twofold.server.model import Action
from twofold.server.registry import administration
from twofold.server.settings import SessionLimits
from twofold.server.web.management import ENDPOINTS, channels
from twofold.server.web.management.endpoints import BASE


def test_every_route_is_in_the_document_and_every_call_of_it_is_a_route(place: Place) -> None:
    app = create_app(place.settings, place.registry)
    routed = {r.path for r in app.routes if getattr(r, "path", "").startswith(BASE)}
    reported = _document(place)["paths"]
    assert routed == set(reported)
    calls = {(BASE + endpoint.path, endpoint.method.lower()) for endpoint in ENDPOINTS}
    assert calls == {(path, method) for path, methods in reported.items() for method in methods}
    assert len({endpoint.name for endpoint in ENDPOINTS}) == len(ENDPOINTS)


def _document(place: Place) -> dict[str, Any]:
    from starlette.testclient import TestClient

    with TestClient(create_app(place.settings, place.registry)) as client:
        answer = client.get("/api/openapi.json")
    return dict(answer.json())


#: A walk through the whole table: name of the endpoint -> (path's words, body). In this order.
WALK: list[tuple[str, str, dict[str, Any]]] = [
    ("whoami", "/whoami", {}),
    ("add-user", "/users", {"name": "ann", "password": "a-long-password"}),
    ("add-user", "/users", {"name": "team", "kind": "organisation"}),
    ("list-users", "/users", {}),
    ("show-user", "/users/ann", {}),
    ("set-password", "/users/ann/password", {"password": "another-password"}),
    ("remove-password", "/users/ann/password", {}),
    ("add-token", "/users/ann/tokens", {"name": "ci", "days": 3, "actions": ["upload"]}),
    ("list-tokens", "/users/ann/tokens", {}),
    ("revoke-token", "/users/ann/tokens/2", {}),
    ("list-sessions", "/users/ann/sessions", {}),
    ("end-session", "/users/ann/sessions/1", {}),
    ("end-sessions", "/users/ann/sessions", {}),
    ("link-identity", "/users/ann/identities", {"issuer": "https://id.example", "subject": "7"}),
    ("show-sign-in", "/users/ann/sign-in", {}),
    ("unlink-identity", "/users/ann/identities?issuer=https://id.example", {}),
    ("reset-second-factor", "/users/ann/second-factor", {}),
    ("invite-member", "/organisations/team/invitations", {"role": "read"}),
    ("list-member-invitations", "/organisations/team/invitations", {}),
    ("withdraw-member-invitation", "/organisations/team/invitations/1", {}),
    ("invite", "/channels/main/invitations", {"role": "upload", "days": 2}),
    ("list-invitations", "/channels/main/invitations", {}),
    ("withdraw-invitation", "/channels/main/invitations/1", {}),
    ("set-member", "/organisations/team/members/ann", {"role": "upload"}),
    ("list-members", "/organisations/team/members", {}),
    ("remove-member", "/organisations/team/members/ann", {}),
    ("add-channel", "/channels", {"name": "stable", "public": False}),
    ("list-channels", "/channels", {}),
    ("change-channel", "/channels/stable", {"quota": 10_000_000, "keep": 2, "keep_days": None}),
    ("show-channel", "/channels/stable", {}),
    ("set-role", "/channels/main/roles/ann", {"role": "upload"}),
    ("list-roles", "/channels/main/roles", {}),
    ("remove-role", "/channels/main/roles/ann", {}),
    ("reserve-prefix", "/channels/main/prefixes/acme", {"owner": "team"}),
    ("list-prefixes", "/channels/main/prefixes", {}),
    ("free-prefix", "/channels/main/prefixes/acme", {}),
    (
        "add-publisher",
        "/channels/main/publishers",
        {"project": "my_package", "issuer": "https://ci.example", "claims": {"repository": "o/r"}},
    ),
    ("list-publishers", "/channels/main/publishers", {}),
    ("remove-publisher", "/channels/main/publishers/1", {}),
    ("list-projects", "/channels/main/projects", {}),
    ("show-project", "/channels/main/projects/My.Package", {}),
    ("set-status", "/channels/main/projects/my-package/status", {"status": "deprecated"}),
    ("yank", "/channels/main/projects/my-package/releases/1.0/yank", {"reason": "it breaks"}),
    ("unyank", "/channels/main/projects/my-package/releases/1.0/yank", {}),
    ("set-label", "/channels/main/labels/test", {"locked": False}),
    ("list-labels", "/channels/main/labels", {}),
    ("label", "/channels/main/labels/test/files", {"project": "my_package", "version": "1.1"}),
    ("list-labelled", "/channels/main/labels/test/files", {}),
    (
        "promote",
        "/channels/stable/promotions",
        {"source": "main", "project": "my_package", "from_label": "test"},
    ),
    ("unlabel", "/channels/main/labels/test/files?project=my_package", {}),
    ("remove-label", "/channels/main/labels/test", {}),
    ("retain", "/channels/main/retention", {"keep": 2, "dry_run": True}),
    ("delete-release", "/channels/main/projects/my-package/releases/1.0", {}),
    ("undelete", "/channels/main/projects/my-package/releases/1.0/undelete", {}),
    (
        "delete-file",
        "/channels/main/projects/my-package/files/my_package-1.2-py3-none-any.whl",
        {},
    ),
    ("delete-project", "/channels/main/projects/my-package", {}),
    ("undelete-project", "/channels/main/projects/my-package/undelete", {}),
    ("list-upstreams", "/channels/main/upstreams", {}),
    ("ask", "/channels/main/requests", {"project": "spam", "reason": "for the report"}),
    ("list-requests", "/channels/main/requests", {}),
    ("grant", "/channels/main/approvals/spam", {}),
    ("list-approvals", "/channels/main/approvals", {}),
    ("withdraw-approval", "/channels/main/approvals/spam", {}),
    ("add-webhook", "/channels/main/webhooks", {"url": "https://8.8.8.8/x?t=1"}),
    ("list-webhooks", "/channels/main/webhooks", {}),
    ("rotate-webhook-secret", "/channels/main/webhooks/1/secret", {}),
    ("test-webhook", "/channels/main/webhooks/1/test", {}),
    ("list-deliveries", "/channels/main/deliveries", {}),
    ("change-webhook", "/channels/main/webhooks/1", {"events": ["yank"]}),
    ("resend-delivery", "/channels/main/deliveries/1/resend", {}),
    ("remove-webhook", "/channels/main/webhooks/1", {}),
    ("list-refusals", "/channels/main/refusals", {}),
    ("add-notice", "/channels/main/notices", {"message": "Closed on Monday", "days": 2}),
    ("list-notices", "/channels/main/notices", {}),
    ("disable-user", "/users/ann/disable", {}),
    ("channel-log", "/channels/main/log?action=yank&limit=5", {}),
    ("show-state", "/state", {}),
    ("log", "/log?after=3", {}),
]

#: Walked elsewhere: upstreams in test_managed_upstreams.py; a table is no JSON.
#: And what needs a secret that another call made: test_sign_in.py; or a policy's index.
ELSEWHERE = {
    "set-upstream",
    "remove-upstream",
    "log-csv",
    "accept-invitation",
    "remove-notice",
    "show-upstream-policy",
    "set-upstream-policy",
    "convert-waiting",
}


def ann_signs_in(place: Place) -> None:
    """Give ann two sessions and a second factor, for the calls that end and remove them."""
    ann = accounts.get_user(place.registry, "ann")
    for _ in range(2):
        sessions.begin(place.registry, SignIn(ann, "password"), SessionLimits())
    secret = second_factor.begin(place.registry, ann, "test").secret
    code = pyotp.TOTP(secret).now()
    second_factor.confirm(place.registry, ann, code, 1)
    sessions.begin(place.registry, SignIn(ann, "password"), SessionLimits())


def test_a_walk_through_every_call_changes_what_it_says_and_leaves_it_in_the_log(
    served: Place, tmp_path: Path
) -> None:
    for version in ("1.0", "1.1", "1.2"):
        served.publish(make_wheel(tmp_path, "my_package", version))
    api, calls = Api(served), {endpoint.name: endpoint for endpoint in ENDPOINTS}
    assert {name for name, *_ in WALK} | ELSEWHERE == set(calls)
    seen: dict[str, Any] = {}
    for name, path, fields in WALK:
        if name == "list-sessions":
            ann_signs_in(served)
        before = len(api("GET", "/log"))
        seen[name] = api(calls[name].method, path, **fields)
        noted = len(api("GET", "/log")) - before
        changes = calls[name].method != "GET" and not fields.get("dry_run")
        assert (noted > 0) is changes, name
    assert seen["whoami"]["operator"] is True
    assert seen["add-token"]["secret"].startswith("twofold-")
    assert [t["name"] for t in seen["list-tokens"]] == ["ci"]
    assert seen["list-members"] == [{"user": "ann", "role": "upload"}]
    assert seen["show-channel"]["channel"]["quota"] == 10_000_000
    assert {file["yanked"] for file in seen["yank"]} == {"it breaks"}
    assert [file["version"] for file in seen["promote"]] == ["1.1", "1.1"]
    assert {file["version"] for file in seen["retain"]} == {"1.0"}
    assert [one["project"] for one in seen["list-requests"]] == ["spam"]
    assert seen["list-approvals"] == ["spam"]
    assert seen["disable-user"]["disabled"] is True
    assert [line["action"] for line in seen["channel-log"]] == ["yank"]
    assert served.token not in json.dumps(api("GET", "/log"))
    assert seen["add-token"]["secret"] not in json.dumps(api("GET", "/log"))


def test_the_log_is_a_table_too_which_runs_nothing_in_a_spreadsheet(served: Place) -> None:
    api = Api(served)
    api(
        "POST",
        "/channels/main/publishers",
        project="x",
        issuer="https://ci.example",
        claims={"=1+1": "x", "sub": "x"},
    )
    answer = api.send("GET", "/log.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["action"] for row in rows] == ["first-start", "publisher"]
    assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())


def test_every_call_asks_for_its_right(served: Place, tmp_path: Path) -> None:
    """Nobody, a stranger, and a reader are refused whatever needs more, with nothing changed."""
    served.publish(make_wheel(tmp_path, "my_package", "1.0"))
    nobody, reader = Api(served, ""), Api(served, member(served, "reader", Action.READ))
    before = len(Api(served)("GET", "/log"))
    calls = {endpoint.name: endpoint for endpoint in ENDPOINTS}
    for name, walked, fields in WALK:
        endpoint = calls[name]
        path = walked.replace("/ann", "/owner").replace("stable", "main")
        if endpoint.required_role is not RequiredRole.READ:
            assert nobody.send(endpoint.method, path, **fields).status_code == 401, name
        if endpoint.required_role not in (RequiredRole.READ, RequiredRole.LOGIN):
            assert reader.send(endpoint.method, path, **fields).status_code == 403, name
    assert len(Api(served)("GET", "/log")) == before


def test_a_channels_administrator_looks_after_it_and_nothing_else(served: Place) -> None:
    accounts.add_channel(served.registry, "owner", "other", served.owner.user)  # type: ignore[arg-type]
    api = Api(served, member(served, "ann", Action.ADMIN))
    api("PATCH", "/channels/main", deletion="never", keep=3)
    assert api.send("PATCH", "/channels/main", quota=5).status_code == 403
    assert api.send("PATCH", "/channels/other", deletion="never").status_code == 403
    assert api.send("GET", "/users").status_code == 403
    assert api.send("GET", "/log").status_code == 403
    assert {line["channel"] for line in api("GET", "/channels/main/log")} == {"main"}


def test_operators_are_the_administrators_of_their_organisation(served: Place) -> None:
    owner, token = Api(served), member(served, "ann")
    ann = Api(served, token)
    owner("POST", "/users", name="operators", kind="organisation")
    owner("PUT", "/organisations/operators/members/ann", role="upload")
    assert ann.send("GET", "/users").status_code == 403
    owner("PUT", "/organisations/operators/members/ann", role="admin")
    assert len(ann("GET", "/users")) == 3
    ann("PUT", "/channels/main/roles/ann", role="admin")
    assert owner("GET", "/log")[-1]["actor"] == "ann"
    made = ann("POST", "/users/ann/tokens", channel="main")
    assert Api(served, made["secret"]).send("GET", "/users").status_code == 403


def test_a_user_looks_after_its_own_password_and_tokens(served: Place) -> None:
    token = member(served, "ann")
    ann = Api(served, token)
    assert ann.send("GET", "/users/owner").status_code == 403
    assert ann.send("PUT", "/users/ann/password", password="new-password").status_code == 403
    ann("PUT", "/users/ann/password", password="new-password", current=token)
    made = ann("POST", "/users/ann/tokens", name="ci", project="My_Package", actions=["upload"])
    assert made["token"]["projects"] == ["my-package"]
    narrow = Api(served, made["secret"])
    assert narrow("GET", "/whoami")["token"]["name"] == "ci"
    assert narrow.send("GET", "/users/ann/tokens").status_code == 403
    assert narrow.send("POST", "/users/ann/tokens").status_code == 403
    ann("DELETE", f"/users/ann/tokens/{made['token']['id']}")
    assert narrow.send("GET", "/whoami").status_code == 401


def test_a_token_makes_none_that_outlives_it(served: Place) -> None:
    short = Api(served)("POST", "/users/owner/tokens", days=1)
    child = Api(served, short["secret"])("POST", "/users/owner/tokens", days=30)
    assert child["token"]["expires_at"] == short["token"]["expires_at"]


def test_an_upstream_inside_the_operators_network_is_not_named_over_http(served: Place) -> None:
    api = Api(served)
    for url in ("https://127.0.0.1/simple", "https://[::1]/", "https://169.254.169.254/latest"):
        answer = api.send("PUT", "/channels/main/upstreams/pypi", url=url)
        assert (answer.status_code, answer.json()["code"]) == (403, "internal-address"), url
    answer = api.send("PUT", "/channels/main/upstreams/pypi", url="https://nowhere.invalid/simple")
    assert answer.status_code == 409
    assert api.send("DELETE", "/channels/main/upstreams/pypi").status_code == 404


def test_the_channels_own_rule_says_what_is_kept(served: Place, tmp_path: Path) -> None:
    for version in ("1.0", "1.1", "1.2"):
        served.publish(make_wheel(tmp_path, "my_package", version))
    api = Api(served)
    assert api.send("POST", "/channels/main/retention").status_code == 409
    api("PATCH", "/channels/main", keep=1, keep_days=9)
    assert api("POST", "/channels/main/retention") == []
    api("PATCH", "/channels/main", keep_days=None)
    gone = api("POST", "/channels/main/retention")
    assert {file["version"] for file in gone} == {"1.0", "1.1"}
    api("PATCH", "/channels/main", deletion="never", keep=1)
    served.publish(make_wheel(tmp_path, "my_package", "1.3"))
    assert api.send("POST", "/channels/main/retention").status_code == 403


def test_every_rule_of_the_command_line_can_be_set_over_http(served: Place, tmp_path: Path) -> None:
    assert {name.replace("_", "-") for name in channels.RULES} == set(administration.RULES)
    api = Api(served)
    rules = {
        "keep_label_days": {"dev": 0},
        "keep_bytes": 10**9,
        "undelete_days": 7,
        "allowed_names": ["spam-egg"],
        "base_url": "https://files.example/main",
        "v3": True,
        "redirect": True,
        "lazy": True,
        "images": "proxied",
        "prefer": "own",
        "offered_releases": 3,
    }
    sent = {**rules, "allowed_names": ["Spam_Egg"], "base_url": "https://files.example/main/"}
    shown = api("PATCH", "/channels/main", **sent)["channel"]
    assert {name: shown[name] for name in rules} == rules
    for version, names in (("1.0", ("dev",)), ("1.1", ("main",))):
        served.publish(make_wheel(tmp_path, "my_package", version), labels=names)
    gone = api("POST", "/channels/main/retention", dry_run=True)
    assert {file["version"] for file in gone} == {"1.0"}
    api("PATCH", "/channels/main", keep_label_days={}, keep_bytes=None)
    assert api.send("POST", "/channels/main/retention").status_code == 409
    api("POST", "/users", name="ann", password="a-long-password")
    api("PUT", "/channels/main/roles/ann", role="admin")
    ann = Api(served, api("POST", "/users/ann/tokens")["secret"])
    ann("PATCH", "/channels/main", keep_label_days={"dev": 3}, lazy=False)
    for name in ("quota", "undelete_days", "base_url", "redirect"):
        assert ann.send("PATCH", "/channels/main", **{name: None}).status_code in (400, 403), name
    assert ann.send("PATCH", "/channels/main", redirect=False).status_code == 403


REFUSED = [
    ("POST", "/users", b"", 400),
    ("POST", "/users", b"nonsense", 400),
    ("POST", "/users", b"[]", 400),
    ("POST", "/users", b'{"name": "Ann"}', 400),
    ("POST", "/users", b'{"name": "api"}', 400),
    ("POST", "/users", b'{"name": "ann\\n"}', 400),
    ("POST", "/users", b'{"name": "ann", "colour": "red"}', 400),
    ("POST", "/users", b'{"name": "ann", "password": "short"}', 400),
    ("POST", "/users", b'{"name": "owner"}', 409),
    ("POST", "/users", b'{"name": ' + b"[" * 5000 + b"}", 400),
    ("PATCH", "/channels/main", b'{"quota": 1.5}', 400),
    ("PATCH", "/channels/main", b'{"quota": true}', 400),
    ("PATCH", "/channels/main", b'{"keep_label_days": {"dev": "3"}}', 400),
    ("PATCH", "/channels/main", b'{"keep_label_days": {"../x": 3}}', 400),
    ("PATCH", "/channels/main", b'{"keep_label_days": null}', 400),
    ("PATCH", "/channels/main", b'{"base_url": "javascript:alert(1)"}', 400),
    ("PATCH", "/channels/main", b'{"base_url": "https://u:p@files.example/"}', 400),
    ("PATCH", "/channels/main", b'{"allowed_names": ["a/b"]}', 400),
    (
        "POST",
        "/channels/main/publishers",
        b'{"project": "a", "issuer": "https://ci.example", "claims": {"a\\u0000": "x"}}',
        400,
    ),
    ("PATCH", "/channels/main", b'{"quota": 99999999999999999999}', 400),
    ("PATCH", "/channels/nothing", b"{}", 404),
    ("PUT", "/channels/main/roles/nobody", b'{"role": "read"}', 404),
    ("PUT", "/channels/main/roles/owner", b'{"role": "owner"}', 400),
    ("GET", "/log?limit=0", b"", 400),
    ("GET", "/log?limit=x", b"", 400),
    ("GET", "/log?limit=1&limit=2", b"", 400),
    ("GET", "/log?colour=red", b"", 400),
    ("GET", "/log?actor=%00", b"", 400),
    ("GET", "/log?actor=%ff", b"", 400),
    ("DELETE", "/users/owner/tokens/0", b"", 400),
    ("DELETE", "/users/owner/tokens/99", b"", 404),
    ("DELETE", "/users", b"", 405),
    ("POST", "/channels/main/publishers", b'{"project": "x", "issuer": "http://i"}', 400),
]


def test_what_is_not_as_the_document_says_is_refused(served: Place) -> None:
    headers = {**Api(served).headers, "content-type": "application/json"}
    for method, path, body, status in REFUSED:
        url = f"{served.url}{BASE}{path}"
        answer = requests.request(method, url, data=body, headers=headers, timeout=120)
        assert answer.status_code == status, (method, path, body[:50], answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.reason == answer.json()["message"]


def test_a_body_that_is_not_json_is_refused(served: Place) -> None:
    answer = requests.post(
        f"{served.url}{BASE}/users", {"name": "ann"}, headers=Api(served).headers, timeout=120
    )
    assert (answer.status_code, answer.json()["code"]) == (415, "not-json")


def test_the_documentation_lists_every_call() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "management-api.md"
    reported = [line for line in page.read_text(encoding="utf-8").splitlines() if line[:3] == "| `"]
    rows = [
        f"| `{endpoint.method} {endpoint.path}` | {endpoint.summary} | {endpoint.required_role} |"
        for endpoint in ENDPOINTS
    ]
    assert reported == rows
