"""Which distribution provides an imported name: the standard library, an environment's own
metadata, then a table of well-known names, then the name itself.

An environment is read from the metadata in its `site-packages` (`RECORD`, `top_level.txt`,
PEP 794's `Import-Name`), so that any interpreter's can be read without starting it.
"""

from __future__ import annotations

import re
import sys
from functools import cache, cached_property

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib import metadata
    from pathlib import Path, PurePosixPath

#: In the standard library of one of Python 3.11 to 3.14 but not of all: an import of these is
#: never a missing dependency, whichever interpreter runs twofold.
_VERSION_DEPENDENT = """
    _aix_support _bootsubprocess aifc annotationlib asynchat asyncore audioop cgi cgitb chunk
    compression crypt distutils imghdr imp lib2to3 mailcap msilib nis nntplib ossaudiodev pipes
    pyrepl smtpd sndhdr spwd sunau telnetlib uu xdrlib
"""


def is_stdlib(module: str) -> bool:
    """Whether a (dotted) module belongs to the standard library of Python 3.11 to 3.14.

    So does `__main__`, which is always there and no list names.
    """
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top == "__main__" or top in _VERSION_DEPENDENT.split()


class InstalledDistributions:
    """What is installed in one environment.

    `versions`: distribution name as its author wrote it -> version. `providers`: top-level
    import name -> distributions, in the order of their names. `modules`: (shared top-level
    name's) distribution -> the dotted packages and modules it brings.
    """

    __slots__ = ("modules", "providers", "versions")

    def __init__(
        self,
        versions: dict[str, str] | None = None,
        providers: dict[str, tuple[str, ...]] | None = None,
        modules: dict[str, frozenset[str]] | None = None,
    ) -> None:
        self.versions = versions or {}
        self.providers = providers or {}
        self.modules = modules or {}

    @classmethod
    def from_interpreter(cls) -> InstalledDistributions:
        """The environment that runs twofold."""
        return cls.read(sys.path)

    @classmethod
    def from_prefix(cls, prefix: Path) -> InstalledDistributions:
        """A virtual or a conda environment, by its folder."""
        found = [*prefix.glob("lib/python3*/site-packages"), *prefix.glob("Lib/site-packages")]
        return cls.read([str(folder) for folder in found])

    @classmethod
    def read(cls, folders: Sequence[str]) -> InstalledDistributions:
        """The distributions found in `site-packages` folders; the first of a name counts."""
        from importlib import metadata
        from pathlib import Path

        versions: dict[str, str] = {}
        tops: dict[str, set[str]] = {}
        modules: dict[str, frozenset[str]] = {}
        seen: set[str] = set()
        for found in metadata.distributions(path=[f for f in folders if Path(f).is_dir()]):
            name = found.metadata["Name"]
            if not name or _normalize(name) in seen:
                continue
            seen.add(_normalize(name))
            versions[name] = found.version
            modules[name] = frozenset(_modules_of(found))
            for module in modules[name]:
                tops.setdefault(module.partition(".")[0], set()).add(name)
        providers = {top: tuple(sorted(names)) for top, names in tops.items()}
        shared = {name for names in providers.values() if len(names) > 1 for name in names}
        kept = {name: found for name, found in modules.items() if name in shared}
        return cls(versions, providers, kept)

    def provider_of(self, module: str) -> str | None:
        """The installed distribution that brings a (dotted) module, None when none does.

        Where several share the top-level name (a namespace such as `google`), the one that
        brings the longest part of the dotted name.
        """
        names = self.providers.get(module.partition(".")[0], ())
        if len(names) <= 1:
            return names[0] if names else None
        parts = module.split(".")
        for length in range(len(parts), 1, -1):
            dotted = ".".join(parts[:length])
            holders = [name for name in names if dotted in self.modules[name]]
            if holders:
                return holders[0]
        plain = _normalize(module)
        return next((name for name in names if _normalize(name) == plain), names[0])

    def version_of(self, distribution: str) -> str | None:
        """The installed version of a distribution, by whatever spelling of its name."""
        wanted = _normalize(distribution)
        return next((v for name, v in self.versions.items() if _normalize(name) == wanted), None)

    def import_names(self, distribution: str) -> tuple[str, ...]:
        """The names an installed distribution is imported by, () when it is not there.

        Top-level names; below one that others share, the first parts that are its own alone.
        """
        wanted = _normalize(distribution)
        names: set[str] = set()
        for top, holders in self.providers.items():
            mine = next((name for name in holders if _normalize(name) == wanted), None)
            if mine and len(holders) == 1:
                names.add(top)
            elif mine:
                names.update(self._own_modules(top, mine, holders))
        return tuple(sorted(names))

    def _own_modules(self, top: str, mine: str, holders: Sequence[str]) -> Iterator[str]:
        others = [self.modules[name] for name in holders if name != mine]
        for module in self.modules[mine]:
            parent = module.rpartition(".")[0]
            is_shared = any(module in other for other in others)
            if not is_shared and module.startswith(f"{top}.") and any(parent in o for o in others):
                yield module


class InterpreterDistributions:
    """What is installed beside twofold, where only those distributions are read that a question is
    about: to read all of a large environment takes a second.
    """

    def __init__(self) -> None:
        self._modules: dict[str, frozenset[str]] = {}

    def modules_of(self, distribution: str) -> frozenset[str]:
        """The dotted modules of a distribution, none when it is not installed."""
        key = _normalize(distribution)
        if key not in self._modules:
            from importlib import metadata

            found = next(iter(metadata.distributions(name=key)), None)
            self._modules[key] = frozenset(_modules_of(found)) if found else frozenset()
        return self._modules[key]

    def provides(self, distribution: str, top: str) -> bool:
        """Whether an installed distribution brings a top-level name."""
        return any(module.partition(".")[0] == top for module in self.modules_of(distribution))

    def requirements_of(self, distribution: str) -> list[str] | None:
        """What an installed distribution requires (PEP 508) without extras; None for others."""
        from importlib import metadata

        found = next(iter(metadata.distributions(name=_normalize(distribution))), None)
        if found is None:
            return None
        return [each for each in found.requires or () if "extra" not in each.partition(";")[2]]

    @cached_property
    def all(self) -> InstalledDistributions:
        """All distributions."""
        return InstalledDistributions.from_interpreter()

    def read_for(self, module: str) -> InstalledDistributions | None:
        """All distributions where one of them may bring a module; None where surely none does."""
        is_here = module.partition(".")[0] in self._names_on_path
        return self.all if is_here or self._has_editable else None

    @cached_property
    def _names_on_path(self) -> frozenset[str]:
        """The names of files and folders that imports look at, without their endings."""
        from pathlib import Path

        folders = filter(Path.is_dir, map(Path, sys.path))
        return frozenset(path.name.partition(".")[0] for one in folders for path in one.iterdir())

    @cached_property
    def _has_editable(self) -> bool:
        """Whether the modules of some distribution are elsewhere (PEP 660)."""
        return any(name.startswith("__editable__") for name in self._names_on_path)


def find_distribution(module: str, environment: InstalledDistributions | None = None) -> str:
    """The distribution to depend on for an import of `module` (dotted, absolute).

    In a namespace that the table of well-known names divides (`google.cloud.storage`) as it says;
    else from the environment's own metadata, then the table (the longest dotted part of the name
    counts), then the top-level name itself.
    """
    known = _known_providers()
    parts = module.split(".")
    for length in range(len(parts), 1, -1):
        found = known.get(".".join(parts[:length]))
        if found:
            return found
    installed = environment.provider_of(module) if environment else None
    if installed:
        return installed
    return known.get(parts[0], parts[0])


def required_module(module: str, names: Sequence[str]) -> str:
    """The dotted module that `from module import names` is about: in a namespace that several
    distributions divide (`from google.cloud import storage`) the one that is named last.
    """
    known = _known_providers()
    return next((f"{module}.{name}" for name in names if f"{module}.{name}" in known), module)


def find_import_names(
    distribution: str, environment: InstalledDistributions | None = None
) -> tuple[str, ...]:
    """The import names a distribution is known for (dotted in a namespace): installed metadata,
    then the table, then its own name with underscores."""
    installed = environment.import_names(distribution) if environment else ()
    if installed:
        return installed
    wanted = _normalize(distribution)
    known = [
        module
        for module, name in _known_pairs()
        if _normalize(name) == wanted and not module.startswith("_")
    ]
    return tuple(known) or (wanted.replace("-", "_"),)


@cache
def _known_providers() -> dict[str, str]:
    """Import name -> the distribution to suggest."""
    return dict(reversed(_known_pairs()))


@cache
def _known_pairs() -> tuple[tuple[str, str], ...]:
    """Every pair of import name and distribution, the suggested one of a name first."""
    from pathlib import Path

    text = Path(__file__).with_name("known.txt").read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return tuple((module, name) for module, _, name in (line.partition(" ") for line in lines))


def _modules_of(found: metadata.Distribution) -> set[str]:
    """The dotted modules and packages that a distribution's metadata lists."""
    from pathlib import PurePosixPath

    modules = {name.partition(";")[0].strip() for name in found.metadata.get_all("Import-Name", [])}
    for path in found.files or []:
        modules.update(_dotted_names(PurePosixPath(path.as_posix())))
    # An editable install's RECORD holds no module.
    return (modules - {""}) or set((found.read_text("top_level.txt") or "").split())


def _dotted_names(path: PurePosixPath) -> Iterator[str]:
    """`a/b/c.py` -> `a`, `a.b`, `a.b.c`; nothing for what cannot be imported."""
    stem = path.name.partition(".")[0]
    if path.suffix not in (".py", ".so", ".pyd") or not stem.isidentifier():
        return
    parts = list(path.parent.parts)
    if not all(part.isidentifier() for part in parts):
        return
    if stem != "__init__":
        parts.append(stem)
    for length in range(1, len(parts) + 1):
        yield ".".join(parts[:length])


def _normalize(name: str) -> str:
    """PEP 503; a copy of twofold.names.normalize_name, which belongs to the same layer."""
    return re.sub(r"[-_.]+", "-", name).lower()
