"""Every row of the table of target kinds is complete, documented and can be opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CommandResult
from twofold.check.rule_table import BY_CODE, EVERY_TARGET
from twofold.publish.resolve import resolve_targets
from twofold.publish.responses import AuthContext, RetryPolicy, suggest_action
from twofold.publish.targets.install_urls import find_install_urls
from twofold.publish.targets.kinds import KINDS, TargetKind
from twofold.publish.targets.settings import TargetSettings
from twofold.publish.trusted_publishing import connect

DOCS = Path(__file__).parents[2] / "docs" / "reference"


def make_settings(kind: TargetKind, tmp_path: Path) -> TargetSettings:
    """Settings that need no server to be opened."""
    url = str(tmp_path) if kind.name == "folder" else f"{kind.schemes[0]}://127.0.0.1:1/place"
    index = "http://127.0.0.1:1/simple/"
    return TargetSettings(
        "lab", url, kind.name, index=index, owner="me", channel="lab", public_url="http://x/c"
    )


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request: pytest.FixtureRequest) -> TargetKind:
    found: TargetKind = request.param
    return found


def test_the_form_of_its_url_resolves_to_the_kind(kind: TargetKind) -> None:
    (settings,) = resolve_targets([kind.url], {})
    assert settings.kind == kind.name
    if kind.last_part:
        assert getattr(settings, kind.last_part) == kind.url.rpartition("/")[2]
    assert resolve_targets([settings.word], {}) == [settings]  # as hints name it


def test_it_opens_and_says_what_it_accepts(kind: TargetKind, tmp_path: Path) -> None:
    target = connect(make_settings(kind, tmp_path), None, RetryPolicy(attempts=1))
    try:
        assert target.default_kinds
        assert target.default_kinds <= target.accepts
        assert target.attestation_kinds <= target.accepts
        assert target.settings.kind == kind.name
    finally:
        target.close()


def test_its_files_can_be_installed_from_somewhere(kind: TargetKind, tmp_path: Path) -> None:
    urls = find_install_urls(make_settings(kind, tmp_path), lambda _: True)
    assert urls.index or urls.channel


def test_a_refusal_is_explained_by_its_permission_and_its_url(kind: TargetKind) -> None:
    assert bool(kind.permission) != bool(kind.no_login)
    context = AuthContext("lab", kind.name, "the keyring", kind.permission, kind.url_hint)
    assert kind.permission in suggest_action(403, context)
    assert kind.url in suggest_action(404, context)


def test_its_reference_names_it_and_the_form_of_its_url(kind: TargetKind) -> None:
    targets = (DOCS / "publish.md").read_text("utf-8").partition("### Targets")[2]
    assert f"`{kind.name}`" in targets.partition("###")[0]
    (row,) = [
        line
        for line in (DOCS / "configuration.md").read_text("utf-8").splitlines()
        if line.startswith("| `kind` |")
    ]
    assert f"`{kind.name}`" in row


def test_the_help_of_publish_names_it(
    kind: TargetKind, twofold: Callable[..., CommandResult]
) -> None:
    ran = twofold("publish", "--help")
    name = "s3://" if kind.name == "s3" else kind.name
    assert kind.name in ("registry", "pypi") or name in ran.out


def test_rules_refuse_for_kinds_that_exist() -> None:
    named = {name for rule in BY_CODE.values() for name in rule.refused_by}
    assert named <= {EVERY_TARGET, *KINDS}
