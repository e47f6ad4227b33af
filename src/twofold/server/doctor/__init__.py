"""Checks of what a registry stands on: folder, database, objects, disk, clock, TLS and proxy.

Each check returns findings and raises nothing, so that one thing that is wrong hides no other.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

from twofold.errors import TwofoldError
from twofold.server.doctor.addresses import (
    check_issuer,
    check_limits,
    check_listening,
    check_proxies,
    check_public_url,
)
from twofold.server.doctor.certificates import check_own_certificate
from twofold.server.doctor.findings import ERROR, OK, Finding
from twofold.server.doctor.folders import check_disk, check_folder
from twofold.server.doctor.stores import check_database, check_objects, check_sample
from twofold.server.opening import read_trust_roots
from twofold.server.settings import Settings
from twofold.server.web.pages.site import check_pictures

__all__ = ["Finding", "examine"]


#: Number of an error -> what helps.
_HINTS = {
    errno.ENOSPC: "free space on that disk",
    errno.EDQUOT: "free space, or raise the quota of the server's user",
    errno.EROFS: "mount it writable",
    errno.EACCES: "make it the property of the server's user, and run this as that user",
    errno.EPERM: "make it the property of the server's user, and run this as that user",
}


def examine(settings: Settings) -> list[Finding]:
    """Return the findings of every check, in order."""
    checks: tuple[tuple[str, Callable[[Settings], Iterator[Finding]]], ...] = (
        ("folder", check_folder),
        ("disk", check_disk),
        ("database", check_database),
        ("objects", check_objects),
        ("files", check_sample),
        ("address", check_listening),
        ("tls", check_own_certificate),
        ("settings", _check_files),
        ("proxy", check_proxies),
        ("public", check_public_url),
        ("issuer", check_issuer),
        ("limits", check_limits),
    )
    found: list[Finding] = []
    for name, check in checks:
        if check is check_sample and not _is_readable(found):
            continue
        try:
            found += check(settings)
        except TwofoldError as error:
            problem = error.problems[0]
            message = f"{problem.where}: {problem.message}" if problem.where else problem.message
            found.append(Finding(name, ERROR, message, problem.hint or ""))
        except OSError as error:
            found.append(Finding(name, ERROR, str(error), _HINTS.get(error.errno or 0, "")))
        except ValueError as error:
            found.append(Finding(name, ERROR, str(error)))
    return found


def _is_readable(found: list[Finding]) -> bool:
    """Whether database and objects can be read, by what was found of them."""
    return all(one.state == OK for one in found if one.check in ("database", "objects"))


def _check_files(settings: Settings) -> Iterator[Finding]:
    """Read the files that the settings name."""
    check_pictures(settings)
    if settings.trust_root is not None:
        read_trust_roots(settings.trust_root)
    return iter(())
