"""Extensions from other distributions, by their entry points.

`importlib.metadata` and every distribution's metadata are read only where a file of entry points
names the group: a command without extensions pays for opening those files.
"""

from __future__ import annotations

import os
import sys
from functools import cache

from twofold.errors import TwofoldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from typing import Any


@cache
def find_extensions(group: str) -> dict[str, EntryPoint]:
    """Return the entry points of a group by name. Raises TwofoldError for a name given twice."""
    section = f"[{group}]".encode()
    if not any(section in points for points in _read_points()):
        return {}
    from importlib.metadata import entry_points

    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=group):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise TwofoldError(
                f"two distributions extend '{group}' by the name '{point.name}': "
                f"{_name_distribution(other)} and {_name_distribution(point)}",
                "uninstall one of them",
            )
    return found


def load_extension(group: str, point: EntryPoint, expected: type[Any]) -> Any:
    """Import what an entry point names. Raises TwofoldError if it fails or is of another type."""
    where = _name_distribution(point)
    try:
        value = point.load()
    except (ImportError, AttributeError) as error:
        raise TwofoldError(
            f"the extension '{point.name}' of '{group}' cannot be imported: {error}",
            "uninstall it, or ask its author",
            where,
        ) from error
    if not isinstance(value, expected):
        raise TwofoldError(
            f"the extension '{point.name}' of '{group}' is not a {expected.__name__}",
            "uninstall it, or ask its author",
            where,
        )
    return value


@cache
def _read_points() -> list[bytes]:
    """The files of entry points of every distribution on sys.path."""
    found = []
    for folder in sys.path:
        try:
            names = [name for name in os.listdir(folder or ".") if name.endswith("-info")]
        except OSError:  # a folder of sys.path that is a zip file, or was removed meanwhile
            continue
        for name in names:
            try:
                with open(os.path.join(folder, name, "entry_points.txt"), "rb", 0) as file:
                    found.append(file.read())
            except OSError:  # most have none
                continue
    return found


def _name_distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value
