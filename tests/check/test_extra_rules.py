"""Rules and kinds of target of other distributions, found by their entry points."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.artifacts import write_wheel
from tests.factories.checked_files import with_fields
from twofold.artifact import Kind
from twofold.contracts.rules import RuleContract
from twofold.contracts.samples import make_sample

ACME = """\
from twofold.check.rule_table import ExtraRule, Violation
from twofold.publish.targets.kinds import KINDS
from dataclasses import replace

def judge_file(code):
    for path in code.files:
        if path.endswith(".cat"):
            yield Violation("a picture of a cat", "remove it", path)

def judge_project(context):
    if "cat" in context.project.name:
        yield Violation("the project is called after a cat", "rename it", "pyproject.toml")

RULE = ExtraRule("ACME001", "no-cats", "There are no cats in a package.", "error",
                 judge_file=judge_file, judge_project=judge_project)
KIND = replace(KINDS["quetz"], name="acme", url="acme+https://host/CHANNEL")
OTHER = "not a rule"
"""


def install_acme(root: Path, points: str) -> dict[str, str]:
    """A distribution as installers lay it out; returns the environment that finds it."""
    folder = root / "site"
    folder.mkdir()
    (folder / "acme_twofold.py").write_text(ACME)
    info = folder / "acme_twofold-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-twofold\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points)
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def test_a_rule_of_another_distribution_judges_files_and_projects(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    env = install_acme(tmp_path, "[twofold.rules]\nACME001 = acme_twofold:RULE\n")
    files = {"my_package/__init__.py": b"", "my_package/tom.cat": b"meow"}
    wheel = write_wheel(tmp_path, files, with_fields())
    ran = twofold("check", wheel, env=env)
    assert ran.code == 1
    assert f"\n{wheel.name}: my_package/tom.cat: error ACME001 a picture" in f"\n{ran.out}"
    assert twofold("check", wheel, "--ignore", "ACME001", env=env).code == 0
    assert twofold("check", wheel).code == 0
    refused = twofold("publish", wheel, "--to", "./out", env=env)
    assert refused.code == 1
    assert "(ACME001)" in refused.err
    assert twofold("new", "catalogue").code == 0
    assert (
        "error ACME001 the project is called after a cat"
        in twofold("check", "catalogue", env=env).out
    )


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ("[twofold.rules]\nACME001 = acme_twofold:OTHER\n", "is not a ExtraRule"),
        ("[twofold.rules]\nACME002 = acme_twofold:RULE\n", "has the code 'ACME001'"),
        ("[twofold.rules]\nACME001 = acme_twofold:NOTHING\n", "cannot be imported"),
    ],
)
def test_an_extension_that_does_not_fit_is_named(
    points: str, message: str, twofold: Callable[..., Any], tmp_path: Path
) -> None:
    env = install_acme(tmp_path, points)
    wheel = make_sample(tmp_path, Kind.WHEEL).artifact.path
    ran = twofold("check", wheel, env=env)
    assert ran.code == 1
    assert message in ran.err
    assert "Traceback" not in ran.err


def test_a_kind_of_target_of_another_distribution_is_known_by_its_name(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    env = install_acme(tmp_path, "[twofold.targets]\nacme = acme_twofold:KIND\n")
    wheel = make_sample(tmp_path, Kind.WHEEL).artifact.path
    ran = twofold("publish", wheel, "--to", "acme+http://127.0.0.1:9/lab", "--dry-run", env=env)
    assert ran.code == 0, ran.err
    assert "wheel files are not supported there" in ran.out
    unknown = twofold("publish", wheel, "--to", "acme+http://127.0.0.1:9/lab", "--dry-run")
    assert "there is no kind of target 'acme'" in unknown.err
    other = twofold("publish", wheel, "--to", "tarsnap+http://127.0.0.1:9/lab", env=env)
    assert other.err.rstrip().endswith("s3, acme")


class TestNoLicence(RuleContract):
    """One of twofold's own rules passes the contract for others."""

    code = "TF025"

    def make_broken(self, folder: Path) -> Path:
        return write_wheel(folder, None, with_fields(License_Expression=""))

    def make_sound(self, folder: Path) -> Path:
        return write_wheel(folder, None, with_fields())
