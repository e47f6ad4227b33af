"""The road of 'Creating Python Packages', command by command, with the clients unmodified.

Each client is pointed at the registry by its own environment variables or configuration, so
that the command lines are the document's own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.clients.installers import Clients

INIT = """\
from .module1 import function1, class1
from .module2 import function2, class2
"""
MODULE = """\
import numpy


def function{0}():
    return f"function {{numpy.sum([{0}])}}"


class class{0}:
    pass
"""
SETUP = """\
from setuptools import setup

setup(
    name="my_package",
    version="1.0.0",
    install_requires=["numpy"],
)
"""
RECIPE = """\
package:
  name: my_package
  version: 1.0.0

build:
  number: 0

requirements:
  build:
    - python
    - setuptools
    - wheel

  run:
    - numpy
"""
USE = "import my_package; print(my_package.function1(), my_package.class2.__name__)"
SAYS = "function 1 class2"


def test_every_command_of_the_document_works_in_its_order(clients: Clients, tmp_path: Path) -> None:
    """setup.py sdist bdist_wheel, twine upload, pip install, anaconda login, upload, install."""
    project = tmp_path / "project"
    (project / "my_package").mkdir(parents=True)
    package = project / "my_package"
    (package / "__init__.py").write_text(INIT, encoding="utf-8")
    (package / "module1.py").write_text(MODULE.format(1), encoding="utf-8")
    (package / "module2.py").write_text(MODULE.format(2), encoding="utf-8")
    (project / "setup.py").write_text(SETUP, encoding="utf-8")

    clients.run(sys.executable, "setup.py", "sdist", "bdist_wheel", cwd=project)
    built = sorted(path.name for path in (project / "dist").iterdir())
    assert built == ["my_package-1.0.0-py3-none-any.whl", "my_package-1.0.0.tar.gz"]

    clients.run("twine", "upload", *clients.glob(project, "dist/*"), cwd=project)

    python = clients.venv(tmp_path / "venv")
    clients.run(python, "-m", "pip", "install", "my_package", cwd=tmp_path)
    assert clients.run(python, "-c", USE, cwd=tmp_path).strip() == SAYS

    # The document's recipe, built by the command that stands for `conda build .`.
    (project / "meta.yaml").write_text(RECIPE, encoding="utf-8")
    clients.twofold("build", "--only", "tar.bz2", cwd=project)
    for_conda = project / "conda-bld" / "noarch" / "my_package-1.0.0-py_0.tar.bz2"
    assert for_conda.exists()

    clients.anaconda_login(cwd=tmp_path)
    clients.run("anaconda", "upload", for_conda, cwd=project)

    prefix = tmp_path / "conda-env"
    clients.conda_install("my_package", prefix)
    assert clients.run(clients.conda_python(prefix), "-c", USE, cwd=tmp_path).strip() == SAYS
