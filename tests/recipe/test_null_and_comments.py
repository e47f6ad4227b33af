"""What is empty, commented out or in a folder of the build is read as conda-build reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.recipe.recipe_builder import Builder, make_project, read_info, read_members
from tests.recipe.summary import read_for_linux
from twofold.errors import ProjectErrors
from twofold.recipe.model import Recipe
from twofold.recipe.read.jinja_modules import ReadContext
from twofold.recipe.read.meta_yaml import find_roots
from twofold.recipe.read.recipe_yaml import read_recipe_yaml
from twofold.recipe.read.variants import read_variants
from twofold.recipe.read.yaml_lines import read_tree, to_plain
from twofold.recipe.request import Environ, Platform

LINUX = Platform("linux-64", "3.12")
HEAD = "package:\n  name: sample\n  version: 1.0.0\n"


def read(folder: Path, text: str, **environment: str) -> Recipe:
    path = folder / "meta.yaml"
    path.write_text(text, encoding="utf-8")
    return read_for_linux(path, **environment)


@pytest.mark.parametrize("loader", [yaml.CSafeLoader, yaml.SafeLoader])
def test_a_plain_null_is_empty_and_a_quoted_one_is_text(loader: type) -> None:
    text = "a:\nb: null\nc: ~\nd: Null\ne: NULL\nf: 'null'\ng: \"~\"\nh: ''\ni: [null, x]\nj: nil"
    assert to_plain(read_tree(text, "meta.yaml", loader_class=loader)) == {
        **dict.fromkeys("abcde"),
        "f": "null",
        "g": "~",
        "h": "",
        "i": [None, "x"],
        "j": "nil",
    }


@pytest.mark.parametrize(
    "more",
    [
        "build:\n  skip: true  # [win]\n",
        "build:\nsource:\nrequirements:\ntest:\nabout:\nextra:\napp:\n",
        "test:\n  commands:\n    - winreg  # [win]\n",
        "source:\n  path: .  # [win]\nabout: ~\n",
        "build:\n  number:\n  script: null\n  string: ~\n  noarch:\n  skip: null\n",
        "requirements:\n  host:\n  run: null\n  run_constrained: ~\n",
        "outputs:\n  - name: sample\n    build:\n    test: null\n    requirements: ~\n    about:\n",
        "build: ''\nsource: false\nrequirements: {}\ntest: []\nabout: no\noutputs: []\napp: off\n",
        "build:\n  number: ''\n  string: []\n  noarch: {}\n  script:\n    - \n    - ~\n",
        "about:\n  home: false\n  summary: No\n  dev_url: off\n  description: []\n  license: {}\n",
        "build:\n  noarch: false\n  skip: n\n  noarch_python: 'false'\n  number: +0\n",
        "outputs: false\ntest:\n  commands: [null]\n  imports: {}\n",
    ],
)
def test_a_section_without_lines_is_absent(tmp_path: Path, more: str) -> None:
    (output,) = read(tmp_path, HEAD + more).outputs
    assert output.requirements.run == output.requirements.constrained == ()
    assert not output.tests and not output.about and not output.build.script
    assert (output.build.number, output.build.string, output.build.skip) == (0, "", False)
    assert (output.name, output.build.noarch) == ("sample", "")


@pytest.mark.parametrize("value", ["true", "Yes", "on", "{{ 1 == 1 }}"])
def test_a_truth_value_is_one_wherever_yaml_reads_one(tmp_path: Path, value: str) -> None:
    recipe = read(tmp_path, f"{HEAD}build:\n  noarch: {value}\n  skip: {value}\n")
    assert (recipe.outputs[0].build.noarch, recipe.outputs[0].build.skip) == ("generic", True)


@pytest.mark.parametrize("value", ["0", "'0'", "maybe", "{{ none }}", "1.0"])
def test_a_text_that_conda_build_takes_for_true_is_refused(tmp_path: Path, value: str) -> None:
    with pytest.raises(ProjectErrors, match="neither true nor false"):
        read(tmp_path, f"{HEAD}build:\n  skip: {value}\n")


def test_null_values_are_left_out_of_the_package(tmp_path: Path) -> None:
    root = make_project(tmp_path / "p")
    made = Builder()(
        root,
        f"{HEAD}build:\n  noarch: python\nrequirements:\n  run: [python]\n  run_constrained: null\n"
        "about:\n  license_family: null\n  description: ~\n  dev_url: null\n",
    )
    (package,) = made.artifacts
    index, about = read_info(package.path), read_info(package.path, "about")
    assert "license_family" not in index and index.get("constrains", []) == []
    assert not {"description", "dev_url", "license_family"} & about.keys()


def test_null_values_of_a_recipe_yaml_are_absent(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "package: {name: x, version: '1'}\nbuild:\ntests: null\nsource: ~\n"
        "requirements: {run: [python], run_constraints: null}\nabout: {description: null}\n",
        encoding="utf-8",
    )
    context = ReadContext(tmp_path, find_roots(path), LINUX, Environ({}))
    (output,) = read_recipe_yaml(path, context).outputs
    assert output.requirements.constrained == ()
    assert not output.about


def test_null_values_of_a_variant_file_set_nothing(tmp_path: Path) -> None:
    (tmp_path / "conda_build_config.yaml").write_text("python:\nnumpy: null\nflavor: [a, ~]\n")
    variants = read_variants(tmp_path / "meta.yaml", LINUX, Environ({}))
    assert "python" not in variants.values and "numpy" not in variants.values
    assert variants.values["flavor"] == ("a",)


def test_a_selector_in_a_folded_command_does_not_swallow_the_next_line(tmp_path: Path) -> None:
    text = "test:\n  commands:\n    - >\n      first  # [unix]\n      && second\n"
    (output,) = read(tmp_path, HEAD + text).outputs
    assert [line.text for line in output.tests.commands] == ["first && second"]


def test_jinja_in_a_comment_is_not_run(tmp_path: Path) -> None:
    text = "# {{ nowhere }}\n# {% if broken %}\n# {% set version = '2' %}\n# {{ compiler() }}\n"
    (output,) = read(tmp_path, "{% set version = '1' %}\n" + text + HEAD).outputs
    assert output.version == "1.0.0"


@pytest.mark.parametrize(
    ("condition", "environment", "number"),
    [
        ('"CI" in environ', {"CI": "1"}, 1),
        ('"CI" in environ', {}, 0),
        ('"PREFIX" in environ', {}, 1),
        ('"CI" not in environ', {}, 1),
    ],
)
def test_a_recipe_may_ask_whether_a_variable_is_set(
    tmp_path: Path, condition: str, environment: dict[str, str], number: int
) -> None:
    text = f"{HEAD}build:\n  {{% if {condition} %}}\n  number: 1\n  {{% endif %}}\n"
    assert read(tmp_path, text, **environment).outputs[0].build.number == number


RECIPE_DIRS = ["{{ RECIPE_DIR }}", '{{ environ["RECIPE_DIR"] }}', "{{ environ.get('RECIPE_DIR') }}"]


@pytest.mark.parametrize("folder", RECIPE_DIRS)
def test_a_licence_in_the_recipes_folder_is_packaged(tmp_path: Path, folder: str) -> None:
    root = tmp_path / "recipe"
    make_project(root / "src")
    (root / "LICENSE").write_text("the recipe's", encoding="utf-8")
    made = Builder()(
        root,
        f"{HEAD}source:\n  path: {folder}/src\nbuild:\n  noarch: python\n"
        f"  script: {{{{ PYTHON }}}} -m pip install .\n"
        f"about:\n  license_file: {folder}/LICENSE\n",
    )
    members = read_members(Path(made.artifacts[0].path))
    assert members["info/licenses/LICENSE"] == b"the recipe's"


def test_folders_of_the_build_are_resolved_wherever_a_path_is_read(tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text(json.dumps({"version": "3"}), encoding="utf-8")
    (tmp_path / "run.py").write_text("", encoding="utf-8")
    recipe = read(
        tmp_path,
        '{% set data = load_file_data(environ["RECIPE_DIR"] + "/data.json") %}\n'
        "package: {name: sample, version: '{{ data.version }}'}\n"
        "source:\n  url: file://{{ RECIPE_DIR }}/a.tar.gz\n"
        "  patches: ['{{ RECIPE_DIR }}/a.patch']\n"
        "test:\n  files: ['{{ RECIPE_DIR }}/data.json']\n"
        "  source_files: ['{{ SRC_DIR }}/tests']\n  script: '{{ RECIPE_DIR }}/run.py'\n"
        "about:\n  license_file: ['{{ SRC_DIR }}/LICENSE', '{{ RECIPE_DIR }}/LIC']\n",
    )
    (source,), (output,) = recipe.sources, recipe.outputs
    assert output.version == "3"
    assert (source.location.text, source.patches[0].text) == ("a.tar.gz", "a.patch")
    assert [line.text for line in output.tests.files] == ["data.json"]
    assert [line.text for line in output.tests.source_files] == ["tests"]
    assert [path.name for path in output.tests.scripts] == ["run.py"]
    assert [line.text for line in output.license_files] == ["LICENSE", "$RECIPE_DIR/LIC"]


def test_licence_patterns_hold_in_recipe_yaml(tmp_path: Path) -> None:
    root = make_project(tmp_path / "p")
    (root / "LICENSES").mkdir()
    for name in ("MIT.txt", "BSD.txt", "notes.md"):
        (root / "LICENSES" / name).write_text(name, encoding="utf-8")
    (root / "recipe.yaml").write_text(
        "package: {name: sample, version: 1.0.0}\nbuild:\n  noarch: python\n"
        "  script: $PYTHON -m pip install .\nsource: {path: .}\n"
        "about: {license_file: 'LICENSES/*.txt'}\n",
        encoding="utf-8",
    )
    (package,) = Builder()(root).artifacts
    licenses = {n for n in read_members(Path(package.path)) if n.startswith("info/licenses/")}
    assert licenses == {"info/licenses/LICENSES/MIT.txt", "info/licenses/LICENSES/BSD.txt"}


def test_tests_for_windows_name_variables_as_cmd_does(tmp_path: Path) -> None:
    root = make_project(tmp_path / "p")
    made = Builder()(
        root,
        f"{HEAD}build:\n  noarch: python\ntest:\n  commands:\n    - '{{{{ PYTHON }}}} -m sample'\n",
    )
    members = read_members(Path(made.artifacts[0].path))
    assert b"$PYTHON -m sample" in members["info/test/run_test.sh"]
    assert b"%PYTHON% -m sample" in members["info/test/run_test.bat"]


@pytest.mark.parametrize(
    ("selector", "is_kept"),
    [
        ("flag", False),
        ("not off", True),
        ("number == -3 and padded == 7", True),
        ("numpy == '1.26' and np == 126", True),
        ("perl and pl == '5.26.2' and not luajit", True),
        ("c_compiler == 'gcc' and r_base == '3.5'", True),
        ("vc", False),
    ],
)
def test_selectors_have_the_types_and_the_defaults_of_conda_builds_variant(
    tmp_path: Path, selector: str, is_kept: bool
) -> None:
    values = "flag: [false]\noff: ['False']\nnumber: [-3]\npadded: [' 7 ']\n"
    (tmp_path / "conda_build_config.yaml").write_text(values, encoding="utf-8")
    recipe = read(tmp_path, f"{HEAD}requirements:\n  run:\n    - x  # [{selector}]\n")
    assert bool(recipe.outputs[0].requirements.run) == is_kept


@pytest.mark.parametrize(
    ("numpy", "np"), [("2", 2), ("'1.26.*'", 126), ("2.0.1", 20), ("'>=1.19'", 119), ("''", 0)]
)
def test_np_follows_every_form_of_numpys_version(tmp_path: Path, numpy: str, np: int) -> None:
    (tmp_path / "conda_build_config.yaml").write_text(f"numpy: [{numpy}]\n", encoding="utf-8")
    recipe = read(tmp_path, f"{HEAD}build:\n  number: {{{{ np }}}}\n")
    assert recipe.outputs[0].build.number == np


def test_jinja_has_conda_builds_variables_of_languages_and_of_the_environment(
    tmp_path: Path,
) -> None:
    names = "SUBDIR ARCH PY3K CONDA_NPY NPY_VER PERL_VER CONDA_R PKG_BUILDNUM cxx_compiler MODE np"
    text = " ".join(f"{{{{ {name} }}}}" for name in names.split())
    recipe = read(tmp_path, f"{HEAD}about:\n  summary: {text}\n", MODE="fast")
    (line,) = recipe.outputs[0].about["summary"]
    assert line.text == "linux-64 64 1 126 1.26 5.26 3.5 0 gxx fast 126"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{% set x %}a b{% endset %}{{ x }}", "a b"),
        ("{% set x | upper %}a{% endset %}{{ x }}", "A"),
        (
            "{{ datetime.datetime.strptime('29Oct2020', '%d%b%Y').strftime('%Y.%m.%d') }}",
            "2020.10.29",
        ),
        (
            "{{ 'a'|center(3) ~ 'b'|indent(2) }} {{ 'abcdef'|truncate(4, true, '...', 0) }}",
            "a b a...",
        ),
        ("{{ [1, 2, 3]|batch(2)|list|length }} {{ 'a&b'|e }}", "2 a&amp;b"),
    ],
)
def test_jinja_has_what_conda_builds_has(tmp_path: Path, text: str, value: str) -> None:
    recipe = read(tmp_path, f'{HEAD}about:\n  summary: "{text}"\n')
    assert recipe.outputs[0].about["summary"][0].text.split() == value.split()


@pytest.mark.parametrize("text", ["'a'|center(99999)", "'a'|indent(50)", "['a']|batch(9999)"])
def test_filters_that_pad_are_bounded(tmp_path: Path, text: str) -> None:
    with pytest.raises(ProjectErrors):
        read(tmp_path, f"{HEAD}about:\n  summary: {{{{ {text} }}}}\n")


@pytest.mark.parametrize(
    ("more", "remark"),
    [
        ("channels: [x]\n", "'channels' is not a key of meta.yaml and is left out"),
        ("build:\n  os: x\n", "'os' is not a key of build and is left out"),
        ('build:\n  entry_points:\n    - x = "m:f"\n', "is read as 'x = m:f'"),
        ("build:\n  entry_points:\n    - x = m:f [extra]\n", "is read as 'x = m:f'"),
    ],
)
def test_what_conda_build_ignores_is_left_out_with_a_note(
    tmp_path: Path, more: str, remark: str
) -> None:
    assert remark in "".join(read(tmp_path, HEAD + more).remarks)


def test_a_document_in_a_script_keeps_its_indentation_and_empty_lines(tmp_path: Path) -> None:
    script = "    - |\n      cat > x.py <<'END'\n      def f():\n\n          return 1\n      END\n"
    recipe = read(
        tmp_path, f"{HEAD}build:\n  script:\n    - a\n{script}test:\n  commands:\n{script}"
    )
    (output,) = recipe.outputs
    block = ["cat > x.py <<'END'", "def f():", "", "    return 1", "END"]
    assert [line.text for line in output.build.script] == ["a", *block]
    assert [line.text for line in output.tests.commands] == block
    assert [line.number for line in output.build.script[1:]] == [8, 9, 10, 11, 12]
