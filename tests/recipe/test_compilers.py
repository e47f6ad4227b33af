"""Recipes with compilers and pins, built for real: the compiler is the system's, as a package."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.recipe.recipe_builder import Builder, build_wheel, make_project, read_info, read_members
from twofold.conda_metadata import CondaPackage
from twofold.convert import convert_wheel
from twofold.errors import SubprocessFailed
from twofold.formats.conda_writer import CondaWriter
from twofold.index.folder import index_folder
from twofold.recipe.request import Platform
from twofold_build.archive import Content, Entry

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or Platform.current().subdir != "linux-64" or not shutil.which("cc"),
    reason="needs the system's C compiler, as a package for linux-64",
)

ACTIVATE = 'export CC="$CONDA_PREFIX/bin/x86_64-conda-linux-gnu-cc"\nexport ACTIVATED=yes\n'


def put(channel: Path, package: CondaPackage, files: dict[str, str]) -> None:
    target = channel / package.subdir / f"{package.stem}.conda"
    target.parent.mkdir(parents=True, exist_ok=True)
    writer = CondaWriter(target, package)
    for path, text in sorted(files.items()):
        data = text.encode()
        entry = Entry(path, executable=path.startswith("bin/"))
        writer.add(entry, Content(data, hashlib.sha256(data).digest()))
    writer.close()


def package(name: str, version: str, exports: dict[str, list[str]] | None = None) -> CondaPackage:
    info_files = {"run_exports.json": json.dumps(exports).encode()} if exports else {}
    return CondaPackage(
        name, version, build="0", subdir="linux-64", noarch=None, info_files=info_files
    )


@pytest.fixture(scope="module")
def toolchain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel with what compiler('c'), stdlib('c') and cdt('x') stand for, and two libraries."""
    channel = tmp_path_factory.mktemp("toolchain")
    compiler = package("gcc_linux-64", "13.2.0", {"strong": ["libgcc >=13"]})
    wrapper = f'#!/bin/sh\nexec {shutil.which("cc")} "$@"\n'
    put(
        channel,
        compiler,
        {
            "bin/x86_64-conda-linux-gnu-cc": wrapper,
            "etc/conda/activate.d/activate-gcc.sh": ACTIVATE,
        },
    )
    put(channel, package("libgcc", "13.2.0"), {"lib/libgcc.txt": ""})
    sysroot = package("sysroot_linux-64", "2.17", {"strong": ["__glibc >=2.17,<3.0.a0"]})
    put(channel, sysroot, {"share/sysroot.txt": ""})
    put(channel, package("mesa-libgl-devel-cos6-x86_64", "1.0"), {"share/cdt.txt": ""})
    numlib = package("numlib", "1.26.4", {"weak": ["numlib >=1.19,<2"]})
    put(channel, numlib, {"include/numlib.h": "#define ANSWER 42\n"})
    zlib = package("zlib-like", "1.3.1", {"weak": ["libzlib-like >=1.3.1,<2.0a0"]})
    put(channel, zlib, {"include/zl.h": ""})
    put(channel, package("libzlib-like", "1.3.1"), {"lib/z.txt": ""})
    index_folder(channel)
    return channel


RECIPE = """\
{% set version = "2.5.1" %}
package:
  name: libanswer-split
  version: {{ version }}
source:
  path: code
build:
  number: 3
requirements:
  build:
    - {{ compiler('c') }}
    - {{ stdlib('c') }}
    - {{ cdt('mesa-libgl-devel') }}
outputs:
  - name: libanswer
    script: build-lib.sh
    build:
      run_exports:
        - {{ pin_subpackage('libanswer', max_pin='x.x') }}
    requirements:
      build:
        - {{ compiler('c') }}
        - {{ stdlib('c') }}
        - {{ cdt('mesa-libgl-devel') }}
      host:
        - numlib
        - zlib-like
      run:
        - {{ pin_compatible('numlib', max_pin='x.x') }}
    test:
      commands:
        - test -f $PREFIX/lib/libanswer.so
  - name: answer-tools
    build:
      noarch: generic
    requirements:
      run:
        - {{ pin_subpackage('libanswer', exact=True) }}
"""
SCRIPT = """\
set -eu
test "$ACTIVATED" = yes
mkdir -p "$PREFIX/lib" "$PREFIX/bin"
$CC -I"$PREFIX/include" -shared -fPIC -o "$PREFIX/lib/libanswer.so" answer.c
"""


def test_compilers_and_pins_give_the_requirements_they_stand_for(
    tmp_path: Path, toolchain: Path
) -> None:
    (tmp_path / "code").mkdir()
    code = '#include "numlib.h"\nint answer(void) { return ANSWER; }\n'
    (tmp_path / "code" / "answer.c").write_text(code, encoding="utf-8")
    (tmp_path / "build-lib.sh").write_text(SCRIPT, encoding="utf-8")
    build = Builder(platform=Platform.current())
    made = {one.name: one for one in build(tmp_path, RECIPE, channels=(str(toolchain),)).artifacts}
    library = made["libanswer"]
    assert (library.version, library.build_number, library.subdir) == ("2.5.1", 3, "linux-64")
    assert sorted(library.depends) == [
        "__glibc >=2.17,<3.0.a0",
        "libgcc >=13",
        "libzlib-like >=1.3.1,<2.0a0",
        "numlib >=1.19,<2",
        "numlib >=1.26.4,<1.27.0a0",
    ]
    files = read_members(library.path)
    assert files["lib/libanswer.so"].startswith(b"\x7fELF")
    assert read_info(library.path, "run_exports") == {"weak": ["libanswer >=2.5.1,<2.6.0a0"]}
    assert list(made["answer-tools"].depends) == [f"libanswer ==2.5.1 {library.build}"]


EXTENSION = """\
package:
  name: fastsum
  version: 1.0.0
source:
  path: project
build:
  script: {{ PYTHON }} -m pip install . -vv --no-deps --no-build-isolation
requirements:
  build:
    - {{ compiler('c') }}
  host:
    - python
    - pip
    - setuptools
  run:
    - python
test:
  imports:
    - fastsum
"""
MODULE = """\
#include <Python.h>
static PyObject *total(PyObject *self, PyObject *args) {
    long a, b;
    if (!PyArg_ParseTuple(args, "ll", &a, &b)) return NULL;
    return PyLong_FromLong(a + b);
}
static PyMethodDef methods[] = {{"total", total, METH_VARARGS, ""}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fastsum", "", -1, methods};
PyMODINIT_FUNC PyInit_fastsum(void) { return PyModule_Create(&module); }
"""


@pytest.mark.slow
def test_a_c_extension_is_compiled_installed_and_tried(
    tmp_path: Path, toolchain: Path, offline: Path, twofold: object
) -> None:
    """The whole of it: compiler, host Python, setuptools, then `twofold try`."""
    channel = tmp_path / "channel"
    wheels = tmp_path / "wheels"
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(wheels)]
    subprocess.run([*command, "setuptools"], check=True, timeout=300)
    convert_wheel(next(wheels.iterdir()), channel)
    index_folder(channel)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "fastsum.c").write_text(MODULE, encoding="utf-8")
    (folder / "setup.py").write_text(
        "from setuptools import Extension, setup\n"
        "extension = Extension('fastsum', ['fastsum.c'])\n"
        "setup(name='fastsum', version='1.0.0', ext_modules=[extension])\n",
        encoding="utf-8",
    )
    here = Platform.current()
    channels = [str(toolchain), str(offline), str(channel)]
    build = Builder(platform=here)
    (artifact,) = build(tmp_path, EXTENSION, channels=tuple(channels)).artifacts
    assert artifact.subdir == "linux-64"
    assert "libgcc >=13" in artifact.depends
    words = [word for one in channels for word in ("--channel", one)]
    tried = twofold("try", artifact.path, "--only", *words)  # type: ignore[operator]
    assert tried.code == 0, tried.out + tried.err
    assert "ok   import fastsum" in tried.out


def test_compiled_code_with_a_library_in_its_host_is_built_where_its_exports_are_known(
    tmp_path: Path, toolchain: Path
) -> None:
    """Without compiler() only the wheel tells; what `numlib` exports, only a host environment."""
    folder = make_project(tmp_path / "project")
    text = "package: {name: sample, version: 1.0.0}\nsource: {path: project}\n" + (
        "build: {script: python -m pip install .}\nrequirements: {host: [python, numlib, pip]}\n"
    )
    wheel = tmp_path / "sample-1.0.0-cp312-cp312-linux_x86_64.whl"
    with zipfile.ZipFile(build_wheel(folder, tmp_path)) as pure, zipfile.ZipFile(wheel, "w") as own:
        for name in pure.namelist():
            data = pure.read(name)
            if name.endswith("/WHEEL"):
                data = data.replace(b"py3-none-any", b"cp312-cp312-linux_x86_64")
            if not name.endswith("/RECORD"):
                own.writestr(name, data)
        own.writestr("sample-1.0.0.dist-info/RECORD", "")
    build = Builder(platform=Platform.current())
    with pytest.raises(
        SubprocessFailed, match="could not build sample"
    ):  # no python in that channel
        build(tmp_path, text, build_wheel=lambda *_: wheel, channels=(str(toolchain),))
    assert (
        "meta.yaml: the project holds compiled code, and numlib of its host may export "
        "requirements to it"
    ) in build.messages
    assert not list(tmp_path.rglob("conda-bld/**/*.conda"))
