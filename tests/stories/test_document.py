"""The road of 'Creating Python Packages', command by command, with the clients unmodified.

Each client is pointed at the registry by its own environment variables or configuration, so
that the command lines are the document's own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.clients import Clients

MODULES = {
    "__init__.py": "from .module1 import function1, class1\nfrom .module2 import function2, class2\n",
    "module1.py": "def function1():\n    return 'one'\n\n\nclass class1:\n    pass\n",
    "module2.py": "def function2():\n    return 'two'\n\n\nclass class2:\n    pass\n",
}
SETUP = 'from setuptools import setup\n\nsetup(\n    name="my_package",\n    version="1.0.0",\n    packages=["my_package"],\n)\n'


def test_every_command_of_the_document_works_in_its_order(clients: Clients, tmp_path: Path) -> None:
    """setup.py sdist bdist_wheel, twine upload, pip install, anaconda login, upload, install."""
    project = tmp_path / "project"
    (project / "my_package").mkdir(parents=True)
    for name, text in MODULES.items():
        (project / "my_package" / name).write_text(text, encoding="utf-8")
    (project / "setup.py").write_text(SETUP, encoding="utf-8")

    clients.run(sys.executable, "setup.py", "sdist", "bdist_wheel", cwd=project)
    built = sorted(path.name for path in (project / "dist").iterdir())
    assert built == ["my_package-1.0.0-py3-none-any.whl", "my_package-1.0.0.tar.gz"]

    clients.run("twine", "upload", *clients.glob(project, "dist/*"), cwd=project)

    python = clients.venv(tmp_path / "venv")
    clients.run(python, "-m", "pip", "install", "my_package", cwd=tmp_path)
    use = "import my_package; print(my_package.function1(), my_package.class2.__name__)"
    assert clients.run(python, "-c", use, cwd=tmp_path).strip() == "one class2"

    # The document's `conda build .`, by the tool that replaces it.
    clients.run(sys.executable, "-m", "twofold", "build", "--only", "tar.bz2", cwd=project)
    package = project / "conda-bld" / "noarch" / "my_package-1.0.0-py_0.tar.bz2"
    assert package.exists()

    clients.anaconda_login(cwd=tmp_path)
    clients.run("anaconda", "upload", str(package), cwd=project)

    prefix = tmp_path / "conda-env"
    clients.conda_install("my_package", prefix)
    assert (
        clients.run(clients.conda_python(prefix), "-c", use, cwd=tmp_path).strip() == "one class2"
    )
