"""meta.yaml is read as its author meant it, and every mistake is reported with its key and line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.recipe.recipe_builder import Builder
from tests.recipe.summary import read_for_linux, summarize
from twofold.errors import ProjectErrors, TwofoldError
from twofold.formats.conda_reader import open_part
from twofold.recipe.read.jinja_modules import ReadContext
from twofold.recipe.read.meta_yaml import find_roots, read_recipe
from twofold.recipe.request import Environ, Platform

RECIPES = Path(__file__).parent / "recipes"
CASES = sorted(path.parent.name for path in RECIPES.glob("*/meta.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_a_recipe_is_read_as_expected(case: str) -> None:
    folder = RECIPES / case
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    assert summarize(read_for_linux(folder / "meta.yaml", OTHER_VERSION="7.*")) == expected


def test_the_same_recipe_is_read_differently_on_windows() -> None:
    path = RECIPES / "selectors" / "meta.yaml"
    around = ReadContext(
        path.parent, find_roots(path), Platform("win-64", "3.10"), Environ({"FEATURE": "on"})
    )
    (output,) = read_recipe(path, around).outputs
    assert [line.text for line in output.requirements.run] == [
        "python",
        "colorama",
        "pyreadline3",
        "backports.x",
        "special",
    ]
    assert [line.text for line in output.build.script] == ["%PYTHON% -m pip install . --no-deps"]
    old = ReadContext(path.parent, find_roots(path), Platform("win-64", "3.8"), Environ({}))
    assert read_recipe(path, old).outputs[0].build.skip


def mistakes(folder: Path, text: str) -> list[tuple[str, str]]:
    """(where, message) of everything wrong in a recipe."""
    path = folder / "meta.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TwofoldError) as caught:
        read_for_linux(path)
    return [(problem.where, problem.message) for problem in caught.value.problems]


def test_all_mistakes_are_reported_together_with_key_and_line(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        """\
{% set version = "1-0" %}
package:
  name: My Package
  version: {{ version }}

soruce:
  path: .
build:
  number: one
  noarch: pyhton
  entrypoints:
    - a = b:c
  entry_points:
    - broken
{% if linux %}
  string: "a-b"
{% endif %}
  skip: maybe
requirements:
  host:
    - python
  run:
    - numpy  # [linux]
    - "== 1"
    - requests; python_version < "3"
    - [nested]
source:
  url: https://example.invalid/x.tar.gz
  sha256: abc
test:
  script: x
""",
    )
    assert [where for where, _ in found] == [
        "meta.yaml:3: package/name",
        "meta.yaml:4: package/version",
        "meta.yaml:7: soruce",
        "meta.yaml:9: build/number",
        "meta.yaml:10: build/noarch",
        "meta.yaml:12: build/entrypoints",
        "meta.yaml:14: build/entry_points",
        "meta.yaml:16: build/string",
        "meta.yaml:18: build/skip",
        "meta.yaml:24: requirements/run",
        "meta.yaml:25: requirements/run",
        "meta.yaml:26: requirements/run",
        "meta.yaml:29: source/sha256",
        "meta.yaml:31: test/script",
    ]


@pytest.mark.parametrize(
    ("text", "where", "expected"),
    [
        ("", "meta.yaml:1: package", "no name"),
        ("package:\n  name: x\n", "meta.yaml:2: package", "no version"),
        ("- a\n- b\n", "meta.yaml:1", "must be a mapping"),
        ("package: x\n", "meta.yaml:1: package", "must be a mapping"),
        ("package:\n  name: x\n version: 1\n", "meta.yaml:3", "invalid YAML"),
        ("package:\n  name: [x]\n  version: 1\n", "meta.yaml:2: package/name", "one text"),
        ("{% set a = 1 %}\n\npackage:\n  name: {{ b }}\n", "meta.yaml:4", "'b' is undefined"),
        ("{% set a = %}\n", "meta.yaml:1", "Jinja"),
        (
            "context:\n  version: 1\npackage:\n  name: x\n  version: ${{ version }}\n",
            "meta.yaml:1",
            "'context' is a key of recipe.yaml",
        ),
        ("package:\n  name: {{ 'x'.nope }}\n", "meta.yaml:2", "nope"),
        ("{{ load_file_regex('a', 'b') }}", "meta.yaml:1", "'a', which does not exist"),
        (
            "package: {name: x, version: 1}\nsource:\n  hg_url: x\n",
            "meta.yaml:3: source",
            "conda-build knows 'hg_url'",
        ),
        ("package: {name: x, version: 1}\nsource:\n  sha256: x\n", "meta.yaml:3", "one of path"),
        (
            "package: {name: x, version: 1}\napp:\n  entri: x\n",
            "meta.yaml:3: app/entri",
            "'entri' is not a key of app",
        ),
        (
            "package: {name: x, version: 1}\noutputs:\n  - name: y\n    type: wheel\n",
            "meta.yaml:4: outputs/type",
            "not supported",
        ),
        (
            "package: {name: x, version: 1}\noutputs:\n  - name: y\n    script: ../y.sh\n",
            "meta.yaml:4: outputs/script",
            "beside",
        ),
        (
            "package: {name: x, version: 1}\nsource:\n  - path: .\n    folder: ../up\n",
            "meta.yaml:4: source/folder",
            "leaves",
        ),
    ],
)
def test_a_mistake_has_its_location(tmp_path: Path, text: str, where: str, expected: str) -> None:
    found = mistakes(tmp_path, text)
    assert any(place.startswith(where) and expected in message for place, message in found), found


def test_lines_stay_right_after_selectors_loops_and_conditions(tmp_path: Path) -> None:
    found = mistakes(
        tmp_path,
        """\
{% set items = [
  "a",
  "b",
] %}
package:
  name: x   # [win]
  name: x   # [unix]
  version: 1
requirements:
  run:
{%- for item in items %}
    - {{ item }}
{%- endfor %}
    {% if win -%}
    - c
    {%- else -%}
    - d
    {%- endif %}
    - ?wrong
""",
    )
    assert [where for where, _ in found] == ["meta.yaml:19: requirements/run"]


def test_an_unknown_selector_name_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "meta.yaml"
    path.write_text("package:\n  name: x\n  version: 1  # [not liunx]\n", encoding="utf-8")
    recipe = read_for_linux(path)
    assert recipe.remarks == (
        "meta.yaml:3: the selector's name 'liunx' is unknown; it counts as false",
    )


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    plain = (RECIPES / "selectors" / "meta.yaml").read_bytes()
    path = tmp_path / "meta.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n"))
    expected = json.loads((RECIPES / "selectors" / "expected.json").read_text(encoding="utf-8"))
    assert summarize(read_for_linux(path)) == expected


def test_the_variables_of_git_are_set_when_used(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    path = tmp_path / "meta.yaml"
    path.write_text(
        "package:\n  name: x\n"
        "  version: {{ GIT_DESCRIBE_TAG }}.{{ environ['GIT_DESCRIBE_NUMBER'] }}\n"
        "build:\n  string: {{ GIT_BUILD_STR }}_{{ environ.get('GIT_NOT_THERE', 'x') }}\n",
        encoding="utf-8",
    )
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.invalid"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"], ["tag", "2.5"]):
        subprocess.run([*git, *words], check=True)
    (output,) = read_for_linux(path).outputs
    assert output.version == "2.5.0"
    assert output.build.string.startswith("0_g")


def test_the_packages_own_variables_are_known(tmp_path: Path) -> None:
    path = tmp_path / "meta.yaml"
    path.write_text(
        "package:\n  name: x\n  version: '1.5'\nbuild:\n  number: 3\nsource:\n"
        "  url: https://example.invalid/{{ PKG_NAME }}-{{ environ['PKG_VERSION'] }}.tar.gz\n"
        "about:\n  summary: build {{ PKG_BUILDNUM }}\n",
        encoding="utf-8",
    )
    recipe = read_for_linux(path)
    assert recipe.sources[0].location.text == "https://example.invalid/x-1.5.tar.gz"
    assert recipe.outputs[0].about["summary"][0].text == "build 3"


def test_setup_cfg_and_pyproject_are_read_as_setup_py_is(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text(
        "from setuptools import setup\nsetup(name='old', version='0')\n", encoding="utf-8"
    )
    (tmp_path / "setup.cfg").write_text(
        "[metadata]\nname = from-cfg\nversion = 1.5\n[options]\npython_requires = >=3.9\n"
        "install_requires =\n    attrs\n    rich >=12\n"
        "[options.entry_points]\nconsole_scripts =\n    a = b:c\n",
        encoding="utf-8",
    )
    path = tmp_path / "meta.yaml"
    path.write_text(
        "{% set data = load_setup_py_data() %}\npackage:\n  name: {{ data.name }}\n"
        "  version: {{ data.version }}\nbuild:\n  entry_points:\n"
        "    - {{ data.entry_points.console_scripts[0] }}\nrequirements:\n  run:\n"
        "    - python {{ data.python_requires }}\n"
        "    {% for line in data.install_requires %}\n    - {{ line }}\n    {% endfor %}\n",
        encoding="utf-8",
    )
    (output,) = read_for_linux(path).outputs
    assert (output.name, output.version) == ("from-cfg", "1.5")
    assert [line.text for line in output.build.entry_points] == ["a = b:c"]
    assert [line.text for line in output.requirements.run] == ["python >=3.9", "attrs", "rich >=12"]


def test_a_setup_py_that_computes_is_built_in_isolation(tmp_path: Path) -> None:
    (tmp_path / "setup.py").write_text(
        "import setuptools\nsetuptools.setup(name='x', version=open('VERSION').read())\n",
        encoding="utf-8",
    )
    path = tmp_path / "meta.yaml"
    path.write_text(
        "{% set data = load_setup_py_data() %}\npackage:\n  name: {{ data.name }}\n"
        "  version: {{ data.version }}\n",
        encoding="utf-8",
    )
    built: list[Path] = []

    def metadata_of(project: Path) -> bytes:
        built.append(project)
        return b"Metadata-Version: 2.1\nName: x\nVersion: 7.0\nRequires-Dist: attrs\n\n"

    roots = find_roots(path)
    around = ReadContext(tmp_path, roots, Platform("linux-64", "3.12"), Environ({}), metadata_of)
    assert read_recipe(path, around).outputs[0].version == "7.0"
    assert built == [tmp_path]
    with pytest.raises(TwofoldError, match="computes version"):
        read_for_linux(path)


def test_names_that_are_set_nowhere_come_from_the_variants_beside_the_recipe(
    tmp_path: Path,
) -> None:
    path = tmp_path / "meta.yaml"
    path.write_text(
        "package:\n  name: x\n  version: 1\nrequirements:\n  run:\n"
        "    - python >={{ python_min }}\n    - base {{ base }}\n",
        encoding="utf-8",
    )
    with pytest.raises(ProjectErrors, match="'base' is undefined"):
        read_for_linux(path)
    (tmp_path / "conda_build_config.yaml").write_text(
        "base:\n  - 1.9  # [win]\n  - 1.10\n  - 1.11\n", encoding="utf-8"
    )
    recipe = read_for_linux(path)
    assert [line.text for line in recipe.outputs[0].requirements.run] == [
        "python >=3.10",
        "base 1.10.*",
    ]
    assert recipe.remarks == ()
    (tmp_path / "conda_build_config.yaml").write_text("base: *a\n", encoding="utf-8")
    with pytest.raises(ProjectErrors, match=r"conda_build_config\.yaml:1"):
        read_for_linux(path)


@pytest.mark.parametrize(
    ("written", "run", "constrained"),
    [
        ("A 1", "a 1.*", "a 1"),
        ("a latest", "a latest.*", "a latest"),
        ("a 1!2.0", "a 1!2.0", "a 1!2.0"),
        ("a 1.0+cu", "a 1.0+cu", "a 1.0+cu"),
        ("conda-forge::a 1", "a 1", "conda-forge::a 1"),
        ("a 1.2 py_0", "a 1.2 py_0", "a 1.2 py_0"),
    ],
)
def test_requirements_are_completed_as_by_conda_build(
    tmp_path: Path, written: str, run: str, constrained: str
) -> None:
    text = f"""\
package: {{name: x, version: 1}}
build: {{noarch: generic}}
requirements:
  run:
    - {written}
  run_constrained:
    - {written}
about:
  summary: "{{{{ environ.get('NOBODY_SETS_THIS') }}}}"
"""
    (tmp_path / "meta.yaml").write_text(text, encoding="utf-8")
    (made,) = Builder()(tmp_path).artifacts
    index = json.loads(made.metadata)
    assert (index["depends"], index["constrains"]) == ([run], [constrained])
    with open_part(made.path, "info") as members:
        (about,) = (members.read(9999) for one in members if one.path == "info/about.json")
    assert json.loads(about)["summary"] == "None"
