"""Parsers of the server's settings, from a command line or the environment.

Each raises ArgumentTypeError, whose text argparse prints as it is, and says what is expected.
"""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

#: Who must have a second factor.
SECOND_FACTOR = ("optional", "administrators", "everybody")

_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_SWITCHES = dict.fromkeys(("1", "yes", "true", "on"), True) | dict.fromkeys(
    ("0", "no", "false", "off"), False
)

#: Variables of other commands, and the one that is no option, for it is a secret.
_OTHER_VARIABLES = {
    "TWOFOLD_CACHE_DIR",
    "TWOFOLD_COLOR",
    "TWOFOLD_CONFIG_DIR",
    "TWOFOLD_OFFLINE",
    "TWOFOLD_OIDC_CLIENT_SECRET",
    "TWOFOLD_QUIET",
    "TWOFOLD_SIGSTORE_TRUST_CONFIG",
    "TWOFOLD_TOKEN",
    "TWOFOLD_VERBOSE",
}


def find_unknown_variables(environment: Iterable[str], known: Collection[str]) -> dict[str, str]:
    """Return variables that look like settings but set nothing -> the one meant, or ''."""
    import difflib

    unknown = [
        name
        for name in sorted(environment)
        if name.startswith("TWOFOLD_") and not name.startswith("TWOFOLD_TOKEN_")
        if name not in known and name not in _OTHER_VARIABLES
    ]
    close = {name: difflib.get_close_matches(name, known, n=1, cutoff=0.8) for name in unknown}
    return {name: (*close[name], "")[0] for name in unknown}


def parse_list(text: str) -> list[str]:
    """Parse words separated by commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def parse_hosts(text: str) -> list[str]:
    """Parse hosts, as HOST or HOST:PORT, separated by commas."""
    hosts = parse_list(text)
    for host in hosts:
        found = _HOST.fullmatch(host)
        if found is None or int(found[1] or 0) > 65535:
            raise ArgumentTypeError(f"'{host}' is not a host, as ci.internal or ci.internal:8080")
    return hosts


def parse_switch(text: str) -> bool:
    """Parse yes or no."""
    if text.lower() not in _SWITCHES:
        raise ArgumentTypeError(f"'{text}' is not yes or no")
    return _SWITCHES[text.lower()]


def parse_path(text: str) -> Path:
    """Parse a path; `~` is a home folder, for no shell reads a file of settings."""
    if not text.strip():
        raise ArgumentTypeError("it is empty")
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # there is no such user
        raise ArgumentTypeError(f"'{text}' is in the home folder of an unknown user") from error


def parse_host(text: str) -> str:
    """Parse an address to listen on; one of IPv6 may have the brackets of a URL."""
    host = text.strip()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host or not re.fullmatch(r"[\w.:%-]+", host):
        raise ArgumentTypeError(
            f"'{text}' is not an address or a host name: 0.0.0.0 is every address"
        )
    return host


def parse_port(text: str) -> int:
    """Parse a port; 0 takes a free one."""
    return _parse_whole(text, 0, 65535)


def parse_count(text: str) -> int:
    """Parse how many there may be: at least 1."""
    return _parse_whole(text, 1, 1_000_000)


def _parse_whole(text: str, least: int, most: int) -> int:
    word = text.strip()
    if not re.fullmatch("[0-9]{1,9}", word) or not least <= int(word) <= most:
        raise ArgumentTypeError(f"'{text}' is not a whole number from {least} to {most}")
    return int(word)


def parse_positive(text: str) -> float:
    """Parse a number of seconds, hours or days, above 0."""
    word = text.strip()
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", word) or not 0 < float(word) < 10_000:
        raise ArgumentTypeError(f"'{text}' is not a number above 0 and below 10000")
    return float(word)


def parse_bytes(text: str) -> int:
    """Parse a number of bytes with an optional unit, above 0."""
    from twofold.server.settings import parse_size

    try:
        size = parse_size(text)
    except ValueError as error:
        raise ArgumentTypeError(f"'{text}' is not a number of {error}") from error
    if size == 0:
        raise ArgumentTypeError("it must be above 0")
    return size


def parse_second_factor(text: str) -> str:
    """Parse who must have a second factor."""
    return _parse_choice(text, SECOND_FACTOR)


def parse_accounts(text: str) -> str:
    """Parse whether somebody new gets an account."""
    return _parse_choice(text, ("create", "existing"))


def _parse_choice(text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise ArgumentTypeError(f"'{text}' is not one of {', '.join(choices)}")
    return text
