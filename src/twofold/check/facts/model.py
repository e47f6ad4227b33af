"""The facts of one Python module, and their form in the cache."""

from __future__ import annotations

from typing import NamedTuple

from twofold.source_analysis.expressions import expression
from twofold.source_analysis.model import DunderAll, Import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    #: Minor version of Python 3, what it is, line.
    Feature = tuple[int, str, int]

#: Ways to define names that no reading of the source can follow.
_OPEN_WORDS = b"""
    globals() locals() vars() sys.modules[ setattr( apipkg lazy_loader lazy.attach extend_path(
    declare_namespace(
""".split()
#: Ways to make modules importable that are no files of the package: an entry in sys.modules, a
#: finder, a further folder.
_MODULE_WORDS = (b"meta_path", b"__path__")
_SYS_WORDS = b"sys.modules[ sys.modules.setdefault( sys.modules.update(".split()
_EXEC = expression(rb"e(?<!\w.)xec\(")
_HAS_NAMESPACE = expression(rb"\((?>(?:\s++|#.*+\n){0,20})__name__")
#: A module that is handed over by its name may come back with more in it.
_PASSES_NAMESPACE = expression(
    rb"\b(?!import_module\()(?=\w*?(?:module|lazy|alias|deprecat|export))\w++"
    + _HAS_NAMESPACE.pattern
)


class SyntaxMistake(NamedTuple):
    """A syntax error of the compiler; `line` is 0 if it named none.

    `what` is the newer syntax that the line seems to use, of Python 3.`minor`; '' for none.
    """

    message: str
    line: int
    minor: int = 0
    what: str = ""


class Facts(NamedTuple):
    """`defined` maps each name bound at the top level to its first line; `*` is a star import.

    `is_open` says that the module may have more names than can be read, `is_shared` that it is a
    namespace of several projects (as it was declared before PEP 420). `version` is what is
    assigned to `__version__`, and its line. `given` are names that the module sets in others
    (`other.name = ...`), by what it calls those. `adds_modules` says that there may be modules
    below it that are no files.
    """

    mistake: SyntaxMistake | None = None
    imports: tuple[Import, ...] = ()
    defined: dict[str, int] = {}  # noqa: RUF012 (never changed)
    exported: DunderAll | None = None
    is_open: bool = False
    version: tuple[str, int] = ("", 0)
    features: tuple[Feature, ...] = ()
    is_shared: bool = False
    assigned_elsewhere: dict[str, list[str]] = {}  # noqa: RUF012 (never changed)
    adds_modules: bool = False

    @property
    def all_imports(self) -> tuple[Import, ...]:
        """The imports, those inside functions too."""
        return self.imports


def is_open(source: bytes) -> bool:
    """Whether a module may define names that no reading of its source can follow."""
    if any(word in source for word in _OPEN_WORDS) or _EXEC.search(source):
        return True
    # The quick searches first: they take a tenth of the time of the whole expression.
    return (
        b"__name__" in source
        and _HAS_NAMESPACE.search(source) is not None
        and _PASSES_NAMESPACE.search(source) is not None
    )


def adds_modules(source: bytes) -> bool:
    """Whether a package may have modules that are no files of it."""
    if b"sys.modules" in source and any(word in source for word in _SYS_WORDS):
        return True
    return any(word in source for word in _MODULE_WORDS)


def is_shared(source: bytes) -> bool:
    """Whether a package declares itself a namespace of several projects, as before PEP 420."""
    return b"extend_path(" in source or b"declare_namespace(" in source


def to_json(facts: Facts) -> list[Any]:
    """As plain values, for the cache."""
    return [
        facts.mistake,
        [
            [i.module, i.level, i.names, i.line, i.is_optional, i.is_typing_only, i.is_deferred]
            for i in facts.imports
        ],
        facts.defined,
        facts.exported and [facts.exported.names, facts.exported.is_complete, facts.exported.line],
        facts.is_open,
        facts.version,
        facts.features,
        facts.is_shared,
        facts.assigned_elsewhere,
        facts.adds_modules,
    ]


def from_json(value: list[Any]) -> Facts:
    """The way back from `to_json`. Raises TypeError, ValueError, LookupError or AttributeError for
    other values.
    """
    mistake, imports, defined, exported, is_open, version, found, is_shared, given, adds = value
    return Facts(
        SyntaxMistake(*mistake) if mistake else None,
        tuple(Import(i[0], i[1], tuple(i[2]), *i[3:]) for i in imports),
        dict(defined),
        DunderAll(tuple(exported[0]), exported[1], exported[2]) if exported else None,
        bool(is_open),
        (version[0], version[1]),
        tuple((minor, what, line) for minor, what, line in found),
        bool(is_shared),
        {base: list(names) for base, names in given.items()},
        bool(adds),
    )
