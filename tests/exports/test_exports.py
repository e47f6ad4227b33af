"""`twofold exports` on real packages: what is written, what stays, what is reported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from twofold.errors import BadFile, ProjectErrors, TwofoldError
from twofold.exports import sync_exports

MODULES = {
    "module1.py": "import os\n\nLIMIT = 3\n\n\nclass Class1:\n    pass\n\n\n"
    "def function1() -> int:\n    return 1\n\n\ndef _helper(): ...\n",
    "module2.py": "__all__ = ['function2']\n\n\ndef function2() -> str:\n    return ''\n\n\n"
    "def other(): ...\n",
}


def package(folder: Path, init: str = "", **modules: str) -> Path:
    """A package `my_package` with two modules, or those given (`sub_S_a=...` becomes sub/a.py)."""
    found = folder / "my_package"
    files = {f"{name.replace('_S_', '/')}.py": text for name, text in modules.items()} or MODULES
    for name, text in {"__init__.py": init, **files}.items():
        (found / name).parent.mkdir(parents=True, exist_ok=True)
        (found / name).write_bytes(text.encode())
    return found


def run_exports(found: Path) -> str:
    """Keep a package's exports and return its `__init__.py`; twice must be as once."""
    sync_exports(found)
    once = (found / "__init__.py").read_bytes()
    assert sync_exports(found).changes == ()
    assert (found / "__init__.py").read_bytes() == once
    return once.decode()


def python(folder: Path, code: str) -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_an_empty_init_gets_explicit_imports_and_all(tmp_path: Path) -> None:
    assert run_exports(package(tmp_path)) == (
        "from .module1 import LIMIT, Class1, function1\n"
        "from .module2 import function2\n"
        "\n"
        '__all__ = ["LIMIT", "Class1", "function1", "function2"]\n'
    )
    assert python(tmp_path, "import my_package; print(my_package.function1())") == "1"


def test_everything_else_in_the_file_stays_as_it_is(tmp_path: Path) -> None:
    init = (
        "#!/usr/bin/env python\r\n# Licence: mine   \r\n"
        "'''What it does.\r\n\r\nEven `__all__` here.'''\r\n\r\n"
        "from __future__ import annotations\r\nimport sys  # why\r\n"
        "from .module1 import Class1, gone  # first\r\n"
        "\r\nif sys.platform == 'win32':\r\n    x = 1;   y = 2\r\n# the end, without a line end"
    )
    expected = init.replace("Class1, gone", "LIMIT, Class1, function1").replace(
        "# first\r\n",
        "# first\r\nfrom .module2 import function2\r\n\r\n"
        '__all__ = ["LIMIT", "Class1", "function1", "function2"]\r\n',
    )
    assert run_exports(package(tmp_path, init)) == expected


def test_a_statement_that_is_right_is_not_touched(tmp_path: Path) -> None:
    init = (
        "from .module2 import (function2)\n"
        "from .module1 import (function1,  # the one you want\n  Class1, LIMIT)\n"
        "__all__ = ['function2', 'function1', 'Class1', 'LIMIT']\n"
    )
    assert run_exports(package(tmp_path, init)) == init


def test_comments_inside_a_statement_stay_when_names_change(tmp_path: Path) -> None:
    init = (
        "from .module1 import (\n    Class1,  # one\n    gone,  # two\n)\n"
        "__all__ = [\n    'Class1',  # one\n    'gone',  # two\n]\n"
    )
    text = run_exports(package(tmp_path, init))
    assert text.count("# one") == 2 and text.count("# two") == 2 and "gone" not in text
    assert python(tmp_path, "import my_package as m; print(*m.__all__)").split() == [
        "LIMIT", "function1", "function2", "Class1",
    ]  # fmt: skip


def test_a_module_that_is_gone_takes_its_names_along(tmp_path: Path) -> None:
    found = package(tmp_path)
    run_exports(found)
    (found / "module2.py").unlink()
    assert run_exports(found) == (
        "from .module1 import LIMIT, Class1, function1\n"
        '\n__all__ = ["LIMIT", "Class1", "function1"]\n'
    )


def test_what_is_written_by_hand_wins_and_is_reported(tmp_path: Path) -> None:
    init = (
        "from .module1 import function1 as _old\n"
        "try:\n    from ._fast import function2\nexcept ImportError:\n"
        "    from .module2 import function2\n"
        "def Class1(): ...\n__version__ = '1'\n"
    )
    found = package(tmp_path, init)
    done = sync_exports(found)
    assert done.exports[found] == ("LIMIT", "function1")
    assert [remark.partition(": ")[2] for remark in done.remarks] == [
        "'Class1' is bound by hand, so that of .module1 is not re-exported"
    ]
    names = python(tmp_path, "import my_package as m; print(*m.__all__)")
    assert names.split() == ["LIMIT", "Class1", "__version__", "function1"]


def test_an_import_of_itself_by_its_full_name_is_known(tmp_path: Path) -> None:
    init = "from my_package.module1 import function1\nfrom my_package.module2 import function2\n"
    found = package(tmp_path, init)
    done = sync_exports(found)
    assert done.remarks == () and done.exports[found] == ("LIMIT", "Class1")
    assert "function1" in python(tmp_path, "import my_package as m; print(m.__all__)")


def test_a_name_in_place_of_an_import_is_no_export(tmp_path: Path) -> None:
    found = package(
        tmp_path,
        a="try:\n    import x\nexcept ImportError:\n    x = None\nTYPE_CHECKING = False\ny = 1",
    )
    assert run_exports(found).startswith("from .a import y\n")


def test_the_package_of_the_projects_name_is_the_one(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'My-Package'\n", "utf-8")
    found = package(tmp_path)
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "__init__.py").write_text("", "utf-8")
    assert list(sync_exports(tmp_path).exports) == [found]


def test_a_star_import_covers_its_module(tmp_path: Path) -> None:
    init = "from .module1 import *\nfrom .module2 import *\n__all__ = ['function1']\n"
    assert run_exports(package(tmp_path, init)) == init


def test_a_new_all_passes_on_what_a_star_import_brought(tmp_path: Path) -> None:
    init = "from .module1 import *\nfrom .sub import *\n"
    found = package(tmp_path, init, module1="import os\ndef one(): ...\n", module2="two = 2\n",
                    sub_S___init__="from .deep import deeper\n__all__ = ['deeper']\n",
                    sub_S_deep="def deeper(): ...\n")  # fmt: skip
    assert '__all__ = ["deeper", "one", "sub", "two"]' in run_exports(found)
    assert python(tmp_path, "from my_package import *; print(deeper, one, two)")


def test_what_one_branch_alone_defines_is_not_re_exported(tmp_path: Path) -> None:
    module = (
        "import sys\nif sys.platform == 'nowhere':\n    def there(): ...\n"
        "else:\n    def here(): ...\n"
        "if sys.maxsize > 1:\n    both = 1\nelse:\n    both = 2\n"
        "try:\n    surely = int('1')\nexcept ValueError:\n    raise\n"
        "for each in ():\n    looped = 1\n"
    )
    text = run_exports(package(tmp_path, "", m=module))
    assert text.startswith("from .m import both, surely\n")
    assert python(tmp_path, "from my_package import *; print(both)") == "1"


def test_what_one_branch_defines_stays_when_it_is_written(tmp_path: Path) -> None:
    found = package(tmp_path, "from .m import here\n", m="if 1:\n    def here(): ...\n")
    assert run_exports(found).startswith("from .m import here\n")


def test_a_name_exported_on_purpose_stays_while_its_module_has_it(tmp_path: Path) -> None:
    init = "from .module2 import other\n"
    assert run_exports(package(tmp_path, init)).startswith(
        "from .module2 import function2, other\n"
    )


def test_two_statements_for_one_module_keep_their_names(tmp_path: Path) -> None:
    init = (
        "from .module1 import Class1\nfrom .module2 import function2\n"
        "from .module1 import function1, gone\n"
    )
    text = run_exports(package(tmp_path, init))
    assert text.startswith(
        "from .module1 import LIMIT, Class1\nfrom .module2 import function2\n"
        "from .module1 import function1\n"
    )


def test_all_conflicts_are_reported_and_nothing_is_written(tmp_path: Path) -> None:
    found = package(tmp_path, a="def run(): ...\nx = 1", b="def run(): ...", c="a = x = 2")
    with pytest.raises(ProjectErrors) as caught:
        sync_exports(found)
    messages = [problem.message for problem in caught.value.problems]
    assert messages == [
        "'run' is defined by a.py and b.py: only one of them can be re-exported",
        "'x' is defined by a.py and c.py: only one of them can be re-exported",
        "'a' of c.py is also the name of the module a.py, which replaces it in the package as "
        "soon as it is imported",
    ]
    assert all(problem.hint for problem in caught.value.problems)
    assert (found / "__init__.py").read_bytes() == b""


def test_a_line_in_the_file_settles_a_conflict(tmp_path: Path) -> None:
    modules = {"a": "def run(): ...", "b": "def run(): ...\ndef walk(): ..."}
    found = package(tmp_path, "from .b import run\n", **modules)
    assert run_exports(found).startswith("from .b import run, walk\n\n__all__")


def test_a_name_borrowed_from_a_neighbour_is_no_conflict(tmp_path: Path) -> None:
    found = package(
        tmp_path, a="def run(): ...", b="from .a import run\n__all__ = ['run', 'walk']\nwalk = 1"
    )
    assert run_exports(found).startswith("from .a import run\nfrom .b import walk\n")


def test_a_subpackage_is_kept_too_and_named_by_its_parent(tmp_path: Path) -> None:
    found = package(tmp_path, a="one = 1", sub_S___init__="", sub_S_b="def two(): ...",
                    tests_S___init__="", tests_S_test_a="def test(): ...", _own_S___init__="",
                    _own_S_c="three = 3", __main__="x = 1", conftest="y = 1")  # fmt: skip
    assert (
        run_exports(found) == 'from . import sub\nfrom .a import one\n\n__all__ = ["one", "sub"]\n'
    )
    assert (found / "sub/__init__.py").read_text() == 'from .b import two\n\n__all__ = ["two"]\n'
    assert (found / "_own/__init__.py").read_text() == ""
    assert python(tmp_path, "import my_package; print(my_package.sub.two())") == "None"


def test_all_in_a_module_that_names_nothing_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ProjectErrors, match="`__all__` names 'gone'") as caught:
        sync_exports(package(tmp_path, a="__all__ = ['gone', 'x']\nx = 1"))
    assert caught.value.problems[0].where.endswith("a.py:1")


@pytest.mark.parametrize("init", ["__all__ = []\n__all__ += other.__all__\n", "__all__ = list()\n"])
def test_an_all_that_cannot_be_kept_is_reported(tmp_path: Path, init: str) -> None:
    found = package(tmp_path, init)
    with pytest.raises(TwofoldError, match="cannot be updated"):
        sync_exports(found)
    assert (found / "__init__.py").read_text() == init


def test_an_all_that_is_computed_is_reported(tmp_path: Path) -> None:
    found = package(tmp_path, module1="__all__ = [n for n in dir()]\nf = 1\n", module2="g = 1\n")
    (remark,) = sync_exports(found).remarks
    assert "the `__all__` of module1 is computed" in remark
    assert (found / "__init__.py").read_text() == 'from .module2 import g\n\n__all__ = ["g"]\n'


def test_mark_line_ends_tabs_and_foreign_letters_stay(tmp_path: Path) -> None:
    init = (
        '\ufeff# -*- coding: utf-8 -*-\r\n"""D\u00f6c."""\r\n'
        "import os  # kept\r\nif os:\r\n\tX = 1\r\n"
    )
    module = "def gr\u00f6\u00dfe():\r\n\treturn 1\r\n"
    found = package(tmp_path, init, m=module, stars="from .m import *\nY = 2\n")
    text = run_exports(found)
    added = text
    for line in init.splitlines(keepends=True):
        assert line in text
        added = added.replace(line, "", 1)
    assert text.startswith("\ufeff# -*-")
    assert "from .m import gr\u00f6\u00dfe\r\n" in added
    assert "\n" not in text.replace("\r\n", "")


def test_syntax_errors_and_undefined_exports_are_reported_together(tmp_path: Path) -> None:
    found = package(tmp_path, "", q="def f(:\n", r="x = (\n", w="__all__ = ['gone']\n")
    with pytest.raises(ProjectErrors) as caught:
        sync_exports(found)
    places = [problem.where.rpartition("/")[2] for problem in caught.value.problems]
    assert places == ["q.py:1", "r.py:1", "w.py:1"]


def test_a_syntax_error_is_reported_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(TwofoldError) as caught:
        sync_exports(package(tmp_path, a="x = 1\ndef f(:\n"))
    assert caught.value.problems[0].where.endswith("a.py:2")
    with pytest.raises(BadFile):
        raise BadFile(str(caught.value))


def test_the_coding_of_a_file_is_kept(tmp_path: Path) -> None:
    found = package(tmp_path)
    (found / "__init__.py").write_bytes("# coding: latin-1\ncafé = 'é'\n".encode("latin-1"))
    sync_exports(found)
    data = (found / "__init__.py").read_bytes()
    assert "café = 'é'".encode("latin-1") in data and b"from .module1" in data
    (found / "__init__.py").write_bytes(b"\xef\xbb\xbf'''Doc.'''\n")
    sync_exports(found)
    assert (found / "__init__.py").read_bytes().startswith(b"\xef\xbb\xbf'''Doc.'''\n\nfrom .mod")


def test_long_lists_are_broken_at_the_projects_line_length(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 40\n")
    text = run_exports(package(tmp_path, a="\n".join(f"name_{i} = {i}" for i in range(6))))
    assert "from .a import (\n    name_0,\n" in text and '__all__ = [\n    "name_0",\n' in text


def test_check_shows_the_difference_and_writes_nothing(
    tmp_path: Path, twofold: Callable[..., object]
) -> None:
    found = package(tmp_path / "src")
    ran = twofold("exports", "--check")
    assert ran.code == 1 and "+from .module1 import LIMIT, Class1, function1" in ran.out
    assert "hint: run 'twofold exports'" in ran.err
    assert (found / "__init__.py").read_text() == ""
    assert twofold("exports").code == 0
    again = twofold("exports", "--check", "--json")
    assert again.code == 0 and again.json["changes"] == []
    assert list(again.json["packages"].values()) == [["LIMIT", "Class1", "function1", "function2"]]


def test_a_folder_without_a_package_is_reported(twofold: Callable[..., object]) -> None:
    ran = twofold("exports")
    assert ran.code == 1 and "no package" in ran.err and "hint:" in ran.err


@pytest.mark.parametrize(
    ("lent", "lines"),
    [
        ("__version__ = '1'", "from . import __version__"),
        ("if True:\n    from .module1 import Class1", "from my_package import Class1"),
        ("Class1 = module1.Class1", "from . import Class1"),
    ],
)
def test_a_module_that_imports_from_its_package_comes_after_what_it_imports(
    lent: str, lines: str, tmp_path: Path
) -> None:
    init = f"from . import module1\n\nx = 1\n{lent}\n"
    modules = {**MODULES, "module3.py": f"{lines}\n\n\ndef function3() -> None: ...\n"}
    found = package(tmp_path, init, **{name[:-3]: text for name, text in modules.items()})
    run_exports(found)
    assert python(tmp_path, "import my_package as m; print(m.function3())") == "None"


def test_a_module_that_needs_an_extra_is_not_imported_for_everybody(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        "[project]\nname = 'pkg'\nversion = '1'\ndependencies = ['attrs']\n"
        "[project.optional-dependencies]\nfast = ['numpy>=1', 'PyYAML', 'attrs>=20']\n"
    )
    found = package(
        tmp_path / "pkg",
        "from .kept import K\n",
        direct="import numpy.linalg\ndef d(): ...\n",
        sibling="from .direct import d as e\ndef s(): ...\n",
        full="import yaml\ndef f(): ...\n",
        kept="import numpy\nK = 1\n",
        needed="import attr, os\ndef n(): ...\n",
        later="def x():\n    import numpy\n",
        maybe="try:\n    import yaml\nexcept ImportError:\n    yaml = None\ndef m(): ...\n",
        round="from .later import x\nfrom . import maybe\nR = 1\n",
    )
    result = sync_exports(tmp_path)
    (names,) = result.exports.values()
    assert set(names) == {"K", "n", "x", "m", "R"}, (found / "__init__.py").read_text()
    assert [remark.partition(": ")[2].partition(",")[0] for remark in result.remarks] == [
        "direct imports 'numpy'", "full imports 'yaml'", "sibling imports 'numpy'",
    ]  # fmt: skip
    sync_exports(tmp_path, is_lazy=True)
    assert "sibling" in (found / "__init__.py").read_text()
