"""TF111 and TF112: what the code imports against what the project depends on.

Which import names a distribution brings is known from its own metadata where it is installed,
from the tables that twofold ships, and else supposed to be its name. Only what is known makes an
error; what is supposed, a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, cached_property

from twofold.check.context import VENDORED
from twofold.check.rules import WARNING, Told
from twofold.imports.providers import (
    Environment,
    distribution_of,
    import_names_of,
    is_stdlib,
    module_needed,
)
from twofold.names.known import known_on_conda_forge
from twofold.names.same import same_in_both, too_on_conda_forge
from twofold_build.names import normalised

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.context import Code, Context

#: Distributions that are depended on for something else than an import of theirs.
_NOT_IMPORTED = re.compile(
    r"types-.*|.*-stubs|.*-plugin|pip|setuptools|wheel|tzdata|backports-.*|pytest-.*|mypy-.*"
    r"|typing-extensions|importlib-(?:metadata|resources)|exceptiongroup|tomli|twofold-build"
    r"|cuda-.*|nvidia-.*|.*-binary|.*-data|.*-cli|.*-bin"
)


def missing_dependency(code: Code) -> Iterator[Told]:
    """TF111. A warning where some dependency may provide it, or the import may never run: inside
    a function, or in a module that the packages themselves do not import."""
    if not code.are_dependencies_known:
        return
    declared = _Declared(code)
    reached = code.reached
    vendored = _vendored(code)
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
                code.space.is_top(found.top)
                or is_stdlib(found.top)
                or declared.provides(found.module)
                or found.top in vendored
            ):
                continue
            seen.add(found.top)
            needed = module_needed(found.module, found.names)
            provider = distribution_of(needed, declared.environment)
            yield Told(
                f"'{found.top}' is imported, and no dependency of the project provides it",
                f'add "{provider}" to dependencies, or put the import into a try',
                f"{module.path}:{found.line}",
                severity=WARNING if may_never_run or declared.unknown else "",
            )


def unused_dependency(context: Context) -> Iterator[Told]:
    """TF112: of `dependencies` only; extras are often for what the user imports."""
    declared = _Declared(context)
    tops = {found.top for module in context.modules.values() for found in module.facts.imports}
    if not context.modules or any(module.facts.mistake for module in context.modules.values()):
        return
    for requirement in context.project.dependencies:
        name = _name(requirement)
        if not name or ";" in requirement or _NOT_IMPORTED.fullmatch(normalised(name)):
            continue
        if any(brought.partition(".")[0] in tops for brought in declared.names_of(name)):
            continue
        if normalised(name).replace("-", "_") in {top.lower() for top in tops}:
            continue
        yield Told(
            f"'{name}' is a dependency, and nothing imports it",
            "remove it, or say that it is needed all the same with "
            '[tool.twofold.check] ignore = ["TF112"]',
            context.at("dependencies", requirement),
        )


def _vendored(code: Code) -> set[str]:
    """Modules of others that lie in a folder of the package, which puts it on sys.path."""
    return {match[1] for name in (*code.modules, *code.opaque) if (match := VENDORED.search(name))}


class _Declared:
    """The project's dependencies, extras included, and the import names they bring."""

    def __init__(self, code: Code) -> None:
        listed = [*code.dependencies, *code.optional_dependencies]
        self._names = {normalised(name) for name in map(_name, listed) if name}
        self._names.discard(normalised(code.name))
        self._plain = {name.replace("-", "_") for name in self._names}

    @cached_property
    def environment(self) -> Environment:
        """Read only when names and tables do not settle it: it costs a tenth of a second."""
        return _installed()

    @cached_property
    def unknown(self) -> bool:
        """Whether it is not known of some dependency what it brings."""
        return any(
            known_on_conda_forge(name) is None
            and not self.environment.import_names(name)
            and import_names_of(name) == (name.replace("-", "_"),)
            and name not in same_in_both()
            and name not in too_on_conda_forge()
            for name in self._names
        )

    def names_of(self, name: str) -> set[str]:
        """Every import name that a distribution is known or supposed to bring."""
        key = normalised(name)
        known = known_on_conda_forge(key)
        names = {key.replace("-", "_"), *import_names_of(key)}
        if known is not None:
            names.add(known.imported)
        if key in too_on_conda_forge():
            names.add(too_on_conda_forge()[key])
        return names | set(self.environment.import_names(key))

    def provides(self, module: str) -> bool:
        top = module.partition(".")[0]
        if top.lower() in self._plain or normalised(distribution_of(module)) in self._names:
            return True
        for name in self._names:
            known = known_on_conda_forge(name)
            imported = known.imported if known else too_on_conda_forge().get(name, "")
            if imported.partition(".")[0] == top:
                return True
        holders = self.environment.providers.get(top, ())
        return any(normalised(holder) in self._names for holder in holders)


@cache
def _installed() -> Environment:
    """What is installed beside twofold; it does not change while a check runs."""
    return Environment.of_interpreter()


def _name(requirement: str) -> str:
    found = re.match(r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)", requirement)
    return found.group(1) if found else ""
