"""The text of requirements in recipes, as conda-build takes it."""

from __future__ import annotations

import re

from twofold.names.match_specs import parse_match_spec

#: Names of packages; a call such as pin_subpackage() stands for one with its versions.
SPEC = re.compile(r"(?:[\w./-]+::)?[A-Za-z0-9_\ue002][\w.\ue002\ue003+-]*")
#: `name[extra]` of pip: conda reads the name alone.
EXTRAS = re.compile(r"(?<=\w)\[[\w., -]*\](?= |$)", re.ASCII)
#: `name 1.2`: conda-build takes it for `1.2.*`, and rattler-build refuses it.
BARE_VERSION = re.compile(r"([\w.-]+) ([\w.-]+)", re.ASCII)
#: Python's pin follows from the package's Python; numpy's is resolved once the host is known.
X_X = {"python x.x": "python", "numpy x.x": "numpy x.x"}
#: A name with its channel, and versions or a build after it.
_NAMED = re.compile(r"(?P<name>(?:[\w./-]+::)?[\w.-]+)\s*(?P<rest>[=<>!~ (].*)", re.ASCII)
#: One term of a version spec.
_TERM = re.compile(r"(?:(?P<operator>[<>]=?|[=!~]=|=)\s*+)?(?P<version>[\w.!+*-]+)", re.ASCII)
#: What may follow a name: an operator, a version that begins with a digit, or one word alone.
_CONSTRAINT = re.compile(r"$|[=<>!~*0-9\[|(\ue002]|(?!x\.x$)[A-Za-z][\w.]*$")


def is_constraint(name: str, rest: str) -> bool:
    """Whether `rest` can follow a name: versions, or the build after what a call resolves to."""
    if ";" in rest or re.fullmatch(r"\[[^=]*\]", rest):
        return False
    is_build = name.startswith("\ue002") and re.fullmatch(r"[\w.*+]+", rest)
    return bool(is_build or _CONSTRAINT.match(rest))


def normalize_spec(spec: str) -> str:
    """Normalise a requirement: no spaces around operators; `==1.2.*` can never match a version."""
    spec = re.sub(r"(?<!\s)\s*+,\s*", ",", re.sub(r"([<>=!~])\s+(?=[\w\ue002])", r"\1", spec))
    return re.sub(r"(?<=[ ,|])==(?=[^,|]*\*)", "", spec)


def add_star(spec: str) -> str:
    """Write `name 1.2` as `name 1.2.*`, as conda-build does for what it installs.

    A version with an epoch or a local part, and one of a named channel, stays that one version.
    """
    found = BARE_VERSION.fullmatch(spec)
    return f"{spec}.*" if found and spec not in X_X.values() else spec


def to_strict_spec(spec: str) -> str:
    """Write a requirement of meta.yaml as rattler-build reads it in a recipe.yaml.

    rattler-build refuses a version without an operator (`a 1.2 py_0`: that version alone), a star
    after an operator (`>=1.2.*`: conda ignores it) and a build after `=`. Brackets stay.
    """
    found = _NAMED.fullmatch(spec.strip())
    if found is None or "[" in spec or "^" in spec:
        return spec
    # A build after `=`: `1.2=py_0`, `=1.2=py_0`.
    rest = re.sub(r"^(?:==?\s*)?([\w.!+*-]+)=([\w*]+)$", r"==\1 \2", found["rest"].strip())
    parsed = parse_match_spec(f"x {rest}")
    version = _TERM.sub(_write_term, parsed.version)
    return " ".join(filter(None, (found["name"], version, parsed.build)))


def _write_term(found: re.Match[str]) -> str:
    """Write one term of a version spec, such as `=1.2.*` or `1.2`."""
    operator, version = found["operator"] or "", found["version"]
    prefix = re.sub(r"(?<![.*])(?:\.?\*)+$", "", version)
    if version == "*" or (operator in ("", "!=") and prefix != version):
        return f"{operator}{version}"
    if operator in ("=", "=="):
        return f"{operator}{version}" if prefix == version else f"{prefix}.*"
    return f"{operator or '=='}{prefix}"
