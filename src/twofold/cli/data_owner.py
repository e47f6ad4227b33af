"""Root acts as the owner of the data folder in `twofold admin`."""

from __future__ import annotations

import os

from twofold.cli.terminal import note
from twofold.errors import TwofoldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def become_owner(data: Path) -> None:
    """Let root act as the data folder's owner: the server can't use files that root makes there."""
    if os.name == "nt" or os.geteuid() != 0 or not data.is_dir():
        return
    owner = data.stat()
    if owner.st_uid == 0:
        return
    os.seteuid(owner.st_uid)
    is_readable = all(
        os.access(path, os.R_OK, effective_ids=True) for path in (__file__, os.__file__)
    )
    os.seteuid(0)
    if not is_readable:
        raise TwofoldError(
            f"the user {owner.st_uid}, who owns {data}, cannot read this twofold: {__file__}",
            "install twofold where every user can read it, as in /opt/twofold",
        )
    note(f"as the user {owner.st_uid}, who owns {data}")
    os.setgroups(_find_groups(owner.st_uid))
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)


def _find_groups(user: int) -> list[int]:
    """The groups of a user; none for one without an account, as containers have."""
    import pwd

    try:
        account = pwd.getpwuid(user)
    except KeyError:
        return []
    return os.getgrouplist(account.pw_name, account.pw_gid)
