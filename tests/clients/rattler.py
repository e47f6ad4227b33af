"""py-rattler as a client of the registry: what its gateway finds, solves and installs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from rattler import Gateway, SourceConfig, VirtualPackage, install, solve


def gateway(folder: Path) -> Gateway:
    """Asks the server each time, and keeps what it may."""
    config = SourceConfig(cache_action="cache-or-fetch")
    return Gateway(cache_dir=folder / "cache", default_config=config)


def find_records(source: str, name: str, folder: Path, subdir: str = "noarch") -> list[Any]:
    """The records of a package in a channel."""

    async def ask() -> list[Any]:
        answers = await gateway(folder).query([source], [subdir], [name], recursive=False)
        return [record for records in answers for record in records]

    return asyncio.run(ask())


def list_versions(source: str, name: str, folder: Path) -> list[str]:
    return sorted(str(record.version) for record in find_records(source, name, folder))


def solve_specs(source: str, specs: list[str], folder: Path) -> list[Any]:
    """What the solver chooses. Raises rattler's error when it cannot."""

    async def ask() -> list[Any]:
        return await solve(
            sources=[source],
            specs=specs,
            platforms=["linux-64", "noarch"],
            gateway=gateway(folder),
            virtual_packages=VirtualPackage.detect(),
        )

    return asyncio.run(ask())


def install_specs(source: str, specs: list[str], folder: Path) -> Path:
    """A prefix into which this was installed."""
    prefix = (folder / "prefix").absolute()
    records = solve_specs(source, specs, folder)

    async def put() -> None:
        cache = folder / "packages"
        await install(records, target_prefix=prefix, cache_dir=cache, show_progress=False)

    asyncio.run(put())
    return prefix
