"""What a module's source says without running it: its imports, its `__all__`, its definitions;
and which distribution provides an imported name.

Everything is read from the syntax tree (`reading`, `definitions`) or from the metadata of an
environment's `site-packages` (`providers`); no module of the user's is ever imported.
"""

from __future__ import annotations

from twofold.imports.definitions import DunderAll, defined_names, dunder_all, public_names
from twofold.imports.providers import (
    Environment,
    distribution_of,
    import_names_of,
    is_stdlib,
    module_needed,
)
from twofold.imports.reading import Import, module_imports, parse_module

__all__ = [
    "DunderAll",
    "Environment",
    "Import",
    "defined_names",
    "distribution_of",
    "dunder_all",
    "import_names_of",
    "is_stdlib",
    "module_imports",
    "module_needed",
    "parse_module",
    "public_names",
]
