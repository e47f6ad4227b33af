"""The lazy form: what loads when, and what mypy makes of the stub."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from twofold.errors import ProjectErrors, TwofoldError
from twofold.exports import sync_exports

INIT = '''\
"""What it does."""

# why
import sys
from ._version import __version__

LEVEL = 3


def own(x: int = 1) -> str:
    """Its own."""
    return sys.version * x
'''


@pytest.fixture
def package(tmp_path: Path) -> Path:
    found = tmp_path / "my_package"
    for name, text in {
        "__init__.py": INIT,
        "_version.py": "__version__ = '1.0'\n",
        "module1.py": "print('loaded')\nclass Class1:\n    n: int = 1\n"
        "def function1() -> int:\n    return 1\n",
        "sub/__init__.py": "",
        "sub/deep.py": "def under() -> str:\n    return 'u'\n",
    }.items():
        (found / name).parent.mkdir(exist_ok=True, parents=True)
        (found / name).write_text(text, encoding="utf-8")
    return found


def python(folder: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def mypy(folder: Path, *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(folder / ".cache")]
    done = subprocess.run(
        [*command, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_a_module_is_loaded_when_its_name_is_first_used(package: Path) -> None:
    sync_exports(package, is_lazy=True)
    folder = package.parent
    assert python(folder, "import my_package as m; print(m.__version__, m.LEVEL)") == "1.0 3"
    assert (
        python(folder, "import my_package as m; m.function1; print(m.function1())") == "loaded\n1"
    )
    assert python(folder, "import my_package as m; print(m.sub.under())") == "u"
    assert python(folder, "from my_package import *; print(function1())") == "loaded\n1"
    assert "function1" in python(folder, "import my_package as m; print(dir(m))")
    output = python(
        folder, "import my_package as m\ntry: m.no\nexcept AttributeError as e: print(e)"
    )
    assert output == "module 'my_package' has no attribute 'no'"


def test_the_file_keeps_everything_else_and_twice_is_as_once(package: Path) -> None:
    sync_exports(package, is_lazy=True)
    text = (package / "__init__.py").read_text(encoding="utf-8")
    start, end = text.index("\n__all__ = "), text.index("\nLEVEL")
    block = text.index("\n# twofold exports --lazy")
    assert text[:start] + text[end:block] == INIT
    assert sync_exports(package, is_lazy=True).changes == ()
    assert sync_exports(package).changes == ()


def test_mypy_accepts_the_stub_and_knows_the_types(package: Path) -> None:
    sync_exports(package, is_lazy=True)
    folder = package.parent
    (folder / "use.py").write_text(
        "import my_package\nfrom my_package import Class1, own\n"
        "number: int = my_package.function1()\nother: int = Class1().n\n"
        "text: str = my_package.sub.under() + own(2) + my_package.__version__\n"
        "level: int = my_package.LEVEL\n",
        encoding="utf-8",
    )
    code, output = mypy(folder, "use.py", "my_package")
    assert code == 0, output
    (folder / "use.py").write_text("import my_package\nx: str = my_package.function1()\n")
    code, output = mypy(folder, "use.py")
    assert code == 1 and "Incompatible types" in output


def test_plain_exports_become_lazy_and_plain_again(package: Path) -> None:
    sync_exports(package)
    plain = (package / "__init__.py").read_bytes()
    sync_exports(package, is_lazy=True)
    assert (package / "__init__.pyi").is_file() and (package / "sub/__init__.pyi").is_file()
    assert b"from .module1" not in (package / "__init__.py").read_bytes()
    done = sync_exports(package, is_lazy=False)
    assert not (package / "__init__.pyi").exists()
    assert (package / "__init__.py").read_bytes() == plain
    assert {change.path.name for change in done.changes} == {"__init__.py", "__init__.pyi"}


def test_a_new_definition_reaches_table_all_and_stub(package: Path) -> None:
    sync_exports(package, is_lazy=True)
    (package / "module1.py").write_text("def fresh() -> None: ...\n", encoding="utf-8")
    sync_exports(package)
    text = (package / "__init__.py").read_text(encoding="utf-8")
    assert '"fresh": "module1:fresh"' in text and "Class1" not in text
    stub = (package / "__init__.pyi").read_text(encoding="utf-8")
    assert "from .module1 import fresh as fresh" in stub and "Class1" not in stub


def test_what_cannot_be_lazy_is_reported(package: Path) -> None:
    (package / "__init__.py").write_text("def __getattr__(name): ...\n", encoding="utf-8")
    (package / "module1.py").write_text("module1 = 1\n", encoding="utf-8")
    with pytest.raises(ProjectErrors) as caught:
        sync_exports(package, is_lazy=True)
    assert len(caught.value.problems) == 2


def test_a_stub_written_by_hand_is_not_overwritten(package: Path) -> None:
    (package / "__init__.pyi").write_text("x: int\n", encoding="utf-8")
    with pytest.raises(TwofoldError, match="a handwritten stub"):
        sync_exports(package, is_lazy=True)
    assert (package / "__init__.pyi").read_text(encoding="utf-8") == "x: int\n"


def test_an_incomplete_block_is_reported(package: Path) -> None:
    sync_exports(package, is_lazy=True)
    init = package / "__init__.py"
    init.write_text(init.read_text(encoding="utf-8").replace("... to here", ""), encoding="utf-8")
    with pytest.raises(TwofoldError, match="only one of the two lazy-export markers"):
        sync_exports(package)


@pytest.mark.parametrize("use", ["TITLE = Class1.__name__", "def own() -> str:\n    return Class1"])
def test_what_the_file_itself_uses_stays_imported(use: str, package: Path) -> None:
    init = package / "__init__.py"
    init.write_text(f"from .module1 import Class1\n\n{use}\n", encoding="utf-8")
    sync_exports(package, is_lazy=True)
    assert sync_exports(package).changes == ()
    assert init.read_text(encoding="utf-8").startswith("from .module1 import Class1\n")
    code = "import my_package as m; print(m.own() if 'own' in dir(m) else m.TITLE)"
    assert "Class1" in python(package.parent, code)


def test_a_module_named_as_a_type_does_no_harm(package: Path) -> None:
    (package / "list.py").write_text("def items() -> None: ...\n", encoding="utf-8")
    (package / "__init__.py").write_text("import my_package.list\n", encoding="utf-8")
    sync_exports(package, is_lazy=True)
    assert "items" in python(package.parent, "import my_package as m; print(dir(m))")
