"""Convert the settings of other backends: pdm-backend, uv_build, setuptools-scm.

Each reader converts what decides the version and the files; the rest is dropped and reported.
Settings of the same tool that are not its backend's (hatch's environments, uv's sources) stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from twofold.new.migrate.facts import Facts
from twofold.new.migrate.file_patterns import convert_globs, fold_folders, list_files, to_rules
from twofold.new.migrate.hatch import read_hatch
from twofold.new.migrate.modules import place_file, select_files, set_modules
from twofold.new.migrate.setup_cfg import read_setuptools_table
from twofold.new.migrate.setup_py import is_plain_version
from twofold.new.migrate.setuptools_settings import overlook_missing, set_git_version
from twofold.new.source_tree import TEST_FOLDERS
from twofold_build.names import escape_for_filename

Table = Mapping[str, Any]


def read_backend_tables(facts: Facts, root: Path, tool: Table, backend: str) -> list[str]:
    """Read the backends' tables; returns the dotted names of those that are converted.

    pdm-backend has its own rules for what it packs without a table, too.
    """
    done = read_hatch(facts, root, tool)
    for name, offer in _TABLES.items():
        table: Any = tool
        for part in name.split("."):
            table = table.get(part, {}) if isinstance(table, dict) else {}
        is_default = name == "pdm.build" and backend.startswith("pdm")
        present = is_default or (name.split(".")[0] in tool and (table or name == "setuptools_scm"))
        if present and isinstance(table, dict):
            offer(facts, root, table)
            done.append(f"tool.{name}")
    return done


def _read_pdm_version(facts: Facts, root: Path, table: Table) -> None:
    where = "pyproject.toml [tool.pdm.version]"
    if table.get("write_to"):
        hint = "read it with importlib.metadata, or write the file by hand"
        facts.drop(where, f"write_to = {table['write_to']!r}", hint)
    if "version" in facts.project:
        return  # written out, as in an sdist of pdm's
    if table.get("source") == "scm":
        set_git_version(facts, where, table)
    elif "path" in table and is_plain_version(root, table["path"]):
        facts.propose("version", {"from": "module", "path": table["path"]}, where)
    else:
        facts.mark_unread("version", where)
        if "path" in table and not (root / table["path"]).is_file():
            overlook_missing(facts, where, f"the file '{table['path']}'", "pdm builds nothing")


def _read_pdm_build(facts: Facts, root: Path, table: Table) -> None:
    where = "pyproject.toml [tool.pdm.build]"
    left = dict(table)
    source = str(left.pop("package-dir", "")).strip("/")
    if source:
        facts.add_source(source)
    modules: list[str] = []
    selected: list[str] = []
    for path in left.pop("includes", ()):
        plain = path.removesuffix("/*").removesuffix("/**").rstrip("/")
        chosen = [p for p in sorted(root.glob(plain)) if p.is_file()] if "*" in plain else []
        inner = [p.relative_to(root).as_posix() for p in chosen]
        if any(path.endswith((".py", ".pyi")) for path in inner):
            selected += inner
        elif (root / plain).is_dir() or plain.endswith(".py"):
            modules.append(plain)
        else:
            convert_globs(facts, root, "sdist.include", [path])
            hint = "only files in a package, or under wheel.data, go into the wheel"
            facts.doubt(where, f"includes: '{path}'", hint)
    if modules:
        is_src = not source and (root / "src").is_dir()
        set_modules(facts, root, modules, where, [source or ("src" if is_src else ".")])
    if selected:
        select_files(facts, root, source, selected)
    hook = str(left.get("custom-hook", "pdm_build.py"))
    if facts.packages is None:
        facts.packages = _find_pdm_modules(root, source, hook)
    if (root / hook).is_file():
        left["custom-hook"] = hook
    sources = left.pop("source-includes", ())
    _read_pdm_sources(facts, root, sources)
    _read_pdm_excludes(facts, root, left.pop("excludes", ()), sources)
    left["wheel-data"] = _read_pdm_data(facts, root, left.get("wheel-data", {}))
    for key in ("is-purelib", "editable-backend"):
        left.pop(key, None)
    for key, value in left.items():
        if value:  # an empty table, or `run-setuptools = false`
            facts.drop(where, f"{key} = {value!r}"[:160])


def _read_pdm_data(facts: Facts, root: Path, table: object) -> dict[str, list[Any]]:
    """Read `wheel-data`: files for the prefix, below their own names, or as `relative-to` says.

    Returns what cannot be carried over.
    """
    left: dict[str, list[Any]] = {}
    for kind, entries in table.items() if isinstance(table, Mapping) else ():
        for entry in entries if isinstance(entries, list) else [entries]:
            rule = entry if isinstance(entry, Mapping) else {"path": entry}
            base = str(rule.get("relative-to", ""))
            found = sorted(root.glob(str(rule["path"]))) if rule.get("path") else []
            paths = [path for path in found if path.is_file()]
            for path in paths:
                is_below = bool(base) and path.is_relative_to(root / base)
                inner = path.relative_to(root / base) if is_below else Path(path.name)
                place_file(facts, root, kind, path.relative_to(root).as_posix(), inner.as_posix())
            if not paths:
                left.setdefault(kind, []).append(entry)
    return left


def _find_pdm_modules(root: Path, source: str, hook: str) -> list[str]:
    """Find what pdm-backend packs unless it is named: packages, without any the modules."""
    base = root / source if source or not (root / "src").is_dir() else root / "src"
    packages = sorted({p.parent.name for p in base.glob("*/__init__.py*") if p.suffix != ".pyc"})
    packages = [name for name in packages if name.lower() not in TEST_FOLDERS]
    return packages or sorted(p.stem for p in base.glob("*.py") if p.name not in (hook, "setup.py"))


def _read_pdm_sources(facts: Facts, root: Path, patterns: Sequence[str]) -> None:
    """Read `source-includes`: files for the sdist alone, those inside a package too."""
    convert_globs(facts, root, "sdist.include", patterns)
    inside = [p for p in patterns if set(PurePosixPath(p).parts[:2]) & set(facts.packages or ())]
    convert_globs(facts, root, "wheel.exclude", inside)


def _read_pdm_excludes(
    facts: Facts, root: Path, patterns: Sequence[str], sources: Sequence[str]
) -> None:
    """Read `excludes`; what `source-includes` names is excluded from the wheel alone."""
    kept = set(list_files(root, to_rules(sources)))
    for pattern in patterns:
        excluded = list_files(root, to_rules([pattern]))
        if kept.isdisjoint(excluded):
            convert_globs(facts, root, "exclude", [pattern])
            continue
        convert_globs(facts, root, "wheel.exclude", [pattern])
        others = [path for path in excluded if path not in kept]
        if others:
            facts.add_setting("sdist.exclude", fold_folders(others, kept))


def _read_uv_build(facts: Facts, root: Path, table: Table) -> None:
    where = "pyproject.toml [tool.uv.build-backend]"
    left = dict(table)
    names = left.pop("module-name", [])
    if left.get("namespace") and not names:
        names = escape_for_filename(str(facts.project.get("name", "")))
    if names:
        facts.packages = [names] if isinstance(names, str) else list(names)
    source = left.pop("module-root", "src")
    facts.add_source(str(source).strip("/")) if source != "src" else None
    convert_globs(facts, root, "sdist.include", left.pop("source-include", ()))
    _exclude_as_uv(facts, "exclude", left.pop("source-exclude", ()))
    excluded = left.pop("wheel-exclude", ())
    folders = [p for p in excluded if p.startswith("/") and (root / p.strip("/")).is_dir()]
    for pattern in folders:
        hint = "in uv's wheel such a pattern matches nothing; without the slash it would"
        facts.drop(where, f"wheel-exclude: '{pattern}'", hint)
    _exclude_as_uv(facts, "wheel.exclude", [p for p in excluded if p not in folders])
    for kind, folder in left.pop("data", {}).items():
        facts.add_setting(f"wheel.data.{kind}", str(folder))
    for key, value in left.items():
        if key == "default-excludes" and not value:
            facts.remarks.append("uv's default-excludes = false: caches are left out all the same")
        elif key not in ("namespace", "default-excludes"):
            facts.drop(where, f"{key} = {value!r}"[:160])


def _exclude_as_uv(facts: Facts, setting: str, patterns: Sequence[str]) -> None:
    """Convert globs of uv's excludes: without a slash in front they match below any folder."""
    globs = [p[1:] if p.startswith("/") else f"**/{p.removeprefix('**/')}" for p in patterns]
    if globs:
        facts.add_setting(setting, [glob.rstrip("/") for glob in globs])


def _read_setuptools_scm(facts: Facts, root: Path, table: Table) -> None:
    del root
    set_git_version(facts, "pyproject.toml [tool.setuptools_scm]", table)


_TABLES: dict[str, Callable[[Facts, Path, Table], None]] = {
    "setuptools_scm": _read_setuptools_scm,
    "setuptools": read_setuptools_table,
    "pdm.version": _read_pdm_version,
    "pdm.build": _read_pdm_build,
    "uv.build-backend": _read_uv_build,
}
