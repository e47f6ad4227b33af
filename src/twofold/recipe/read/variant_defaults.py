"""What conda-build gives to selectors and Jinja beside a recipe's own variant files."""

from __future__ import annotations

import re
from collections.abc import Mapping

from twofold.recipe.request import Platform

#: Compilers of C, C++ and Fortran, by system.
_COMPILERS = {
    "linux": ("gcc", "gxx", "gfortran"),
    "osx": ("clang", "clangxx", "gfortran"),
    "win": ("vs2017", "vs2017", "gfortran"),
}
#: numpy by Python; a later Python has the last one.
_NUMPY = {"3.8": "1.22", "3.9": "1.22", "3.10": "1.22", "3.11": "1.23"}
_LANGUAGES = {"numpy": "NPY", "perl": "PERL", "lua": "LUA", "r_base": "R"}
_WHOLE_NUMBER = re.compile(r"\s*[+-]?[0-9]{1,19}\s*")


def list_default_values(platform: Platform) -> dict[str, str]:
    """List the values of conda-build's default variant, as conda-build 26.7 has them."""
    system = platform.subdir.partition("-")[0]
    names = ("c_compiler", "cxx_compiler", "fortran_compiler")
    return {
        "numpy": _NUMPY.get(platform.python, "1.26"),
        "perl": "5.26.2",
        "lua": "5",
        "r_base": "3.4" if system == "win" else "3.5",
        "cpu_optimization_target": "nocona",
        "cran_mirror": "https://cran.r-project.org",
        **dict(zip(names, _COMPILERS.get(system, ()), strict=False)),
        **({"vc": "14"} if system == "win" else {}),
    }


def make_selector_variables(variant: Mapping[str, str], platform: Platform) -> dict[str, object]:
    """Make the names of selectors from values: numbers and truth values as such.

    `np` is numpy's version without its point, `pl` and `lua` are texts; `python` is the variant's
    whole text, `3.12.* *_cpython`.
    """
    own = platform.variables().keys() - {"python"}
    names: dict[str, object] = {
        name: _convert_value(value)
        for name, value in variant.items()
        if name.isidentifier() and name not in own
    }
    numpy = re.match(r"\D*(\d{0,9})\.?(\d{0,9})", variant["numpy"], re.ASCII)
    names["np"] = int("".join(numpy.groups()) or 0) if numpy else 0
    lua = variant["lua"]
    return names | {"pl": variant["perl"], "lua": lua, "luajit": lua.startswith("2")}


def _convert_value(value: str) -> object:
    if _WHOLE_NUMBER.fullmatch(value):
        return int(value)
    return value.lower() == "true" if value.lower() in ("true", "false") else value


def find_shared_library_ending(platform: Platform) -> str:
    """Return the ending of shared libraries, which names of files need outside scripts too."""
    endings = {"win": ".dll", "osx": ".dylib"}
    return endings.get(platform.subdir.partition("-")[0], ".so")


def list_build_variables(platform: Platform, variant: Mapping[str, str]) -> dict[str, str]:
    """List conda-build's variables of the platform and of each language in the variant."""
    python = platform.python
    made = {
        "CONDA_PY": python.replace(".", ""),
        "PY_VER": python,
        "PY3K": str(int(not platform.is_python_2)),
        "SUBDIR": platform.subdir,
        "ARCH": platform.subdir.rpartition("-")[2],
        "SHLIB_EXT": find_shared_library_ending(platform),
    }
    for name, short in _LANGUAGES.items():
        if name in variant:
            version = ".".join(variant[name].split(" ")[0].split(".")[:2])
            made |= {f"{short}_VER": version, f"CONDA_{short}": version}
    if "CONDA_NPY" in made:
        made["CONDA_NPY"] = made["CONDA_NPY"].replace(".", "")
    return made
