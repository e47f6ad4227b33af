"""What can be done in the browser can be done over the API and on the command line, and back."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.clients.management import Api
from tests.clients.people import Person
from tests.factories.packages import make_wheel
from tests.server.conftest import Place
from twofold.cli import admin, admin_call, published
from twofold.server.web.manage import act_table as acts
from twofold.server.web.manage import sections
from twofold.server.web.manage.fields import list_parameters, make_fields
from twofold.server.web.management import ENDPOINTS

#: `twofold admin WHAT` -> the calls that do the same.
COMMANDS: dict[str, set[str]] = {
    "users": {"list-users"},
    "user": {"add-user"},
    "password": {"set-password"},
    "disable": {"disable-user"},
    "member": {"set-member", "remove-member"},
    "channels": {"list-channels", "show-channel", "list-roles"},
    "channel": {"add-channel"},
    "rule": {"change-channel"},
    "role": {"set-role", "remove-role"},
    "prefix": {"reserve-prefix", "free-prefix"},
    "token": {"add-token"},
    "tokens": {"list-tokens"},
    "revoke": {"revoke-token"},
    "publisher": {"add-publisher"},
    "publishers": {"list-publishers"},
    "unpublisher": {"remove-publisher"},
    "yank": {"yank"},
    "unyank": {"unyank"},
    "delete": {"delete-release", "delete-project"},
    "status": {"set-status"},
    "promote": {"promote"},
    "undelete": {"undelete", "undelete-project"},
    "retain": {"retain"},
    "log": {"log", "channel-log", "log-csv"},
    "upstream": {"set-upstream", "remove-upstream", "list-upstreams", "set-upstream-policy"},
    "approve": {"grant", "withdraw-approval", "list-approvals", "list-requests"},
    "notice": {"add-notice", "remove-notice", "list-notices"},
    "twins": {"convert-waiting"},
    "second-factor": {"reset-second-factor"},
    "call": {endpoint.name for endpoint in ENDPOINTS},
}

#: Commands that are for the server's own machine, and why.
ON_THE_MACHINE = {
    "verify": "it reads every object",
    "sweep": "it deletes objects",
    "move": "it needs the address and login of another store",
    "doctor": "it looks at the machine",
    "import": "it copies another registry for minutes or hours, with its address and login",
    "follow": "it resolves and fetches for minutes or hours",
    "offer": "it reads the metadata of many projects of the upstream",
}


#: The verb of a client -> the calls that do the same. It may do more than one of them.
VERBS: dict[str, set[str]] = {
    "yank": {"yank"},
    "unyank": {"unyank"},
    "delete": {"delete-release", "delete-project", "delete-file"},
    "promote": {"promote"},
    "status": {"show-project", "set-status"},
}


def list_admin_commands() -> set[str]:
    parser = admin.parser()
    (commands,) = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return set(commands.choices)


def test_every_command_is_a_call_or_is_for_the_machine_for_a_reason() -> None:
    assert list_admin_commands() == set(COMMANDS) | set(ON_THE_MACHINE)
    known = {endpoint.name for endpoint in ENDPOINTS}
    assert set().union(*COMMANDS.values()) == known


def test_every_verb_of_the_client_is_a_call() -> None:
    found = {name.removesuffix("_parser") for name in dir(published) if name.endswith("_parser")}
    assert found - {"_make"} == set(VERBS)
    known = {endpoint.name for endpoint in ENDPOINTS}
    assert set().union(*VERBS.values()) <= known


def test_every_call_that_changes_something_is_a_form_with_its_parameters() -> None:
    changes = {endpoint.name for endpoint in ENDPOINTS if endpoint.method != "GET"}
    assert set(acts.ACTS) == changes
    for endpoint in acts.ACTS.values():
        fields = make_fields(endpoint, {})
        assert [field.name for field in fields] == list(list_parameters(endpoint))


def test_a_page_leads_to_every_form_and_shows_every_list() -> None:
    every = [*sections.OVERVIEW, *sections.CHANNEL, *sections.USER, *sections.ORGANISATION]
    reached = {
        *sections.PROJECT_ACTS,
        *sections.RELEASE_ACTS,
        *sections.CHANNEL_ACTS,
        *sections.OWN_ACTS,
    }
    reached |= {"delete-file"}
    for section in every:
        reached |= {*section.adds, *section.row_acts}
    assert reached == set(acts.ACTS)
    shown = {section.lists for section in every} | set(sections.OTHER_LISTS)
    assert shown == set(acts.LISTS)


def test_every_act_named_for_its_form_is_one() -> None:
    for names in (acts.TYPED, acts.DANGEROUS, acts.SHOWN):
        assert set(names) <= set(acts.ACTS)
    for name, parameter in acts.TYPED.items():
        assert parameter in list_parameters(acts.ACTS[name])


def run_call(place: Place, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "twofold", "admin", "--data", str(place.settings.data), "call"]
    return subprocess.run(
        [*command, *words, "--json"], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.slow
def test_three_ways_lead_to_the_same_rules_and_the_same_refusals(served: Place) -> None:
    api, person = Api(served), Person(served.url)
    person.sign_in("owner", served.token)
    done = run_call(
        served, "change-channel", "channel=main", "keep=3", "allowed_names=a", "quota=9"
    )
    assert done.returncode == 0, done.stderr
    by_command = json.loads(done.stdout)["channel"]
    assert (by_command["keep"], by_command["allowed_names"]) == (3, ["a"])
    answer = person.act("change-channel", channel="main", keep="4", quota="")
    assert answer.ok, answer.text
    by_page = api("GET", "/channels/main")["channel"]
    assert (by_page["keep"], by_page["quota"], by_page["allowed_names"]) == (4, None, ["a"])
    assert run_call(served, "change-channel", "channel=main", "keep=").returncode == 0
    assert api("GET", "/channels/main")["channel"]["keep"] is None
    for keep in ("0", "x", "9" * 30, "²", "-1"):
        page = person.act("change-channel", channel="main", keep=keep)
        assert page.status_code == 400 and "error-keep" in page.text
        assert run_call(served, "change-channel", "channel=main", f"keep={keep}").returncode == 2
    actors = [line["actor"] for line in api("GET", "/log?action=rule")]
    assert set(actors) == {"operator", "owner"}


def test_a_call_of_the_command_line_says_what_it_takes(served: Place, capsys: Any) -> None:
    parser = admin.parser()
    args = parser.parse_args(["call", "--json"])
    assert admin_call._call(args, served.registry) == 0
    listed = [json.loads(line)["name"] for line in capsys.readouterr().out.splitlines()]
    assert listed == [endpoint.name for endpoint in ENDPOINTS]
    args = parser.parse_args(["call", "add-user", "name=ann", "--json"])
    assert admin_call._call(args, served.registry) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "ann"
    publisher = ("channel=main", "project=p", "issuer=https://ci.example", "claims=repository=o/r")
    args = parser.parse_args(["call", "add-publisher", *publisher, "claims=ref=main", "--json"])
    assert admin_call._call(args, served.registry) == 0
    claims = json.loads(capsys.readouterr().out)["claims"]
    assert claims == {"repository": "o/r", "ref": "main"}


def run_verb(place: Place, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "twofold", *words, "--yes"],
        env={**os.environ, "TWOFOLD_TOKEN": place.token},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_verb_of_the_client_a_call_and_a_form_leave_the_same_state_and_log(
    served: Place, tmp_path: Path
) -> None:
    """Three projects, each changed another way; what is there and what was logged are the same."""
    api, person = Api(served), Person(served.url)
    person.sign_in("owner", served.token)
    api("POST", "/channels", name="stable")
    names = ("by-client", "by-call", "by-form")
    for name in names:
        for version in ("1.0", "1.1"):
            served.publish(make_wheel(tmp_path, name.replace("-", "_"), version))

    def by_client(verb: str, name: str, release: str, fields: dict[str, str]) -> None:
        to = ["--to", served.channel]
        words = {
            "yank": [f"{name}=={release}", "--reason", fields.get("reason", ""), *to],
            "unyank": [f"{name}=={release}", *to],
            "promote": [served.channel, f"{served.url}/stable", f"{name}=={release}"],
            "set-status": [name, "--set", fields.get("status", ""), *to],
            "delete-release": [f"{name}=={release}", *to],
        }[verb]
        run_verb(served, {"set-status": "status"}.get(verb, verb.partition("-")[0]), *words)

    def by_call(verb: str, name: str, release: str, fields: dict[str, str]) -> None:
        project = f"/channels/main/projects/{name}"
        if verb == "promote":
            api("POST", "/channels/stable/promotions", source="main", project=name, version=release)
        elif verb == "set-status":
            api("PUT", f"{project}/status", **fields)
        else:
            suffix = "/yank" if "yank" in verb else ""
            method = "PUT" if verb == "yank" else "DELETE"
            api(method, f"{project}/releases/{release}{suffix}", **fields)

    def by_form(verb: str, name: str, release: str, fields: dict[str, str]) -> None:
        words = {"channel": "main", "project": name, "version": release, **fields}
        if verb == "promote":
            words |= {"channel": "stable", "source": "main"}
        if verb == "delete-release":
            words["typed"] = release
        if verb == "set-status":
            del words["version"]
        answer = person.act(verb, **words)
        assert answer.ok and 'id="error-' not in answer.text, answer.text

    changes: list[tuple[str, str, dict[str, str]]] = [
        ("yank", "1.0", {"reason": "broken"}),
        ("unyank", "1.0", {}),
        ("promote", "1.1", {}),
        ("set-status", "1.0", {"status": "deprecated"}),
        ("delete-release", "1.0", {}),
    ]
    for verb, release, fields in changes:
        seen = []
        for name, change in zip(names, (by_client, by_call, by_form), strict=True):
            before = len(api("GET", "/log"))
            change(verb, name, release, fields)
            entries = api("GET", "/log")[before:]
            logged = [(one["actor"], one["action"], one["channel"]) for one in entries]
            shown = json.dumps(api("GET", f"/channels/main/projects/{name}"), sort_keys=True)
            shown = shown.replace(name.replace("-", "_"), "it").replace(name, "it")
            files = [
                (one["file"], one["yanked"], one["labels"]) for one in json.loads(shown)["files"]
            ]
            status = json.loads(shown)["project"]["status"]
            seen.append((sorted(set(logged)), files, status))
        assert seen[0] == seen[1] == seen[2], verb
        assert seen[0][0], verb
    assert len(json.loads(json.dumps(api("GET", "/channels/stable/projects")))) == 3
