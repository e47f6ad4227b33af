"""twofold's own kinds of target pass the contract that is shipped for the authors of others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.servers.package_servers import (
    TOKEN,
    AnacondaServer,
    ArtifactoryServer,
    PrefixServer,
    QuetzServer,
    run_server,
)
from tests.servers.registry import Registry
from tests.servers.stores import start_moto
from tests.servers.warehouse import WarehouseServer
from twofold.contracts.targets import TargetContract
from twofold.publish.addresses import Credentials, Secret
from twofold.publish.resolve import resolve_targets
from twofold.publish.responses import RetryPolicy
from twofold.publish.targets.protocol import Target
from twofold.publish.targets.settings import TargetSettings
from twofold.publish.trusted_publishing import connect, open_target

POLICY = RetryPolicy(attempts=2, first_wait=0.01)


def open_place(word: str) -> Iterator[Target]:
    (settings,) = resolve_targets([word], {})
    with closing(open_target(settings, POLICY)) as target:
        yield target


class TestFolder(TargetContract):
    @pytest.fixture
    def target(self, tmp_path: Path) -> Iterator[Target]:
        yield from open_place(str(tmp_path / "channel"))


class TestRegistry(TargetContract):
    @pytest.fixture
    def target(self, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
        monkeypatch.setenv("TWOFOLD_TOKEN", registry.token)
        yield from open_place(registry.channel)


class TestRegistryByTheLegacyApi(TargetContract):
    @pytest.fixture
    def target(self, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
        monkeypatch.setenv("TWINE_PASSWORD", registry.token)
        yield from open_place(f"legacy+{registry.channel}/legacy/")


class TestAnaconda(TargetContract):
    @pytest.fixture
    def target(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
        monkeypatch.setenv("ANACONDA_API_TOKEN", TOKEN)
        with run_server(AnacondaServer) as (url, _):
            yield from open_place(f"anaconda+{url}/api/me")


class TestQuetz(TargetContract):
    @pytest.fixture
    def target(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
        monkeypatch.setenv("TWOFOLD_TOKEN", TOKEN)
        with run_server(QuetzServer) as (url, _):
            yield from open_place(f"quetz+{url}/lab")


class TestPrefix(TargetContract):
    @pytest.fixture
    def target(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
        monkeypatch.setenv("TWOFOLD_TOKEN", TOKEN)
        with run_server(PrefixServer) as (url, _):
            yield from open_place(f"prefix+{url}/lab")


class TestArtifactory(TargetContract):
    @pytest.fixture
    def target(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
        monkeypatch.setenv("TWOFOLD_TOKEN", TOKEN)
        with run_server(ArtifactoryServer) as (url, _):
            yield from open_place(f"artifactory+{url}/conda/lab")


@pytest.mark.parametrize("kind", ["pypi", "legacy"])
class TestWarehouse(TargetContract):
    @pytest.fixture
    def target(self, kind: str) -> Iterator[Target]:
        with run_server(WarehouseServer) as (url, _):
            settings = TargetSettings("index", f"{url}/legacy/", kind, index=f"{url}/simple/")
            credentials = Credentials(Secret(TOKEN), None, "the test")
            with closing(connect(settings, credentials, POLICY)) as target:
                yield target


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """moto's S3."""
    running = start_moto()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


class TestBucket(TargetContract):
    @pytest.fixture
    def target(
        self, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Target]:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        name = f"b-{abs(hash(tmp_path.name))}"
        requests.put(f"{server}/{name}", timeout=10).raise_for_status()
        yield from open_place(f"s3://{name}/channel?endpoint={server}&region=us-east-1")
