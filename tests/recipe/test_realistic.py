"""Recipes as conda-forge writes them: built, installed by py-rattler, their tests run by try."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.recipe.recipe_builder import Builder, copy_recipe, make_project, read_info
from twofold.building import build_project
from twofold.building.options import BuildRequest
from twofold.index.folder import index_folder
from twofold.install.conda import install_into_prefix

HEAD = """\
{% set name = "Sample" %}
{% set version = "1.0.0" %}

package:
  name: {{ name|lower }}
  version: {{ version }}

source:
  url: SERVER/{{ name[0]|lower }}/{{ name|lower }}-{{ version }}.tar.gz
  sha256: SHA256
"""

NOARCH = """
build:
  number: 0
  noarch: python
  entry_points:
    - sample-tool = sample:main
  script: {{ PYTHON }} -m pip install . -vv --no-deps --no-build-isolation

requirements:
  host:
    - python {{ python_min }}
    - pip
    - twofold-build
  run:
    - python >={{ python_min }}

test:
  imports:
    - sample
  commands:
    - pip check
    - sample-tool
  requires:
    - pip

about:
  home: https://example.org/{{ name }}
  summary: 'A sample: with a colon'
  license: MIT
  license_file: LICENSE
  doc_url: https://example.org/docs
  dev_url: https://example.org/code

extra:
  recipe-maintainers:
    - somebody
"""

SELECTORS = """
build:
  number: {{ environ.get('GO_PIPELINE_COUNTER', 2) }}
  skip: true  # [py<38 or s390x]
  script:
    - {{ PYTHON }} -m pip install . -vv  # [unix]
    - "%PYTHON% -m pip install . -vv"  # [win]

requirements:
  host:
    - python
    - pip
  run:
    - python
    - pywin32 >=300  # [win]
    - numpy >=1.20  # [linux and not ppc64le]

test:
  imports:
    - sample
    - winreg  # [win]
  commands:
    - sample-tool  # [not win]
    - python -c "import numpy"

about:
  license: MIT
  license_file:
    - LICENSE
"""

JINJA = """
{% set tools = [
    ("sample-tool", "main"),
    ("sample-again", "main"),
] %}
{%- set number = 4 %}
{% set number = number + 200 %}  {# as conda-forge counts variants #}
build:
  number: {{ number }}
  noarch: python
  entry_points:
{% for tool, function in tools %}
    - {{ tool }} = sample:{{ function }}
{% endfor %}

requirements:
  host:
    - python
    - pip
  run:
    - python >=3.9
{% if environ.get("WITH_NUMPY", "yes") == "yes" %}
    - {{ "numpy" ~ " " ~ ">=1.20,<{}".format(3) }}
{% endif %}

test:
  imports:
  {%- for module in ["sample"] %}
    - {{ module }}
  {%- endfor %}
  commands:
{%- for tool, _ in tools %}
    - {{ tool }}
{%- endfor %}
  requires:
    - pip >=20
about:
  summary: >
    A summary that goes
    over lines
  license: MIT
  license_file: LICENSE
"""

OUTPUTS = """
build:
  number: 1

requirements:
  host:
    - python
    - pip

outputs:
  - name: sample
    script: build_base.sh
    build:
      noarch: python
      entry_points:
        - sample-tool = sample:main
    requirements:
      host:
        - python >=3.9
        - pip
      run:
        - python >=3.9
  - name: sample-all
    build:
      noarch: generic
    requirements:
      run:
        - {{ pin_subpackage('sample', exact=True) }}
        - numpy
    test:
      commands:
        - sample-tool

test:  # of the output with the recipe's name
  imports:
    - sample
  commands:
    - sample-tool

about:
  license: MIT
  license_file: LICENSE
"""

LOADED = """
{% set data = load_file_data('pyproject.toml') %}
{% set project = data['project'] %}
build:
  noarch: python
  number: 0
  script: python -m pip install --no-deps --ignore-installed .
requirements:
  host: [python, pip]
  run:
    - python {{ project['requires-python'] }}
  run_constrained:
    - numpy >=1.20
test:
  source_files:
    - check
  imports:
    - sample
  commands:
    - python check/run.py
about:
  summary: {{ project.get('description') }}
  license: {{ project.get('license') }}
  license_file: LICENSE
"""

CASES = {
    "noarch": NOARCH,
    "selectors": SELECTORS,
    "jinja": JINJA,
    "outputs": OUTPUTS,
    "loaded": LOADED,
}


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_request(self, *_: object) -> None:
        return None


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The address of a server with the sample's sdist, and its sha256."""
    work = tmp_path_factory.mktemp("published")
    source = make_project(work / "source", dependencies="")
    (source / "check").mkdir()
    (source / "check" / "run.py").write_text("import sample\nsample.main()\n", encoding="utf-8")
    text = (source / "pyproject.toml").read_text(encoding="utf-8")
    more = '\n[tool.twofold.sdist]\ninclude = ["check/**"]\n'
    (source / "pyproject.toml").write_text(text + more, encoding="utf-8")
    (built,) = build_project(source, BuildRequest(("sdist",), work)).artifacts
    place = work / "files" / "s" / Path(built.path).name
    place.parent.mkdir(parents=True)
    Path(built.path).replace(place)
    handler = functools.partial(_Quiet, directory=str(work / "files"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    sha256 = hashlib.sha256(place.read_bytes()).hexdigest()
    yield f"http://127.0.0.1:{server.server_port}", sha256
    server.shutdown()
    server.server_close()


def written(folder: Path, case: str, published: tuple[str, str]) -> Path:
    """A feedstock's recipe folder."""
    if case == "document":
        return copy_recipe(folder, "document")
    address, sha256 = published
    place = folder / "recipe"
    place.mkdir()
    text = (HEAD + CASES[case]).replace("SERVER", address).replace("SHA256", sha256)
    if case == "loaded":  # its data are read before its source is fetched
        (place / "pyproject.toml").write_text(
            "[project]\nname = 'sample'\nrequires-python = '>=3.9'\nlicense = 'MIT'\n"
            "description = 'a sample'\n",
            encoding="utf-8",
        )
    if case == "outputs":
        command = "#!/bin/bash\nset -ex\n$PYTHON -m pip install . -vv --no-deps\n"
        (place / "build_base.sh").write_text(command, encoding="utf-8")
    (place / "meta.yaml").write_text(text, encoding="utf-8")
    return place


def test_what_such_recipes_say_is_in_the_packages(
    tmp_path: Path, published: tuple[str, str]
) -> None:
    found: dict[str, dict[str, Any]] = {}
    for case in CASES:
        (tmp_path / case).mkdir()
        for one in Builder()(written(tmp_path / case, case, published)).artifacts:
            found[f"{case}: {one.subdir}/{one.filename}"] = read_info(one.path)
    assert {name: index["depends"] for name, index in found.items()} == {
        "noarch: noarch/sample-1.0.0-py_0.conda": ["python >=3.10"],
        "selectors: linux-64/sample-1.0.0-py312_2.conda": [
            "python >=3.12,<3.13.0a0",
            "numpy >=1.20",
        ],
        "jinja: noarch/sample-1.0.0-py_204.conda": ["python >=3.9", "numpy >=1.20,<3"],
        "outputs: noarch/sample-1.0.0-py_1.conda": ["python >=3.9"],
        "outputs: noarch/sample-all-1.0.0-1.conda": ["sample 1.0.0 py_1", "numpy"],
        "loaded: noarch/sample-1.0.0-py_0.conda": ["python >=3.9"],
    }
    assert found["loaded: noarch/sample-1.0.0-py_0.conda"]["constrains"] == ["numpy >=1.20"]


@pytest.mark.slow
@pytest.mark.parametrize("case", ["document", *CASES])
def test_such_a_recipe_is_built_installed_and_its_tests_run(
    tmp_path: Path,
    case: str,
    published: tuple[str, str],
    offline: Path,
    twofold: Callable[..., Any],
) -> None:
    folder = written(tmp_path, case, published)
    built = twofold("build", "--only", "conda", cwd=folder)
    assert built.code == 0, built.err
    index_folder(offline)
    channel = folder / "conda-bld"
    packages = sorted(channel.glob("*/*.conda"))
    names = [package.name.rsplit("-", 2)[0] for package in packages]
    prefix = tmp_path / "env"
    installed = install_into_prefix(names, [channel, offline], prefix, cache=tmp_path / "cache")
    assert set(names) <= {one.name for one in installed}
    tried = twofold("try", *packages, "--channel", str(offline), "--only", "--json")
    assert tried.code == 0, tried.out
    for trial in tried.json:
        steps = [step["what"] for step in trial["steps"] if step["what"].startswith("run_test")]
        assert steps or case == "document", trial
