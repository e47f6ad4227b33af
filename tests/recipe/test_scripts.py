"""Which scripts only install Python code, and which ask for the network."""

from __future__ import annotations

import pytest

from twofold.recipe.building.build_method import find_network_use, parse_python_install
from twofold.recipe.model import Line


def lines(text: str) -> tuple[Line, ...]:
    return tuple(
        Line(line.strip(), number, "build/script")
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip()
    )


@pytest.mark.parametrize(
    ("script", "folder"),
    [
        ("$PYTHON -m pip install . -vv", "."),
        ("python -m pip install --no-deps --ignore-installed .", "."),
        ("python3 -m pip install . --no-deps --no-build-isolation", "."),
        ("pip install .", "."),
        ("pip install ./python", "python"),
        ("$PYTHON -m pip install $SRC_DIR/sub/dir/ -vv --no-deps", "sub/dir"),
        ('"$PYTHON" -m pip --isolated install . --no-cache-dir', "."),
        ("${PYTHON} -m pip install . -vvv", "."),
        ("$PREFIX/bin/python -m pip install .", "."),
        ('"%PYTHON%" -m pip install . --no-deps\nif errorlevel 1 exit 1', "."),
        ('"%PYTHON%" -m pip install .\nif %ERRORLEVEL% neq 0 exit 1', "."),
        ("python setup.py install", "."),
        (
            "$PYTHON setup.py install --single-version-externally-managed --record=record.txt",
            ".",
        ),
        ("#!/bin/bash\nset -euxo pipefail\n\n$PYTHON -m pip install . \\\n  --no-deps", "."),
        ("cd $SRC_DIR && pip install .", "."),
        ("cd sub\npip install .", "sub"),
        ("cd python && $PYTHON -m pip install . -vv", "python"),
        ("cd $SRC_DIR/sub\npushd dir\npython setup.py install", "sub/dir"),
        ('cd /d "%SRC_DIR%\\python"\n"%PYTHON%" -m pip install .', "python"),
        ("cd python\npip install $SRC_DIR/other", "other"),
        ("set -e; pip install .; exit 0", "."),
        ("@echo off\nsetlocal\npython -m pip install .", "."),
    ],
)
def test_an_installing_script_is_recognised(script: str, folder: str) -> None:
    found = parse_python_install(lines(script))
    assert found is not None
    assert found.folder == folder
    assert find_network_use(lines(script), "meta.yaml") == []


@pytest.mark.parametrize(
    "script",
    [
        "make install",
        "pip install .\nmake install",
        "pip install .\npip install ./other",
        "pip install . --prefix=/somewhere",
        "pip install . --config-settings=a=b",
        "pip install ../elsewhere",
        "pip install ./a/../../b",
        "export A=1\npip install .",
        "python build.py",
        "python setup.py build_ext --inplace",
        "cd ../elsewhere && pip install .",
        "cd python && pip install ../other",
        "cd /somewhere && pip install .",
        "cd $HOME && pip install .",
        "for x in 1; do pip install .; done",
        "pip install .'",
        "",
    ],
)
def test_a_script_that_does_more_is_not(script: str) -> None:
    assert parse_python_install(lines(script)) is None


@pytest.mark.parametrize(
    "line",
    [
        "curl -LO https://example.invalid/x",
        "wget https://example.invalid/x",
        "git clone https://example.invalid/x",
        "pip install numpy",
        "python -m pip install 'numpy>=1.2' .",
        "pip install -r requirements.txt",
        "pip install git+https://example.invalid/x",
        "pip install https://example.invalid/x.whl",
        "pip download numpy",
        "conda install numpy",
        "npm install",
        "apt-get install gcc",
    ],
)
def test_a_script_that_uses_the_network_is_refused_with_its_line(line: str) -> None:
    (problem,) = find_network_use(lines(f"set -e\n{line}\necho done"), "meta.yaml")
    assert problem.where == "meta.yaml:2: build/script"
    assert "uses the network" in problem.message
    assert "source" in problem.hint


def test_a_comment_is_not_a_use_of_the_network() -> None:
    assert find_network_use(lines("# curl is not used\n$PYTHON -m pip install ."), "x") == []
