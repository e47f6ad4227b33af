"""For every rule about a project: a sample in which it speaks, and one in which it does not.

A sample is (files, replacements in the good project's pyproject.toml).
"""

from __future__ import annotations

from hashlib import sha1

Sample = tuple[dict[str, "str | bytes | None"], dict[str, str]]

_DEPENDENCIES = "dependencies = []"
_KEY = (
    "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEowIBAAKCAQEAx4UbaDzY5xjW6hc9jwN0mX33XpTDVWqKl\n" * 3
)
_MODULES = '[tool.twofold]\nmodules = ["pkg", "{}"]\n[project]'
_README = {'readme = "README.md"': 'readme = "README.rst"'}


def code(text: str, **others: str) -> dict[str, str | bytes | None]:
    """`pkg/__init__.py` and, by keyword, modules beside it."""
    files: dict[str, str | bytes | None] = {"src/pkg/__init__.py": text}
    return files | {f"src/pkg/{name}.py": other for name, other in others.items()}


def toml(old: str, new: str) -> dict[str, str]:
    return {old: new}


def git_repository(*tracked: str) -> dict[str, str | bytes | None]:
    """A repository whose index has these files (gitformat-index, version 2)."""
    entries = b""
    for path in sorted(tracked):
        entry = bytes(24) + (0o100644).to_bytes(4) + bytes(12)
        entry += bytes.fromhex("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
        entry += len(path).to_bytes(2) + path.encode()
        entries += entry + bytes(8 - len(entry) % 8)
    index = b"DIRC" + (2).to_bytes(4) + len(tracked).to_bytes(4) + entries
    files: dict[str, str | bytes | None] = {".git/index": index + sha1(index).digest()}
    files[".git/HEAD"] = "ref: refs/heads/main\n"
    return files | {".git/objects/.keep": "", ".git/refs/.keep": ""}


#: Code -> (a sample in which it speaks, one in which it does not).
PROJECTS: dict[str, tuple[Sample, Sample]] = {
    "TF001": (({}, {"[project]": "[project"}), ({}, {})),
    "TF002": (
        ({}, {_DEPENDENCIES: "dependancies = []"}),
        ({}, {"[build-system]": '[tool.other]\ndependancies = ["x"]\n[build-system]'}),
    ),
    "TF003": (({}, {'name = "pkg"': 'name = "-pkg-"'}), ({}, {'name = "pkg"': 'name = "Pkg"'})),
    "TF004": (
        ({}, {'"1.0.0"': '"1.0.0-beta final"'}),
        ({}, {'"1.0.0"': '"1.0.0-beta.2"'}),
    ),
    "TF005": (
        ({}, {_DEPENDENCIES: 'dependencies = ["numpy>>1.24"]'}),
        (code("import numpy"), {_DEPENDENCIES: 'dependencies = ["numpy >= 1.24, !=2.0.*"]'}),
    ),
    "TF006": (({}, {'">=3.9"': '"3.9"'}), ({}, {'">=3.9"': '"~=3.9, !=3.10.*"'})),
    "TF007": (
        ({}, {'"MIT"': '"MITT"'}),
        ({}, {'"MIT"': '"mit or Apache-2.0"'}),
    ),
    "TF008": (
        ({}, {_DEPENDENCIES: '[project.scripts]\nrun = "pkg.cli"'}),
        (code("def main(): ..."), {_DEPENDENCIES: '[project.scripts]\nrun = "pkg:main"'}),
    ),
    "TF009": (({"README.md": None}, {}), ({"README.md": "Read me."}, {})),
    "TF010": (
        ({}, {'name = "pkg"': 'name = "other"'}),
        (
            {},
            {
                'name = "pkg"': 'name = "other"',
                "[project]": '[tool.twofold]\nmodules = ["pkg"]\n[project]',
            },
        ),
    ),
    "TF011": (
        ({}, {'description = "A sample"': "description = 5"}),
        ({}, {'description = "A sample"': 'description = "5"'}),
    ),
    "TF020": (
        ({}, {_DEPENDENCIES: 'classifiers = ["Programming Language :: Pythonn"]'}),
        ({}, {_DEPENDENCIES: 'classifiers = ["Programming Language :: Python"]'}),
    ),
    "TF021": (
        ({}, {_DEPENDENCIES: 'classifiers = ["Natural Language :: Ukranian"]'}),
        ({}, {_DEPENDENCIES: 'classifiers = ["Natural Language :: Ukrainian"]'}),
    ),
    "TF022": (
        ({}, {_DEPENDENCIES: 'dependencies = ["numpy @ https://example.org/numpy.whl"]'}),
        (
            {},
            {
                _DEPENDENCIES: 'dependencies = ["numpy @ https://example.org/numpy.whl"]\n'
                'classifiers = ["Private :: Do Not Upload"]'
            },
        ),
    ),
    "TF023": (({}, {'"1.0.0"': '"1.0.0+local"'}), ({}, {'"1.0.0"': '"1.0.0.post1"'})),
    "TF024": (({}, {'requires-python = ">=3.9"\n': ""}), ({}, {})),
    "TF025": (
        ({"LICENSE": None}, {'license = "MIT"\nlicense-files = ["LICENSE"]\n': ""}),
        ({}, {'license = "MIT"\n': ""}),
    ),
    "TF026": (({}, {'"A sample"': f'"{"long " * 110}"'}), ({}, {'"A sample"': f'"{"x" * 512}"'})),
    "TF027": (
        ({}, {_DEPENDENCIES: '[project.urls]\nHome = "example.org/pkg"'}),
        ({}, {_DEPENDENCIES: '[project.urls]\nHome = "https://example.org/pkg"'}),
    ),
    "TF028": (
        ({"src/logging/__init__.py": ""}, {'name = "pkg"': 'name = "logging"'}),
        ({"src/logging2/__init__.py": ""}, {'name = "pkg"': 'name = "logging2"'}),
    ),
    "TF029": (
        (
            {"README.rst": "Title\n=====\n\n.. code-block:: python\n   :nope: x\n\n   1\n\n`a\n"},
            _README,
        ),
        ({"README.rst": "Title\n=====\n\n.. code-block:: python\n\n   print(1)\n"}, _README),
    ),
    "TF031": (
        ({}, {_DEPENDENCIES: 'classifiers = ["License :: OSI Approved :: MIT License"]'}),
        ({}, {_DEPENDENCIES: 'classifiers = ["Programming Language :: Python"]'}),
    ),
    "TF030": (({}, {'readme = "README.md"\n': ""}), ({}, {})),
    "TF032": (
        ({}, {_DEPENDENCIES: 'import-names = ["pkg", "pkg.other"]'}),
        (code("", other=""), {_DEPENDENCIES: 'import-names = ["pkg", "pkg.other; private"]'}),
    ),
    "TF101": ((code("def f(:\n    pass\n"), {}), (code("def f():\n    pass\n"), {})),
    "TF102": (
        (code("def mian(): ..."), {_DEPENDENCIES: '[project.scripts]\nrun = "pkg:main"'}),
        (
            code("from .cli import *", cli="def main(): ..."),
            {_DEPENDENCIES: '[project.scripts]\nrun = "pkg:main"'},
        ),
    ),
    "TF103": ((code('__version__ = "1.0.1"'), {}), (code('__version__ = "1.0"'), {})),
    "TF104": (
        (code('__all__ = ["f", "g"]\ndef f(): ...'), {}),
        (code('__all__ = ["f", "sub"]\ndef f(): ...', sub=""), {}),
    ),
    "TF105": (
        (code("from .a import f, g", a="def f(): ..."), {}),
        (code("from .a import f, g", a="def f(): ...\ndef __getattr__(name): ..."), {}),
    ),
    "TF106": (
        (
            code(
                "from .a import f",
                a="from .b import g\ndef f(): ...",
                b="from .a import f\ndef g(): ...",
            ),
            {},
        ),
        (
            code(
                "from .a import f",
                a="def f(): ...\nfrom .b import g",
                b="from .a import f\ndef g(): ...",
            ),
            {},
        ),
    ),
    "TF107": (
        (
            code(
                "from .a import f",
                a="def f(): ...\nfrom .b import g",
                b="from .a import f\ndef g(): ...",
            ),
            {},
        ),
        (
            code(
                "from .a import f",
                a="def f():\n    from .b import g",
                b="from .a import f\ndef g(): ...",
            ),
            {},
        ),
    ),
    "TF108": (
        (code("match 1:\n    case 1:\n        pass\n"), {}),
        (code("match 1:\n    case 1:\n        pass\n"), {'">=3.9"': '">=3.10"'}),
    ),
    "TF109": (
        (code("import tomllib"), {}),
        (code("import sys\nif sys.version_info >= (3, 11):\n    import tomllib\n"), {}),
    ),
    "TF110": (
        (code("import telnetlib"), {}),
        (code("import telnetlib"), {'">=3.9"': '">=3.9,<3.13"'}),
    ),
    "TF111": (
        (code("import numpy"), {}),
        (code("try:\n    import numpy\nexcept ImportError:\n    numpy = None"), {}),
    ),
    "TF112": (
        ({}, {_DEPENDENCIES: 'dependencies = ["numpy"]'}),
        (code("import yaml"), {_DEPENDENCIES: 'dependencies = ["PyYAML"]'}),
    ),
    "TF113": (
        ({"src/random.py": "x = 1\n"}, toml("[project]", _MODULES.format("random"))),
        # A module that the oldest Python let in does not have yet, and one that none has any more.
        (
            {"src/tomllib.py": "x = 1\n", "src/imp.py": "x = 1\n"},
            toml("[project]", _MODULES.format('tomllib", "imp')),
        ),
    ),
    "TF205": (
        ({"src/tests/__init__.py": ""}, toml("[project]", _MODULES.format("tests"))),
        (code("", tests="x = 1"), {}),
    ),
    "TF206": (
        ({"src/pkg/_fast.cpython-311-x86_64-linux-gnu.so": b"\x7fELF"}, {}),
        ({"src/pkg/_fast.c": "int x;", "src/pkg/_fast.pyx": "x = 1"}, {}),
    ),
    "TF201": (
        ({"src/pkg/settings.txt": _KEY}, {}),
        (
            {"src/pkg/settings.txt": _KEY, "src/pkg/secrets.txt": "", "src/pkg/.env": ""},
            {"[project]": '[tool.twofold.check]\nallow = ["src/pkg/settings.txt"]\n[project]'},
        ),
    ),
    "TF202": (({"src/pkg/data.csv.orig": "1"}, {}), ({"src/pkg/data.csv": "1"}, {})),
    "TF207": (
        ({"src/pkg/Case.txt": "1", "src/pkg/case.txt": "2"}, {}),
        ({"src/pkg/Case.txt": "1", "src/pkg/other/case.txt": "2"}, {}),
    ),
    "TF203": (
        ({}, {"[project]": '[tool.twofold.wheel]\nexclude = ["src/pkg/**"]\n[project]'}),
        ({}, {"[project]": '[tool.twofold.wheel]\nexclude = ["src/pkg/data/**"]\n[project]'}),
    ),
    "TF204": (
        (
            {
                "setup.py": "from setuptools import setup\nsetup(packages=found())\n",
                "src/pkg/__init__.py": None,
            },
            {'"twofold_build"': '"setuptools.build_meta"'},
        ),
        (
            {"setup.py": "from setuptools import setup\nsetup(package_dir={'': 'src'})\n"},
            {'"twofold_build"': '"setuptools.build_meta"'},
        ),
    ),
    "TF208": (
        (code("def main(): ..."), {_DEPENDENCIES: '[project.scripts]\npip = "pkg:main"'}),
        (code("def main(): ..."), {_DEPENDENCIES: '[project.scripts]\npipx = "pkg:main"'}),
    ),
    "TF209": (
        ({"src/__init__.py": ""}, toml("[project]", _MODULES.format("__init__"))),
        ({"src/pkg/data.json": "{}"}, {}),
    ),
    "TF210": (
        (code(f"x = {'1 + ' * 99}1", other=f"x = {'1 + ' * 99}1"), {}),
        (code(f"x = {'1 + ' * 99}1", other=f"x = {'1 + ' * 99}2"), {}),
    ),
    "TF211": (
        ({"src/space/mod.py": "x = 1\n"}, toml("[project]", _MODULES.format("space.mod"))),
        ({"src/space/sub/__init__.py": ""}, toml("[project]", _MODULES.format("space.sub"))),
    ),
    "TF212": (
        ({".git/HEAD": "", ".gitignore": "ui/\n", "src/pkg/ui/app.js": "1"}, {}),
        (
            {
                ".git/HEAD": "",
                ".gitignore": "ui/\n*.so\n__pycache__/\n*.log\n",
                "src/pkg/ui/app.js": "1",
                "src/pkg/a.so": "1",
                "src/pkg/a.log": "1",
                "src/pkg/__pycache__/a.pyc": "1",
                "ui/app.js": "1",
            },
            {"[project]": '[tool.twofold]\ninclude = ["src/pkg/ui/**"]\n[project]'},
        ),
    ),
    "TF213": (
        (git_repository("docs/index.md") | {"docs/index.md": ""}, {}),
        (
            git_repository(
                ".pre-commit-config.yaml",
                "LICENSE",
                "README.md",
                "docs/index.md",
                "pyproject.toml",
                "src/pkg/__init__.py",
            )
            | {".pre-commit-config.yaml": "", "docs/index.md": ""},
            {"[project]": '[tool.twofold.sdist]\nexclude = ["docs/**"]\n[project]'},
        ),
    ),
    "TF301": (
        (code("import nobody_has_this"), {_DEPENDENCIES: 'dependencies = ["nobody-has-this"]'}),
        (
            code("import nobody_has_this, numpy"),
            {
                _DEPENDENCIES: 'dependencies = ["nobody-has-this", "numpy"]',
                "[project]": '[tool.twofold.conda.names]\nnobody-has-this = "nobody"\n[project]',
            },
        ),
    ),
    "TF302": (
        (code("import requests"), {_DEPENDENCIES: 'dependencies = ["requests[socks]"]'}),
        (
            code("import requests"),
            {_DEPENDENCIES: "dependencies = [\"requests; sys_platform == 'win32'\"]"},
        ),
    ),
    "TF303": (
        ({"meta.yaml": "package:\n  name: pkg\n  version: 0.9\n"}, {}),
        ({"meta.yaml": "package:\n  name: pkg\n  version: 1.0.0\n"}, {}),
    ),
}
