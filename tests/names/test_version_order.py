"""The order of versions, beside that of packaging and of rattler."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from packaging.version import Version
from rattler import Version as CondaVersion

from twofold.names.version_order import sort_newest_first, sort_versions

ORDERED = [
    ("2022.7", "2023c", "2024a", "2024b"),
    ("1.1.1a", "1.1.1k", "1.1.1u", "1.1.1w", "1.1.1", "3.0.0"),
    ("9b", "9b1", "9e", "9", "9.1"),
    ("4.0_9", "4.1_1", "4.1_2", "4.1_10", "4.3_0"),
    ("1.0a1", "1.0b1", "1.0rc1", "1.0.dev1", "1.0", "1.0.post1", "1!0.1"),
    ("0.4", "0.4.1.rc", "0.4.1", "0.5a1", "0.5b3", "0.5C1", "0.5", "0.9.6", "0.960923", "1.0"),
    ("1.0.1_", "1.0.1a", "1.0.1", "1.0.1.0.1", "1.0.2"),
    ("1.0+1", "1.0+1.1", "1.0+2", "1.1"),
    ("2024.1", "2024.10", "2024.10.2"),
]


@pytest.mark.parametrize("ordered", ORDERED)
def test_conda_versions_are_in_the_order_that_conda_documents(ordered: tuple[str, ...]) -> None:
    for seed in range(3):
        mixed = random.Random(seed).sample(ordered, len(ordered))
        assert sort_versions((), mixed) == list(ordered)
        assert sort_newest_first((), mixed) == list(reversed(ordered))


def test_the_order_of_made_up_conda_versions_is_that_of_rattler() -> None:
    chance = random.Random(7)
    pieces = ["0", "1", "2", "10", "a", "b", "rc", "dev", "post", "alpha", "w"]
    made = {
        ".".join(
            chance.choice("0123456789") + chance.choice(["", *pieces])
            for _ in range(chance.randint(1, 3))
        )
        + chance.choice(["", "", ".post1", ".dev2", "_1", "+3", "+a.1", "_"])
        for _ in range(600)
    }
    ordered = sort_versions((), sorted(made))
    assert len(ordered) == len(made)
    wrong = [
        (one, other) for one, other in pairwise(ordered) if CondaVersion(one) > CondaVersion(other)
    ]
    assert wrong == []


def test_python_versions_are_in_the_order_of_pep_440_with_pre_releases_last() -> None:
    versions = ["1.0", "2.0rc1", "1.0.post1", "0.9", "1.1.dev3", "not a version", "also.not-one"]
    ordered = sort_versions(versions, ["1.0"])
    assert ordered[:2] == ["not a version", "also.not-one"]  # no version for conda either
    assert ordered[2:] == sorted(ordered[2:], key=Version)
    newest = sort_newest_first(versions, ())
    assert newest[:3] == ["1.0.post1", "1.0", "0.9"]
    assert newest[-2:] == ["2.0rc1", "1.1.dev3"]


def test_equal_versions_are_ordered_by_their_text() -> None:
    assert sort_versions((), ["1.0.0", "1", "1.0"]) == ["1", "1.0", "1.0.0"]
    assert sort_versions(["1.0.0", "1", "1.0"], ()) == ["1", "1.0", "1.0.0"]


def test_versions_that_are_none_come_first_in_the_order_of_their_text() -> None:
    assert sort_versions((), ["1.0", "é", "$", "0.1"]) == ["$", "é", "0.1", "1.0"]
