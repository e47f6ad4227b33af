"""From a wheel's METADATA to conda packages: names, dependencies, about, build strings.

Pure: nothing is read or written. `packaging` is imported only for what a pattern does not
recognise, because `twofold build` of a small project passes through here.
"""

from __future__ import annotations

from twofold.conda_metadata import CondaPackage
from twofold.convert.about import make_about
from twofold.convert.options import CondaOptions
from twofold.convert.project_requirements import read_requirements, to_match_spec
from twofold.convert.scope import MarkerScope
from twofold.convert.versions import to_conda_spec
from twofold.convert.wheel_tags import Abi, SubdirTarget, abis_for_tags, subdirs_for_tags
from twofold.errors import TwofoldError
from twofold.formats.core_metadata import CoreMetadata, parse_entry_points, parse_metadata
from twofold.names import to_conda_name
from twofold_build.names import canonicalize_version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from twofold.convert.markers import Variant
    from twofold.convert.requirements import Need


def make_packages(
    metadata: bytes,
    scripts: bytes | None,
    tags: Sequence[str],
    options: CondaOptions | None = None,
) -> list[CondaPackage]:
    """The conda packages a wheel stands for: one, unless its markers or its tags ask for more.

    `metadata` is METADATA, `scripts` entry_points.txt, `tags` the wheel's expanded tags. Raises
    TwofoldError (and BadFile for unusable metadata), all dependency problems told together.
    """
    options = options or CondaOptions()
    parsed = parse_metadata(metadata)
    needs = read_requirements(parsed, options)
    abis = _select_admitted_abis(abis_for_tags(tags, options.python), parsed.requires_python or "")
    found = []
    for place, abi in ((place, abi) for place in subdirs_for_tags(tags) for abi in abis):
        limits = None
        if needs.optional:
            from twofold.convert.constraints import make_constraints

            limits = make_constraints(
                needs.optional, _make_scope(parsed, abi, place, options), options
            )
        for variant in _make_variants(parsed, needs.always, abi, place, options):
            package = _assemble(parsed, scripts, variant, abi, place, options)
            package.constrains = (*(limits.specs if limits else ()), *options.constrains)
            package.notes = (*needs.notes, *(limits.notes if limits else ()))
            if needs.expanded:
                package.about = make_about(parsed, needs.expanded)
            found.append(package)
    if options.v3:
        from twofold.convert.v3 import add_v3

        found = add_v3(found, parsed, needs, options, "py3-none-any" in tags)
    return found


def make_package(
    metadata: bytes,
    scripts: bytes | None,
    tags: Sequence[str],
    options: CondaOptions | None = None,
) -> CondaPackage:
    """The one conda package a wheel stands for. Raises TwofoldError where there are several."""
    packages = make_packages(metadata, scripts, tags, options)
    if len(packages) > 1:
        builds = ", ".join(f"{package.subdir}/{package.build}" for package in packages)
        raise TwofoldError(
            f"{packages[0].name} becomes {len(packages)} conda packages ({builds})",
            "name a Python and a platform to have only the one for them",
        )
    return packages[0]


def list_dropped_requirements(
    metadata: bytes, tags: Sequence[str], options: CondaOptions | None = None
) -> list[str]:
    """Requirements that no package of the wheel speaks of, by the rules, each with its reason.

    Extras for developers and those that take any version are no constraints; a marker may hold
    nowhere. What is not by the rules is in the packages' `notes`.
    """
    from twofold.convert.constraints import make_constraints

    options = options or CondaOptions()
    parsed = parse_metadata(metadata)
    needs = read_requirements(parsed, options)
    abis = _select_admitted_abis(abis_for_tags(tags, options.python), parsed.requires_python or "")
    found: list[str] = []
    for place, abi in ((place, abi) for place in subdirs_for_tags(tags) for abi in abis):
        scope = _make_scope(parsed, abi, place, options)
        found += make_constraints(needs.optional, scope, options).unsaid
        if any(need.when for need in needs.always):
            from twofold.convert.markers import classify_requirement

            found += [
                f"{need.text}: holds nowhere that the package is for"
                for need in needs.always
                if need.when and classify_requirement(need, scope) == "never"
            ]
    found += [f"{text}: holds nowhere that the project is for" for text in needs.never]
    return list(dict.fromkeys(found))


def _select_admitted_abis(abis: list[Abi], requires_python: str) -> list[Abi]:
    """Of several Pythons those that Requires-Python admits, as pip has it."""
    if len(abis) == 1 or not requires_python:
        return abis
    from twofold.convert.markers import parse_requires_python

    wanted = parse_requires_python(requires_python)
    admitted = [
        abi
        for abi in abis
        if not abi.minor or any(wanted.contains(f"{abi.minor}.{patch}") for patch in (0, 99))
    ]
    return admitted or abis


def _make_scope(
    parsed: CoreMetadata, abi: Abi, place: SubdirTarget, options: CondaOptions
) -> MarkerScope:
    subdir = "" if place.subdir == "noarch" else place.subdir
    bounds = [parsed.requires_python or "", f">={abi.at_least}" if abi.at_least else ""]
    requires = ",".join(bound for bound in bounds if bound)
    return MarkerScope(requires, abi.minor, subdir, options.python, options.platform)


def _make_variants(
    parsed: CoreMetadata, needs: list[Need], abi: Abi, place: SubdirTarget, options: CondaOptions
) -> list[Variant] | list[_SingleVariant]:
    def render(holding: Sequence[Need]) -> tuple[str, ...]:
        return tuple(sorted({to_match_spec(need, options) for need in holding}))

    if not any(need.when for need in needs):
        return [_SingleVariant(render(needs))]
    from twofold.convert.markers import make_variants

    return make_variants(needs, _make_scope(parsed, abi, place, options), render)


class _SingleVariant:
    """The one variant of a package without markers (markers.Variant costs `packaging`)."""

    low = high = guard = subdir = ""
    label = "py"

    def __init__(self, depends: tuple[str, ...]) -> None:
        self.depends = depends


def _assemble(
    parsed: CoreMetadata,
    scripts: bytes | None,
    variant: Variant | _SingleVariant,
    abi: Abi,
    place: SubdirTarget,
    options: CondaOptions,
) -> CondaPackage:
    subdir = variant.subdir or place.subdir
    label = variant.label
    if abi.minor:
        label = variant.label.replace("py", abi.tag.replace("cp", "py", 1), 1)
    elif abi.at_least and not variant.low:
        # A release may have wheels for several ranges (cp39-abi3 and cp311-abi3).
        label = variant.label.replace("py", f"pyge{abi.at_least.replace('.', '')}", 1)
    if place.is_musl:
        label = f"musl_{label}"
    guards = [*place.needs, *([variant.guard] if variant.guard else [])]
    depends = [
        *_make_python_depends(parsed, variant, abi, subdir),
        *variant.depends,
        *options.depends,
        *guards,
    ]
    return CondaPackage(
        name=options.name or to_conda_name(parsed.name, options.known_names),
        version=to_conda_version(parsed.version),
        build=f"{label}_{options.build_number}",
        build_number=options.build_number,
        subdir=subdir,
        noarch=None if abi.minor and subdir != "noarch" else "python",
        depends=tuple(dict.fromkeys(depends)),
        about=make_about(parsed),
        entry_points=_read_entry_points(scripts),
        timestamp=options.timestamp,
    )


def to_conda_version(version: str) -> str:
    """A PEP 440 version as a conda version: canonical, which both worlds order alike."""
    return canonicalize_version(version)


def _make_python_depends(
    parsed: CoreMetadata, variant: Variant | _SingleVariant, abi: Abi, subdir: str
) -> list[str]:
    """`python` with the range of wheel and variant; `python_abi` for binaries of one CPython."""
    if abi.minor:
        major, minor = abi.minor.split(".")
        specs = [f"python >={abi.minor},<{major}.{int(minor) + 1}.0a0"]
        if variant.low or variant.high:
            specs = [f"python {_narrow_range(variant.low or abi.minor, variant.high, '')}"]
        binary = subdir != "noarch"
        return [*specs, *([f"python_abi {abi.minor}.* *_{abi.tag}"] if binary else [])]
    try:
        spec = to_conda_spec(parsed.requires_python or "")
    except TwofoldError as error:
        first = error.problems[0]
        raise TwofoldError(first.message, first.hint, "Requires-Python") from error
    low = variant.low
    if abi.at_least and not low:
        low = abi.at_least
    spec = _narrow_range(low, variant.high, spec)
    return [f"python {spec}" if spec else "python"]


def _narrow_range(low: str, high: str, spec: str) -> str:
    """A version spec narrowed down; bounds that the new ones make needless go."""
    if "|" in spec or not (low or high):
        clauses = [spec] if spec else []
        extra = [f">={low}" if low else "", f"<{high}" if high else ""]
        extra = [bound for bound in extra if bound]
        if extra and spec:
            return "|".join(",".join([*extra, one]) for one in spec.split("|"))
        return ",".join([*clauses, *extra])
    kept = []
    for clause in spec.split(",") if spec else []:
        bound = clause.lstrip("<>=!").partition("dev")[0]
        if low and clause.startswith(">=") and _version_key(bound) <= _version_key(low):
            continue
        if low and clause.startswith(">=") and _version_key(bound) > _version_key(low):
            low = ""
        if high and clause.startswith("<") and _version_key(bound) >= _version_key(high):
            continue
        kept.append(clause)
    first = [f">={low}"] if low else []
    last = [f"<{high}"] if high else []
    lower = [clause for clause in kept if clause.startswith(">")]
    return ",".join([*first, *lower, *last, *(c for c in kept if c not in lower)])


def _version_key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _read_entry_points(data: bytes | None) -> list[str]:
    """Console and GUI scripts, checked (entry points specification). Raises TwofoldError."""
    if not data:
        return []
    import re

    found = parse_entry_points(data, "console_scripts") + parse_entry_points(data, "gui_scripts")
    for line in found:
        if not re.fullmatch(r"[\w.-]*\w[\w.-]* = [\w.]+:[\w.]+", line):
            raise TwofoldError(
                f"the entry point '{line}' cannot be made into a script",
                "write it as name = module:function",
                "entry_points.txt",
            )
    return found
