"""`twofold serve`: run the registry."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from twofold.cli.terminal import Parser, note, print_json
from twofold.errors import TwofoldError

DESCRIPTION = """\
Run the registry: one URL for pip and conda. The first start creates the user 'owner', the
channel 'main' and a token, which is printed once; the token is also the password of 'owner'."""


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold serve`."""
    made = Parser("serve", DESCRIPTION)
    made.add_argument("--host", default="127.0.0.1", help="address to listen on")
    made.add_argument("--port", type=int, default=8080, help="port; 0 takes a free one")
    made.add_argument(
        "--data", type=Path, default=Path("twofold-data"), help="folder for the database and files"
    )
    made.add_argument("--database", default="", help="postgresql://... (default: SQLite in --data)")
    made.add_argument("--objects", default="", help="s3://bucket/... (default: files in --data)")
    made.add_argument(
        "--audience",
        default="",
        help="required audience of identity tokens for trusted publishing "
        "(default: --public-url, or twofold)",
    )
    made.add_argument("--tls-cert", type=Path, help="serve https with this certificate (PEM)")
    made.add_argument("--tls-key", type=Path, help="the certificate's key (PEM)")
    made.add_argument(
        "--trust-root",
        type=Path,
        metavar="FILE",
        help="root certificates (PEM) for signatures of attestations (PEP 740)",
    )
    made.add_argument(
        "--public-url",
        default="",
        metavar="URL",
        help="URL of the registry for its clients, as https://host/prefix behind a proxy",
    )
    made.add_argument(
        "--trusted-proxy",
        action="append",
        metavar="ADDRESS",
        help="proxy (address or network) whose X-Forwarded-* headers are believed; repeatable "
        "(default: FORWARDED_ALLOW_IPS, or 127.0.0.1 and ::1)",
    )
    made.add_argument(
        "--connections",
        type=int,
        default=256,
        metavar="N",
        help="connections that one address may hold (default: %(default)s)",
    )
    made.add_argument(
        "--head-timeout",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="time for a request line and its headers (default: %(default)s)",
    )
    made.add_argument(
        "--send-timeout",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="time after which a client that reads nothing is cut off (default: %(default)s)",
    )
    made.add_argument(
        "--spool-quota",
        type=int,
        default=64 << 30,
        metavar="BYTES",
        help="size of all uploads in progress (default: 64 GiB)",
    )
    made.add_argument(
        "--log-reads", action="store_true", help="log every request, not only changes and failures"
    )
    return made.with_json()


def run(args: argparse.Namespace) -> int:
    """Run `twofold serve`; returns the exit code."""
    try:
        from twofold.server.run import serve
        from twofold.server.settings import Settings
    except ModuleNotFoundError as error:
        raise TwofoldError(
            f"the registry needs {error.name}, which is not installed",
            "install it with: pip install 'twofold[server]'",
        ) from error
    proxies = args.trusted_proxy or os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1").split(
        ","
    )
    settings = Settings(
        args.data.resolve(),
        args.database,
        args.objects,
        args.host,
        args.port,
        audience=args.audience,
        tls_certificate=args.tls_cert,
        tls_key=args.tls_key,
        log_reads=args.log_reads,
        trust_root=args.trust_root,
        public_url=args.public_url,
        trusted_proxies=tuple(proxies),
        head_timeout=args.head_timeout,
        send_timeout=args.send_timeout,
        connections_per_address=args.connections,
        spool_quota=args.spool_quota,
    )
    os.umask(0o077)  # what the server writes is for its own user
    serve(settings, _say_json if args.json else _say)
    return 0


def _say_json(url: str, token: str | None) -> None:
    print_json({"url": url, "token": token} if token else {"url": url})


def _say(url: str, token: str | None) -> None:
    print(f"twofold serves {url}", flush=True)
    if token:
        print(f"token of 'owner' (shown this once): {token}", flush=True)
        note(f"  twine upload --repository-url {url}/main/legacy/ -u __token__ -p TOKEN dist/*")
    note(f"  pip install --index-url {url}/main/simple/ NAME")
    note(f"  conda install -c {url}/main NAME")
