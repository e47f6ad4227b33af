"""TF111 and TF112: what the code imports against what the project depends on.

The import names of a distribution are known from its own metadata where it is installed,
from the tables that twofold ships, and else supposed to be its name. Only what is known makes an
error; what is supposed, a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, cached_property

from twofold.check.import_graph import reachable_modules
from twofold.check.namespace import VENDORED
from twofold.check.rule_table import WARNING, Violation
from twofold.names import requirement_name
from twofold.names.conda_forge import (
    find_on_conda_forge,
    find_pypi_names,
    is_listed,
    load_further_names,
)
from twofold.names.similar_names import find_similar
from twofold.source_analysis.expressions import expression
from twofold.source_analysis.providers import (
    InterpreterDistributions,
    find_distribution,
    find_import_names,
    is_stdlib,
    required_module,
)
from twofold_build.names import normalize_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import ProjectContext, SourceCode

#: Distributions that are depended on for something else than an import of theirs.
_NOT_IMPORTED = expression(
    r"types-.*|.*-stubs|.*-plugin|pip|setuptools|wheel|tzdata|backports-.*|pytest-.*|mypy-.*"
    r"|typing-extensions|importlib-(?:metadata|resources)|exceptiongroup|tomli|twofold-build"
    r"|cuda-.*|nvidia-.*|.*-binary|.*-data|.*-cli|.*-bin"
)


def missing_dependency(code: SourceCode) -> Iterator[Violation]:
    """TF111. A warning where some dependency may provide it or require what does, or the import may
    never run: inside a function, or in a module that the packages themselves do not import."""
    if not code.are_dependencies_known:
        return
    declared = _DeclaredDependencies(code)
    reached = reachable_modules(code)
    vendored = _vendored_modules(code)
    seen: set[str] = set()
    first = sorted(code.modules.values(), key=lambda module: module.name not in reached)
    for module in first:
        for found in module.facts.imports:
            if not found.top or found.is_typing_only or found.is_optional or found.top in seen:
                continue
            may_never_run = found.is_deferred or module.name not in reached
            if may_never_run and not code.wants_warnings:
                continue
            if (
                code.namespace.is_top(found.top)
                or is_stdlib(found.top)
                or declared.provides(found.module, found.names)
                or found.top in vendored
            ):
                continue
            seen.add(found.top)
            yield Violation(
                f"'{found.top}' is imported, and no dependency of the project provides it",
                _suggest_dependency(found.module, found.names),
                f"{module.path}:{found.line}",
                severity=WARNING
                if may_never_run or declared.unknown or declared.may_require(found.top)
                else "",
            )


def _suggest_dependency(module: str, names: Sequence[str]) -> str:
    """A name is only written out where it is known: anybody may own a project that is called like
    the module."""
    needed = required_module(module, names)
    provider = find_distribution(needed, _installed_distributions().read_for(needed))
    if provider == module.partition(".")[0] and not _is_known(normalize_name(provider)):
        return "add the project that provides it to dependencies, or put the import into a try"
    return f'add "{provider}" to dependencies, or put the import into a try'


def _is_known(key: str) -> bool:
    """Whether a normalised project name is in a table, or installed."""
    return is_listed(key) or bool(_installed_distributions().modules_of(key))


def unused_dependency(context: ProjectContext) -> Iterator[Violation]:
    """TF112: of `dependencies` only; extras are often for what the user imports."""
    declared = _DeclaredDependencies(context)
    imports = [found for module in context.modules.values() for found in module.facts.imports]
    tops = {found.top for found in imports}
    imported = {(one.module, one.names) for one in imports if not context.namespace.is_top(one.top)}
    if not context.modules or any(module.facts.mistake for module in context.modules.values()):
        return
    for requirement in context.project.dependencies:
        name = requirement_name(requirement)
        if not name or ";" in requirement or _NOT_IMPORTED.fullmatch(normalize_name(name)):
            continue
        if any(brought.partition(".")[0] in tops for brought in declared.names_of(name)):
            continue
        # `google-genai` is used by `from google import genai`.
        if any(normalize_name(name) in _list_possible_names(*one) for one in imported):
            continue
        yield Violation(
            f"'{name}' is a dependency, and nothing imports it",
            "remove it, or say that it is needed all the same with "
            '[tool.twofold.check] ignore = ["TF112"]',
            context.location("dependencies", requirement),
        )


def _vendored_modules(code: SourceCode) -> set[str]:
    """Modules of others that lie in a folder of the package, which puts it on sys.path."""
    return {match[1] for name in (*code.modules, *code.opaque) if (match := VENDORED.search(name))}


class _DeclaredDependencies:
    """The project's dependencies, extras included, and the import names they bring."""

    def __init__(self, code: SourceCode) -> None:
        listed = [*code.dependencies, *code.optional_dependencies]
        self._names = {normalize_name(name) for name in map(requirement_name, listed) if name}
        self._names.discard(normalize_name(code.name))
        self._required = {normalize_name(name) for name in map(requirement_name, code.dependencies)}

    @cached_property
    def unknown(self) -> bool:
        """Whether the import names of some dependency are unknown."""
        return any(
            not _is_known(name) and find_import_names(name) == (name.replace("-", "_"),)
            for name in self._names
        )

    def names_of(self, name: str) -> set[str]:
        """Every import name that a distribution is known or assumed to provide."""
        key = normalize_name(name)
        return self._tabled_names(key) | set(_installed_distributions().all.import_names(key))

    def provides(self, module: str, names: Sequence[str] = ()) -> bool:
        """Whether some dependency brings a module, by its own name, a table or its files."""
        top = module.partition(".")[0]
        if normalize_name(top) in self._names:
            return True
        if not self._names.isdisjoint(_list_possible_names(module, names)):
            return True
        return any(self._provides_top(name, top) for name in self._names)

    def _provides_top(self, name: str, top: str) -> bool:
        tabled = {imported.partition(".")[0] for imported in self._tabled_names(name)}
        return top in tabled or _installed_distributions().provides(name, top)

    def may_require(self, top: str) -> bool:
        """Whether a module may come with what the dependencies require themselves.

        That is known of installed dependencies alone, all the way down: others may require it.
        """
        waiting, seen = [*self._required], {""}
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            requires = _installed_distributions().requirements_of(name)
            if requires is None or name == normalize_name(top) or self._provides_top(name, top):
                return True
            waiting += [normalize_name(requirement_name(each)) for each in requires]
        return False

    def _tabled_names(self, key: str) -> set[str]:
        known = find_on_conda_forge(key)
        imported = known.imported if known else load_further_names().get(key, "")
        return {*filter(None, [imported]), *find_import_names(key)}


def _list_possible_names(module: str, names: Sequence[str]) -> set[str]:
    """The normalised distributions that an import may be called after, by any part of it."""
    found = {normalize_name(find_distribution(required_module(module, names)))}
    for dotted in (module, *(f"{module}.{name}" for name in names)):
        parts = dotted.split(".")
        found |= {normalize_name(".".join(parts[:end])) for end in range(1, len(parts) + 1)}
    return found


@cache
def _installed_distributions() -> InterpreterDistributions:
    """What is installed beside twofold; it does not change while a check runs."""
    return InterpreterDistributions()


_REQUIREMENT = expression(
    r"\s*+([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*+(\[[^\]]*+\])?\s*+([^;]*+)(?:;\s*+(.*))?"
)


def unknown_conda_name(context: ProjectContext) -> Iterator[Violation]:
    """TF301: names in no table and no setting."""
    for name, _, _, _, requirement in _requirements(context):
        key = normalize_name(name)
        if is_listed(key):
            continue
        if found := _suggest_project(name, key):
            yield Violation(*found, context.location("dependencies", requirement))
            continue
        yield Violation(
            f"it is not known whether conda has '{name}', or under which name",
            f'if conda calls it otherwise, write [tool.twofold.conda] names = {{{key} = "..."}}; '
            "if it has none, convert it with 'twofold convert'",
            context.location("dependencies", requirement),
        )


def _suggest_project(name: str, key: str) -> tuple[str, str] | None:
    """What an unknown name is, and the hint, where it is the name of something else."""
    if is_stdlib(name):
        return f"'{name}' is a module of Python's standard library", "remove it from dependencies"
    provider = find_distribution(name)
    known_as = "is the name of a module"
    if provider == name:
        known_as = "is the name of a conda package"
        provider = next(iter(find_pypi_names([key])), "")
    if not provider:
        known_as, provider = "is in no table of names", find_similar(key)
    if not provider:
        return None
    return (
        f"'{name}' {known_as}; the project may be meant that is called '{provider}'",
        f'write "{provider}" in dependencies, if it is that project',
    )


def not_in_conda(context: ProjectContext) -> Iterator[Violation]:
    """TF302: addresses, extras, exact text, markers about one machine's kernel."""
    for name, extras, spec, marker, requirement in _requirements(context):
        wrong = ""
        hint = (
            f'put conda\'s own words into [tool.twofold.conda] depends, and "{name}" into leave-out'
        )
        if spec.startswith("@"):
            wrong = "is a direct URL reference, which conda packages cannot depend on"
        elif extras.strip("[] "):
            wrong = "names extras, which conda does not have"
            hint = (
                "'twofold convert --with-deps' finds what they add; else name it in "
                "[tool.twofold.conda] depends"
            )
        elif "===" in spec:
            wrong = "compares a version as text (===), which conda does not do"
        elif re.search(r"platform_(?:release|version)", marker):
            wrong = "depends on the machine's kernel, which no conda package can know"
        if wrong:
            yield Violation(
                f"'{requirement}' {wrong}", hint, context.location("dependencies", requirement)
            )


def _requirements(context: ProjectContext) -> Iterator[tuple[str, str, str, str, str]]:
    """Name, extras, specifier, marker and the whole, but for what the settings say otherwise."""
    conda = context.table("tool.twofold.conda")
    configured = {normalize_name(str(name)) for name in conda.get("names", {})}
    left_out = conda.get("leave-out", [])
    configured |= {normalize_name(name) for name in left_out if isinstance(name, str)}
    for requirement in context.project.dependencies:
        found = _REQUIREMENT.fullmatch(requirement)
        if found is None or normalize_name(found.group(1)) in configured:
            continue
        name, extras, spec, marker = found.groups()
        yield name, extras or "", spec.strip(), marker or "", requirement
