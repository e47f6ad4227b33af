"""recipe.yaml is read as rattler-build reads it, or left to rattler-build."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.recipe.recipe_builder import Builder, make_project, read_members
from twofold.errors import ProjectErrors
from twofold.recipe.model import Recipe
from twofold.recipe.read.jinja_modules import ReadContext
from twofold.recipe.read.meta_yaml import find_roots
from twofold.recipe.read.recipe_yaml import read_recipe_yaml
from twofold.recipe.read.v1_expressions import UnsupportedRecipe
from twofold.recipe.request import Environ, Platform

WHOLE = """\
schema_version: 1
context:
  name: some-thing
  version: "1.10"
  major: ${{ (version | split("."))[0] }}
package:
  name: ${{ name }}
  version: ${{ version }}
source:
  - url: https://example.invalid/${{ name }}-${{ version }}.tar.gz
    sha256: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    patches: [a.patch]
build:
  number: ${{ 1 if unix else 2 }}
  noarch: python
  script:
    content:
      - ${{ PYTHON }} -m pip install . -vv
  skip:
    - match(python, "<3.9")
  python:
    entry_points:
      - tool = some_thing:main
requirements:
  host: [python, pip]
  run:
    - python >=3.9
    - if: win
      then:
        - colorama
        - pywin32
      else: pexpect
    - if: match(python, ">=3.12") and unix
      then: newer
    - major-${{ major }} >=${{ version }}
    - if: env.get("NOT_SET", default="no") == "yes"
      then: never
  run_constraints:
    - other >2
tests:
  - python:
      imports: some_thing
      python_version: 3.9.*
  - script:
      - tool --help
    requirements:
      run: [pytest]
    files:
      source: [tests]
about:
  homepage: https://example.invalid
  license_file: LICENSE
extra:
  recipe-maintainers: [somebody]
"""


LINUX = Platform("linux-64", "3.12")


def read(folder: Path, text: str, platform: Platform = LINUX) -> Recipe:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return read_recipe_yaml(path, ReadContext(folder, find_roots(path), platform, Environ({})))


def test_every_part_has_its_meaning(tmp_path: Path) -> None:
    recipe = read(tmp_path, WHOLE)
    (output,) = recipe.outputs
    build, needs, tests = output.build, output.requirements, output.tests
    assert (output.name, output.version) == ("some-thing", "1.10")
    assert (build.number, build.noarch, build.skip) == (1, "python", False)
    assert [line.text for line in build.script] == ["$PYTHON -m pip install . -vv"]
    assert [line.text for line in build.entry_points] == ["tool = some_thing:main"]
    assert [line.text for line in needs.run] == [
        "python >=3.9",
        "pexpect",
        "newer",
        "major-1 >=1.10",
    ]
    assert [line.text for line in needs.constrained] == ["other >2"]
    assert [line.text for line in tests.imports] == ["some_thing"]
    assert [line.text for line in tests.commands] == ["pip check", "tool --help"]
    assert [line.text for line in tests.requires] == ["pip", "python 3.9.*", "pytest"]
    assert [line.text for line in tests.source_files] == ["tests"]
    assert output.about["home"][0].text == "https://example.invalid"
    assert recipe.sources[0].location.text.endswith("/some-thing-1.10.tar.gz")
    assert recipe.extra == {"recipe-maintainers": ["somebody"]}
    old = read(tmp_path, WHOLE, Platform("win-64", "3.8")).outputs[0]
    assert (old.build.number, old.build.skip) == (2, True)
    assert [line.text for line in old.requirements.run][1:3] == ["colorama", "pywin32"]


@pytest.mark.parametrize(
    "more",
    [
        "outputs: []",
        "recipe: {name: x}",
        "build: {dynamic_linking: {rpaths: [x]}}",
        "build: {variant: {use_keys: [x]}}",
        "requirements: {ignore: [x]}",
        "tests: [{downstream: x}]",
        "about: {license_url: x}",
        "source: {url: x, attestation: y}",
        "extra: ${{ not_there }}",
        "extra: ${{ 'a' | unknown_filter }}",
        "extra: ${{ 'a' ",
        "extra: ${{ ['a'] }}",
    ],
)
def test_what_goes_beyond_is_left_to_rattler_build(tmp_path: Path, more: str) -> None:
    with pytest.raises(UnsupportedRecipe):
        read(tmp_path, f"package: {{name: x, version: '1'}}\n{more}\n")


def test_variants_beside_it_are_left_to_rattler_build(tmp_path: Path) -> None:
    (tmp_path / "variants.yaml").write_text("python: ['3.12']\n", encoding="utf-8")
    with pytest.raises(UnsupportedRecipe, match=r"variants\.yaml"):
        read(tmp_path, "package: {name: x, version: '1'}\n")


@pytest.mark.parametrize(
    "expression",
    ["'a' * 1000000000", "'%999999999d' % 1", "('a' * 60000) | replace('', 'b' * 60000)"],
)
def test_expressions_are_bounded_as_those_of_meta_yaml(tmp_path: Path, expression: str) -> None:
    with pytest.raises(ProjectErrors) as caught:
        read(tmp_path, f"package:\n  name: x\n  version: ${{{{ {expression} }}}}\n")
    assert caught.value.problems[0].where == "recipe.yaml:3: package/version"


@pytest.mark.parametrize("expression", ["''.__class__", "environ.__init__", "9 ** 9 ** 9"])
def test_expressions_cannot_reach_into_python(tmp_path: Path, expression: str) -> None:
    with pytest.raises(UnsupportedRecipe):
        read(tmp_path, f"package:\n  name: x\n  version: ${{{{ {expression} }}}}\n")


def make_condition(condition: str) -> str:
    context = "context:\n  v: '1.2.3'\n  pre: 2.0rc1\n  n: 7\n"
    package = "package: {name: x, version: '1'}\nbuild: {script: 'echo ${{ PYTHON }}'}\n"
    needs = f'    - if: "{condition}"\n      then: yes-it\n      else: no-it\n'
    return f"{context}{package}requirements:\n  run:\n{needs}"


@pytest.mark.parametrize(
    ("condition", "subdir", "holds"),
    [
        ("x86", "linux-64", False),
        ("x86", "win-32", True),
        ("unix", "freebsd-64", True),
        ("unix", "wasi-wasm32", False),
        ("match(pre, '<2.0')", "linux-64", True),
        ("match('1.0.post1', '>1.0')", "linux-64", True),
        ("match('1.0+abc', '==1.0')", "linux-64", False),
        ("match(n, '>=7')", "linux-64", True),
        ("match(v, '>=2|<1.3')", "linux-64", True),
        ("match(python, '3.12.*')", "linux-64", True),
        ("env.exists('NOT_SET')", "linux-64", False),
    ],
)
def test_a_condition_holds_as_for_rattler_build(
    tmp_path: Path, condition: str, subdir: str, holds: bool
) -> None:
    recipe = read(tmp_path, make_condition(condition), Platform(subdir, "3.12"))
    assert recipe.outputs[0].requirements.run[0].text == ("yes-it" if holds else "no-it")


@pytest.mark.parametrize(
    "condition",
    [
        "py >= 38", "arm", "environ", "PYTHON", "PKG_NAME == 'x'", "os.sep == '/'", "range(3)",
        "match(v, '1.2')", "match(v, '')", "env.get('NOT_SET') == 'x'", "v.startswith('1')",
        "v | title == v", "(v | int) == 1", "n | split('.')", "n is divisibleby(7)",
        "'{}'.format(1)", "1 // 0", "v | dictsort",
    ],
)  # fmt: skip
def test_what_rattler_build_does_not_know_is_left_to_it(tmp_path: Path, condition: str) -> None:
    with pytest.raises(UnsupportedRecipe):
        read(tmp_path, make_condition(condition))


def test_mistakes_have_key_and_line(tmp_path: Path) -> None:
    with pytest.raises(ProjectErrors) as caught:
        read(tmp_path, "package:\n  name: X Y\n  version: 1 0\nbuild:\n  number: one\n")
    assert [problem.where for problem in caught.value.problems] == [
        "recipe.yaml:2: package/name",
        "recipe.yaml:3: package/version",
        "recipe.yaml:5: build/number",
    ]


def test_a_script_that_uses_the_network_is_refused(tmp_path: Path) -> None:
    folder = make_project(tmp_path)
    (folder / "recipe.yaml").write_text(
        "package: {name: x, version: '1'}\nbuild:\n  script: curl -O x\n", encoding="utf-8"
    )
    with pytest.raises(ProjectErrors, match="uses the network"):
        Builder()(folder)


def test_tests_run_exports_file_names_and_split_are_read(tmp_path: Path) -> None:
    recipe = read(
        tmp_path,
        """\
context: {version: 1.2.3, major: "${{ (version | split('.'))[0] }}"}
package: {name: x, version: "${{ version }}"}
source: {url: https://nowhere.invalid/get, file_name: x-1.2.3.tar.gz, sha256: %s}
build: {noarch: python, script: $PYTHON -m pip install .}
requirements:
  run: ["y ${{ major }}.*"]
  run_exports:
    weak: [x ==1]
    weak_constraints: ["z >=${{ major }}"]
tests:
  - script:
      content:
        - x --help
  - package_contents:
      files: [bin/x]
"""
        % ("0" * 64),
    )
    (output,) = recipe.outputs
    assert [line.text for line in output.requirements.run] == ["y 1.*"]
    exports = {kind: [line.text for line in own] for kind, own in output.build.run_exports.items()}
    assert exports == {"weak": ["x ==1"], "weak_constrains": ["z >=1"]}
    assert [line.text for line in output.tests.commands] == ["x --help"]
    assert output.tests.contents == ({"package_contents": {"files": ["bin/x"]}},)
    assert recipe.sources[0].file_name == "x-1.2.3.tar.gz"


def test_a_test_without_a_kind_is_left_to_rattler_build(tmp_path: Path) -> None:
    tests = "tests:\n  - requirements:\n      run: [python]\n"
    with pytest.raises(UnsupportedRecipe, match="neither python nor script"):
        read(tmp_path, f"package: {{name: x, version: '1'}}\n{tests}")


def test_a_test_script_with_an_environment_is_left_to_rattler_build(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedRecipe, match="tests/script"):
        read(
            tmp_path,
            "package: {name: x, version: '1'}\n"
            "tests: [{script: {content: [x --help], env: {X: '1'}}}]\n",
        )


def test_a_bare_version_is_refused_as_by_rattler_build_and_a_channel_stays(tmp_path: Path) -> None:
    top = "package: {name: x, version: '1'}\nbuild: {noarch: generic}\nrequirements:\n  run: "
    path = tmp_path / "recipe.yaml"
    path.write_text(f"{top}[a 1.2]\n", encoding="utf-8")
    with pytest.raises(ProjectErrors, match=r"(?s)'a 1\.2' names no range.*'a 1\.2\.\*'"):
        Builder()(tmp_path)
    path.write_text(f"{top}[a 1.2.*, Bc ==1, 'd::e >=1']\n", encoding="utf-8")
    (made,) = Builder()(tmp_path).artifacts
    assert json.loads(made.metadata)["depends"] == ["a 1.2.*", "bc ==1", "d::e >=1"]


@pytest.mark.parametrize(
    ("context", "expression", "text"),
    [
        ("x: false", "'a' if x else 'b'", "b"),
        ("x: 'false'", "'a' if x else 'b'", "a"),
        ("x: True", "x", "true"),
        ("x: no", "x is string", "true"),
        ("x: 12", "x > 9", "true"),
        ("x: '12'", "x == 12", "false"),
        ("x: 012", "x", "12"),
        ("x: 1.10", "x", "1.10"),
        ("x: 5\n  y: ${{ x + 1 }}", "y == 6", "true"),
        ("x: ${{ none }}", "x", "none"),
        ("x: ${{ 'a,b' | split(',') }}", "x[1]", "b"),
        ("x: ${{ 1 }}${{ 2 }}", "x is string", "true"),
        ("x: false", "x ~ 1", "false1"),
    ],
)
def test_values_of_the_context_keep_their_types(
    tmp_path: Path, context: str, expression: str, text: str
) -> None:
    package = "package: {name: x, version: '1'}\n"
    about = f'about:\n  summary: "-${{{{ {expression} }}}}-"\n'
    recipe = read(tmp_path, f"context:\n  {context}\n{package}{about}")
    assert recipe.outputs[0].about["summary"][0].text == f"-{text}-"


def test_a_condition_decides_by_the_type_of_a_value(tmp_path: Path) -> None:
    needs = "requirements:\n  run:\n    - if: gpu\n      then: cuda\n      else: cpu\n"
    package = "package: {name: x, version: '1'}\n"
    recipe = read(tmp_path, f"context:\n  gpu: false\n{package}{needs}")
    assert [line.text for line in recipe.outputs[0].requirements.run] == ["cpu"]


def test_a_name_with_capitals_is_packed_in_lower_case(tmp_path: Path) -> None:
    needs = "requirements:\n  run: [PyYAML >=6]\n"
    recipe = read(tmp_path, f"package: {{name: FooBar, version: '1'}}\n{needs}")
    (output,) = recipe.outputs
    assert (output.name, output.requirements.run[0].text) == ("foobar", "pyyaml >=6")


@pytest.mark.parametrize("python", ["", "entry_points: null", "{}"])
def test_a_python_section_without_entry_points_is_read(tmp_path: Path, python: str) -> None:
    text = f"package: {{name: x, version: '1'}}\nbuild:\n  python:\n    {python}\n"
    assert read(tmp_path, text).outputs[0].build.entry_points == ()


def test_a_test_names_python_without_an_operator(tmp_path: Path) -> None:
    tests = "tests:\n  - python:\n      imports: [x]\n      pip_check: True\n"
    text = f"package: {{name: x, version: '1'}}\n{tests}      python_version: ['3.11', '3.12.*']\n"
    found = read(tmp_path, text).outputs[0].tests
    assert [line.text for line in found.requires] == ["pip", "python 3.11.*", "python 3.12.*"]
    assert [line.text for line in found.commands] == ["pip check"]


def test_a_version_with_a_hyphen_is_left_to_rattler_build(tmp_path: Path) -> None:
    text = "package:\n  name: x\n  version: 1.0-rc1\n"
    with pytest.raises(UnsupportedRecipe, match="which separates the parts of file names"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [("a[version='>=2']", "a[version='>=2']"), ("A >=1", "a >=1"), ("a * py_*", "a * py_*")],
)
def test_requirements_with_brackets_stay_as_they_are(
    tmp_path: Path, written: str, read_as: str
) -> None:
    text = f"package: {{name: x, version: 1}}\nrequirements:\n  run:\n    - {written}\n"
    assert [line.text for line in read(tmp_path, text).outputs[0].requirements.run] == [read_as]


def test_a_bracket_without_a_key_is_no_requirement(tmp_path: Path) -> None:
    text = "package: {name: x, version: 1}\nrequirements:\n  run:\n    - numpy [linux]\n"
    with pytest.raises(ProjectErrors, match=r"'numpy \[linux\]' is not a valid conda requirement"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("head", "is_v1"),
    [
        ("context:\n  version: '2'\n", True),
        ("# {{ x }}\nschema_version: 1\ncontext: {version: '2'}\n", True),
        ("schema_version: 1\n{% set version = '2' %}\n", False),
    ],
)
def test_a_meta_yaml_may_be_in_the_form_of_recipe_yaml(
    tmp_path: Path, head: str, is_v1: bool
) -> None:
    project = make_project(tmp_path / "p")
    package = (
        "package: {name: sample, version: VERSION}\nsource: {path: .}\nbuild:\n  noarch: python\n"
    )
    text = f"{head}{package}  script: python -m pip install .\nabout:\n  license: MIT\n"
    text += "requirements:\n  host: [python, pip]\n  run: [python, attrs]\n"
    version = "${{ version }}" if is_v1 else "{{ version }}"
    made = Builder()(project, text.replace("VERSION", f"'{version}'"))
    (artifact,) = made.artifacts
    assert artifact.version == "2"
    members = read_members(Path(artifact.path))
    assert ("info/recipe/recipe.yaml" in members, "info/recipe/meta.yaml" in members) == (
        is_v1,
        not is_v1,
    )
    assert ("meta.yaml is in the form of recipe.yaml: rename it" in made.messages) is is_v1
