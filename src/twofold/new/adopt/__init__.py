"""Adopt a project that is there: read every file that says something of it, write pyproject.toml.

setup.py, setup.cfg, [tool.*], flit's tables,        Facts: what is known, what only the old
requirements.txt, environment.yml, meta.yaml,   -->  backend can tell, what is lost       -->
the code itself

(where needed) a wheel built by the old backend  -->  pyproject_text  -->  Adoption
"""

from __future__ import annotations

from twofold.new.adopt.adopting import Adoption, Tools, adopt, stated
from twofold.new.adopt.facts import Facts, Lost, Requirement
from twofold.new.adopt.layout import read_stated
from twofold.new.adopt.lists import RecipeFacts
from twofold.new.adopt.verifying import Difference, compare_wheels

__all__ = [
    "Adoption",
    "Difference",
    "Facts",
    "Lost",
    "RecipeFacts",
    "Requirement",
    "Tools",
    "adopt",
    "compare_wheels",
    "read_stated",
    "stated",
]
