"""What a name stands for in both worlds, with the reason, for `twofold names`."""

from __future__ import annotations

from typing import NamedTuple

from twofold.names import conda_name, normalised
from twofold.names.known import known_as, known_on_conda_forge
from twofold.names.same import same_in_both, too_on_conda_forge


class Explained(NamedTuple):
    """One reading of a name that somebody asked about."""

    asked: str
    pypi: str
    conda: str
    imported: str
    why: str


def explain(asked: str) -> list[Explained]:
    """As a PyPI name first; then every other project that conda or Python know by that name.

    Where a project of that name is imported by that name, no other project is offered for the
    import: the source lists some by a module that they merely use.
    """
    key = normalised(asked)
    own = _as_pypi(asked, key)
    found = [own]
    for record in known_as(asked.lower(), asked):
        is_conda = record.conda == asked.lower()
        if record.pypi == key or (not is_conda and own.imported == asked and _is_listed(key)):
            continue
        how = "conda-forge's name for" if is_conda else "what is imported from"
        why = f"'{asked}' is {how} PyPI's {record.pypi}"
        found.append(Explained(asked, record.pypi, record.conda, record.imported, why))
    for pypi, imported in too_on_conda_forge().items():
        if imported == asked and pypi != key:
            why = f"'{asked}' is what is imported from PyPI's {pypi}"
            found.append(Explained(asked, pypi, pypi, imported, why))
    # Stubs carry the module's name, and no program imports them.
    found = [one for one in found if one is own or not one.pypi.startswith("types-")]
    found = list(dict.fromkeys(found))  # both tables may list a project
    return found if _is_listed(key) else [*found[1:], own]


def _is_listed(key: str) -> bool:
    return (
        known_on_conda_forge(key) is not None
        or key in too_on_conda_forge()
        or key in same_in_both()
    )


def _as_pypi(asked: str, key: str) -> Explained:
    record = known_on_conda_forge(key)
    if record is None:
        imported = too_on_conda_forge().get(key, key.replace("-", "_"))
        if _is_listed(key):
            return Explained(asked, key, conda_name(asked), imported, "the same in both worlds")
        why = "nothing is known of it: in conda it has the name as written, in lower case"
        return Explained(asked, key, conda_name(asked), imported, why)
    if record.conda == key:
        why = "conda-forge has it under PyPI's normalised name"
    else:
        why = f"conda-forge calls PyPI's {key} '{record.conda}'"
    return Explained(asked, key, record.conda, record.imported, why)
