"""Migrate a project: read every file with its metadata and write pyproject.toml.

setup.py, setup.cfg, [tool.*], flit's tables,        Facts: what is known, what only the old
requirements.txt, environment.yml, meta.yaml,   -->  backend can compute, what is dropped -->
the code itself

(where needed) a wheel built by the old backend  -->  render_pyproject  -->  MigrationPlan
"""

from __future__ import annotations

from twofold.new.migrate.dependency_lists import RecipeFacts
from twofold.new.migrate.facts import CommentedRequirement, DroppedSetting, Facts
from twofold.new.migrate.plan import (
    MigrationPlan,
    MigrationTools,
    plan_migration,
    read_declared_project,
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
