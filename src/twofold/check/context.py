"""What the rules of a project look at: its settings, its files, its modules, each read once."""

from __future__ import annotations

import os

from twofold.check.namespace import Namespace
from twofold.check.pythons_allowed import allowed_minors
from twofold.check.said import ProjectSaid
from twofold_build.locate import line_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold.check.facts import Facts
    from twofold.check.settings import CheckSettings
    from twofold_build.archive import Content
    from twofold_build.files import Pack
    from twofold_build.project import Project


class CodeModule:
    """One module that is packed: its dotted name, its path in the project, what it says."""

    __slots__ = ("facts", "is_package", "name", "path")

    def __init__(self, name: str, path: str, is_package: bool, facts: Facts) -> None:
        self.name = name
        self.path = path
        self.is_package = is_package
        self.facts = facts

    @property
    def package(self) -> str:
        """The package that relative imports start from."""
        return self.name if self.is_package else self.name.rpartition(".")[0]


class Context:
    """A project under check.

    `modules` are the packed modules by dotted name, those with syntax errors too; `contents`
    the files that were read, by path; `opaque` the dotted names of compiled modules. `minors`
    are the minor versions of Python 3 let in, () when requires-python is not written.
    """

    def __init__(
        self,
        project: Project,
        pack: Pack,
        contents: dict[str, Content],
        modules: dict[str, CodeModule],
        settings: CheckSettings,
    ) -> None:
        self.project = project
        self.pack = pack
        self.contents = contents
        self.modules = modules
        self.settings = settings
        self.minors = allowed_minors(project.requires_python)
        self.opaque = _opaque(pack)
        self.space = Namespace(modules, self.opaque)
        self.said = ProjectSaid(self)
        self._text: str | None = None

    @property
    def builds_itself(self) -> bool:
        """Whether twofold's backend builds it: another one may make files of its own."""
        return self.project.backend in ("", "twofold_build")

    @property
    def text(self) -> str:
        """pyproject.toml, read only when a line is to be told."""
        if self._text is None:
            path = os.path.join(self.project.root, "pyproject.toml")
            with open(path, encoding="utf-8", newline="") as file:
                self._text = file.read().replace("\r\n", "\n")
        return self._text

    def at(self, key: str, value: str = "", table: str = "project") -> str:
        """Where a key of pyproject.toml is written, as findings tell it."""
        line = line_of(self.text, table, key, value)
        place = f"pyproject.toml:{line}" if line else "pyproject.toml"
        return f"{place}: [{table}]" + (f" {key}" if key else "")

    def table(self, dotted: str) -> dict[str, Any]:
        """A table of pyproject.toml, {} when it is not there."""
        value: Any = self.project.document
        for part in dotted.split("."):
            value = value.get(part, {}) if isinstance(value, dict) else {}
        return value if isinstance(value, dict) else {}


def module_name(path: str) -> tuple[str, bool] | None:
    """The dotted name of a path in a wheel and whether it is a package; None for other files."""
    top, _, _ = path.partition("/")
    if not path.endswith(".py") or top.endswith((".data", ".dist-info", "-stubs")):
        return None
    parts = path[:-3].split("/")
    is_package = parts[-1] == "__init__"
    if is_package:
        parts.pop()
    if not parts or not all(part.isidentifier() for part in parts):
        return None
    return ".".join(parts), is_package


def _opaque(pack: Pack) -> frozenset[str]:
    """Dotted names of compiled modules, which nobody reads: `pkg/x.cpython-311-linux.so`."""
    compiled = [
        path for file in pack.files for path in file.wheel if path.endswith((".so", ".pyd"))
    ]
    return frozenset(
        "/".join([*path.split("/")[:-1], path.rpartition("/")[2].partition(".")[0]]).replace(
            "/", "."
        )
        for path in compiled
    )
