"""What names the project's own modules have, as far as it can be read without running them."""

from __future__ import annotations

from collections.abc import Iterable

from twofold.source_analysis.expressions import expression
from twofold_build.diagnostics import suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.facts.model import Facts
    from twofold.check.facts.quick import QuickFacts
    from twofold.source_analysis.model import Import

    #: An import and the own module that it brings.
    Edge = tuple[Import, str]

_ALWAYS_WORDS = """
    __name__ __doc__ __file__ __spec__ __loader__ __package__ __path__ __dict__ __builtins__
    __annotations__ __cached__
"""
#: What every module has without saying so.
_ALWAYS = frozenset(_ALWAYS_WORDS.split())

#: So many times the nearest name is searched: it takes milliseconds in a large project.
_MAX_GUESSES = 20


class Namespace:
    """Questions about modules by dotted name. Unknown answers are yes."""

    def __init__(
        self, modules: dict[str, CodeModule], opaque: frozenset[str], folders: frozenset[str]
    ) -> None:
        self._modules = modules
        self._opaque = opaque
        self._tops = {name.partition(".")[0] for name in (*modules, *opaque)}
        self._packages = _with_parents((*modules, *opaque)) | folders
        self._guesses = 0
        self._assigned_elsewhere: dict[str, set[str]] = {}
        for one in modules.values():
            for base, names in one.facts.assigned_elsewhere.items():
                self._assigned_elsewhere.setdefault(base, set()).update(names)
        self._existing: dict[str, bool] = {}
        self._stars: dict[str, frozenset[str] | None] = {}
        self._own_targets: dict[tuple[str, int, str], str | None] = {}

    def is_own(self, module: str) -> bool:
        """Whether a module would have to be the project's: it, or a package above it, is there.

        In a namespace that other projects share (PEP 420, or by pkgutil or pkg_resources) only what
        is inside own packages is, and the namespace itself.
        """
        parts = module.split(".")
        if parts[0] not in self._tops:
            return False
        if module in self._modules:
            return True
        above = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
        return any(
            name in self._modules and not self._modules[name].facts.is_shared for name in above
        )

    def is_top(self, name: str) -> bool:
        """Whether a top-level name is one of the project's own."""
        return name in self._tops

    def exists(self, module: str) -> bool:
        """Whether a module, a compiled module or a package has this name."""
        if module not in self._existing:
            self._existing[module] = self._find(module)
        return self._existing[module]

    def _find(self, module: str) -> bool:
        if module in self._modules or module in self._opaque or module in self._packages:
            return True
        above = module.rpartition(".")[0]
        while above and above not in self._modules:
            above = above.rpartition(".")[0]
        return bool(above) and self._modules[above].facts.adds_modules

    def has_name(self, module: str, name: str) -> bool:
        """Whether `from module import name` can work."""
        found = self._modules.get(module)
        if found is None or found.facts.mistake or name in found.facts.defined:
            return True
        if name in _ALWAYS or self.exists(f"{module}.{name}"):
            return True
        if found.facts.is_open or name in self._assigned_elsewhere.get(
            module.rpartition(".")[2], ()
        ):
            return True
        if "*" not in found.facts.defined:
            return False
        stars = self._star_names(module)
        return stars is None or name in stars

    def resolve(self, module: CodeModule, found: Import) -> str | None:
        """The absolute module an import names; None when it leads out of the top package."""
        if not found.level:
            return self._without_init(found.module)
        parts = module.package.split(".") if module.package else []
        up = found.level - 1
        if up >= len(parts) + (0 if parts else 1):
            return None
        base = parts[: len(parts) - up] if up else parts
        return self._without_init(".".join(filter(None, [*base, found.module])))

    def resolve_own(self, module: CodeModule, found: Import) -> str | None:
        """The absolute module an import names, if it would have to be the project's; else None."""
        # Most imports of a project name the same few modules.
        key = (module.package if found.level else "", found.level, found.module)
        if key not in self._own_targets:
            target = self.resolve(module, found)
            is_own = target is not None and self.is_own(target)
            self._own_targets[key] = target if is_own else None
        return self._own_targets[key]

    def _without_init(self, name: str) -> str:
        """The package itself for `package.__init__`, which can be imported by that name too."""
        package = self._modules.get(name.removesuffix(".__init__"))
        return package.name if package is not None and package.is_package else name

    def nearest_name(self, module: str, name: str) -> str:
        """'did you mean ...?' for a name that a module does not have, or ''."""
        found = self._modules.get(module)
        return self._nearest(name, found.facts.defined) if found else ""

    def nearest_module(self, module: str) -> str:
        """'did you mean ...?' for a module that is not there, or ''."""
        return self._nearest(module, self._modules)

    def _nearest(self, word: str, known: Iterable[str]) -> str:
        self._guesses += 1
        return suggest(word, known) if self._guesses <= _MAX_GUESSES else ""

    def _star_names(self, module: str) -> frozenset[str] | None:
        """The names that star imports add to a module; None when that cannot be read."""
        if module in self._stars:
            return self._stars[module]
        self._stars[module] = None  # two modules that import * from each other end here
        names: set[str] = set()
        here = self._modules[module]
        for found in here.facts.imports:
            if "*" not in found.names:
                continue
            target = self.resolve(here, found)
            brought = self._reexported(target) if target else None
            if brought is None:
                return None
            names |= brought
        self._stars[module] = frozenset(names)
        return self._stars[module]

    def _reexported(self, target: str) -> set[str] | frozenset[str] | None:
        there = self._modules.get(target)
        if there is None or there.facts.mistake or there.facts.is_open:
            return None
        if there.facts.exported is not None:
            return set(there.facts.exported.names) if there.facts.exported.is_complete else None
        names = {name for name in there.facts.defined if not name.startswith("_")}
        # A submodule that was imported by somebody is a name of its package too.
        names |= {
            inner.rpartition(".")[2]
            for inner in self._modules
            if inner.rpartition(".")[0] == target
        }
        if "*" in names:
            further = self._star_names(target)
            return None if further is None else names | further
        return names


def _with_parents(modules: tuple[str, ...]) -> frozenset[str]:
    """Every dotted name above a module: with or without an `__init__`, it can be imported."""
    return frozenset(name[:at] for name in modules for at, mark in enumerate(name) if mark == ".")


#: A dotted name below a folder that holds other projects' code; the group is what it is there.
VENDORED = expression(r"(?:^|\.)_?(?:vendor|vendored|third_party|extern)\.(\w+)")


class CodeModule:
    """One module that is packed: its dotted name, its path in findings, its facts."""

    __slots__ = ("facts", "is_package", "name", "path")

    def __init__(self, name: str, path: str, is_package: bool, facts: Facts | QuickFacts) -> None:
        self.name = name
        self.path = path
        self.is_package = is_package
        self.facts = facts

    @property
    def is_vendored(self) -> bool:
        """Whether it is another project's, copied in: perhaps in part, with its own version."""
        return VENDORED.search(self.name) is not None

    @property
    def package(self) -> str:
        """The package that relative imports start from."""
        return self.name if self.is_package else self.name.rpartition(".")[0]
