"""`twofold names NAME`: a project's names on PyPI and in conda, and their source."""

from __future__ import annotations

from typing import NamedTuple

from twofold.cli.terminal import Parser, print_json, print_text
from twofold.errors import UsageError
from twofold.names import normalize_name, to_conda_name
from twofold.names.conda_forge import (
    find_on_conda_forge,
    is_listed,
    load_further_names,
    search_conda_forge,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    pass


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold names`."""
    made = Parser(
        "names",
        "Show a project's name on PyPI, in conda channels and in imports, and the source of that\n"
        "information. Nothing is fetched.",
    ).with_json()
    made.add_argument("names", nargs="+", metavar="NAME", help="a PyPI, conda or import name")
    return made


def run(args: argparse.Namespace) -> int:
    """Run `twofold names`; returns the exit code."""
    from twofold.names import is_name

    pass

    for name in args.names:
        if not is_name(name):
            raise UsageError(
                f"'{name}' is not a name", "names contain letters, digits, '-', '_' and '.'"
            )
    explained = [one for name in args.names for one in explain(name)]
    if args.json:
        print_json([one._asdict() for one in explained])
    else:
        print_text("\n".join(map(_format, explained)))
    return 0


def _format(one: NameExplanation) -> str:
    return (
        f"{one.asked}\n"
        f"  on PyPI   {one.pypi}\n"
        f"  in conda  {one.conda}\n"
        f"  import    {one.imported}\n"
        f"  because   {one.why}"
    )


class NameExplanation(NamedTuple):
    """One meaning of a name; the fields are the keys of `twofold names --json`."""

    asked: str
    pypi: str
    conda: str
    imported: str
    why: str


def explain(name: str) -> list[NameExplanation]:
    """Explain it as a PyPI name first; then every other project with that conda or import name.

    If a project of that name is imported by that name, no other project is listed for the import:
    the source lists some under a module that they merely use.
    """
    key = normalize_name(name)
    own = _explain_pypi_name(name, key)
    found = [own]
    for record in search_conda_forge(name.lower(), name):
        is_conda = record.conda == name.lower()
        if record.pypi == key or (not is_conda and own.imported == name and is_listed(key)):
            continue
        how = "conda-forge's name for" if is_conda else "what is imported from"
        why = f"'{name}' is {how} PyPI's {record.pypi}"
        found.append(NameExplanation(name, record.pypi, record.conda, record.imported, why))
    for pypi, imported in load_further_names().items():
        if imported == name and pypi != key:
            why = f"'{name}' is what is imported from PyPI's {pypi}"
            found.append(NameExplanation(name, pypi, pypi, imported, why))
    # Stubs carry the module's name, and no program imports them.
    found = [one for one in found if one is own or not one.pypi.startswith("types-")]
    found = list(dict.fromkeys(found))  # both tables may list a project
    return found if is_listed(key) else [*found[1:], own]


def _explain_pypi_name(name: str, key: str) -> NameExplanation:
    record = find_on_conda_forge(key)
    if record is None:
        imported = load_further_names().get(key, key.replace("-", "_"))
        if is_listed(key):
            return NameExplanation(
                name, key, to_conda_name(name), imported, "the same on PyPI and conda"
            )
        why = "not in the tables: conda's name is assumed to be this one, in lower case"
        return NameExplanation(name, key, to_conda_name(name), imported, why)
    if record.conda == key:
        why = "conda-forge uses PyPI's normalized name"
    else:
        why = f"conda-forge calls PyPI's {key} '{record.conda}'"
    return NameExplanation(name, key, record.conda, record.imported, why)
