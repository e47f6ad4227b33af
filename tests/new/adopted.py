"""What the tests of adoption share: a project's files on disk, and what is made of them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.imports import Environment
from twofold.new.adopt import Adoption, Tools, adopt


@dataclass(frozen=True)
class Adopted:
    adoption: Adoption

    @property
    def text(self) -> str:
        return self.adoption.text

    @property
    def document(self) -> dict[str, Any]:
        return tomllib.loads(self.adoption.text)

    @property
    def project(self) -> dict[str, Any]:
        return self.document["project"]

    @property
    def settings(self) -> dict[str, Any]:
        return self.document.get("tool", {}).get("twofold", {})

    @property
    def lost(self) -> list[str]:
        return [str(one) for one in self.adoption.lost]


def lay(folder: Path, files: dict[str, str]) -> Path:
    """Write files below a folder of the name `my_package`."""
    root = folder / "my_package"
    root.mkdir(exist_ok=True)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def adopted(folder: Path, files: dict[str, str], environment: Environment | None = None) -> Adopted:
    """Adopt files statically: nothing of the project is run."""
    tools = Tools(environment=environment or Environment())
    return Adopted(adopt(lay(folder, files), tools))
