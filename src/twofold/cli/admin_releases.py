"""The subcommands of `twofold admin` about releases."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from twofold.cli.admin_lists import RowPrinter
from twofold.cli.terminal import note
from twofold.errors import UsageError
from twofold.server.context import Registry
from twofold.server.model import StoredFile
from twofold.server.registry import administration, lifecycle
from twofold.server.registry.administration import OPERATOR
from twofold.server.registry.channel_retention import (
    Retention,
    apply_retentions,
    list_retentions,
    parse_retention,
)
from twofold.server.registry.labels import Promotion, Selection
from twofold.server.registry.promotions import Scope, promote_all
from twofold.server.registry.undelete import undelete
from twofold.server.settings import parse_size


def _files(found: Sequence[StoredFile], show: RowPrinter) -> int:
    return show.rows([{"file": file.basename, "sha256": file.sha256} for file in found])


def _yank(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    words = args.channel, args.project, args.version
    return _files(lifecycle.yank(registry, OPERATOR, *words, args.reason), show)


def _unyank(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    words = args.channel, args.project, args.version
    return _files(lifecycle.unyank(registry, OPERATOR, *words), show)


def _delete(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    words = args.channel, args.project, args.version
    return _files(lifecycle.delete_release(registry, OPERATOR, *words), show)


def _status(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    words = args.channel, args.project, args.status, args.reason
    known = lifecycle.set_status(registry, OPERATOR, *words)
    return show.row(project=known.name, status=known.status)


def _promote(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    source, _, from_label = args.source.partition("/")
    target, _, to_label = args.target.partition("/")
    if bool(args.project) is args.all:
        raise UsageError("promote takes a project, or --all", "name one of the two")
    promotion = Promotion(
        source,
        target,
        Selection(args.project or "", args.version),
        from_label or None,
        to_label or None,
        "add",
    )
    scope = Scope(args.all, args.with_dependencies, args.dry_run)
    return show.rows(
        [
            {"file": one.file.basename, "sha256": one.file.sha256, "state": one.state}
            for one in promote_all(registry, OPERATOR, promotion, scope)
        ]
    )


def _undelete(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    return _files(undelete(registry, OPERATOR, args.channel, args.project, args.version), show)


def _retain(registry: Registry, args: argparse.Namespace, show: RowPrinter) -> int:
    """Apply the given rule, or each channel's own."""
    if args.keep is not None and (args.keep < 1 or args.channel is None):
        raise UsageError(
            "--keep needs a channel and a number of at least 1", "use 'delete' to remove a project"
        )
    given = _read_retention(args)
    if given is not None and args.channel is None:
        raise UsageError("a rule on the command line needs a channel", "name the channel")
    if args.channel is not None:
        names = [args.channel]
    else:
        names = [channel.name for channel, *_ in administration.list_channels(registry)]
    gone: list[StoredFile] = []
    for name in names:
        rules = list_retentions(registry, name) if given is None else [given]
        gone += apply_retentions(registry, OPERATOR, name, rules, args.dry_run, note)
        if not rules and args.channel is not None:
            hint = f"pass --keep or --days, or set a rule: twofold admin rule {name} keep 5"
            raise UsageError(f"'{name}' has no retention rule", hint)
    size = sum(file.size for file in gone)
    note(f"{len(gone)} files, {size} bytes {'would be ' if args.dry_run else ''}deleted")
    return show.rows(
        [{"file": file.basename, "sha256": file.sha256, "bytes": file.size} for file in gone]
    )


def _read_retention(args: argparse.Namespace) -> Retention | None:
    try:
        most = parse_size(args.max_bytes) if args.max_bytes else None
    except ValueError as error:
        raise UsageError(f"'{args.max_bytes}' is not a size", str(error)) from None
    return parse_retention(args.keep, args.days, args.label or None, most)


RELEASE_ACTIONS: dict[str, Callable[[Registry, argparse.Namespace, RowPrinter], int]] = {
    "yank": _yank,
    "unyank": _unyank,
    "delete": _delete,
    "status": _status,
    "promote": _promote,
    "undelete": _undelete,
    "retain": _retain,
}
