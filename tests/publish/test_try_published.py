"""`publish --try`: where users install from, for every kind of target, and what is told else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import Release, make_conda
from tests.servers.package_servers import TOKEN, AnacondaServer, run_server
from twofold.cli.channels import find_channels
from twofold.index.folder import index_folder
from twofold.install.repack_python import repack_python
from twofold.publish.external_config import find_anaconda_url
from twofold.publish.resolve import resolve_targets
from twofold.publish.targets.install_urls import find_install_urls
from twofold.publish.targets.settings import InstallUrls, TargetSettings


def everywhere(_: str) -> bool:
    return True


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        (
            TargetSettings("r", "http://h/main"),
            InstallUrls("http://h/main/simple/", "http://h/main"),
        ),
        (
            TargetSettings("l", "http://h/up/", "legacy", index="http://h/simple/"),
            InstallUrls("http://h/simple/"),
        ),
        (
            TargetSettings("p", "http://h", "prefix", channel="lab"),
            InstallUrls(channel="http://h/lab"),
        ),
        (
            TargetSettings("q", "http://h", "quetz", channel="lab"),
            InstallUrls(channel="http://h/get/lab"),
        ),
        (
            TargetSettings("f", "http://h/conda/lab", "artifactory", public_url="http://x/lab"),
            InstallUrls(channel="http://x/lab"),
        ),
        (
            TargetSettings("s", "s3://b/p?endpoint=http://h", "s3"),
            InstallUrls(channel="http://h/b/p"),
        ),
        (TargetSettings("s", "s3://b/p", "s3"), InstallUrls()),
        (
            TargetSettings("s", "s3://b/p", "s3", public_url="https://x/"),
            InstallUrls("https://x/simple/", "https://x"),
        ),
        (
            TargetSettings("a", "http://h/api", "anaconda", owner="me", labels=("dev",)),
            InstallUrls(channel="http://h/me/label/dev"),
        ),
    ],
)
def test_every_kind_of_target_has_its_address(
    settings: TargetSettings, places: InstallUrls
) -> None:
    assert find_install_urls(settings, everywhere) == places


def test_at_anaconda_org_the_owners_channel_goes_by_its_name_and_label() -> None:
    target = TargetSettings("a", find_anaconda_url(), "anaconda", owner="me")
    assert find_install_urls(target, everywhere).channel == "me"
    labelled = TargetSettings("a", find_anaconda_url(), "anaconda", owner="me", labels=("dev",))
    assert find_install_urls(labelled, everywhere).channel == "me/label/dev"


def test_an_anaconda_server_that_is_a_registry_is_tried_at_its_channel(
    twofold: Callable[..., Any], registry: Any, release: Release
) -> None:
    target = f"anaconda+{registry.url}/api/{registry.name}"
    words = ["publish", release.conda, "--to", target, "--try", "--json"]
    ran = twofold(*words, env={"TWOFOLD_TOKEN": registry.token})
    assert ran.code == 0, ran.err
    assert [trial["worked"] for trial in ran.json["tried"]] == [True]


def test_a_target_without_a_known_address_is_a_failed_trial_with_the_key_to_set(
    twofold: Callable[..., Any], release: Release
) -> None:
    with run_server(AnacondaServer) as (address, _):
        target = f"anaconda+{address}/api/me"
        ran = twofold(
            "publish", release.conda, "--to", target, "--try", env={"TWOFOLD_TOKEN": TOKEN}
        )
    assert ran.code == 1
    assert "published: 1 uploaded" in ran.out
    assert "`public-url`" in ran.out


def test_what_a_release_needs_comes_from_the_channels_that_are_named(
    twofold: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token of the publication is not shown to such a channel."""
    monkeypatch.setenv("TWOFOLD_TOKEN", TOKEN)
    needed, package = tmp_path / "needed", tmp_path / "dist"
    (needed / "noarch").mkdir(parents=True)
    package.mkdir()
    make_conda(needed / "noarch", "needed_package", "1.0")
    index_folder(needed, workers=0)
    repack_python(tmp_path / "python")
    index_folder(tmp_path / "python", workers=0)
    file = make_conda(package, "my_package", "1.0", depends=["python >=3.9", "needed_package"])
    target = (tmp_path / "static").as_uri()
    alone = twofold("publish", file, "--to", target, "--try")
    assert alone.code == 1
    assert "needed_package" in alone.out
    channels = ("--channel", needed, "--channel", tmp_path / "python", "--only")
    ran = twofold("publish", file, "--to", target, "--try", *channels)
    assert ran.code == 0, ran.out + ran.err
    assert "ok   import my_package" in ran.out
    wrong = twofold("publish", file, "--to", target, "--channel", needed)
    assert wrong.code == 2
    assert "--channel is for --try" in wrong.err
    wrong = twofold("publish", file, "--to", target, "--only")
    assert "--only is for --try" in wrong.err


def test_the_token_of_a_publication_is_not_for_the_channels_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWOFOLD_TOKEN", TOKEN)
    target, channel = "http://127.0.0.1:9/main", "http://127.0.0.1:9/other"
    beside = resolve_targets([target], {})
    assert find_channels([channel], beside).tokens == ()
    assert find_channels([target], beside).tokens == ((target, TOKEN),)
