"""From a wheel's METADATA to conda packages: names, dependencies, about, build strings.

Pure: nothing is read or written. `packaging` is imported only for what a pattern does not
recognise, because `twofold build` of a small project passes through here.
"""

from __future__ import annotations

from twofold.conda_metadata import CondaPackage
from twofold.convert.options import CondaOptions
from twofold.convert.platforms import Abi, Place, abi_of, places_of
from twofold.convert.requirements import Need, parse_need
from twofold.convert.versions import conda_spec
from twofold.errors import Problem, TwofoldError
from twofold.formats.core_metadata import CoreMetadata, entry_points, parse_metadata
from twofold.names import conda_name, normalised
from twofold_build.names import canonical_version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from twofold.convert.markers import Variant

#: Extras for people who work on the package; others become constraints on its users.
_DEVELOPMENT = frozenset(
    word
    for line in (
        "all build check checks ci cov coverage dev develop development doc docs documentation",
        "lint linting mypy pre-commit qa release style test tests testing type typing types",
    )
    for word in line.split()
)


def packages_of(
    metadata: bytes,
    scripts: bytes | None,
    tags: Sequence[str],
    options: CondaOptions | None = None,
) -> list[CondaPackage]:
    """The conda packages a wheel stands for: one, unless markers or a universal wheel ask for more.

    `metadata` is METADATA, `scripts` entry_points.txt, `tags` the wheel's expanded tags. Raises
    TwofoldError (and BadFile for unusable metadata), all dependency problems told together.
    """
    options = options or CondaOptions()
    parsed = parse_metadata(metadata)
    needs, extras = _needs(parsed, options)
    abi = abi_of(tags)
    return [
        _package(parsed, scripts, variant, extras, abi, place, options)
        for place in places_of(tags)
        for variant in _variants(parsed, needs, abi, place, options)
    ]


def package_of(
    metadata: bytes,
    scripts: bytes | None,
    tags: Sequence[str],
    options: CondaOptions | None = None,
) -> CondaPackage:
    """The one conda package a wheel stands for. Raises TwofoldError where there are several."""
    packages = packages_of(metadata, scripts, tags, options)
    if len(packages) > 1:
        builds = ", ".join(f"{package.subdir}/{package.build}" for package in packages)
        raise TwofoldError(
            f"{packages[0].name} becomes {len(packages)} conda packages ({builds})",
            "name a Python and a platform to have only the one for them",
        )
    return packages[0]


def _needs(parsed: CoreMetadata, options: CondaOptions) -> tuple[list[Need], list[Need]]:
    """The requirements for every user, and those of the project's own extras."""
    problems: list[Problem] = []
    always: list[Need] = []
    of_extras: list[Need] = []
    for text in parsed.requires_dist:
        try:
            need = parse_need(text)
        except TwofoldError as error:
            problems += error.problems
            continue
        if normalised(need.name) in options.leave_out:
            continue
        if need.extra:
            of_extras.append(need)
            continue
        always.append(need)
        if need.extras:
            from twofold.convert.extras import expand

            try:
                always += expand(need, options)
            except TwofoldError as error:
                problems += error.problems
    if problems:
        raise _together(problems)
    return always, of_extras


def _together(problems: Sequence[Problem]) -> TwofoldError:
    error = TwofoldError(problems[0].message, problems[0].hint, problems[0].where)
    error.problems = tuple(problems)
    return error


def _variants(
    parsed: CoreMetadata, needs: list[Need], abi: Abi, place: Place, options: CondaOptions
) -> list[Variant] | list[_Plain]:
    def render(holding: Sequence[Need]) -> tuple[str, ...]:
        return tuple(sorted({match_spec(need, options) for need in holding}))

    if not any(need.when for need in needs):
        return [_Plain(render(needs))]
    from twofold.convert.markers import Scope, variants_of

    subdir = "" if place.subdir == "noarch" else place.subdir
    requires = parsed.requires_python or ""
    scope = Scope(requires, abi.minor, subdir, options.python, options.platform)
    return variants_of(needs, scope, render)


class _Plain:
    """The one variant of a package without markers (markers.Variant costs `packaging`)."""

    low = high = guard = subdir = ""
    label = "py"

    def __init__(self, depends: tuple[str, ...]) -> None:
        self.depends = depends


def match_spec(need: Need, options: CondaOptions) -> str:
    """A requirement without its marker and extras as a MatchSpec: `numpy >=1.26,<3dev0`."""
    name = conda_name(need.name, options.known_names)
    try:
        spec = conda_spec(need.spec)
    except TwofoldError as error:
        first = error.problems[0]
        raise TwofoldError(first.message, first.hint, f"Requires-Dist: {need.text}") from error
    return f"{name} {spec}" if spec else name


def _package(
    parsed: CoreMetadata,
    scripts: bytes | None,
    variant: Variant | _Plain,
    extras: list[Need],
    abi: Abi,
    place: Place,
    options: CondaOptions,
) -> CondaPackage:
    subdir = variant.subdir or place.subdir
    label = variant.label
    if abi.minor:
        label = f"{abi.tag.replace('cp', 'py', 1)}{variant.label.removeprefix('py')}"
    guards = [*place.needs, *([variant.guard] if variant.guard else [])]
    depends = [*_pythons(parsed, variant, abi), *variant.depends, *options.depends, *guards]
    return CondaPackage(
        name=options.name or conda_name(parsed.name, options.known_names),
        version=conda_version(parsed.version),
        build=f"{label}_{options.build_number}",
        build_number=options.build_number,
        subdir=subdir,
        noarch=None if abi.minor and subdir != "noarch" else "python",
        depends=tuple(dict.fromkeys(depends)),
        constrains=[*_constraints(extras, options), *options.constrains],
        about=about_of(parsed),
        entry_points=_scripts(scripts),
        timestamp=options.timestamp,
    )


def conda_version(version: str) -> str:
    """A PEP 440 version as a conda version: canonical, which both worlds order alike."""
    return canonical_version(version)


def _pythons(parsed: CoreMetadata, variant: Variant | _Plain, abi: Abi) -> list[str]:
    """`python` with the wheel's range and the variant's; `python_abi` for one CPython."""
    if abi.minor:
        major, minor = abi.minor.split(".")
        specs = [f"python >={abi.minor},<{major}.{int(minor) + 1}.0a0"]
        if variant.low or variant.high:
            specs = [f"python {_range(variant.low or abi.minor, variant.high, '')}"]
        return [*specs, f"python_abi {abi.minor}.* *_{abi.tag}"]
    try:
        spec = conda_spec(parsed.requires_python or "")
    except TwofoldError as error:
        first = error.problems[0]
        raise TwofoldError(first.message, first.hint, "Requires-Python") from error
    low = variant.low
    if abi.at_least and not low:
        low = abi.at_least
    spec = _range(low, variant.high, spec)
    return [f"python {spec}" if spec else "python"]


def _range(low: str, high: str, spec: str) -> str:
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
        if low and clause.startswith(">=") and _order(bound) <= _order(low):
            continue
        if low and clause.startswith(">=") and _order(bound) > _order(low):
            low = ""
        if high and clause.startswith("<") and _order(bound) >= _order(high):
            continue
        kept.append(clause)
    first = [f">={low}"] if low else []
    last = [f"<{high}"] if high else []
    lower = [clause for clause in kept if clause.startswith(">")]
    return ",".join([*first, *lower, *last, *(c for c in kept if c not in lower)])


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _constraints(extras: list[Need], options: CondaOptions) -> list[str]:
    """Optional dependencies of users as constraints: they need not be there, but if, then so.

    Left out: extras for developers, and packages that two extras want in two ways.
    """
    wanted: dict[str, set[str]] = {}
    for need in extras:
        if need.extra.lower() not in _DEVELOPMENT and need.spec and not need.extras:
            name = conda_name(need.name, options.known_names)
            wanted.setdefault(name, set()).add(match_spec(need, options))
    return sorted(next(iter(specs)) for specs in wanted.values() if len(specs) == 1)


def _scripts(data: bytes | None) -> list[str]:
    """Console and GUI scripts, checked (entry points specification). Raises TwofoldError."""
    if not data:
        return []
    import re

    found = entry_points(data, "console_scripts") + entry_points(data, "gui_scripts")
    for line in found:
        if not re.fullmatch(r"[\w.-]*\w[\w.-]* = [\w.]+:[\w.]+", line):
            raise TwofoldError(
                f"the entry point '{line}' cannot be made into a script",
                "write it as name = module:function",
                "entry_points.txt",
            )
    return found


def about_of(parsed: CoreMetadata) -> dict[str, Any]:
    """info/about.json from METADATA, with the keys that conda's tools show."""
    about: dict[str, Any] = {}
    summary, licence = parsed.get("Summary"), _licence(parsed)
    urls = dict(_urls(parsed))
    home = parsed.get("Home-page") or _first(urls, "homepage", "home", "website")
    pairs = {
        "summary": "" if summary == "UNKNOWN" else summary,
        "description": parsed.description.strip(),
        "license": licence,
        "home": "" if home == "UNKNOWN" else home,
        "dev_url": _first(urls, "repository", "source", "sourcecode", "github", "code"),
        "doc_url": _first(urls, "documentation", "docs", "doc"),
        "keywords": _keywords(parsed),
        "author": parsed.get("Author") or parsed.get("Author-email"),
    }
    about |= {key: value for key, value in pairs.items() if value}
    return about


def _licence(parsed: CoreMetadata) -> str:
    """The licence, PEP 639's expression first; a whole licence text is no name of one."""
    licence = parsed.get("License-Expression") or parsed.get("License")
    if licence and "\n" not in licence and len(licence) <= 100 and licence != "UNKNOWN":
        return licence
    for classifier in parsed.all("Classifier"):
        if classifier.startswith("License :: OSI Approved :: "):
            return classifier.rpartition(" :: ")[2]
    return ""


def _keywords(parsed: CoreMetadata) -> list[str]:
    words = parsed.get("Keywords").replace(",", " ").split()
    return list(dict.fromkeys(words))


def _urls(parsed: CoreMetadata) -> list[tuple[str, str]]:
    pairs = (line.partition(",") for line in parsed.all("Project-URL"))
    return [
        ("".join(c for c in label.lower() if c.isalnum()), url.strip()) for label, _, url in pairs
    ]


def _first(urls: dict[str, str], *labels: str) -> str:
    return next((urls[label] for label in labels if label in urls), "")
