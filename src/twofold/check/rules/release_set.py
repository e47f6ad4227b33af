"""TF408 and TF409: a wheel against the sdist of the same release."""

from __future__ import annotations

from collections.abc import Iterator

from twofold.artifact import Artifact
from twofold.check.artifact_code import read_contents
from twofold.check.context import module_name
from twofold.check.rule_table import WARNING, Violation
from twofold.formats.core_metadata import parse_metadata
from twofold.formats.sdist import read_sdist
from twofold.formats.wheel import WheelFile
from twofold_build.names import canonicalize_requirement

_SINGLE = ("Name", "Version", "Requires-Python", "License-Expression")


def wheel_not_in_sdist(wheel: Artifact, sdist: Artifact) -> Iterator[Violation]:
    """TF408: modules, wherever the sdist keeps them (src/, lib/), and under whichever name.

    A backend may generate modules and change their contents (PEP 517), so that only of a wheel
    of our own backend, which does neither, it is an error.
    """
    with WheelFile(wheel.path) as opened:
        inside = [name for name in opened.members if module_name(name)]
        is_ours = b"Generator: twofold-build" in opened.archive.read(f"{opened.dist_info}/WHEEL")
    there = {ending for path in read_sdist(sdist.path).files for ending in _endings(path)}
    missing = [name for name in inside if name not in there]
    if not missing:
        return
    known = set(read_contents(sdist).values()) - {None}
    packed = read_contents(wheel)
    for name in missing:
        if packed[name] in known:
            continue  # moved or renamed by the build
        where = f"{wheel.filename}: {name}"
        if is_ours:
            yield Violation(
                f"it is not in {sdist.filename}: nobody could build this wheel from it",
                "build the wheel from the sdist",
                where,
            )
        else:
            yield Violation(
                f"it is not in {sdist.filename}: the build generates or changes it, or the wheel "
                "was built from something else",
                "build the wheel from the sdist; if the build generates the module, write "
                '[tool.twofold.check] ignore = ["TF408"]',
                where,
                severity=WARNING,
            )


def _endings(path: str) -> Iterator[str]:
    """The path without its first folders: without one, without two, and so on."""
    parts = path.split("/")
    return ("/".join(parts[start:]) for start in range(1, len(parts)))


def wheel_unlike_sdist(wheel: Artifact, sdist: Artifact) -> Iterator[Violation]:
    """TF409: fields that the sdist does not call dynamic (PEP 643)."""
    one, other = parse_metadata(wheel.metadata), parse_metadata(sdist.metadata)
    dynamic = {field.lower() for field in other.all("Dynamic")}
    if other.get("Metadata-Version") < "2.2":
        return  # before PEP 643 an sdist promised nothing
    for field in _SINGLE:
        if field.lower() not in dynamic and one.get(field) != other.get(field):
            yield _difference(wheel, sdist, field, one.get(field), other.get(field))
    if "requires-dist" not in dynamic:
        in_wheel = set(map(canonicalize_requirement, one.requires_dist))
        in_sdist = set(map(canonicalize_requirement, other.requires_dist))
        for need in sorted(in_wheel ^ in_sdist):
            sides = (need, "") if need in in_wheel else ("", need)
            yield _difference(wheel, sdist, "Requires-Dist", *sides)


def _difference(wheel: Artifact, sdist: Artifact, field: str, one: str, other: str) -> Violation:
    return Violation(
        f"{field} is '{one}' here and '{other}' in {sdist.filename}",
        "build both from the same source, or list the field in dynamic (PEP 643)",
        f"{wheel.filename}: METADATA",
    )


def second_sdist(first: Artifact, second: Artifact) -> Iterator[Violation]:
    """TF411"""
    yield Violation(
        f"it is a second sdist of {second.name} {second.version}, beside {first.filename}: PyPI "
        "takes one a release",
        "remove the one that was built earlier",
        second.filename,
    )
