"""The imports, `__all__` and definitions of a module's source, which is read and never run.

And: which distribution provides an imported name.

Everything is read from the syntax tree (`imports`, `definitions`) or from the metadata of an
environment's `site-packages` (`providers`); no module of the user's is ever imported.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.source_analysis.definitions import (
        defined_names,
        find_dunder_all,
        public_names,
    )
    from twofold.source_analysis.imports import module_imports, parse_module
    from twofold.source_analysis.model import DunderAll, Import
    from twofold.source_analysis.notebooks import notebook_imports
    from twofold.source_analysis.providers import (
        InstalledDistributions,
        find_distribution,
        find_import_names,
        is_stdlib,
        required_module,
    )

__all__ = [
    "DunderAll",
    "Import",
    "InstalledDistributions",
    "defined_names",
    "find_distribution",
    "find_dunder_all",
    "find_import_names",
    "is_stdlib",
    "module_imports",
    "notebook_imports",
    "parse_module",
    "public_names",
    "required_module",
]

#: The module that defines each name: a build needs few of them, and imports no others.
_MODULES = {
    "DunderAll": "model",
    "Import": "model",
    "InstalledDistributions": "providers",
    "defined_names": "definitions",
    "find_distribution": "providers",
    "find_dunder_all": "definitions",
    "find_import_names": "providers",
    "is_stdlib": "providers",
    "module_imports": "imports",
    "notebook_imports": "notebooks",
    "parse_module": "imports",
    "public_names": "definitions",
    "required_module": "providers",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
