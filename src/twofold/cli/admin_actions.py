"""The subcommands of `twofold admin`: each calls the registry and prints the result."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from twofold.cli.admin_lists import RowPrinter
from twofold.cli.admin_releases import RELEASE_ACTIONS
from twofold.cli.terminal import note, print_json, print_text
from twofold.errors import UsageError
from twofold.server.auth import accounts, trusted_publishers
from twofold.server.context import Registry
from twofold.server.model import UPLOADS_ONLY, Action
from twofold.server.registry import administration, maintenance
from twofold.server.store import Blobs, Database

BY = "operator"


def _user(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    kind = "organisation" if args.organisation else "user"
    password = _password() if args.password else None
    added = accounts.add_user(registry, BY, args.name, password, kind)
    return show.row(name=added.name, kind=added.kind)


def _password() -> str:
    note("password:")
    word = sys.stdin.readline().rstrip("\n")
    if len(word) < 8:
        raise UsageError("a password has at least 8 characters", "pass it on stdin, on one line")
    return word


def _set_password(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    administration.set_password(registry, BY, accounts.get_user(registry, args.name), _password())
    return show.row(name=args.name)


def _disable(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    administration.disable_user(registry, BY, accounts.get_user(registry, args.name))
    return show.row(name=args.name)


def _role(word: str) -> Action | None:
    return None if word == "none" else Action(word)


def _member(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    organisation = accounts.get_user(registry, args.organisation)
    user = accounts.get_user(registry, args.user)
    administration.set_member(registry, BY, organisation, user, _role(args.role))
    return show.row(organisation=args.organisation, user=args.user, role=args.role)


def _channel(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    owner = accounts.get_user(registry, args.owner)
    added = accounts.add_channel(registry, BY, args.name, owner, not args.private)
    return show.row(name=added.name, access="public" if added.public else "private")


def _rule(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    administration.change_rule(registry, BY, args.channel, args.rule, args.value)
    return show.row(channel=args.channel, rule=args.rule, value=args.value)


def _set_role(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    user = accounts.get_user(registry, args.user)
    administration.set_role(registry, BY, args.channel, user, _role(args.role))
    return show.row(channel=args.channel, user=args.user, role=args.role)


def _prefix(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    owner = None if args.user == "none" else accounts.get_user(registry, args.user)
    administration.reserve_prefix(registry, BY, args.channel, args.prefix, owner)
    return show.row(channel=args.channel, prefix=args.prefix, user=args.user)


def _token(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    try:
        actions = frozenset(Action(word) for word in args.actions.split(","))
    except ValueError:
        raise UsageError(
            f"'{args.actions}' is not a list of actions", "choose from: read, upload, admin"
        ) from None
    expires = registry.clock() + timedelta(days=args.days) if args.days else None
    limits = {UPLOADS_ONLY: True} if args.uploads_only else {}
    wanted = accounts.TokenRequest(args.name, actions, args.channel, args.project, expires, limits)
    user = accounts.get_user(registry, args.user)
    secret, _ = accounts.issue_token_for(registry, BY, user, wanted)
    return show.row(token=secret)


def _tokens(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    return show.rows(
        [
            {
                "token": token.shown,
                "name": token.name,
                "actions": ",".join(sorted(token.actions)),
                "channel": token.channel,
                "project": token.project,
                "limit": UPLOADS_ONLY if token.uploads_only else None,
                "expires": token.expires_at.isoformat() if token.expires_at else None,
                "used": token.used_at.isoformat() if token.used_at else None,
            }
            for token in administration.list_tokens(
                registry, accounts.get_user(registry, args.user)
            )
        ]
    )


def _revoke(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    administration.revoke_token(registry, BY, args.user, args.token)
    return show.row(revoked=args.token)


def _publisher(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    for claim in args.claim:
        if not all(claim.partition("=")[::2]):
            raise UsageError(
                f"'{claim}' is not a claim: expected NAME=VALUE", "pass --claim repository=o/r"
            )
    claims = dict(claim.partition("=")[::2] for claim in args.claim)
    added = trusted_publishers.add_publisher(
        registry, BY, args.channel, args.project, args.issuer, claims
    )
    return show.row(id=added.id, project=added.project, issuer=added.issuer)


def _publishers(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    return show.rows(
        [
            {"id": p.id, "project": p.project, "issuer": p.issuer, "claims": p.claims}
            for p in trusted_publishers.list_publishers(registry, args.channel)
        ]
    )


def _unpublisher(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    trusted_publishers.remove_publisher(registry, BY, args.channel, args.id)
    return show.row(removed=args.id)


def _log(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    changes = administration.read_changes(
        registry, administration.AuditQuery(args.channel, args.actor, args.action)
    )
    if args.csv:
        print_text(administration.as_csv(changes), end="")
        return 0
    return show.rows(
        [
            {
                "at": change.at.isoformat(),
                "actor": change.actor,
                "action": change.action,
                "channel": change.channel,
                "subject": change.subject,
                "detail": change.detail or None,
            }
            for change in changes
        ]
    )


def _verify(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    url = args.repair_from
    if url and "://" not in url and not Path(url).is_dir():
        raise UsageError(f"there is no folder {url}", "name the objects of another store")
    source = Blobs(url) if url else None
    verdict = maintenance.verify(registry, source, note, resumes=True)
    for kind in ("damaged", "missing", "repaired", "stale_pages"):
        for subject in getattr(verdict, kind):
            of = ", ".join(verdict.files_of.get(subject, ()))
            note(f"{kind.replace('_', ' ')}: {subject}{f' ({of})' if of else ''}")
    counts = {
        "checked": verdict.checked,
        "bytes": verdict.size,
        "damaged": len(verdict.damaged),
        "missing": len(verdict.missing),
        "repaired": len(verdict.repaired),
        "unused": len(verdict.unused),
        "stale pages": len(verdict.stale_pages),
    }
    if show.as_json:
        print_json(counts)
    else:
        print(", ".join(f"{count} {what}" for what, count in counts.items()))
    return 0 if verdict.is_sound else 1


def _sweep(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    removed = maintenance.collect_garbage(registry, args.dry_run, note)
    return show.rows([{"removed": name} for name in removed])


def _move(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    target = Database(args.to_database)
    try:
        count, rows = maintenance.migrate_storage(
            registry, target, Blobs(args.to_objects), note, args.replace
        )
    finally:
        target.close()
    return show.row(objects=count, rows=rows)


ACTIONS: dict[str, Callable[[Registry, argparse.Namespace, RowPrinter], int]] = {
    **RELEASE_ACTIONS,
    "user": _user,
    "password": _set_password,
    "disable": _disable,
    "member": _member,
    "channel": _channel,
    "rule": _rule,
    "role": _set_role,
    "prefix": _prefix,
    "token": _token,
    "tokens": _tokens,
    "revoke": _revoke,
    "publisher": _publisher,
    "publishers": _publishers,
    "unpublisher": _unpublisher,
    "log": _log,
    "verify": _verify,
    "sweep": _sweep,
    "move": _move,
}
