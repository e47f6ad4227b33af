"""The settings of `serve` and `admin`: one table of options, environment variables and defaults.

An option goes before its variable, and that before the default.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from twofold.cli.setting_values import (
    parse_accounts,
    parse_bytes,
    parse_count,
    parse_host,
    parse_hosts,
    parse_list,
    parse_path,
    parse_port,
    parse_positive,
    parse_second_factor,
    parse_switch,
)
from twofold.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from twofold.server.settings import IssuerSettings, Settings


class ServerOption:
    """An option of the server: `--NAME`, `TWOFOLD_NAME`, its parser, default and help."""

    def __init__(self, name: str, parse: Callable[[str], Any], default: Any, text: str) -> None:
        self.flag = f"--{name}"
        self.variable = f"TWOFOLD_{name.replace('-', '_').upper()}"
        self.field = name.replace("-", "_")
        self.parse = parse
        self.default = default
        self.help = text
        self.is_list = parse in (parse_list, parse_hosts)

    def add_to(self, parser: argparse.ArgumentParser, unset: Any = None) -> None:
        """Add the option to a parser; `unset` is its value when it is not given."""
        if self.parse is parse_switch:
            parser.add_argument(self.flag, action="store_true", default=unset, help=self.help)
        elif self.is_list:
            parser.add_argument(
                self.flag,
                action="extend",
                type=self.parse,
                default=unset,
                metavar=_METAVARS.get(self.field, "ADDRESS"),
                help=self.help,
            )
        else:
            parser.add_argument(
                self.flag,
                type=self.parse,
                default=unset,
                metavar=_METAVARS.get(self.field),
                help=self.help,
            )

    def read(self, given: Any, environment: Mapping[str, str]) -> Any:
        """Return the value: as given, else from the environment, else the default.

        An empty variable is one that is not set, but for lists: those can be empty. So a line
        `TWOFOLD_HOST=` of a file of settings does not open the registry on every address.
        """
        if given is not None:
            return given
        text = environment.get(self.variable)
        if text is None or not (text.strip() or self.is_list):
            return self.default
        try:
            return self.parse(text)
        except argparse.ArgumentTypeError as error:
            raise UsageError(
                f"{self.variable}: {error}", f"set it as {self.flag} takes it"
            ) from error


_METAVARS = {
    "trust_root": "FILE",
    "public_url": "URL",
    "host": "HOST",
    "port": "PORT",
    "connections": "N",
    "head_timeout": "SECONDS",
    "send_timeout": "SECONDS",
    "spool_quota": "SIZE",
    "site_logo": "FILE",
    "site_icon": "FILE",
    "site_name": "NAME",
    "site_notice": "TEXT",
    "oidc_role": "MAPPING",
    "session_days": "DAYS",
    "session_idle_hours": "HOURS",
}

#: Where the registry's data is: `admin` takes these too.
STORE = (
    ServerOption("data", parse_path, Path("twofold-data"), "folder for the database and files"),
    ServerOption("database", str, "", "postgresql://... (default: SQLite in --data)"),
    ServerOption("objects", str, "", "s3://bucket/... (default: files in --data)"),
)
#: Where people sign in without a password of the registry (OpenID Connect).
ISSUER = (
    ServerOption("oidc-issuer", str, "", "https URL of the issuer at which people sign in"),
    ServerOption("oidc-client-id", str, "", "this registry's client id there"),
    ServerOption(
        "oidc-client-secret-file",
        parse_path,
        None,
        "file with its client secret (or the variable TWOFOLD_OIDC_CLIENT_SECRET)",
    ),
    ServerOption(
        "oidc-name", str, "your organisation", "what the page to sign in calls the issuer"
    ),
    ServerOption("oidc-scopes", str, "openid profile email", "scopes that are requested"),
    ServerOption(
        "oidc-user-claim",
        str,
        "preferred_username",
        "claim that names a new account (default: preferred_username)",
    ),
    ServerOption("oidc-groups-claim", str, "groups", "claim with the groups (default: groups)"),
    ServerOption(
        "oidc-role",
        parse_list,
        None,
        "GROUP=ORGANISATION:ROLE, the role of a group's members in an organisation; repeatable",
    ),
    ServerOption(
        "oidc-accounts",
        parse_accounts,
        "create",
        "whether somebody new gets an account: create, or existing (linked ones alone)",
    ),
)
SERVING = (
    ServerOption("host", parse_host, "127.0.0.1", "address to listen on (default: 127.0.0.1)"),
    ServerOption("port", parse_port, 8080, "port; 0 takes a free one (default: 8080)"),
    ServerOption(
        "audience",
        str,
        "",
        "required audience of identity tokens for trusted publishing "
        "(default: --public-url, or twofold)",
    ),
    ServerOption("tls-cert", parse_path, None, "serve https with this certificate (PEM)"),
    ServerOption("tls-key", parse_path, None, "the certificate's key (PEM)"),
    ServerOption(
        "trust-root",
        parse_path,
        None,
        "root certificates (PEM) for signatures of attestations (PEP 740)",
    ),
    ServerOption(
        "public-url",
        str,
        "",
        "URL of the registry for its clients, as https://host/prefix behind a proxy",
    ),
    ServerOption(
        "trusted-proxy",
        parse_list,
        None,
        "proxy (address or network) whose X-Forwarded-* headers are believed; repeatable "
        "(default: FORWARDED_ALLOW_IPS, or 127.0.0.1 and ::1)",
    ),
    ServerOption(
        "connections", parse_count, 256, "connections that one address may hold (default: 256)"
    ),
    ServerOption(
        "head-timeout",
        parse_positive,
        30.0,
        "time for a request line and its headers (default: 30)",
    ),
    ServerOption(
        "send-timeout",
        parse_positive,
        60.0,
        "time after which a client that reads nothing is cut off (default: 60)",
    ),
    ServerOption(
        "spool-quota", parse_bytes, 64 << 30, "size of all uploads in progress (default: 64GiB)"
    ),
    ServerOption(
        "session-days",
        parse_positive,
        14.0,
        "days after which a browser has to sign in again (default: 14)",
    ),
    ServerOption(
        "session-idle-hours",
        parse_positive,
        48.0,
        "hours without use after which it has to (default: 48)",
    ),
    ServerOption(
        "second-factor",
        parse_second_factor,
        "optional",
        "who must have a second factor: optional (nobody), administrators or everybody "
        "(default: optional)",
    ),
    *ISSUER,
    ServerOption(
        "webhook-host",
        parse_hosts,
        None,
        "HOST or HOST:PORT with an internal address that webhooks may have; repeatable",
    ),
    ServerOption(
        "log-reads", parse_switch, False, "log every request, not only changes and failures"
    ),
    ServerOption(
        "image-host",
        parse_hosts,
        None,
        "internal host (or host:port) that images of descriptions may be loaded from; repeatable",
    ),
    ServerOption("site-name", str, "twofold", "name of the registry on its pages"),
    ServerOption("site-notice", str, "", "text at the top of every page"),
    ServerOption("site-logo", parse_path, None, "picture beside the name: SVG, PNG, JPEG or WebP"),
    ServerOption("site-icon", parse_path, None, "icon of the browser's tab (default: twofold's)"),
)

#: The variables of all options.
VARIABLES = frozenset(option.variable for option in (*STORE, *SERVING))


def add_options(
    parser: argparse.ArgumentParser, options: Iterable[ServerOption], unset: Any = None
) -> None:
    """Add options to a parser; `unset` is the value of those that are not given."""
    for option in options:
        option.add_to(parser, unset)


def read_settings(
    args: argparse.Namespace, environment: Mapping[str, str] = os.environ
) -> Settings:
    """Return the settings from a command line and the environment. Raises UsageError."""
    from datetime import timedelta

    from twofold.server.settings import SessionLimits, Settings

    values = {
        option.field: option.read(getattr(args, option.field, None), environment)
        for option in (*STORE, *SERVING)
    }
    proxies = values["trusted_proxy"]
    if proxies is None:
        proxies = parse_list(environment.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1"))
    return Settings(
        values["data"].resolve(),
        values["database"],
        values["objects"],
        values["host"],
        values["port"],
        audience=values["audience"],
        tls_certificate=values["tls_cert"],
        tls_key=values["tls_key"],
        log_reads=values["log_reads"],
        trust_root=values["trust_root"],
        public_url=values["public_url"],
        trusted_proxies=tuple(proxies),
        head_timeout=values["head_timeout"],
        send_timeout=values["send_timeout"],
        connections_per_address=values["connections"],
        spool_quota=values["spool_quota"],
        image_hosts=tuple(values["image_host"] or ()),
        **{name: values[name] for name in ("site_name", "site_notice", "site_logo", "site_icon")},
        session_limits=SessionLimits(
            timedelta(days=values["session_days"]), timedelta(hours=values["session_idle_hours"])
        ),
        second_factor=values["second_factor"],
        issuer=_make_issuer(values, environment),
        webhook_hosts=tuple(values["webhook_host"] or ()),
    )


def _make_issuer(
    values: Mapping[str, Any], environment: Mapping[str, str]
) -> IssuerSettings | None:
    """Return the issuer's settings; None without an issuer. Raises UsageError."""
    from twofold.server.settings import IssuerSettings

    url = values["oidc_issuer"].rstrip("/")
    if not url and not values["oidc_client_id"] and not values["oidc_role"]:
        return None
    if not url.startswith("https://") or not values["oidc_client_id"]:
        hint = "give --oidc-issuer https://... and --oidc-client-id"
        raise UsageError("an issuer has an https URL and a client id", hint)
    return IssuerSettings(
        url,
        values["oidc_client_id"],
        _read_secret(values["oidc_client_secret_file"], environment),
        values["oidc_name"],
        values["oidc_scopes"],
        values["oidc_user_claim"],
        values["oidc_groups_claim"],
        tuple(_parse_group_role(one) for one in values["oidc_role"] or ()),
        values["oidc_accounts"] == "create",
    )


def _read_secret(path: Path | None, environment: Mapping[str, str]) -> str:
    if path is None:
        return environment.get("TWOFOLD_OIDC_CLIENT_SECRET", "")
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"the client secret cannot be read from {path}"
        raise UsageError(message, "name a file with the secret alone") from error


def _parse_group_role(text: str) -> tuple[str, str, str]:
    group, equals, rest = text.rpartition("=")
    organisation, colon, role = rest.partition(":")
    if not (group and equals and organisation and colon and role in ("read", "upload", "admin")):
        hint = "write it as developers=team:upload; roles are read, upload, admin"
        raise UsageError(f"'{text}' is not GROUP=ORGANISATION:ROLE", hint)
    return group, organisation, role
