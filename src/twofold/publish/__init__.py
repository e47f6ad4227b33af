"""Uploading a release: targets, credentials, the plan.

    prepare_publication(targets, files)   find, check and plan; nothing is sent

The public names; each is imported when it is first used (docs/reference/library.md).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from twofold.publish.order import Publication
    from twofold.publish.plan import Action, Plan, Step
    from twofold.publish.run import Event, IncompletePublicationError

__all__ = [
    "Action",
    "Event",
    "IncompletePublicationError",
    "Plan",
    "Publication",
    "Step",
    "prepare_publication",
]


def __getattr__(name: str) -> object:
    if name == "Publication":
        from twofold.publish import order

        return order.Publication
    if name in ("Action", "Plan", "Step"):
        from twofold.publish import plan

        return getattr(plan, name)
    if name in ("Event", "IncompletePublicationError"):
        from twofold.publish import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def prepare_publication(
    targets: Sequence[str] = (),
    files: Sequence[Path] = (),
    project: Path | None = None,
    *,
    ignore: Sequence[str] = (),
    skip_existing: bool = False,
) -> Publication:
    """Find and check the files of a release, ask the targets for them, and make the plan.

    `targets` as `twofold publish --to` takes them, by default the project's; `files` by default
    those of the last build of `project`, which is the current folder by default. `ignore` are codes
    of checks. Use the result in a `with`: its `plan` can be read, and `carry_out` sends it. Raises
    ProjectErrors, UsageError without a target, Unreachable, OSError.
    """
    from pathlib import Path

    from twofold.publish.order import Order, prepare

    order = Order(
        files,
        targets,
        project if project is not None else Path.cwd(),
        ignore=ignore,
        skip_existing=skip_existing,
    )
    return prepare(order)
