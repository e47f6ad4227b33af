"""What can be done in the browser can be done over the API and on the command line, and back."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import Any

import pytest

from tests.clients.management import Api
from tests.clients.people import Person
from tests.server.conftest import Place
from twofold.cli import admin, admin_call
from twofold.server.web.manage import acts, sections
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


def list_admin_commands() -> set[str]:
    parser = admin.parser()
    (commands,) = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return set(commands.choices)


def test_every_command_is_a_call_or_is_for_the_machine_for_a_reason() -> None:
    assert list_admin_commands() == set(COMMANDS) | set(ON_THE_MACHINE)
    known = {endpoint.name for endpoint in ENDPOINTS}
    assert set().union(*COMMANDS.values()) == known


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
