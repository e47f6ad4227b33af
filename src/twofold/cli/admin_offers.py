"""`twofold admin offer`: projects of the upstream for conda, fetched or by metadata alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from twofold.cli.admin_upstreams import with_json
from twofold.cli.terminal import note, print_json, print_text
from twofold.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.server.context import Registry
    from twofold.server.proxy.sync import SyncResult


def add_offer_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `offer` to the sub-commands of `twofold admin`."""
    made = commands.add_parser(
        "offer",
        help="fetch projects and their dependencies from the upstream and convert them for conda",
    )
    made.add_argument("channel")
    made.add_argument("names", nargs="*", metavar="NAME", help="a requirement")
    made.add_argument(
        "--from",
        dest="source",
        metavar="FILE",
        help="requirements.txt, environment.yml, pyproject.toml, uv.lock or pixi.lock",
    )
    made.add_argument(
        "--popular", type=int, default=0, metavar="N", help="the first N well-known projects"
    )
    made.add_argument(
        "--by-metadata",
        action="store_true",
        help="put them on the channel's list: /lazy and /v3 list their newest wheels, and nothing "
        "is fetched before its first download",
    )
    made.add_argument("--remove", action="store_true", help="take them off that list")
    made.add_argument("--python", metavar="X.Y", help="the Python to resolve for (default: ours)")
    made.add_argument("--platform", help="the platform to resolve for (default: this machine's)")
    with_json(made).set_defaults(act=_offer)


def add_approve_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `approve` to the sub-commands of `twofold admin`."""
    made = commands.add_parser(
        "approve",
        help="grant projects of an upstream whose policy asks for approval; without names, list "
        "what was granted and what readers asked for",
    )
    made.add_argument("channel")
    made.add_argument("names", nargs="*", metavar="NAME")
    made.add_argument(
        "--withdraw", action="store_true", help="take them back, or drop the requests for them"
    )
    with_json(made).set_defaults(act=_approve)


def _approve(args: argparse.Namespace, registry: Registry) -> int:
    from dataclasses import asdict

    from twofold.server.registry import approvals
    from twofold.server.registry.administration import OPERATOR

    if args.names:
        act = approvals.withdraw if args.withdraw else approvals.grant
        act(registry, OPERATOR, args.channel, args.names)
    granted = approvals.list_granted(registry, OPERATOR, args.channel)
    requests = approvals.list_requests(registry, OPERATOR, args.channel)
    if args.json:
        print_json({"approved": granted, "requests": [asdict(one) for one in requests]})
        return 0
    for name in granted:
        print_text(f"{name}  granted")
    for one in requests:
        print_text(f"{one.project}  asked for by {one.by} at {one.at[:16]}: {one.reason}")
    return 0


def _offer(args: argparse.Namespace, registry: Registry) -> int:
    names = _list_names(args)
    if args.remove:
        return _remove(args, registry, names)
    if args.by_metadata:
        return _offer_by_metadata(args, registry, names)
    from twofold.server.proxy import offers
    from twofold.server.registry.administration import OPERATOR

    target = offers.make_target(args.python, args.platform)
    request = offers.OfferRequest(args.channel, tuple(names), target)
    return print_sync_result(args, offers.offer(registry, OPERATOR, request))


def _list_names(args: argparse.Namespace) -> list[str]:
    from twofold.names.popular import load_popular_names
    from twofold.server.proxy.requirement_lists import drop_markers, read_requirements

    listed = read_requirements(Path(args.source)) if args.source else []
    names = [*args.names, *(drop_markers(listed) if args.remove or args.by_metadata else listed)]
    if args.popular:
        known = load_popular_names()
        if not 0 < args.popular <= len(known):
            raise UsageError(f"--popular takes 1 to {len(known)}", "name further projects")
        names += known[: args.popular]
    if not names:
        raise UsageError("no project is named", "name one, or pass --from requirements.txt")
    return list(dict.fromkeys(names))


def _offer_by_metadata(args: argparse.Namespace, registry: Registry, names: list[str]) -> int:
    from twofold.server.proxy import offer_list, offer_rounds
    from twofold.server.registry import queries
    from twofold.server.registry.administration import OPERATOR

    added = offer_list.add(registry, OPERATOR, args.channel, names)
    channel = queries.get_channel(registry, OPERATOR, args.channel)
    if not offer_list.offers_by_metadata(channel):
        note(f"no address lists them yet: twofold admin rule {args.channel} lazy yes")
    done = offer_rounds.run_round(registry, channel)
    if args.json:
        value = {"new": added, "read": done.read, "missing": done.missing}
        print_json({**value, "postponed": done.postponed})
    else:
        note(f"{added} new on the list, {done.read} read with what they require")
    for key, reason in sorted(done.missing.items()):
        note(f"missing: {key}: {reason}")
    for reason in sorted(set(done.postponed.values())):
        note(f"the rest is read later, run this again: {reason}")
    return 1 if done.missing or done.postponed else 0


def _remove(args: argparse.Namespace, registry: Registry, names: list[str]) -> int:
    from twofold.server.proxy import offer_list
    from twofold.server.proxy.sync import parse_requirement
    from twofold.server.registry.administration import OPERATOR

    plain = [parse_requirement(name).name for name in names]
    removed = offer_list.remove(registry, OPERATOR, args.channel, plain)
    if args.json:
        print_json({"removed": removed})
    else:
        note(f"{removed} taken off the list; what was fetched stays")
    return 0


def print_sync_result(args: argparse.Namespace, done: SyncResult) -> int:
    """Print what was fetched and what is missing; return the exit code."""
    if args.json:
        print_json({"brought": done.fetched, "here": done.present, "missing": done.missing})
    else:
        for filename in done.fetched:
            print_text(filename)
        note(f"{len(done.fetched)} fetched, {len(done.present)} already here")
    for reason in done.missing.values():
        note(f"missing: {reason}")
    return 1 if done.missing else 0
