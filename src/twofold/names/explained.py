"""What a name stands for in both worlds, with the reason, for `twofold names`."""

from __future__ import annotations

from typing import NamedTuple

from twofold.names import conda_name, normalised
from twofold.names.known import known_as, known_on_conda_forge


class Explained(NamedTuple):
    """One reading of a name that somebody asked about."""

    asked: str
    pypi: str
    conda: str
    imported: str
    why: str


def explain(asked: str) -> list[Explained]:
    """As a PyPI name first; then every other project that conda or Python know by that name."""
    key = normalised(asked)
    found = [_as_pypi(asked, key)]
    for record in known_as(asked.lower(), asked):
        if record.pypi == key:
            continue
        how = "conda-forge's name for" if record.conda == asked.lower() else "what is imported from"
        why = f"'{asked}' is {how} PyPI's {record.pypi}"
        found.append(Explained(asked, record.pypi, record.conda, record.imported, why))
    return found


def _as_pypi(asked: str, key: str) -> Explained:
    record = known_on_conda_forge(key)
    if record is None:
        why = "conda-forge's table does not list it: the name as written, in lower case"
        return Explained(asked, key, conda_name(asked), key.replace("-", "_"), why)
    if record.conda == key:
        why = "conda-forge has it under PyPI's normalised name"
    else:
        why = f"conda-forge calls PyPI's {key} '{record.conda}'"
    return Explained(asked, key, record.conda, record.imported, why)
