"""PEP 440 specifiers as conda version specs.

The two worlds order versions almost alike. What is written around the differences:

- `<2` in PEP 440 leaves out 2.0a1, in conda it admits it: `<2dev0`, which sorts before everything
  that begins with 2.
- `>1.0` leaves out 1.0.post1: `>1.0,!=1.0.post.*`.
- conda sorts 1.0.dev1 after 1.0a1 and PEP 440 before: bounds that name a pre-release or a dev
  release name the place of the dev releases.
- `~=` and `==1.4.*` become ranges and `1.4.*`.

docs/reference/convert.md lists what conda's grammar cannot express: local versions match
only exactly, pre-releases are not left out by default, `===` compares versions and not text, and
suffixes (a, post, dev) are ordered as PEP 440 does only between versions that are written with
the same number of components.
"""

from __future__ import annotations

from twofold.errors import TwofoldError
from twofold_build.names import canonicalize_version

#: How clauses are ordered in a spec: lower bounds, exact ones, upper bounds, exceptions.
_ORDER = {">=": 0, ">": 0, "~=": 1, "==": 1, "===": 1, "<": 2, "<=": 2, "!=": 3}
#: The most alternatives in one spec; a longer one is not readable.
_MAX_ALTERNATIVES = 16


def to_conda_version(version: str) -> str:
    """A PEP 440 version as a conda version: canonical, which both worlds order alike."""
    return canonicalize_version(version)


def to_conda_spec(specifiers: str) -> str:
    """A PEP 440 specifier set in conda's grammar, '' for an empty one. Raises TwofoldError."""
    clauses = [clause.strip() for clause in specifiers.split(",") if clause.strip()]
    if len(clauses) == 1:
        return "|".join(_convert_clause(clauses[0])[1])
    ranked = sorted((_convert_clause(clause) for clause in clauses), key=lambda ranked: ranked[0])
    combined = [""]
    for _, alternatives in ranked:
        combined = [
            f"{before},{one}" if before else one for before in combined for one in alternatives
        ]
        if len(combined) > _MAX_ALTERNATIVES:
            raise TwofoldError(
                f"'{specifiers}' names too many pre-releases for one conda version spec",
                "name fewer pre-releases",
            )
    return "|".join(combined)


def _convert_clause(clause: str) -> tuple[int, list[str]]:
    """Rank and alternatives of one clause."""
    written = clause.lstrip("<>=!~")
    operator, version = clause[: len(clause) - len(written)], written.strip()
    star = version.endswith(".*") and operator in ("==", "!=")
    version = version.removesuffix(".*") if star else version
    # Final releases are nearly all there are: `packaging`, and expressions, cost a build too much.
    if operator in _ORDER and operator != "===" and is_final_release(version):
        return _ORDER[operator], [_convert_final_release(operator, version, star, clause)]
    return _convert_any(clause)


def is_final_release(version: str) -> bool:
    """Whether a version is numbers and dots alone, as 1.4.2."""
    return all(part.isdecimal() and part.isascii() for part in version.split("."))


def _convert_final_release(operator: str, version: str, star: bool, clause: str) -> str:
    """A clause about a final release such as 1.4 or 1.4.2."""
    if star:
        return f"{version}.*" if operator == "==" else f"!={version}.*"
    if operator == "<":
        return f"<{version}dev0"
    if operator == ">":
        return f">{version},!={version}.post.*"
    if operator == "~=":
        if "." not in version:
            raise _invalid_specifier(clause, "~= needs at least two components, as in ~=1.4")
        return f">={version},{version.rpartition('.')[0]}.*"
    return f"{operator}{version}"


def _invalid_specifier(clause: str, why: str) -> TwofoldError:
    return TwofoldError(f"'{clause}' is not a version specifier: {why}", "see PEP 440")


def _convert_any(clause: str) -> tuple[int, list[str]]:
    """A clause with a pre-release, a post-release, an epoch, a local version or `===`."""
    from packaging.specifiers import InvalidSpecifier, Specifier
    from packaging.version import InvalidVersion, Version

    try:
        parsed = Specifier(clause)
    except InvalidSpecifier as error:
        raise _invalid_specifier(clause, str(error)) from error
    operator, written = parsed.operator, parsed.version
    if operator in ("==", "!=") and written.endswith(".*"):
        prefix = str(Version(written[:-2]))
        return _ORDER[operator], [f"{'!=' if operator == '!=' else ''}{prefix}.*"]
    try:
        version = Version(written)
    except InvalidVersion as error:
        raise TwofoldError(
            f"'{clause}' has no form in conda: '{written}' is not a version (PEP 440)",
            "name the dependency in [tool.twofold.conda] instead",
        ) from error
    if operator in ("==", "==="):
        return _ORDER[operator], [f"=={version}"]
    if operator == "~=":
        release = version.release[:-1]
        epoch = f"{version.epoch}!" if version.epoch else ""
        prefix = epoch + ".".join(map(str, release))
        return _ORDER[operator], [f"{one},{prefix}.*" for one in _convert_bound(">=", version)]
    if operator == "!=":
        return _ORDER[operator], [f"!={version}"]
    return _ORDER[operator], _convert_bound(operator, version)


def _convert_bound(operator: str, version: Version) -> list[str]:
    """`>=`, `>`, `<=` or `<` of any version, as alternatives.

    In conda 1.0dev0 < 1.0a0.dev0 < 1.0a0 < 1.0rc1 < 1.0.dev0 < 1.0 < 1.0.post1.dev0 < 1.0.post1:
    only the dev releases of a final release stand at another place than in PEP 440, where they
    come before 1.0a0.
    """
    base = version.base_version
    if version.dev is not None and version.pre is None and version.post is None:
        if operator in (">=", ">"):
            every = operator == ">=" and version.dev == 0
            return (
                [f">={base}dev0"]
                if every
                else [f"{operator}{version}", f">={base}dev0,<{base}.dev0"]
            )
        return [f"<{base}dev0", f">={base}.dev0,{operator}{version}"]
    if version.pre is not None:
        if operator in ("<=", "<"):
            return [f"{operator}{version}", f"{base}.dev.*"]
        bound = f"{operator}{version},!={base}.dev.*"
        is_open = operator == ">" and version.post is None and version.dev is None
        return [f"{bound},!={version}.post.*" if is_open else bound]
    if operator == "<" and version.dev is None:
        return [f"<{version}dev0"]
    if operator == ">" and version.post is None:
        return [f">{version},!={version}.post.*"]
    return [f"{operator}{version}"]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from packaging.version import Version
