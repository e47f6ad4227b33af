"""Which modules the new backend is to pack: said only where it would not find them by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from twofold.new.adopt.facts import Facts
from twofold.new.code import read_code
from twofold_build.names import file_name


def settle_modules(facts: Facts, root: Path, is_bare: bool) -> None:
    """Write [tool.twofold] `modules`, `source` and `wheel.exclude` where they are needed."""
    listed = facts.packages
    sources = _sources(facts, root)
    if listed:
        modules = _minimal(root, sources, listed)
        for name in [m for m in modules if not any(_place(root / s, m) for s in sources)]:
            facts.lose("packages", f"'{name}'", "there is no such module in the tree")
            modules.remove(name)
        _exclude_unlisted(facts, root, sources, listed)
    else:
        modules = list(read_code(root, facts.settings.get("source")).modules)
        wanted = file_name(str(facts.project["name"]))
        named = [name for name in modules if name.lower() == wanted]
        if named and not (is_bare and len(modules) > 1):
            modules = named
    _write(facts, root, modules, sources)


def _sources(facts: Facts, root: Path) -> list[str]:
    said = facts.settings.get("source")
    if said is not None:
        return [str(said)]
    return ["src", ""] if (root / "src").is_dir() else ["", "lib", "source", "python"]


def _place(base: Path, module: str) -> bool:
    path = base / module.replace(".", "/")
    return path.is_dir() or path.with_name(f"{path.name}.py").is_file()


def _minimal(root: Path, sources: Sequence[str], listed: Sequence[str]) -> list[str]:
    """`a`, `a.b`, `a.b.c` are all packed with `a`; below a namespace each is named."""
    found: dict[str, None] = {}
    for name in sorted(set(listed)):
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            path = "/".join(parts[:length])
            whole = length == len(parts)
            if whole or any((root / s / path / "__init__.py").exists() for s in sources):
                found.setdefault(".".join(parts[:length]))
                break
    inner = [n for n in found if any(n.startswith(f"{other}.") for other in found)]
    return [name for name in found if name not in inner]


def _exclude_unlisted(
    facts: Facts, root: Path, sources: Sequence[str], listed: Sequence[str]
) -> None:
    """A subpackage beside listed ones that is not listed stays out of the wheel."""
    if not any("." in name for name in listed):
        return
    for source in sources:
        for name in listed:
            folder = root / source / name.replace(".", "/")
            for init in sorted(folder.glob("*/__init__.py")):
                if f"{name}.{init.parent.name}" not in listed:
                    path = init.parent.relative_to(root).as_posix()
                    facts.set("wheel.exclude", [f"{path}/**"])


def _write(facts: Facts, root: Path, modules: list[str], sources: Sequence[str]) -> None:
    found = [s for s in sources if any(_place(root / s, module) for module in modules)]
    source = found[0] if found else ""
    usual = [""] if not (root / "src").is_dir() else ["src", ""]
    if source in usual:
        facts.settings.pop("source", None)
    else:
        facts.settings["source"] = source
    wanted = file_name(str(facts.project["name"]))
    if [name.lower() for name in modules] != [wanted]:
        if modules:
            facts.settings = {"modules": modules, **facts.settings}
        else:
            facts.lose("packages", "no module was found", "name it: [tool.twofold] modules")
    facts.settings = {
        key: facts.settings[key]
        for key in sorted(facts.settings, key=lambda key: isinstance(facts.settings[key], dict))
    }
