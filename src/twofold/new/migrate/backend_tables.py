"""Convert the settings of other backends: hatchling, pdm-backend, uv_build, setuptools-scm.

Each reader converts what decides the version and the files; the rest is dropped and reported.
Settings of the same tool that are not its backend's (hatch's environments, uv's sources) stay.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from twofold.new.migrate.facts import Facts
from twofold.new.migrate.setup_cfg import read_setuptools_table
from twofold.new.migrate.setuptools_settings import set_git_version
from twofold.new.source_tree import read_source_tree
from twofold_build.version import read_assigned_version

Table = Mapping[str, Any]


def read_backend_tables(facts: Facts, root: Path, tool: Table) -> list[str]:
    """Read the backends' tables; returns the dotted names of those that are converted."""
    done = []
    for name, offer in _TABLES.items():
        table: Any = tool
        for part in name.split("."):
            table = table.get(part, {}) if isinstance(table, dict) else {}
        present = name.split(".")[0] in tool and (table or name == "setuptools_scm")
        if present and isinstance(table, dict):
            offer(facts, root, table)
            done.append(f"tool.{name}")
    return done


def _read_hatch_version(facts: Facts, root: Path, table: Table) -> None:
    where = "pyproject.toml [tool.hatch.version]"
    if table.get("source", "regex") == "vcs":
        plain = {key: value for key, value in table.items() if key != "raw-options"}
        set_git_version(facts, where, {**plain, **table.get("raw-options", {})})
    elif "path" in table and _is_plain_version(root, table["path"]):
        facts.propose("version", {"from": "module", "path": table["path"]}, where)
    else:
        facts.mark_unread("version", where)


def _is_plain_version(root: Path, path: str) -> bool:
    file = root / path
    return (
        file.is_file() and file.suffix == ".py" and bool(read_assigned_version(file.read_bytes()))
    )


def _read_hatch_build(facts: Facts, root: Path, table: Table) -> None:
    where = "pyproject.toml [tool.hatch.build"
    targets = table.get("targets", {})
    shared = {key: value for key, value in table.items() if key not in ("targets", "hooks")}
    wheel = {**shared, **targets.get("wheel", {})}
    sdist = {**shared, **targets.get("sdist", {})}
    modules = [*wheel.pop("packages", ()), *wheel.pop("only-include", ())]
    if not modules and "sources" in wheel:
        modules = [path for path in wheel.get("include", ()) if (root / path.strip("/")).is_dir()]
    modules = [
        inner for path in modules for inner in _list_stripped(root, path, wheel.get("sources", ()))
    ]
    _set_modules(facts, root, modules, f"{where}.targets.wheel]")
    _convert_globs(facts, root, "wheel.exclude", wheel.pop("exclude", ()))
    _convert_globs(
        facts, root, "sdist.include", [*sdist.pop("include", ()), *sdist.pop("only-include", ())]
    )
    _convert_globs(facts, root, "sdist.exclude", sdist.pop("exclude", ()))
    _convert_globs(
        facts, root, "include", [*wheel.pop("artifacts", ()), *sdist.pop("artifacts", ())]
    )
    for key, value in wheel.items():
        if key not in ("sources", "include", "directory", "dev-mode-dirs", "reproducible"):
            facts.drop(f"{where}.targets.wheel]", f"{key} = {value!r}"[:160])
    for key, value in sdist.items():
        known = (
            "packages",
            "sources",
            "directory",
            "dev-mode-dirs",
            "reproducible",
            "core-metadata-version",
        )
        if key not in (*known, *wheel):
            facts.drop(f"{where}.targets.sdist]", f"{key} = {value!r}"[:160])
    for name, rule in {
        **table.get("hooks", {}),
        **targets.get("wheel", {}).get("hooks", {}),
    }.items():
        hint = "write the file by hand" if name == "custom" else "read it with importlib.metadata"
        facts.drop(f"{where}.hooks.{name}]", f"a hook: {dict(rule)}", hint)
    for name in targets:
        if name not in ("wheel", "sdist"):
            facts.drop(f"{where}.targets.{name}]", "another kind of artifact")


def _list_stripped(root: Path, path: str, sources: object) -> list[str]:
    """List the modules in a folder that `sources` strips; else the folder itself."""
    plain = path.strip("/")
    if isinstance(sources, list | tuple) and plain in [str(s).strip("/") for s in sources]:
        return [
            f"{plain}/{name.replace('.', '/')}" for name in read_source_tree(root, plain).modules
        ]
    return [path]


def _read_hatch_metadata(facts: Facts, root: Path, table: Table) -> None:
    del root
    for name, rule in table.get("hooks", {}).items():
        what = f"a hook: {dict(rule)!r}"[:120]
        facts.drop(f"pyproject.toml [tool.hatch.metadata.hooks.{name}]", what)


def _set_modules(facts: Facts, root: Path, paths: Sequence[str], where: str) -> None:
    """Set modules from folders and files: `src/my_package` is `my_package` below `src`."""
    sources = set()
    for text in paths:
        path = PurePosixPath(text.strip("/"))
        if not (root / path).exists() and not (root / f"{path}.py").exists():
            facts.drop(where, f"'{text}'", "no such folder")
            continue
        parts = list(path.parts)
        source = parts.pop(0) if len(parts) > 1 and not _is_package(root / parts[0]) else ""
        sources.add(source)
        facts.packages = [*(facts.packages or []), ".".join(parts).removesuffix(".py")]
    if len(sources) == 1:
        source = sources.pop()
        if source:
            facts.add_setting("source", source)


def _is_package(folder: Path) -> bool:
    return (folder / "__init__.py").exists()


def _convert_globs(facts: Facts, root: Path, setting: str, patterns: Sequence[str]) -> None:
    """Convert gitignore-like patterns to paths from the project's folder."""
    globs = []
    for pattern in patterns:
        plain = pattern.strip("/").removeprefix("./")
        if (root / plain).is_dir():
            globs.append(f"{plain}/**")
        elif "/" in pattern.rstrip("/") or (root / plain).exists():
            globs.append(plain)
        else:
            globs.append(f"**/{plain}")
    if globs:
        facts.add_setting(setting, globs)


def _read_pdm_version(facts: Facts, root: Path, table: Table) -> None:
    where = "pyproject.toml [tool.pdm.version]"
    if "version" in facts.project:
        return  # written out, as in an sdist of pdm's
    if table.get("source") == "scm":
        set_git_version(facts, where, table)
    elif "path" in table and _is_plain_version(root, table["path"]):
        facts.propose("version", {"from": "module", "path": table["path"]}, where)
    else:
        facts.mark_unread("version", where)


def _read_pdm_build(facts: Facts, root: Path, table: Table) -> None:
    where = "pyproject.toml [tool.pdm.build]"
    left = dict(table)
    if left.get("package-dir"):
        facts.add_setting("source", str(left.pop("package-dir")).strip("/"))
    modules = []
    for path in left.pop("includes", ()):
        plain = path.rstrip("/*")
        if _is_package(root / plain) or plain.endswith(".py"):
            modules.append(plain)
        else:
            _convert_globs(facts, root, "sdist.include", [path])
    _set_modules(facts, root, modules, where)
    _convert_globs(facts, root, "sdist.include", left.pop("source-includes", ()))
    _convert_globs(facts, root, "exclude", left.pop("excludes", ()))
    for key in ("is-purelib", "editable-backend"):
        left.pop(key, None)
    for key, value in left.items():
        facts.drop(where, f"{key} = {value!r}"[:160])


def _read_uv_build(facts: Facts, root: Path, table: Table) -> None:
    where = "pyproject.toml [tool.uv.build-backend]"
    left = dict(table)
    names = left.pop("module-name", [])
    if names:
        facts.packages = [names] if isinstance(names, str) else list(names)
    source = left.pop("module-root", "src")
    facts.add_setting("source", str(source).strip("/")) if source != "src" else None
    _convert_globs(facts, root, "sdist.include", left.pop("source-include", ()))
    _convert_globs(facts, root, "exclude", left.pop("source-exclude", ()))
    _convert_globs(facts, root, "wheel.exclude", left.pop("wheel-exclude", ()))
    for kind, folder in left.pop("data", {}).items():
        facts.add_setting(f"wheel.data.{kind}", str(folder))
    for key, value in left.items():
        if key not in ("namespace", "default-excludes"):
            facts.drop(where, f"{key} = {value!r}"[:160])


def _read_setuptools_scm(facts: Facts, root: Path, table: Table) -> None:
    del root
    set_git_version(facts, "pyproject.toml [tool.setuptools_scm]", table)


_TABLES: dict[str, Callable[[Facts, Path, Table], None]] = {
    "setuptools_scm": _read_setuptools_scm,
    "setuptools": read_setuptools_table,
    "hatch.version": _read_hatch_version,
    "hatch.build": _read_hatch_build,
    "hatch.metadata": _read_hatch_metadata,
    "pdm.version": _read_pdm_version,
    "pdm.build": _read_pdm_build,
    "uv.build-backend": _read_uv_build,
}
