"""Build the readings of a recipe: directly from wheels, or in a host environment if needed.

All packages are described before the first is written, so that a mistake in one of them, or two
packages with the same filename, leave nothing behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from twofold.artifact import Kind
from twofold.conda_metadata import CondaPackage
from twofold.convert.wheel import newest_timestamp, write_wheel_files
from twofold.errors import Problem, ProjectErrors, SubprocessFailed
from twofold.formats.conda_writer import CondaWriter
from twofold.formats.tar_bz2 import TarBz2Writer
from twofold.formats.wheel import WheelFile
from twofold.recipe.building.build_method import (
    BuildMethod,
    OutputBuild,
    find_project_folder,
)
from twofold.recipe.building.host_requirements import find_exporting_host, list_host_requirements
from twofold.recipe.building.merge_wheel import (
    OutputToBuild,
    make_empty_package,
    merge_recipe_and_wheel,
)
from twofold.recipe.building.sources import fetch_sources
from twofold.recipe.building.variations import BuildStep, Variation, make_fingerprint
from twofold.recipe.building.with_rattler import build_as_v1
from twofold.recipe.model import Output, Recipe
from twofold.recipe.request import RecipeRequest
from twofold.recipe.write.draft import read_conda_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.convert.wheel import FileWriter


class _PlannedPackage(NamedTuple):
    """A package to be written, of a wheel or of nothing."""

    package: CondaPackage
    wheel: Path | None
    where: str


class _HostBuild(NamedTuple):
    """A reading to be built in a host."""

    step: BuildStep
    source: Path | None


class BuildQueue:
    """Collects what is to be built of each reading, then builds it.

    Sources are fetched once, and a project is built once, for all readings that agree on them.
    """

    def __init__(self, out: Path, request: RecipeRequest, work: Path) -> None:
        self._out = out
        self._request = request
        self._work = work
        self._sources: dict[str, Path] = {}
        self._wheels: dict[Path, Path] = {}
        self._known: dict[str, CondaPackage] = {}
        self._siblings: dict[str, CondaPackage] = {}
        self._planned: list[_PlannedPackage | _HostBuild] = []

    def add(self, step: BuildStep, chosen: Sequence[OutputBuild]) -> None:
        """Describe the packages of one reading. Raises TwofoldError."""
        recipe = step.recipe
        source = self._fetch_source(recipe)
        why = ""
        if chosen[0].method is not BuildMethod.HOST:
            mine = {id(recipe.outputs[place]) for place in step.built}
            self._build_wheels(recipe, source, [one for one in chosen if id(one.output) in mine])
            why = self._find_host_reason(step, source, chosen)
        if why:
            self._request.report(f"{recipe.path.name}: the project holds compiled code, and {why}")
        if why or chosen[0].method is BuildMethod.HOST:
            self._planned.append(_HostBuild(step, source))
            return
        for one in _sort_by_pins(recipe, chosen):
            self._plan_output(step, one, source)

    def build_all(self) -> list[Path]:
        """Write everything; returns the files. Raises TwofoldError."""
        self._check_unique_files()
        written: list[Path] = []
        for number, one in enumerate(self._planned):
            if isinstance(one, _HostBuild):
                folder = self._work / f"host-{number}"
                written += build_as_v1(one.step, one.source, self._out, self._request, folder)
            elif one.wheel is None:
                for kind in self._request.kinds:
                    written.append(write_empty(one.package, self._out, kind))
            else:
                with WheelFile(one.wheel) as wheel:
                    for kind in self._request.kinds:
                        written.append(write_package(wheel, one.package, self._out, kind))
        return written

    def _fetch_source(self, recipe: Recipe) -> Path | None:
        if not recipe.sources:
            return None
        key = repr(recipe.sources)
        if key not in self._sources:
            folder = self._work / f"source-{len(self._sources)}"
            folder.mkdir()
            self._sources[key] = fetch_sources(recipe, folder)
        return self._sources[key]

    def _build_wheels(
        self, recipe: Recipe, source: Path | None, chosen: Sequence[OutputBuild]
    ) -> None:
        for one in chosen:
            if one.method is BuildMethod.INSTALL:
                folder = find_project_folder(recipe, source, one)
                if folder not in self._wheels:
                    target = self._work / f"wheel-{len(self._wheels)}"
                    target.mkdir()
                    wheel = self._build_wheel(folder, target, one.output)
                    self._wheels[folder] = wheel
                    if folder.resolve() != recipe.folder.resolve():
                        self._report_findings(recipe, one.output, wheel)

    def _build_wheel(self, folder: Path, target: Path, output: Output) -> Path:
        """Build a wheel; where it fails, with the packages of the host that pip can bring.

        conda-forge builds with `--no-build-isolation`, so a source may need what only the recipe's
        host names.
        """
        further = list_host_requirements(output)
        build_with = self._request.build_wheel_with
        try:
            return self._request.build_wheel(folder, target)
        except SubprocessFailed:
            if build_with is None or not further:
                raise
        self._request.report(f"building again with the recipe's host: {', '.join(further)}")
        return build_with(folder, target, further)

    def _report_findings(self, recipe: Recipe, output: Output, wheel: Path) -> None:
        """Report what the checks find in a source that the recipe's author did not write."""
        from twofold.check import find_source_problems

        run = [recipe.calls.restore_source(line.text) for line in output.requirements.run]
        for found in find_source_problems(wheel, run):
            self._request.report(f"note: {found.where}: {found.message} ({found.code})")

    def _find_host_reason(
        self, step: BuildStep, source: Path | None, chosen: Sequence[OutputBuild]
    ) -> str:
        """Explain why compiled code needs a host environment; '' if it does not."""
        recipe = step.recipe
        for place, variation in step.built.items():
            output = recipe.outputs[place]
            one = next(one for one in chosen if one.output is output)
            if one.method is not BuildMethod.INSTALL:
                continue
            with WheelFile(self._wheels[find_project_folder(recipe, source, one)]) as wheel:
                tags = wheel.name.tags
            if all(tag.endswith("-any") for tag in tags):
                continue
            exporting = find_exporting_host(output)
            if exporting:
                return f"{', '.join(exporting)} of its host may export requirements to it"
            own = f"cp{recipe.platform.python.replace('.', '')}-"
            is_other = "python" in recipe.variant and not any(tag.startswith(own) for tag in tags)
            if variation.is_for_python or is_other:
                return f"its variants name Python {recipe.platform.python}"
        return ""

    def _plan_output(self, step: BuildStep, one: OutputBuild, source: Path | None) -> None:
        recipe = step.recipe
        place = next(n for n, output in enumerate(recipe.outputs) if output is one.output)
        key = f"{one.output.name} {make_fingerprint(recipe, one.output)}"
        if place in step.built:
            self._known[key] = self._make_package(recipe, one, source, step.built[place])
        # An output that was built with another reading is known from there.
        if key in self._known:
            self._siblings[one.output.name] = self._known[key]

    def _make_package(
        self, recipe: Recipe, one: OutputBuild, source: Path | None, variation: Variation
    ) -> CondaPackage:
        output, beside = one.output, source or recipe.folder
        where = f"{recipe.path.name}:{output.line}: {'outputs' if output.is_split else 'package'}"
        target = OutputToBuild(recipe, output, beside, self._siblings, variation)
        if one.method is BuildMethod.EMPTY:
            if not output.is_split and not output.build.noarch:
                self._request.report(
                    f"{output.name} has no script and no source: it is built without files"
                )
            package = make_empty_package(target)
            self._planned.append(_PlannedPackage(package, None, where))
            return package
        folder = find_project_folder(recipe, source, one)
        options = read_conda_options(folder)
        with WheelFile(self._wheels[folder]) as wheel:
            merged = merge_recipe_and_wheel(target, wheel, options)
        for remark in merged.remarks:
            self._request.report(remark)
        self._planned.append(_PlannedPackage(merged.package, self._wheels[folder], where))
        return merged.package

    def _check_unique_files(self) -> None:
        """Raise ProjectErrors if two packages have the same filename."""
        known: set[tuple[str, str]] = set()
        problems = []
        for one in self._planned:
            if isinstance(one, _HostBuild):
                continue
            name = (one.package.subdir, one.package.stem)
            if name in known:
                problems.append(
                    Problem(
                        f"two packages of the recipe would be {'/'.join(name)}",
                        "leave build/string out, or put {{ PKG_HASH }} into it, which differs",
                        one.where,
                    )
                )
            known.add(name)
        if problems:
            raise ProjectErrors(problems)


def _sort_by_pins(recipe: Recipe, chosen: Sequence[OutputBuild]) -> list[OutputBuild]:
    """Sort outputs after those they pin with `pin_subpackage`. A circle is an error."""
    waiting = list(chosen)
    names = {one.output.name for one in chosen}
    done: list[OutputBuild] = []
    while waiting:
        built = {one.output.name for one in done}
        ready = [one for one in waiting if _find_pinned(recipe, one.output) & names <= built]
        if not ready:
            circle = ", ".join(one.output.name for one in waiting)
            problem = Problem(
                f"these outputs pin each other in a circle: {circle}",
                "let one of them name the other without pin_subpackage",
                f"{recipe.path.name}:{waiting[0].output.line}: outputs",
            )
            raise ProjectErrors([problem])
        done += ready
        waiting = [one for one in waiting if one not in ready]
    return done


def _find_pinned(recipe: Recipe, output: Output) -> set[str]:
    lines = (*output.requirements.run, *output.requirements.constrained)
    calls = [recipe.calls.find_call(line.text) for line in lines]
    pins = {call.name for call in calls if call and call.function == "pin_subpackage"}
    return pins - {output.name}


def write_package(wheel: WheelFile, package: CondaPackage, channel: Path, kind: Kind) -> Path:
    """Write the wheel's files as the package describes them; returns the file."""
    package.timestamp = package.timestamp or newest_timestamp(wheel)
    writer, path = _open_writer(package, channel, kind)
    write_wheel_files(wheel, package, writer)
    return path


def write_empty(package: CondaPackage, channel: Path, kind: Kind) -> Path:
    """Write a package without files; returns the file."""
    writer, path = _open_writer(package, channel, kind)
    writer.close()
    return path


def _open_writer(package: CondaPackage, channel: Path, kind: Kind) -> tuple[FileWriter, Path]:
    path = channel / package.subdir / f"{package.stem}.{kind.value}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return (TarBz2Writer if kind is Kind.TAR_BZ2 else CondaWriter)(path, package), path
