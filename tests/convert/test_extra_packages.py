"""A project's own extras as packages without files, on request."""

from __future__ import annotations

from pathlib import Path

from tests.factories.artifacts import METADATA, write_wheel
from twofold.convert import CondaOptions, convert_all

LINES = """\
Requires-Dist: rich>=13; extra == 'fancy'
Requires-Dist: colorama; extra == 'fancy' and sys_platform == 'win32'
Requires-Dist: pytest<9; extra == 'test'
Requires-Dist: my_package[fancy,test]; extra == 'all'
Provides-Extra: fancy
Provides-Extra: test
Provides-Extra: all
Provides-Extra: empty
"""


def test_each_extra_becomes_a_package_that_depends_on_what_it_adds(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, metadata=METADATA + LINES)
    made = convert_all(wheel, tmp_path / "channel", CondaOptions(extras_as_packages=True))
    assert {(a.name, a.build): list(a.depends) for a in made[1:]} == {
        ("my_package-fancy", "unix_py_0"): ["my_package ==1.0.0", "rich >=13", "__unix"],
        ("my_package-fancy", "win_py_0"): ["my_package ==1.0.0", "colorama", "rich >=13", "__win"],
        ("my_package-test", "py_0"): ["my_package ==1.0.0", "pytest <9dev0"],
        ("my_package-all", "py_0"): [
            "my_package ==1.0.0",
            "my_package-fancy ==1.0.0",
            "my_package-test ==1.0.0",
        ],
        ("my_package-empty", "py_0"): ["my_package ==1.0.0"],
    }


def test_without_the_request_there_are_none(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, metadata=METADATA + LINES)
    assert [a.name for a in convert_all(wheel, tmp_path / "channel")] == ["my_package"]
