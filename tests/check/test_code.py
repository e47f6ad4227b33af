"""The finer points of the rules about code: what is judged, and what is left alone."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.check.samples import code
from twofold.check import check_project
from twofold.check.context import allowed_minors
from twofold.check.facts.model import from_json, to_json
from twofold.check.facts.parse import parse_facts
from twofold.check.facts.syntax import find_features
from twofold.check.stdlib_versions import BUILTINS, MODULES, NAMES, REMOVED

HERE = sys.version_info[1]


def codes(root: Path) -> list[str]:
    return [finding.code for finding in check_project(root)]


def severities(root: Path) -> dict[str, str]:
    return {finding.code: finding.severity for finding in check_project(root)}


@pytest.mark.parametrize(
    ("source", "minor"),
    [
        ("(x := 5)", 8),
        ("def f(a, /): ...", 8),
        ("@buttons[0].clicked\ndef f(): ...", 9),
        ("with (open('a') as a, open('b') as b):\n    pass", 9),
        ("with (\n    open('a') as a,\n):\n    pass", 9),
        ("match x:\n    case 1: ...", 10),
        ("def f(x: int | None): ...", 10),
        ("x = aiter(y)", 10),
        ("try: ...\nexcept* ValueError: ...", 11),
        ("a[*b]", 11),
        ("def f(*args: *Ts): ...", 11),
        ("raise ExceptionGroup('', [])", 11),
        pytest.param("type X = int", 12, marks=pytest.mark.skipif(HERE < 12, reason="needs 3.12")),
        pytest.param(
            "def f[T](x: T): ...", 12, marks=pytest.mark.skipif(HERE < 12, reason="needs 3.12")
        ),
        pytest.param("f'{'a'}'", 12, marks=pytest.mark.skipif(HERE < 12, reason="needs 3.12")),
        pytest.param(
            "class A[T = int]: ...", 13, marks=pytest.mark.skipif(HERE < 13, reason="needs 3.13")
        ),
        pytest.param(
            "try: ...\nexcept A, B: ...",
            14,
            marks=pytest.mark.skipif(HERE < 14, reason="needs 3.14"),
        ),
        pytest.param("t'{x}'", 14, marks=pytest.mark.skipif(HERE < 14, reason="needs 3.14")),
    ],
)
def test_a_newer_feature_is_recognised(source: str, minor: int) -> None:
    found = parse_facts(source.encode())
    assert found.mistake is None
    assert [feature[0] for feature in found.features] == [minor]


@pytest.mark.parametrize(
    "source",
    [
        "from __future__ import annotations\ndef f(x: int | None): ...",
        "def f(x: A | B): ...",  # classes may define | for themselves
        "with (open('a')) as a:\n    pass",
        "with open('a') as a, (open('b')) as b:\n    pass",
        "@app.route('/')\ndef f(): ...",
        "f'{a}' f\"{b}\" '''x'''",
        "try: ...\nexcept (A, B): ...",
        "x = {**a, 'b': [*c]}",
    ],
)
def test_what_python_3_7_reads_needs_nothing_newer(source: str) -> None:
    assert parse_facts(source.encode()).features == ()


def test_the_compilers_own_mistakes_are_found_too() -> None:
    found = parse_facts(b"x = 1\nreturn x\n").mistake
    assert found is not None
    assert found.line == 2


@pytest.mark.parametrize("source", [b"x = '\xff'", b"\x00", b"(" * 500, b"def f(a, a): ..."])
def test_no_bytes_make_the_reading_of_a_module_fail(source: bytes) -> None:
    assert parse_facts(source).mistake is not None


def test_facts_survive_the_cache() -> None:
    import json

    facts = parse_facts(Path(find_features.__code__.co_filename).read_bytes())
    assert from_json(json.loads(json.dumps(to_json(facts)))) == facts


def test_the_table_of_news_agrees_with_this_python() -> None:
    for (module, name), minor in NAMES.items():
        if MODULES.get(module, 0) > HERE or module == "unittest":
            continue
        assert hasattr(importlib.import_module(module), name) == (minor <= HERE), (module, name)
    for name, minor in BUILTINS.items():
        assert hasattr(importlib.import_module("builtins"), name) == (minor <= HERE), name


def test_the_modules_that_came_and_went_agree_with_this_python() -> None:
    for module, minor in MODULES.items():
        script = f"import {module}"
        ran = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
        assert (ran.returncode == 0) == (minor <= HERE), module
    there = sys.stdlib_module_names
    assert {m for m, minor in REMOVED.items() if minor <= HERE} & there == set()
    assert {m for m, minor in REMOVED.items() if minor > HERE} <= there


@pytest.mark.parametrize(
    ("specifier", "first", "last"),
    [
        (">=3.9", 9, 20),
        (">=3.9.1,<3.12", 9, 11),
        ("==3.11.*", 11, 11),
        ("~=3.10", 10, 20),
        (">=3", 0, 20),
    ],
)
def test_requires_python_is_read_as_minor_versions(specifier: str, first: int, last: int) -> None:
    minors = allowed_minors(specifier)
    assert (minors[0], minors[-1]) == (first, last)


def test_a_syntax_for_a_python_the_project_is_not_for_is_a_warning(
    project: Callable[..., Path],
) -> None:
    root = project(code("def f(:"), {'">=3.9"': '">=3.19"'})
    assert severities(root) == {"TF101": "warning"}


@pytest.mark.parametrize(
    ("written", "version", "found"),
    [
        ("1.0", "1.0.post1", {"TF103": "warning"}),
        ("1.0", "1.0.dev20261129", {"TF103": "warning"}),
        ("1.0rc1", "1.0rc1.post2", {"TF103": "warning"}),
        ("1!1.0", "1!1.0+local.1", {"TF103": "warning"}),
        ("1.0.post1", "1.0.post1+cpu", {"TF103": "warning"}),
        ("1.0", "1.0rc1", {"TF103": "error"}),
        ("1.0.post1", "1.0", {"TF103": "error"}),
        ("1.0+cpu", "1.0", {"TF103": "error"}),
        ("0.9", "1.0.post1", {"TF103": "error"}),
        ("1.1-1", "1.0.post1", {"TF103": "error"}),
        ("1.0-1", "1.0.post1", {}),
    ],
)
def test_a_release_packed_again_with_a_suffix_is_a_warning(
    project: Callable[..., Path], written: str, version: str, found: dict[str, str]
) -> None:
    root = project(code(f'__version__ = "{written}"'), {'"1.0.0"': f'"{version}"'})
    judged = severities(root)
    assert {name: judged[name] for name in judged if name == "TF103"} == found


@pytest.mark.parametrize(
    "source",
    [
        "__version__ = '0'\ndef f():\n    global __version__\n    __version__ = g()\nf()",
        "__version__ = '0'\n__version__ = g()",
        "__version__: str = '0'\nif g:\n    __version__ = g()",
        "__version__ = '0'\ntry:\n    from ._version import __version__\nexcept ImportError: ...",
        "__version__ = '0'\nfrom .a import v as __version__\n__all__ = ['__version__']",
        "__version__ = '0'\nfor __version__ in g: ...",
    ],
)
@pytest.mark.parametrize("further", ["", "x: int = 0; y = 1\n"])
def test_a_version_that_is_bound_again_is_not_judged(
    project: Callable[..., Path], source: str, further: str
) -> None:
    root = project(code(f"def g(): return '1.0.0'\n{source}\n{further}", a="v = 1"))
    assert "TF103" not in codes(root)


def test_versions_of_inner_packages_are_their_own(project: Callable[..., Path]) -> None:
    root = project({"src/pkg/client/_version.py": "__version__ = '0.0.1'\n"})
    assert "TF103" not in codes(root)
    root = project({"src/pkg/_version.py": "__version__ = '0.0.1'\n"}, name="other")
    assert "TF103" in codes(root)


@pytest.mark.parametrize(
    ("source", "needs", "found"),
    [
        ("import dataclasses", 'dataclasses; python_version < \\"3.7\\"', []),
        ("from contextvars import ContextVar", "contextvars>=2", []),
        ("import graphlib", "Graphlib_Backport", []),
        ("import graphlib", "dataclasses", ["TF109"]),
        ("import dataclasses", "data-classes", ["TF109"]),
    ],
)
def test_a_backport_brings_a_newer_module(
    project: Callable[..., Path], source: str, needs: str, found: list[str]
) -> None:
    toml = {'">=3.9"': '">=3.6"', "dependencies = []": f'dependencies = ["{needs}"]'}
    assert [one for one in codes(project(code(source), toml)) if one == "TF109"] == found


@pytest.mark.parametrize(
    ("path", "severity"),
    [
        ("src/pkg/contrib/django/models.py", "warning"),
        ("src/pkg/integrations/flask.py", "warning"),
        ("src/pydevd_plugins/extensions/pydevd_plugin_pkg.py", "warning"),
        ("src/pkg/contributors.py", "error"),
    ],
)
def test_optional_corners_of_a_package_without_imports_need_nothing(
    project: Callable[..., Path], path: str, severity: str
) -> None:
    both = 'dependencies = []\n[tool.twofold]\nmodules = ["pkg", "pydevd_plugins"]'
    toml = {"dependencies = []": both} if "pydevd" in path else {}
    root = project({path: "import flask\n"}, toml)
    assert severities(root)["TF111"] == severity


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import sys\nsys.meta_path.append(Finder())", False),
        ("import sys\nsys.path_hooks.append(find)\n__path__ = ['zipped']", False),
        ("import sys, json\nsys.modules[__name__ + '.a'] = json", False),
        ("import sys, json\nsys.modules.setdefault('pkg.extern.a', json)", False),
        ("__path__.insert(0, 'elsewhere')", False),
        ("import sys\nprint(sys.path, globals())", True),
    ],
)
def test_modules_that_a_package_makes_are_not_missing(
    project: Callable[..., Path], source: str, found: bool
) -> None:
    files = {"src/pkg/extern/__init__.py": source + "\n"}
    root = project({**code("from pkg.extern.a import b\nfrom .extern.a.c import d"), **files})
    assert ("TF105" in codes(root)) == found


@pytest.mark.skipif(HERE >= 12, reason="this Python reads it: then TF108 speaks")
@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("type X = int\n", "a type statement"),
        ("type Pair[T] = tuple[T, T]\n", "a type statement"),
        ("def first[T](x: list[T]) -> T: ...\n", "type parameters"),
        ("class Box[T]:\n    pass\n", "type parameters"),
        ('d = {}\nx = f"{d["a"]}"\n', "an f-string"),
        ("x = f'{'\\n'.join([])}'\n", "an f-string"),
        ("x = 1\ny = f'''{\n  x  # why\n}'''\n", "an f-string"),
        ("try: ...\nexcept ValueError, OSError:\n    pass\n", "several exceptions"),
        ("x = t'{y}'\n", "a template string"),
    ],
)
def test_syntax_newer_than_this_python_is_reported_as_such(
    source: str, what: str, project: Callable[..., Path]
) -> None:
    (older,) = check_project(project(code(source), name="older"))
    assert (older.code, older.severity) == ("TF101", "error")
    assert f"it looks like {what}" in older.message
    assert "requires-python allows 3.9" in older.message
    assert 'write requires-python = ">=3.1' in older.hint
    newer = {'">=3.9"': '">=3.14"'}
    (meant,) = check_project(project(code(source), newer, name="newer"))
    assert (meant.code, meant.severity) == ("TF101", "warning")
    assert "run twofold with Python >=3.14" in meant.hint
    unsaid = check_project(project(code(source), {'requires-python = ">=3.9"\n': ""}, "unsaid"))
    assert {(f.code, f.severity) for f in unsaid} == {("TF101", "warning"), ("TF024", "warning")}


@pytest.mark.parametrize(
    "source", ["x = (1\n", "type = \n", "def f(:\n", "x = f'{'\n", "t 'x'\n", "print 'x'\n"]
)
def test_a_plain_mistake_is_not_taken_for_newer_syntax(
    source: str, project: Callable[..., Path]
) -> None:
    (found,) = check_project(project(code(source)))
    assert found.message.startswith("syntax error: ")


@pytest.mark.parametrize(
    "source",
    [
        "globals().update(f=1)\n__all__ = ['f']",
        "from other import *\n__all__ = ['f']",
        "__all__ = ['f']\nfor name in 'f': exec(f'{name} = 1')",
        "from .a import *\n__all__ = ['f']",
        "try:\n    from fast import f\nexcept ImportError:\n    f = None\n__all__ = ['f']",
    ],
)
def test_names_that_cannot_be_read_or_come_from_elsewhere_are_left_alone(
    source: str, project: Callable[..., Path]
) -> None:
    assert "TF104" not in codes(project(code(source, a="f = 1\n_g = 2")))


def test_a_star_import_brings_only_what_the_other_module_offers(
    project: Callable[..., Path],
) -> None:
    root = project(code("from .a import *\n__all__ = ['f', '_g']", a="f = 1\n_g = 2"))
    assert [f.message for f in check_project(root)] == [
        "__all__ names '_g', which the module does not have"
    ]


def test_a_module_that_git_ignores_is_named_with_its_remedy(project: Callable[..., Path]) -> None:
    root = project(code("from ._version import version", _version="version = '1'"))
    (root / ".git").mkdir()
    (root / ".gitignore").write_text("_version.py\n")
    found = [finding for finding in check_project(root) if finding.code == "TF105"]
    assert "left out of the package" in found[0].message
    assert "[tool.twofold] include" in found[0].hint


def test_imports_in_functions_and_under_conditions_are_judged_mildly(
    project: Callable[..., Path],
) -> None:
    source = (
        "import sys\ndef f():\n    from .gone import x\nif sys.argv:\n    from .away import y\n"
    )
    assert severities(project(code(source))) == {"TF105": "warning"}


@pytest.mark.parametrize(
    "source",
    [
        "if TYPE_CHECKING:\n    from numbers import _IntegralLike as I\n__all__ = ['I']",
        "if TYPE_CHECKING:\n    I = int\n__all__ = ['I', 'TYPE_CHECKING']",
    ],
)
def test_a_name_in_all_that_only_type_checkers_see_is_a_warning(
    project: Callable[..., Path], source: str
) -> None:
    root = project(code(f"from typing import TYPE_CHECKING\n{source}"))
    assert severities(root) == {"TF104": "warning"}


def test_a_version_of_the_project_whose_place_it_takes_is_a_warning(
    project: Callable[..., Path],
) -> None:
    source = "VERSION_STRING = '1.0.0'\n__version__ = '2.2.8'"
    assert severities(project(code(source))) == {"TF103": "warning"}
    assert severities(project(code("__version__ = '2.2.8'"), name="other")) == {"TF103": "error"}


def test_an_import_of_what_only_type_checkers_see_is_a_warning(
    project: Callable[..., Path],
) -> None:
    """A module for type checkers alone may have it, and never runs (meson)."""
    target = "import typing\nif typing.TYPE_CHECKING:\n    T = int"
    root = project(code("", for_types="from .a import T", a=target))
    assert severities(root) == {"TF105": "warning"}


@pytest.mark.parametrize(
    ("line", "files", "message"),
    [
        ("from .a import Missing", {"a": "def f(): ..."}, "pkg.a has no 'Missing'"),
        ("from .gone import x", {}, "there is no module pkg.gone in the package"),
        ("from .a import f", {"a": "def f(): ..."}, ""),
        (
            "from .a import T",
            {"a": "import typing\nif typing.TYPE_CHECKING:\n from .b import T"},
            "",
        ),
        (
            "from .a import T",
            {"a": "from typing import TYPE_CHECKING\nif TYPE_CHECKING: T = 1"},
            "",
        ),
        ("from .a import T", {"a": "", "a.pyi": ""}, ""),
        ("from ._types import T", {"_types.pyi": ""}, ""),
    ],
)
def test_names_that_type_checkers_will_miss_are_a_warning(
    project: Callable[..., Path], line: str, files: dict[str, str], message: str
) -> None:
    source = f"from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    {line}\n"
    more = {f"src/pkg/{n if '.' in n else f'{n}.py'}": text + "\n" for n, text in files.items()}
    root = project({**code(source), "src/pkg/b.py": "class T: ...\n", **more})
    found = [finding for finding in check_project(root) if finding.code == "TF105"]
    assert [(f.severity, f.message, f.where) for f in found] == (
        [("warning", message, "src/pkg/__init__.py:3")] if message else []
    )


def test_a_cycle_that_works_in_one_order_is_a_warning(project: Callable[..., Path]) -> None:
    files = code("", a="from .b import g\ndef f(): ...", b="def g(): ...\nfrom .a import f")
    root = project(files)
    found = {finding.code: finding.severity for finding in check_project(root)}
    assert found == {"TF106": "warning"}
    ran = subprocess.run(
        [sys.executable, "-c", "import pkg.b"], cwd=root / "src", capture_output=True, check=False
    )
    assert ran.returncode == 0


@pytest.mark.parametrize(
    "files",
    [
        code(
            "from .a import f",
            a="from .b import g\ndef f(): ...",
            b="from .a import f\ndef g(): ...",
        ),
        code("from . import a\nX = 1", a="from pkg import X"),
        code("from .a import f\nX = 1", a="from . import X\nf = X"),
        code("from .a import f", a="from . import b\nf = 1", b="from pkg.a import f"),
        code("from . import a, b", a="from .b import g\nf = 1", b="from .a import f\ng = 1"),
        code(
            "import pkg.a",
            a="from .b import y\nx = 1",
            b="import pkg.a\nfrom pkg.a import x\ny = x",
        ),
    ],
)
def test_an_error_about_a_cycle_is_one_that_python_raises(
    files: dict[str, str | bytes | None], project: Callable[..., Path]
) -> None:
    root = project(files)
    assert "TF106" in [finding.code for finding in check_project(root) if finding.is_error]
    ran = subprocess.run(
        [sys.executable, "-c", "import pkg"], cwd=root / "src", capture_output=True, check=False
    )
    assert b"ImportError" in ran.stderr


@pytest.mark.parametrize(
    "files",
    [
        code("X = 1\nfrom . import a", a="from pkg import X"),
        code("from . import a", a="from . import b", b="from . import a"),
        code("from .a import f", a="import pkg.b\nf = 1", b="import pkg.a"),
        code("from .a import f\nfrom .b import g", a="f = 1", b="from .a import f\ng = 1"),
        code(
            "from .a import f", a="f = 1\ndef later():\n    from .b import g", b="from .a import f"
        ),
    ],
)
def test_a_cycle_that_python_imports_is_no_error(
    files: dict[str, str | bytes | None], project: Callable[..., Path]
) -> None:
    root = project(files)
    assert "TF106" not in codes(root)
    script = "import pkg, pkg.a"
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=root / "src", capture_output=True, check=False
    )
    assert ran.returncode == 0


@pytest.mark.parametrize(
    "test", ["MYPY", "pkg.b.MYPY_CHECK_RUNNING", "False", "0", "t.TYPE_CHECKING"]
)
def test_imports_that_only_type_checkers_see_make_no_cycle(
    project: Callable[..., Path], test: str
) -> None:
    inner = f"if {test}:\n    from pkg.a import f\n    import nobody_has_it\ng = 1\n"
    root = project(code("from .a import f", a="from .b import g\nf = 1", b=inner))
    assert codes(root) == []


def test_a_missing_dependency_is_an_error_only_where_it_surely_fails(
    project: Callable[..., Path],
) -> None:
    sure = project(code("import numpy"), name="sure")
    assert severities(sure) == {"TF111": "error"}
    optional = project(code("from .a import f", a="f = 1", plots="import numpy"), name="optional")
    assert severities(optional) == {"TF111": "warning"}
    through_modules = project(code("", plots="import numpy"), name="through")
    assert severities(through_modules) == {"TF111": "error"}
    unknown = project(
        code("import numpy, nobody_has_this"),
        {"dependencies = []": 'dependencies = ["nobody-has-this"]'},
        name="unknown",
    )
    assert severities(unknown) == {"TF111": "warning", "TF301": "warning"}


@pytest.mark.parametrize(
    ("needs", "severity"),
    [
        ("jinja2", "warning"),  # which requires markupsafe
        ("pandas", "warning"),  # which is not installed here: it may require anything
        ("packaging", "error"),  # which requires nothing
    ],
)
def test_what_another_dependency_may_bring_is_a_warning(
    project: Callable[..., Path], needs: str, severity: str
) -> None:
    root = project(code("import markupsafe"), {"dependencies = []": f'dependencies = ["{needs}"]'})
    assert severities(root)["TF111"] == severity


def test_a_dependency_that_no_table_has_is_unused_beside_relative_imports(
    project: Callable[..., Path],
) -> None:
    files = code("from . import module1", module1="x = 1")
    root = project(files, {"dependencies = []": 'dependencies = ["nobody-has-this"]'})
    assert "TF112" in codes(root)


@pytest.mark.parametrize(
    ("requirement", "source"),
    [
        ("PyYAML", "import yaml"),
        ("scikit-learn", "from sklearn import svm"),
        ("pillow", "from PIL import Image"),
        ("beautifulsoup4", "import bs4"),
        ("python-dateutil", "import dateutil"),
        ("opencv-python", "import cv2"),
        ("attrs", "import attr"),
        ("attrs", "import attrs"),
        ("google-cloud-storage", "from google.cloud import storage"),
        ("google-genai", "from google import genai"),
        ("opencv-contrib-python-headless", "import cv2"),
        ("tensorflow-cpu", "import tensorflow.keras"),
        ("z3-solver", "import z3"),
        ("tables", "import tables"),
        ("zope.unknown-part", "import zope.unknown_part.x"),
    ],
)
def test_well_known_projects_are_found_under_their_import_names(
    requirement: str, source: str, project: Callable[..., Path]
) -> None:
    root = project(code(source), {"dependencies = []": f'dependencies = ["{requirement}"]'})
    assert [c for c in codes(root) if c in ("TF111", "TF112")] == []


@pytest.mark.parametrize(
    ("module", "hint"),
    [
        ("numpy", 'add "numpy" to'),
        ("z3", 'add "z3-solver" to'),
        ("nobody_has_it", "add the project"),
    ],
)
def test_the_hint_names_only_projects_that_are_known(
    module: str, hint: str, project: Callable[..., Path]
) -> None:
    findings = check_project(project(code(f"import {module}"), {}))
    assert [hint in found.hint for found in findings if found.code == "TF111"] == [True]


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    ExceptionGroup\nexcept NameError:\n    ExceptionGroup = None",
        "if older:\n    from exceptiongroup import ExceptionGroup\nclass A(ExceptionGroup): ...",
        "x = a[(*b, 1)]",
    ],
)
def test_what_is_guarded_or_only_looks_new_needs_nothing_newer(source: str) -> None:
    assert parse_facts(source.encode()).features == ()


@pytest.mark.parametrize(
    "source",
    [
        "__all__ = ['f']\ndef load():\n    global f\n    f = 1\nload()",
        "__all__ = ['f']\ndef f(): ...\nif not f:\n    del f",
        "from .sub import *\n__all__ = ['inner']",
    ],
)
def test_names_made_in_rare_ways_are_known(source: str, project: Callable[..., Path]) -> None:
    files = {"src/pkg/sub/__init__.py": "from . import inner", "src/pkg/sub/inner.py": ""}
    assert codes(project({**code(source), **files})) == []


def test_what_runs_only_as_a_program_makes_no_cycle(project: Callable[..., Path]) -> None:
    main = "if __name__ == '__main__':\n    from .b import g\n    g()\n"
    files = code("from .a import f", a=f"{main}def f(): ...", b="from .a import f\ndef g(): ...")
    assert codes(project(files)) == []


def test_a_folder_without_init_is_no_stumbling_block(project: Callable[..., Path]) -> None:
    files = {
        "src/pkg/space/inner.py": "from pkg.space import other\n",
        "src/pkg/space/other.py": "",
    }
    root = project({**code("from .space.inner import other\nfrom pkg.space import inner"), **files})
    assert codes(root) == []


@pytest.mark.parametrize("line", ["from pkg.__init__ import f", "from .__init__ import f"])
def test_a_package_may_be_imported_by_the_name_of_its_own_file(
    line: str, project: Callable[..., Path]
) -> None:
    assert codes(project(code("def f(): ...\n", mod=f"{line}\n"), {})) == []
    wrong = line.replace("import f", "import g")
    assert codes(project(code("def f(): ...\n", mod=f"{wrong}\n"), {})) == ["TF105"]
    nowhere = line.replace("__init__", "mod.__init__")
    assert codes(project(code("def f(): ...\n", mod=f"{nowhere}\n"), {})) == ["TF105"]
