"""zstandard's compressor, without what its package imports beside it.

`import zstandard` imports `platform` and `typing`, which take a fifth of a small build's time; its
C extension alone needs neither. Where that is not to be found the package is imported.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from zstandard import ZstdCompressionParameters, ZstdCompressor

__all__ = ["ZstdCompressionParameters", "ZstdCompressor"]


def _find_extension() -> ModuleType | None:
    from _frozen_importlib import module_from_spec
    from _frozen_importlib_external import PathFinder

    name = "zstandard.backend_c"
    if name in sys.modules or "zstandard" in sys.modules:
        return sys.modules.get(name)
    package = PathFinder.find_spec("zstandard")
    spec = package and PathFinder.find_spec(name, package.submodule_search_locations)
    if spec is None or spec.loader is None:
        return None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[name] = module  # where the package finds it, if it is imported later
    return module


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        found = _find_extension()
    except ImportError:
        found = None
    if found is None:
        import zstandard as found
    return getattr(found, name)
