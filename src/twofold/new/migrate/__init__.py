"""Adopt a project that is there: read every file that says something of it, write pyproject.toml.

setup.py, setup.cfg, [tool.*], flit's tables,        Facts: what is known, what only the old
requirements.txt, environment.yml, meta.yaml,   -->  backend can tell, what is lost       -->
the code itself

(where needed) a wheel built by the old backend  -->  pyproject_text  -->  Adoption
"""

from __future__ import annotations

from twofold.new.migrate.declared_project import read_declared_project
from twofold.new.migrate.dependency_lists import RecipeFacts
from twofold.new.migrate.facts import CommentedRequirement, DroppedSetting, Facts
from twofold.new.migrate.plan import (
    MigrationPlan,
    MigrationTools,
    plan_migration,
    read_static_facts,
)
from twofold.new.migrate.wheel_diff import Difference, compare_wheels

__all__ = [
    "CommentedRequirement",
    "Difference",
    "DroppedSetting",
    "Facts",
    "MigrationPlan",
    "MigrationTools",
    "RecipeFacts",
    "compare_wheels",
    "plan_migration",
    "read_declared_project",
    "read_static_facts",
]
