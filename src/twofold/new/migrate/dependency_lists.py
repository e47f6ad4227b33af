"""Read requirements.txt, environment.yml and a conda recipe as lists of dependencies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twofold.errors import BadFile, TwofoldError
from twofold.names import normalize_name, to_conda_name
from twofold.new.migrate.facts import CommentedRequirement, Facts, parse_person
from twofold.new.migrate.setuptools_settings import propose_entry_points
from twofold_build import names

#: Packages of a conda environment or recipe that a Python project does not depend on.
_CONDA_ONLY = frozenset({"pip", "setuptools", "wheel", "python_abi", "conda", "mamba"})
#: Variants of a package that conda selects by name, as PyPI names them.
_VARIANTS = {
    "pytorch": "torch",
    "pytorch-cpu": "torch",
    "pytorch-gpu": "torch",
    "libtorch": "torch",
    "tensorflow-base": "tensorflow",
    "tensorflow-gpu": "tensorflow",
    "faiss-gpu": "faiss-cpu",
    "jaxlib-cuda": "jaxlib",
    "matplotlib-base": "matplotlib",
    "xgboost-gpu": "xgboost",
    "lightgbm-gpu": "lightgbm",
}
_SPEC = re.compile(r"(?:[\w.-]+::)?([A-Za-z0-9_][\w.-]*)\s*(?:\[.*\])?\s*(.*)")


@dataclass(frozen=True, slots=True)
class RecipeFacts:
    """The parts of a conda recipe that init uses: MatchSpecs, about, entry points."""

    name: str = ""
    version: str = ""
    run: Sequence[str] = ()
    entry_points: Sequence[str] = ()
    about: dict[str, Any] = field(default_factory=dict)
    maintainers: Sequence[str] = ()


def read_requirements(facts: Facts, path: Path, group: str = "") -> None:
    """Read requirements.txt: its lines are dependencies if no better source has them."""
    found = _read_lines(facts, path, path.name, set())
    if group:
        facts.add_to_group(group, found)
    else:
        held = facts.project.get("dependencies", [])
        # What an environment.yml lists too is not dropped.
        facts.propose("dependencies", [one for one in found if one not in held], path.name)


def _read_lines(
    facts: Facts, path: Path, name: str, visited: set[Path]
) -> list[CommentedRequirement]:
    found: list[CommentedRequirement] = []
    if path in visited or not path.is_file():
        return found
    visited.add(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile("is not UTF-8", "save it as UTF-8", str(path)) from error
    above = ""
    for number, line in enumerate(re.sub(r"\\\r?\n", " ", text).splitlines(), 1):
        where = f"{name}:{number}"
        plain, _, comment = re.sub(r"(^|\s)#", "\0", line, count=1).partition("\0")
        plain = plain.strip()
        if not plain:
            above = comment.strip() if comment.strip() else ""
            continue
        found += _read_line(facts, path, plain, where, visited, comment or above)
        above = ""
    return found


def _read_line(
    facts: Facts, path: Path, line: str, where: str, visited: set[Path], comment: str = ""
) -> list[CommentedRequirement]:
    """Read one line of what pip is given, without its comment: a requirement or an option."""
    option = re.match(r"(-r|--requirement|-c|--constraint)[ =]*(\S+)", line)
    if option and option[1] in ("-r", "--requirement"):
        if not (path.parent / option[2]).is_file():
            facts.drop(where, line, "no such file")
        return _read_lines(facts, path.parent / option[2], option[2], visited)
    if re.fullmatch(r"(-e|--editable)\s+\.?/?(\[.*\])?", line) or line == ".":
        return []
    if line.startswith("-"):
        facts.drop(where, line, "an option of pip, not a dependency")
        return []
    bare = re.sub(r"\s--hash[= ]\S+", "", line).strip()
    if bare != line:
        facts.drop(where, f"the hashes of {bare}", "belongs in a lock file")
    if names.find_requirement_problem(bare):
        facts.drop(where, bare, "not a requirement that a package can have")
        return []
    return [CommentedRequirement.with_comment(bare, comment)]


def read_environment(facts: Facts, path: Path) -> None:
    """Read environment.yml: conda names become PyPI's; channels and the like are dropped."""
    import yaml

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadFile(f"cannot be read: {error}", "correct it first", str(path)) from error
    if not isinstance(document, dict):
        raise BadFile(
            "is not an environment file", "it holds name, channels, dependencies", str(path)
        )
    specs, pip = [], []
    for item in document.pop("dependencies", None) or []:
        if isinstance(item, dict):
            pip += [str(text) for text in item.get("pip") or []]
        else:
            specs.append(str(item))
    found = convert_match_specs(facts, specs, path.name)
    found += [
        one
        for line in pip
        for one in _read_line(facts, path, line, f"{path.name}: pip", {path})
        if one.name not in {other.name for other in found}
    ]
    facts.propose("dependencies", found, path.name)
    for key, value in document.items():
        if key != "name":
            facts.drop(path.name, f"{key} = {value}", "specific to the environment")


def convert_match_specs(
    facts: Facts, specs: Sequence[str], where: str
) -> list[CommentedRequirement]:
    """Convert MatchSpecs to PyPI requirements; `python` becomes requires-python."""
    found = []
    for spec in specs:
        matched = _SPEC.fullmatch(spec.strip())
        if not matched:
            facts.drop(where, spec)
            continue
        name, rest = matched[1].lower(), re.sub(r"([<>=!~])\s+", r"\1", matched[2])
        if name in _CONDA_ONLY or name.startswith("_"):
            continue
        version, build = _split_spec(rest.strip())
        try:
            specifiers = convert_conda_version(version)
        except TwofoldError as error:
            facts.drop(where, spec, str(error))
            specifiers = ""
        if build:
            facts.drop(where, f"{spec}: the build '{build}'", "specific to the environment")
        if name != "python":
            found.append(CommentedRequirement.with_comment(f"{find_pypi_name(name)}{specifiers}"))
        elif specifiers:
            facts.propose("requires-python", _set_minimum(specifiers), where)
    return found


def _split_spec(text: str) -> tuple[str, str]:
    """Split version and build of a MatchSpec: `=1.2=py_0`, `>=1.2 py_0`."""
    if re.match(r"=[^=]", text):
        version, _, build = text[1:].partition("=")
        return f"={version}", build
    version, _, build = text.partition(" ")
    return version, build.strip()


def _set_minimum(specifiers: str) -> str:
    """Convert an exact Python to a minimum: a package works with newer ones too."""
    return re.sub(r"^==([0-9.]+?)(\.\*)?$", r">=\1", specifiers)


def find_pypi_name(conda: str) -> str:
    """Find the PyPI name of a conda package: the inverse of the table of names, else the same."""
    if conda in _VARIANTS:
        return _VARIANTS[conda]
    for name in (conda, f"py{conda}", f"python-{conda}", conda.removeprefix("python-")):
        if name != conda and to_conda_name(name) == conda:
            return name
    return _invert_names().get(conda, conda)


def _invert_names() -> dict[str, str]:
    """Return conda-forge's names that differ -> PyPI's."""
    from importlib.resources import files

    text = files("twofold.names").joinpath("conda_forge.txt").read_text(encoding="utf-8")
    rows = (line.split(" ") for line in text.splitlines() if line.count(" ") == 2)
    found: dict[str, str] = {}
    for pypi, conda, _ in rows:
        if conda != "=":
            found.setdefault(conda, pypi)
    return found


def read_conda_recipe(facts: Facts, recipe: RecipeFacts, where: str) -> None:
    """Read a conda recipe: the project's metadata and its run requirements."""
    about = dict(recipe.about)
    if recipe.name and normalize_name(recipe.name) != normalize_name(facts.project.get("name", "")):
        if "name" in facts.project:
            facts.add_setting("conda.name", recipe.name)
        facts.propose("name", recipe.name, where) if "name" not in facts.project else None
    facts.propose("version", recipe.version, where)
    facts.propose("description", " ".join(str(about.pop("summary", "") or "").split()), where)
    if "license" not in facts.project:
        facts.propose_license(str(about.pop("license", "") or ""), where)
    about.pop("license", None)
    urls = {}
    for key, label in (("home", "Homepage"), ("dev_url", "Source"), ("doc_url", "Documentation")):
        if about.get(key):
            urls[label] = str(about.pop(key))
    facts.propose("urls", urls, where)
    pairs = (line.partition("=") for line in recipe.entry_points)
    points = {name.strip(): target.strip() for name, _, target in pairs}
    propose_entry_points(facts, {"console_scripts": points}, where)
    facts.propose("dependencies", convert_match_specs(facts, recipe.run, where), where)
    if recipe.maintainers:
        listed = ", ".join(parse_person(name).get("name", name) for name in recipe.maintainers)
        facts.drop(where, f"recipe-maintainers: {listed}", "only conda-forge needs it")
    for key, value in about.items():
        if key not in ("license_family", "description") and value:
            facts.drop(where, f"about/{key} = {value}")


def convert_conda_version(text: str) -> str:
    """Convert the version part of a MatchSpec to PEP 440 specifiers ('' for any).

    `=1.2` is fuzzy in conda: `==1.2.*`; `1.2` and `==1.2` are exact. Raises TwofoldError for
    what PEP 440 cannot express (`1.2|1.3`, a build string).
    """
    text = text.strip()
    if text in ("", "*"):
        return ""
    if "|" in text or " " in text:
        raise TwofoldError(f"'{text}' cannot be expressed in PEP 440")
    clauses = []
    for part in text.split(","):
        found = re.fullmatch(r"(~=|==|!=|<=|>=|<|>|=)?([0-9][A-Za-z0-9.!+_*]*)", part.strip())
        if not found:
            raise TwofoldError(f"'{text}' cannot be expressed in PEP 440")
        sign, version = found[1] or "==", found[2]
        if sign == "=" or (sign == "==" and version.endswith("*")):
            clauses.append(f"=={version.removesuffix('*').removesuffix('.')}.*")
        elif version.endswith(".*") and sign != "!=":
            clauses.append(f"{sign}{version[:-2]}")
        else:
            clauses.append(f"{sign}{version}")
    return ",".join(clauses)
