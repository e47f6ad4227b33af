"""`publish --try` from places that are read with a login: the publication's own, or one that stands
in the configuration, each in the way its server wants it."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import Release
from tests.servers.package_servers import (
    TOKEN,
    AnacondaServer,
    ArtifactoryServer,
    FakeServer,
    PrefixServer,
    QuetzServer,
    Store,
    run_server,
)
from tests.servers.pypiserver import PASSWORD, USER
from twofold.index.folder import index_folder
from twofold.publish.addresses import Credentials, Secret
from twofold.publish.config import read_targets
from twofold.publish.external_config import find_anaconda_url
from twofold.publish.targets.install_urls import find_read_credentials
from twofold.publish.targets.settings import TargetSettings

BASIC = "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()


def channel_page(store: Store) -> bytes:
    """The repodata.json of the conda packages in a store."""
    with tempfile.TemporaryDirectory() as folder:
        noarch = Path(folder, "noarch")
        noarch.mkdir()
        for name, data in store.files.items():
            (noarch / name.rpartition("/")[2]).write_bytes(data)
        index_folder(Path(folder), workers=0)
        return (noarch / "repodata.json").read_bytes()


class Private(FakeServer):
    """A channel that is read with a login alone, given in one way: without it there is nothing."""

    def opens(self) -> bool:
        raise NotImplementedError

    def do_GET(self) -> None:
        if not self.opens():
            return self.send_answer(404, {"detail": "not found"})
        name = self.path_only.rpartition("/")[2]
        if self.path_only.endswith("/noarch/repodata.json"):
            return self.send_answer(200, data=channel_page(self.store))
        held = [data for path, data in self.store.files.items() if path.endswith(f"/{name}")]
        return self.send_answer(200, data=held[0]) if held else self.send_answer(404, {})

    do_HEAD = do_GET


class PrivatePrefix(Private, PrefixServer):
    def opens(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}"


class PrivateQuetz(Private, QuetzServer):
    def opens(self) -> bool:
        return self.headers.get("X-API-Key") == TOKEN


class PrivateArtifactory(Private, ArtifactoryServer):
    credentials = BASIC

    def opens(self) -> bool:
        return self.headers.get("Authorization") == BASIC


class PrivateAnaconda(Private, AnacondaServer):
    """The API, and beside it the owner's channel in conda's way."""

    def opens(self) -> bool:
        return self.path_only.startswith(f"/t/{TOKEN}/me/")

    def do_GET(self) -> None:
        return (
            AnacondaServer.do_GET(self) if self.path.startswith("/api/") else Private.do_GET(self)
        )


@pytest.mark.parametrize(
    ("server", "target"),
    [
        pytest.param(PrivatePrefix, "prefix+http://{}/lab", marks=pytest.mark.slow),
        (PrivateQuetz, "quetz+http://{}/lab"),
        pytest.param(
            PrivateArtifactory, "artifactory+http://me@{}/conda/lab", marks=pytest.mark.slow
        ),
        (PrivateAnaconda, "anaconda+http://{}/api/me"),
    ],
)
def test_a_private_channel_is_tried_with_the_login_of_the_publication(
    twofold: Callable[..., Any], release: Release, server: type[FakeServer], target: str
) -> None:
    with run_server(server) as (address, _):
        place = target.format(address.removeprefix("http://"))
        words = ["publish", release.conda, "--to", place, "--try"]
        ran = twofold(*words, env={"TWOFOLD_TOKEN": TOKEN})
    assert ran.code == 0, ran.out + ran.err
    assert "ok   import my_package" in ran.out
    assert TOKEN not in ran.out + ran.err


def test_a_private_index_is_tried_with_user_and_password(
    twofold: Callable[..., Any], release: Release, private_pypiserver: str
) -> None:
    target = private_pypiserver.replace("http://", "legacy+http://")
    env = {"TWINE_USERNAME": USER, "TWINE_PASSWORD": PASSWORD}
    ran = twofold("publish", release.wheel, "--to", f"{target}/", "--try", env=env)
    assert ran.code == 0, ran.out + ran.err
    assert "ok   import my_package" in ran.out


USED = Credentials(Secret("used"), None, "a test")


@pytest.mark.parametrize(
    ("settings", "address", "way"),
    [
        (TargetSettings("r", "http://h/main"), "http://h/main", "bearer"),
        (TargetSettings("p", "http://h", "prefix", channel="c"), "http://h/c", "bearer"),
        (TargetSettings("q", "http://h", "quetz", channel="c"), "http://h/get/c", "x-api-key"),
        (TargetSettings("a", "http://h/api", "anaconda", owner="me"), "http://h/me", "path"),
        (TargetSettings("a", find_anaconda_url(), "anaconda", owner="me"), "me", "path"),
        (
            TargetSettings("l", "http://h/up/", "legacy", index="http://x/s/"),
            "http://x/s/",
            "bearer",
        ),
    ],
)
def test_every_kind_is_read_with_the_login_of_the_publication(
    settings: TargetSettings, address: str, way: str
) -> None:
    found = find_read_credentials(settings, USED, address)
    assert found is not None
    assert (found.secret.reveal(), found.style) == ("used", way)


@pytest.mark.parametrize(
    ("settings", "address"),
    [
        (TargetSettings("p", "http://h", "prefix", public_url="http://cdn/c"), "http://cdn/c"),
        (TargetSettings("p", "http://h:1", "prefix", public_url="http://h:2/c"), "http://h:2/c"),
        (TargetSettings("s", "s3://b/p", "s3", public_url="http://b/p"), "http://b/p"),
        (TargetSettings("f", "/srv", "folder", public_url="http://h"), "http://h"),
        (TargetSettings("a", "http://h/api", "anaconda", owner="me"), "me"),
    ],
)
def test_no_login_goes_to_another_server(settings: TargetSettings, address: str) -> None:
    assert find_read_credentials(settings, USED, address) is None


@pytest.mark.parametrize(
    ("key", "address", "reported"),
    [
        ("public-url", "http://u:a-secret@cdn/c", ("u", "basic", "http://cdn/c")),
        ("public-url", "http://cdn/t/a-secret/c", ("", "path", "http://cdn/c")),
        ("index", "http://u:a-secret@cdn/simple/", ("u", "basic", "http://cdn/simple/")),
    ],
)
def test_a_login_in_the_configured_address_is_used_and_not_shown(
    tmp_path: Path, key: str, address: str, reported: tuple[str, str, str]
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[targets.x]\nurl = "http://h/c"\nkind = "artifactory"\n{key} = "{address}"\n')
    file.chmod(0o600)
    settings = read_targets(file)["x"]
    shown = settings.public_url or settings.index
    found = find_read_credentials(settings, USED, shown)
    assert found is not None
    assert (found.user, found.style, shown) == reported
    assert found.secret.reveal() == "a-secret"
    assert "a-secret" not in repr(settings)
