"""The content of a project's recipe, before `meta_yaml` or `recipe_yaml` writes it.

Everything is taken from the project's own wheel, so that any backend will do, and from
[tool.twofold.conda]: the recipe describes the package that `twofold build` makes.

Where markers about Python make several packages, `twofold build` makes each of them; a recipe with
`noarch: python` makes one for every Python, which conda-forge asks for. So a requirement that some
Pythons need is written for all, and a remark names it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.conda_metadata import CondaPackage
from twofold.convert import CondaOptions, find_metadata_near, parse_options
from twofold.convert.package import make_all_packages, make_packages
from twofold.convert.requirements import Requirement, parse_requirement, to_match_spec
from twofold.convert.versions import to_conda_spec
from twofold.errors import TwofoldError
from twofold.formats.conda_info import find_import_names
from twofold.formats.wheel import WheelFile
from twofold.names import normalize_name
from twofold.recipe.write.build_tools import find_compilers, find_tools

#: What pip builds with where pyproject.toml has no [build-system] (PEP 517).
_DEFAULT_REQUIRES = ["setuptools >=40.8.0"]
_MIN_PYTHON = re.compile(r"python >=(3\.\d+)(?:,<[^,|]+|,3\.\*)*")
_LABEL = re.compile(r"py(?:ge(\d+(?:p\d+)?))?(?:lt(\d+(?:p\d+)?))?")
_DATA = re.compile(r"[^/]+\.data/(scripts|headers|data)/")
_GUARDS = {"__unix": "unix", "__win": "win", "__linux": "linux", "__osx": "osx"}
_MACHINES = {"64": "x86_64", "arm64": "arm64", "aarch64": "aarch64", "ppc64le": "ppc64le"}


@dataclass(frozen=True, slots=True)
class DeclaredText:
    """A text of the recipe with its conditions, one for each package; () for everywhere."""

    text: str
    conditions: tuple[PlatformCondition, ...] = ()


@dataclass(frozen=True, slots=True)
class PlatformCondition:
    """`system` and `machine` are selectors' names or ''; `low` <= python < `high`, '' open."""

    system: str = ""
    machine: str = ""
    low: str = ""
    high: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the recipe takes the code from: `path`, or `url`; `sha256` '' for a folder."""

    path: str = ""
    url: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Draft:
    """The contents of a recipe.

    `compilers` are the languages of compiled code and `tools` the programs that build it; both are
    empty for pure Python. `min_python` is '3.9' if Python >=3.9 is its only lower limit.
    """

    name: str
    version: str
    source: Source
    number: int
    noarch: bool
    compilers: tuple[str, ...]
    tools: tuple[str, ...]
    strings: tuple[DeclaredText, ...]
    entry_points: tuple[str, ...]
    min_python: str
    host: tuple[str, ...]
    run: tuple[DeclaredText, ...]
    constrained: tuple[str, ...]
    imports: tuple[str, ...]
    about: dict[str, Any]
    license_files: tuple[str, ...]
    remarks: tuple[str, ...]


def draft_recipe(root: Path, wheel: Path, source: Source) -> Draft:
    """Make a draft; raises TwofoldError if a requirement has no conda equivalent."""
    document = _read_pyproject(root)
    options = read_conda_options(root)
    remarks: list[str] = []
    with WheelFile(wheel) as opened:
        scripts = opened.read_dist_info_file("entry_points.txt")
        every = make_all_packages(opened.metadata_bytes, scripts, opened.name.tags, options)
        packages = _leave_out_extras(every, remarks)
        pure = all(package.noarch == "python" for package in packages) and opened.is_purelib
        if pure:
            spec = to_conda_spec(opened.metadata.requires_python or "")
            packages = _fold_pythons(packages, f"python {spec}".strip(), remarks)
        first = packages[0]
        if not pure:
            packages = _for_every_platform(opened, scripts, options, packages, remarks)
        imports = find_test_imports(opened)
        licences = _find_license_files(root, opened.metadata.all("License-File"), remarks)
    if not pure:
        remarks.append(
            "the project's wheel holds compiled code: check the compilers under requirements/build"
        )
    conditions = _find_conditions(packages)
    if pure and len(packages) > 1:
        remarks.append(
            "the recipe makes one package for each platform: build it with --target-platform of "
            "each, or name them in noarch_platforms of conda-forge.yml"
        )
    run = _collect_texts(packages, conditions, lambda package: package.depends)
    python = [entry for entry in run if entry.text.split()[0] == "python"]
    lowest = _MIN_PYTHON.fullmatch(python[0].text) if pure and len(python) == 1 else None
    needs = _list_build_requirements(document)
    names = [] if pure else [normalize_name(need.name) for need in needs]
    if "license" not in first.about:
        remarks.append("the project has no licence: conda-forge requires an SPDX expression")
    if "home" not in first.about:
        remarks.append("the project has no homepage: conda-forge requires one ([project.urls])")
    return Draft(
        name=first.name,
        version=first.version,
        source=source,
        number=options.build_number,
        compilers=() if pure else find_compilers(root, names),
        tools=find_tools(names),
        noarch=pure and all(package.subdir == "noarch" for package in packages),
        # A build in a host has a string for each Python, and a hash of what it was built with.
        strings=_collect_texts(packages, conditions, _choose_build_string) if pure else (),
        entry_points=first.entry_points if pure else (),
        min_python=lowest.group(1) if lowest else "",
        host=_collect_host(needs, options, remarks),
        run=run if pure else _drop_platform_requirements(run),
        constrained=first.constrains,
        imports=imports,
        about=first.about,
        license_files=licences,
        remarks=tuple(dict.fromkeys(remarks)),
    )


def _for_every_platform(
    wheel: WheelFile,
    scripts: bytes | None,
    options: CondaOptions,
    own: Sequence[CondaPackage],
    remarks: list[str],
) -> Sequence[CondaPackage]:
    """Return packages with the requirements of every platform and Python.

    The wheel of compiled code is for this machine, and its recipe is built on many. Where markers
    have no answer, the requirements are those of the wheel, `own`, and a remark says so.
    """
    try:
        return make_packages(wheel.metadata_bytes, scripts, ("py3-none-any",), options)
    except TwofoldError as error:
        remarks.append(f"requirements are those of this platform: {error.problems[0].message}")
        return own


def _leave_out_extras(
    packages: Sequence[CondaPackage], remarks: list[str]
) -> Sequence[CondaPackage]:
    """Return the packages that a recipe can make, and report those of extras and of CEP 43."""
    own = [
        one
        for one in packages
        if one.name == packages[0].name and not any("[when=" in spec for spec in one.depends)
    ]
    left_out = [f"{one.name}-{one.version}-{one.build}" for one in packages if one not in own]
    if left_out:
        remarks.append(f"a recipe cannot make what 'twofold build' does: {', '.join(left_out)}")
    if any("extra_depends" in one.extra_index for one in own):
        remarks.append("a recipe cannot name extra_depends, which 'twofold build' writes")
    return own


def _fold_pythons(
    packages: Sequence[CondaPackage], python: str, remarks: list[str]
) -> list[CondaPackage]:
    """Make one package for each platform of packages that differ by Python; `python` is its spec.

    Of a requirement that differs between Pythons the one for the oldest counts: newer Pythons
    usually have newer versions, which it admits too.
    """
    groups: dict[tuple[str, str], list[CondaPackage]] = {}
    for package in packages:
        guard = next((spec for spec in package.depends if spec in _GUARDS), "")
        groups.setdefault((package.subdir, guard), []).append(package)
    if len(groups) == len(packages):
        return list(packages)
    folded = []
    for group in groups.values():
        listed = [one.depends for one in group]
        oldest = {spec.split()[0]: spec for specs in reversed(listed) for spec in specs}
        oldest["python"] = python
        merged = _merge_lists(listed)
        for spec in merged:
            first = oldest[spec.split()[0]]
            if first != spec and not spec.startswith("python "):
                remarks.append(f"'{spec}' of some Pythons is left out: '{first}' is for all")
            elif not all(spec in specs for specs in listed) and not spec.startswith("python "):
                remarks.append(f"'{spec}' is for some Pythons; the recipe requires it on all")
        made = copy(group[0])
        made.depends = tuple(dict.fromkeys(oldest[spec.split()[0]] for spec in merged))
        made.build = _LABEL.sub("py", made.build, count=1)
        folded.append(made)
    remarks.append(
        f"one recipe with noarch: python makes {len(folded)} of the {len(packages)} packages that "
        "'twofold build' makes: those for single Pythons are one"
    )
    return folded


def read_conda_options(root: Path) -> CondaOptions:
    """Read [tool.twofold.conda] of the project in a folder."""
    options = parse_options(
        _read_pyproject(root).get("tool", {}).get("twofold", {}).get("conda", {})
    )
    options.find_metadata = find_metadata_near(root)
    return options


def _read_pyproject(root: Path) -> dict[str, Any]:
    path = root / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TwofoldError(f"pyproject.toml cannot be read: {error}", "", str(path)) from error


def _drop_platform_requirements(run: Sequence[DeclaredText]) -> tuple[DeclaredText, ...]:
    """Drop what run_exports adds by itself to compiled code: Python and the system."""
    rest = [one for one in run if one.text.split()[0] not in ("python", "python_abi")]
    return (DeclaredText("python"), *(one for one in rest if not one.text.startswith("__")))


def _list_build_requirements(document: dict[str, Any]) -> list[Requirement]:
    requires = document.get("build-system", {}).get("requires", _DEFAULT_REQUIRES)
    return [parse_requirement(text) for text in requires]


def _collect_host(
    needs: Sequence[Requirement], options: CondaOptions, remarks: list[str]
) -> tuple[str, ...]:
    remarks += [
        f"'{need.text}' of [build-system] is not under requirements/host: add it with a selector"
        for need in needs
        if need.markers
    ]
    return tuple(to_match_spec(need, options) for need in needs if not need.markers)


def _find_conditions(packages: Sequence[CondaPackage]) -> list[PlatformCondition]:
    """Find the platform and Python of each package; a single package is for all."""
    if len(packages) == 1:
        return [PlatformCondition()]
    made = []
    for package in packages:
        guard = next((spec for spec in package.depends if spec in _GUARDS), "")
        system, _, machine = package.subdir.removeprefix("noarch").partition("-")
        label = _LABEL.search(package.build)
        low, high = label.groups("") if label else ("", "")
        system = system or _GUARDS.get(guard, "")
        made.append(PlatformCondition(system, _MACHINES.get(machine, machine), low, high))
    return made


def _choose_build_string(package: CondaPackage) -> tuple[str, ...]:
    """Return the build string if it is not the builder's default."""
    return () if package.build == f"py_{package.build_number}" else (package.build,)


def _collect_texts(
    packages: Sequence[CondaPackage],
    conditions: Sequence[PlatformCondition],
    texts: Callable[[CondaPackage], Sequence[str]],
) -> tuple[DeclaredText, ...]:
    """Collect each text once, with the conditions of the packages that have it."""
    made = []
    for text in _merge_lists([texts(package) for package in packages]):
        there = [c for p, c in zip(packages, conditions, strict=True) if text in texts(p)]
        shown = () if len(there) == len(packages) else _simplify(there, conditions)
        made.append(DeclaredText(text, shown))
    return tuple(made)


def _simplify(
    there: Sequence[PlatformCondition], every: Sequence[PlatformCondition]
) -> tuple[PlatformCondition, ...]:
    """Leave out the Python where it does not matter on these platforms, or the platform."""
    shortenings: tuple[Callable[[PlatformCondition], PlatformCondition], ...] = (
        lambda one: PlatformCondition(one.system, one.machine),
        lambda one: PlatformCondition(low=one.low, high=one.high),
    )
    for shorten in shortenings:
        short = [shorten(one) for one in there]
        if all(one in there for one in every if shorten(one) in short):
            return tuple(dict.fromkeys(short))
    return tuple(there)


def _merge_lists(lists: Sequence[Sequence[str]]) -> list[str]:
    """Merge lists: all texts once, each after its predecessor in its own list."""
    merged: list[str] = []
    for texts in lists:
        place = 0
        for text in texts:
            if text not in merged:
                merged.insert(place, text)
            place = merged.index(text) + 1
    return merged


def find_test_imports(wheel: WheelFile) -> tuple[str, ...]:
    """List what a test of the wheel's project imports."""
    inside = (re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", name) for name in wheel.members)
    return find_import_names(name for name in inside if not _DATA.match(name))


def _find_license_files(root: Path, named: Sequence[str], remarks: list[str]) -> tuple[str, ...]:
    there = [name for name in named if (root / name).is_file()]
    if not there:
        usual = re.compile(r"(LICEN[CS]E|COPYING|NOTICE)(\.(txt|md|rst))?", re.IGNORECASE)
        there = sorted(path.name for path in root.iterdir() if usual.fullmatch(path.name))
    if not there:
        remarks.append("the project has no licence file: conda-forge requires one")
    return tuple(there)
