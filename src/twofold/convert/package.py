"""From a wheel's METADATA to conda packages: names, dependencies, about, build strings.

Pure: nothing is read or written. `packaging` is imported only for what a pattern does not
recognise, because `twofold build` of a small project passes through here.
"""

from __future__ import annotations

from twofold.conda_metadata import CondaPackage
from twofold.convert.options import CondaOptions
from twofold.convert.project_requirements import read_requirements
from twofold.convert.requirements import to_match_spec
from twofold.convert.versions import to_conda_spec, to_conda_version
from twofold.convert.wheel_tags import (
    Abi,
    MarkerScope,
    SubdirTarget,
    Variant,
    abis_for_tags,
    subdirs_for_tags,
)
from twofold.errors import TwofoldError
from twofold.formats.core_metadata import CoreMetadata, parse_entry_points, parse_metadata
from twofold.names import to_conda_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from twofold.convert.requirements import Requirement


def make_packages(
    metadata: bytes,
    scripts: bytes | None,
    tags: Sequence[str],
    options: CondaOptions | None = None,
) -> list[CondaPackage]:
    """The conda packages of a wheel: one, unless its markers or its tags make several.

    `metadata` is METADATA, `scripts` entry_points.txt, `tags` the wheel's expanded tags. Raises
    BadFile for unusable metadata, and TwofoldError with all problems of the dependencies.
    """
    options = options or CondaOptions()
    parsed = parse_metadata(metadata)
    requirements = read_requirements(parsed, options)
    abis = _select_admitted_abis(abis_for_tags(tags, options.python), parsed.requires_python or "")
    found = []
    for target, abi in ((target, abi) for target in subdirs_for_tags(tags) for abi in abis):
        limits = None
        if requirements.optional:
            from twofold.convert.extras import make_constraints

            limits = make_constraints(
                requirements.optional, _make_scope(parsed, abi, target, options), options
            )
        for variant in _make_variants(parsed, requirements.runtime, abi, target, options):
            package = _assemble(parsed, scripts, variant, abi, target, options)
            package.constrains = (*(limits.specs if limits else ()), *options.constrains)
            package.notes = (
                *requirements.notes,
                *(limits.notes if limits else ()),
                *_note_legacy_python(parsed),
            )
            package.about = make_about(parsed, requirements.expanded)
            found.append(package)
    if options.v3:
        from twofold.convert.v3 import add_v3

        found = add_v3(found, parsed, requirements, options, "py3-none-any" in tags)
    return found


def _note_legacy_python(parsed: CoreMetadata) -> list[str]:
    written, read = parsed.get("Requires-Python"), parsed.requires_python or ""
    return [] if written == read else [f"Requires-Python '{written}' is read as '{read}'"]


def make_all_packages(
    metadata: bytes, scripts: bytes | None, tags: Sequence[str], options: CondaOptions
) -> list[CondaPackage]:
    """The packages of a wheel, and after them those of its extras where the options want them."""
    packages = make_packages(metadata, scripts, tags, options)
    if options.extras_as_packages:
        from twofold.convert.extras import make_extra_packages

        parsed = parse_metadata(metadata)
        packages += make_extra_packages(parsed, make_about(parsed), options)
    return packages


def make_package(
    metadata: bytes,
    scripts: bytes | None,
    tags: Sequence[str],
    options: CondaOptions | None = None,
) -> CondaPackage:
    """The one conda package of a wheel. Raises TwofoldError where there are several."""
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
    """Requirements that the rules leave out of every package of the wheel, each with its reason.

    Extras for developers and those that take any version make no constraints; a marker may hold
    nowhere. What is left out for another reason is in the packages' `notes`.
    """
    from twofold.convert.extras import make_constraints

    options = options or CondaOptions()
    parsed = parse_metadata(metadata)
    requirements = read_requirements(parsed, options)
    abis = _select_admitted_abis(abis_for_tags(tags, options.python), parsed.requires_python or "")
    found: list[str] = []
    for target, abi in ((target, abi) for target in subdirs_for_tags(tags) for abi in abis):
        scope = _make_scope(parsed, abi, target, options)
        found += make_constraints(requirements.optional, scope, options).dropped
        if any(requirement.markers for requirement in requirements.runtime):
            from twofold.convert.markers import classify_requirement

            found += [
                f"{requirement.text}: holds nowhere that the package is for"
                for requirement in requirements.runtime
                if requirement.markers and classify_requirement(requirement, scope) == "never"
            ]
    found += [f"{text}: holds nowhere that the project is for" for text in requirements.unreachable]
    return list(dict.fromkeys(found))


def _select_admitted_abis(abis: list[Abi], requires_python: str) -> list[Abi]:
    """Of several Pythons those that Requires-Python admits, as pip compares them."""
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
    parsed: CoreMetadata, abi: Abi, target: SubdirTarget, options: CondaOptions
) -> MarkerScope:
    subdir = "" if target.subdir == "noarch" else target.subdir
    bounds = [parsed.requires_python or "", f">={abi.min_python}" if abi.min_python else ""]
    requires = ",".join(bound for bound in bounds if bound)
    return MarkerScope(requires, abi.minor, subdir, options.python, options.platform)


def _make_variants(
    parsed: CoreMetadata,
    requirements: list[Requirement],
    abi: Abi,
    target: SubdirTarget,
    options: CondaOptions,
) -> list[Variant]:
    def render(kept: Sequence[Requirement]) -> tuple[str, ...]:
        return tuple(sorted({to_match_spec(requirement, options) for requirement in kept}))

    if not any(requirement.markers for requirement in requirements):
        return [Variant(render(requirements))]
    from twofold.convert.markers import make_variants

    return make_variants(requirements, _make_scope(parsed, abi, target, options), render)


def _assemble(
    parsed: CoreMetadata,
    scripts: bytes | None,
    variant: Variant,
    abi: Abi,
    target: SubdirTarget,
    options: CondaOptions,
) -> CondaPackage:
    subdir = variant.subdir or target.subdir
    label = variant.label
    if abi.minor:
        label = variant.label.replace("py", abi.tag.replace("cp", "py", 1), 1)
    elif abi.min_python and not variant.low:
        # A release may have wheels for several ranges (cp39-abi3 and cp311-abi3).
        label = variant.label.replace("py", f"pyge{abi.min_python.replace('.', '')}", 1)
    if target.is_musl:
        label = f"musl_{label}"
    guards = [*target.virtual_packages, *([variant.guard] if variant.guard else [])]
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
        entry_points=_read_entry_points(scripts),
        timestamp=options.timestamp,
    )


def _make_python_depends(
    parsed: CoreMetadata, variant: Variant, abi: Abi, subdir: str
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
    if abi.min_python and not low:
        low = abi.min_python
    spec = _narrow_range(low, variant.high, spec)
    return [f"python {spec}" if spec else "python"]


def _narrow_range(low: str, high: str, spec: str) -> str:
    """A version spec narrowed down, without the bounds that the new ones make redundant."""
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
    return tuple(int(part) for part in version.split(".") if part.isascii() and part.isdigit())


def _read_entry_points(data: bytes | None) -> list[str]:
    """Console and GUI scripts, checked (entry points specification). Raises TwofoldError."""
    if not data:
        return []
    import re

    found = parse_entry_points(data, "console_scripts") + parse_entry_points(data, "gui_scripts")
    for line in found:
        if not re.fullmatch(r"[.-]*+\w[\w.-]*+ = [\w.]++:[\w.]++", line):
            raise TwofoldError(
                f"the entry point '{line}' is not a function that a script can call",
                "write it as name = module:function",
                "entry_points.txt",
            )
    return found


def make_about(parsed: CoreMetadata, expanded: Sequence[str] = ()) -> dict[str, Any]:
    """info/about.json from METADATA, with the keys that conda's tools show.

    `expanded` names the versions of dependencies that their extras were read from.
    """
    about: dict[str, Any] = {}
    summary = parsed.get("Summary")
    urls = dict(_read_project_urls(parsed))
    home = parsed.get("Home-page") or _find_url(urls, "homepage", "home", "website")
    pairs = {
        "summary": "" if summary == "UNKNOWN" else summary,
        "description": parsed.description.strip(),
        "license": _choose_license(parsed),
        "home": "" if home == "UNKNOWN" else home,
        "dev_url": _find_url(urls, "repository", "source", "sourcecode", "github", "code"),
        "doc_url": _find_url(urls, "documentation", "docs", "doc"),
        "keywords": _read_keywords(parsed),
        "author": parsed.get("Author") or parsed.get("Author-email"),
    }
    about |= {key: value for key, value in pairs.items() if value}
    if expanded:
        about["extra"] = {"expanded": sorted(set(expanded))}
    return about


def _choose_license(parsed: CoreMetadata) -> str:
    """The license, PEP 639's expression first; the whole text of one is not its name."""
    license = parsed.get("License-Expression") or parsed.get("License")
    if license and "\n" not in license and len(license) <= 100 and license != "UNKNOWN":
        return license
    for classifier in parsed.all("Classifier"):
        if classifier.startswith("License :: OSI Approved :: "):
            return classifier.rpartition(" :: ")[2]
    return ""


def _read_keywords(parsed: CoreMetadata) -> list[str]:
    words = parsed.get("Keywords").replace(",", " ").split()
    return list(dict.fromkeys(words))


def _read_project_urls(parsed: CoreMetadata) -> list[tuple[str, str]]:
    pairs = (line.partition(",") for line in parsed.all("Project-URL"))
    return [
        ("".join(c for c in label.lower() if c.isalnum()), url.strip()) for label, _, url in pairs
    ]


def _find_url(urls: dict[str, str], *labels: str) -> str:
    return next((urls[label] for label in labels if label in urls), "")
