"""Imports what a build needs after another program's work, while that program works.

To import the checks and the conversion takes longer than uv needs for a whole small project.
"""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from threading import Thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.building.options import BuildRequest

_ALWAYS = ("tarfile", "twofold.building.delivery", "twofold.building.source_hashes")
_FOR_CONDA = ("twofold.convert.wheel", "twofold.building.conda_outputs", "twofold.index.folder")
_FOR_CHECKS = ("twofold.check.artifacts", "packaging.metadata")


def import_ahead(request: BuildRequest, with_checks: bool) -> None:
    """Start the imports. `with_checks`: the checks are likely to run."""
    names = [*_ALWAYS]
    if any(kind in ("conda", "tar.bz2") for kind in request.kinds):
        names += _FOR_CONDA
    if with_checks and request.is_checked:
        names += _FOR_CHECKS
    Thread(target=_import_all, args=(names,), daemon=True).start()


def _import_all(names: list[str]) -> None:
    for name in names:
        with suppress(ImportError):  # raised again where it is needed
            import_module(name)
