"""The text of requirements in recipes, as conda-build takes it."""

from __future__ import annotations

import re

#: Names of packages; a call such as pin_subpackage() stands for one with its versions.
SPEC = re.compile(r"(?:[\w./-]+::)?[A-Za-z0-9_\ue002][\w.\ue002\ue003+-]*")
#: `name[extra]` of pip: conda reads the name alone.
EXTRAS = re.compile(r"(?<=\w)\[[\w., -]*\](?= |$)", re.ASCII)
#: `name 1.2`: conda-build takes it for `1.2.*`, and rattler-build refuses it.
BARE_VERSION = re.compile(r"([\w.-]+) ([\w.-]+)", re.ASCII)
#: Python's pin follows from the package's Python; numpy's is resolved once the host is known.
X_X = {"python x.x": "python", "numpy x.x": "numpy x.x"}
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
    spec = re.sub(r"\s*,\s*", ",", re.sub(r"([<>=!~])\s+(?=[\w\ue002])", r"\1", spec))
    return re.sub(r"(?<=[ ,|])==(?=[^,|]*\*)", "", spec)


def add_star(spec: str) -> str:
    """Write `name 1.2` as `name 1.2.*`, as conda-build does for what it installs.

    A version with an epoch or a local part, and one of a named channel, stays that one version.
    """
    found = BARE_VERSION.fullmatch(spec)
    return f"{spec}.*" if found and spec not in X_X.values() else spec
