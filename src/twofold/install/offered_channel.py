"""Which address of a channel has the named packages: a registry in front of an index offers more.

What nobody fetched is in no page of its channel, but in those of `CHANNEL/with/NAMES`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from packaging.requirements import InvalidRequirement, Requirement

from twofold.errors import TwofoldError, Unreachable
from twofold.install.auth import Login
from twofold.install.conda import has_package

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def find_channel_address(
    specs: Sequence[str],
    channel: str,
    logins: Mapping[str, Login],
    python: str | None = None,
    cache: Path | None = None,
) -> str:
    """Return the address that has the first package of `specs`, in any version.

    That is the channel's own, or the one that names the specs, for a version of Python if one is
    given. Raises TwofoldError where neither has it: a later channel may have a stranger's package
    of that name.
    """
    if has_package(specs[0], [channel], logins, cache):
        return channel
    names = ",".join(filter(None, map(_read_requirement, specs)))
    if channel.startswith(("http://", "https://")) and names:
        option = f";python={python}" if python else ""
        offered = f"{channel.rstrip('/')}/with/{quote(names, safe=',')}{option}"
        if _is_offered(specs[0], offered, logins, cache):
            return offered
    raise TwofoldError(
        f"{channel} does not have {specs[0]}: nothing was installed",
        "check the name and the channel; leave out --from to install from other channels",
    )


def _is_offered(spec: str, address: str, logins: Mapping[str, Login], cache: Path | None) -> bool:
    try:
        return has_package(spec, [address], logins, cache)
    except Unreachable as error:  # another server than ours has no such address
        if "503" not in str(error):
            return False
        raise TwofoldError(
            f"the registry still fetches {spec}: nothing was installed",
            "try again in some seconds: the work goes on",
        ) from error


def _read_requirement(spec: str) -> str:
    """Return a spec as the address holds it; of a MatchSpec the name alone."""
    try:
        found = Requirement(spec)
    except InvalidRequirement:
        name = _NAME.match(spec)
        return name[0] if name is not None else ""
    return f"{found.name}{found.specifier}" if found.url is None else found.name
