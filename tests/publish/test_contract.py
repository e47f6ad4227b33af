"""twofold's own kinds of target pass the contract that is shipped for the authors of others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.servers.package_servers import TOKEN, AnacondaServer, QuetzServer, run_server
from tests.servers.registry import Registry
from twofold.contracts.targets import TargetContract
from twofold.publish.resolve import resolve_targets
from twofold.publish.responses import RetryPolicy
from twofold.publish.targets.protocol import Target
from twofold.publish.trusted_publishing import open_target

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
