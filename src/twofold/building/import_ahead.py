"""Imports what a build needs after another program's work, while that program works.

To import the checks and the conversion takes longer than uv needs for a whole small project.
"""

from __future__ import annotations

from twofold.errors import TwofoldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.building.options import BuildRequest

_ALWAYS = (
    "twofold.building.delivery",
    "twofold.building.source_hashes",
    "twofold.formats.core_metadata",
    "zlib",
)
_FOR_CONDA = ("twofold.convert.wheel", "twofold.building.conda_outputs")


def import_ahead(request: BuildRequest, with_checks: bool) -> None:
    """Import it. `with_checks`: the checks are likely to run."""
    names = [*_ALWAYS]
    if any(kind in ("conda", "tar.bz2") for kind in request.kinds):
        names += _FOR_CONDA
    if request.is_checked:
        names += ("twofold.check.before_build", "twofold.check.checked_files")
    try:
        for name in names:
            __import__(name)  # importlib's own function would import `warnings` too
        if request.is_checked and with_checks:
            from twofold.check.artifacts import load_rules

            load_rules()
    except (ImportError, TwofoldError):  # raised again where it is needed
        return


def import_ahead_in_thread(request: BuildRequest, with_checks: bool) -> None:
    """Start the imports, while this thread waits for hooks."""
    from threading import Thread

    Thread(target=import_ahead, args=(request, with_checks), daemon=True).start()
