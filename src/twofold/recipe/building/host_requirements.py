"""What an output's host has: what pip can bring, and what may export requirements."""

from __future__ import annotations

import re

from twofold.names import normalize_name
from twofold.names.conda_forge import (
    find_on_conda_forge,
    find_pypi_names,
    load_further_names,
    load_same_names,
)
from twofold.recipe.model import Output

#: Tools of a build that put no requirement on what they build (conda-forge's run_exports);
#: Python's own is known from the wheel.
_NOTHING_EXPORTED = frozenset(
    str.split(
        "python python_abi pip setuptools wheel cython flit-core hatchling hatch-vcs poetry-core "
        "pdm-backend setuptools-scm setuptools_scm meson meson-python ninja cmake scikit-build "
        "scikit-build-core maturin setuptools-rust packaging pbr tomli versioneer twofold-build"
    )
)


def find_exporting_host(output: Output) -> list[str]:
    """Find the packages of an output's host that may export requirements to compiled code."""
    needs = output.requirements
    ignored = {line.text for line in output.build.linking.get("ignore_run_exports_from", ())}
    names = [line.text.split()[0].rpartition("::")[2] for line in (*needs.build, *needs.host)]
    return [name for name in dict.fromkeys(names) if name not in _NOTHING_EXPORTED | ignored]


def list_host_requirements(output: Output) -> list[str]:
    """List what an output's host has and pip can bring, as PEP 508 requirements.

    Only packages that are known to be a project of PyPI: of another one pip could bring a
    stranger's project of that name. Versions are kept where both worlds write them alike.
    """
    found = {}
    for line in (*output.requirements.host, *output.requirements.build):
        name, _, spec = line.text.partition(" ")
        pypi = _find_pypi_name(name.rpartition("::")[2])
        if pypi and pypi not in ("pip", "python"):
            found[pypi] = f"{pypi}{_to_specifiers(spec)}"
    return list(found.values())


def _find_pypi_name(conda: str) -> str:
    named = find_pypi_names([conda])
    if named:
        return conda if conda in named else named[0]
    key = normalize_name(conda)
    record = find_on_conda_forge(key)
    if record is not None and normalize_name(record.conda) == key:
        return key
    tools = map(normalize_name, _NOTHING_EXPORTED - {"python", "python_abi"})
    return key if key in {*tools, *load_same_names(), *load_further_names()} else ""


def _to_specifiers(spec: str) -> str:
    if re.fullmatch(r"\d+(\.\d+)*\.\*", spec):
        return f"=={spec}"
    return spec if re.fullmatch(r"(>=|<=|==|!=|<|>)[\d.]+(,(>=|<=|==|!=|<|>)[\d.]+)*", spec) else ""
