"""`publish --try`: where users install from, for every kind of target, and what is told else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.publish.conftest import Release
from tests.publish.wire import TOKEN, Anaconda, serving
from twofold.publish.configuration import TargetSettings
from twofold.publish.known_places import anaconda_address
from twofold.publish.places import Places, places_of


def everywhere(_: str) -> bool:
    return True


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        (
            TargetSettings("r", "http://h/main"),
            Places("http://h/main/simple/", "http://h/main"),
        ),
        (
            TargetSettings("l", "http://h/up/", "legacy", index="http://h/simple/"),
            Places("http://h/simple/"),
        ),
        (
            TargetSettings("p", "http://h", "prefix", channel="lab"),
            Places(channel="http://h/lab"),
        ),
        (
            TargetSettings("q", "http://h", "quetz", channel="lab"),
            Places(channel="http://h/get/lab"),
        ),
        (
            TargetSettings("f", "http://h/conda/lab", "artifactory", public_url="http://x/lab"),
            Places(channel="http://x/lab"),
        ),
        (
            TargetSettings("s", "s3://b/p?endpoint=http://h", "s3"),
            Places(channel="http://h/b/p"),
        ),
        (TargetSettings("s", "s3://b/p", "s3"), Places()),
        (
            TargetSettings("s", "s3://b/p", "s3", public_url="https://x/"),
            Places("https://x/simple/", "https://x"),
        ),
        (
            TargetSettings("a", "http://h/api", "anaconda", owner="me", labels=("dev",)),
            Places(channel="http://h/me/label/dev"),
        ),
    ],
)
def test_every_kind_of_target_has_its_address(settings: TargetSettings, places: Places) -> None:
    assert places_of(settings, everywhere) == places


def test_at_anaconda_org_the_owners_channel_goes_by_its_name_and_label() -> None:
    target = TargetSettings("a", anaconda_address(), "anaconda", owner="me")
    assert places_of(target, everywhere).channel == "me"
    labelled = TargetSettings("a", anaconda_address(), "anaconda", owner="me", labels=("dev",))
    assert places_of(labelled, everywhere).channel == "me/label/dev"


def test_an_anaconda_server_that_is_a_registry_is_tried_at_its_channel(
    twofold: Callable[..., Any], registry: Any, release: Release
) -> None:
    target = f"anaconda+{registry.url}/api/main"
    words = ["publish", release.conda, "--to", target, "--try", "--json"]
    ran = twofold(*words, env={"TWOFOLD_TOKEN": registry.token})
    assert ran.code == 0, ran.err
    assert [trial["worked"] for trial in ran.json["tried"]] == [True]


def test_a_target_without_a_known_address_is_a_failed_trial_with_the_key_to_set(
    twofold: Callable[..., Any], release: Release
) -> None:
    with serving(Anaconda) as (address, _):
        target = f"anaconda+{address}/api/me"
        ran = twofold(
            "publish", release.conda, "--to", target, "--try", env={"TWOFOLD_TOKEN": TOKEN}
        )
    assert ran.code == 1
    assert "published: 1 uploaded" in ran.out
    assert "`public-url`" in ran.out
