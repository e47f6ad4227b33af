"""[tool.twofold.conda] is judged whole."""

from __future__ import annotations

import pytest

from twofold.convert import parse_options
from twofold.errors import ProjectErrors


def test_every_key_is_taken() -> None:
    options = parse_options(
        {
            "name": "mine",
            "names": {"My.Dep": "my_dep"},
            "depends": ["graphviz >=2"],
            "constrains": ["mkl"],
            "leave-out": ["Rich"],
            "build-number": 2,
            "channels": ["conda-forge"],
        }
    )
    assert (options.name, options.build_number) == ("mine", 2)
    assert options.known_names == {"my-dep": "my_dep"}
    assert options.leave_out == {"rich"}


def test_all_mistakes_are_reported_together_with_their_place() -> None:
    with pytest.raises(ProjectErrors) as refusal:
        parse_options(
            {
                "name": "Not A Name",
                "names": {"torch": "Py Torch"},
                "depends": "numpy",
                "build-number": -1,
                "nmae": "x",
            }
        )
    message = str(refusal.value)
    assert len(refusal.value.problems) == 5
    for part in ("[tool.twofold.conda] name", "'Py Torch'", "depends", "build-number", "'nmae'"):
        assert part in message
