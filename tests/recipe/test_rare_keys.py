"""Keys, Jinja functions and filters of conda-build that few recipes use are read as it does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.recipe.recipe_builder import Builder, make_project, read_info, read_members
from tests.recipe.summary import read_for_linux
from twofold.errors import ProjectErrors, TwofoldError
from twofold.recipe.building.build_method import choose_methods
from twofold.recipe.model import Recipe
from twofold.recipe.read.jinja_modules import ReadContext
from twofold.recipe.read.meta_yaml import find_roots, read_recipe
from twofold.recipe.read.recipe_yaml import read_recipe_yaml
from twofold.recipe.read.variants import read_variants
from twofold.recipe.request import Environ, Platform
from twofold.recipe.write.to_v1 import translate_recipe

LINUX = Platform("linux-64", "3.12")
HEAD = "package:\n  name: sample\n  version: 1.0.0\n"


def read(folder: Path, text: str, **environment: str) -> Recipe:
    path = folder / "meta.yaml"
    path.write_text(text, encoding="utf-8")
    return read_for_linux(path, **environment)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("os.environ['MODE']", "fast"),
        ("os.environ.get('NOT_SET', 'x')", "x"),
        ("os.getenv('MODE')", "fast"),
        ("os.sep", "/"),
        ("datetime.datetime.now().strftime('%Y%m%d')", "20010909"),
        ("datetime.date.today().isoformat()", "2001-09-09"),
        ("datetime.datetime.utcnow().year", "2001"),
        ("time.strftime('%Y.%m')", "2001.09"),
        ("time.time()|int", "1000000000"),
        ("""load_str_data('{"a": "b"}', 'json')['a']""", "b"),
        ("load_str_data('a: b', 'yaml')['a']", "b"),
        ("ccache('native')", "ccache"),
        ("['a', 'b']|map('upper')|join", "AB"),
        ("[{'a': 'x'}]|map(attribute='a')|join", "x"),
        ("[1, 2, 3]|select('odd')|join(',')", "1,3"),
        ("[1, 2, 3]|reject('odd')|join(',')", "2"),
        ("[{'a': 1}, {'a': 0}]|selectattr('a')|list|length", "1"),
        ("2.5|round(0, 'floor')|int", "2"),
        ("[1, 2]|sum", "3"),
        ("['a']|tojson", '["a"]'),
        ("{'b': 1, 'a': 2}|dictsort|first|first", "a"),
        ("({'b': 1}|items|list)[0][0]", "b"),
        ("'a b'|wordcount", "2"),
        ("'a b'|urlencode", "a%20b"),
    ],
)
def test_a_recipe_has_the_functions_and_filters_of_jinja(
    tmp_path: Path, expression: str, value: str
) -> None:
    text = f"{HEAD}about:\n  summary: >-\n    {{{{ {expression} }}}}\n"
    recipe = read(tmp_path, text, MODE="fast", SOURCE_DATE_EPOCH="1000000000")
    assert recipe.outputs[0].about["summary"][0].text == value


def test_macros_with_and_filter_blocks_are_rendered(tmp_path: Path) -> None:
    text = (
        "{% macro pin(name) %}{{ name }} >=1{% endmacro %}\n"
        "package:\n  name: sample\n  version: 1.0.0\nrequirements:\n  run:\n"
        "    - {{ pin('a') }}\n{% with b = 'b' %}\n    - {{ b }}\n{% endwith %}\n"
        "{% filter lower %}\n    - CCC\n{% endfilter %}\n"
    )
    (output,) = read(tmp_path, text).outputs
    assert [line.text for line in output.requirements.run] == ["a >=1", "b", "ccc"]


@pytest.mark.parametrize(
    "jinja",
    [
        "{{ [[1, 2]]|map('_turns', -999999999) }}",
        "{{ ['a']|map('attr', '__class__')|list }}",
        "{{ 1.5|round(999999999) }}",
        "{{ 1|round(precision=999999999, method='ceil') }}",
        "{{ [1]|tojson(indent=999999999) }}",
        "{{ datetime.datetime.now().strftime('%0999999999d') }}",
        "{{ datetime.datetime.now().__class__ }}",
        "{{ os.system('true') }}",
        "{{ os.path }}",
        "{{ time.sleep(1) }}",
        "{{ environ }}",
        "{{ resolved_packages('host') }}",
        "{% macro f(n) %}{{ f(n + 1) }}{{ f(n + 1) }}{% endmacro %}{{ f(0) }}",
    ],
)
def test_what_grows_or_reaches_into_python_is_still_refused(tmp_path: Path, jinja: str) -> None:
    with pytest.raises(TwofoldError):
        read(tmp_path, f"{HEAD}about:\n  summary: {jinja}\n")


def test_a_pin_may_use_the_name_of_the_package(tmp_path: Path) -> None:
    text = HEAD + "build:\n  run_exports:\n    - {{ pin_subpackage(PKG_NAME, max_pin='x.x') }}\n"
    recipe = read(tmp_path, text)
    (line,) = recipe.outputs[0].build.run_exports["weak"]
    call = recipe.calls.find_call(line.text)
    assert call is not None
    assert (call.name, call.max_pin) == ("sample", "x.x")


def test_keys_of_outputs_reach_the_build(tmp_path: Path) -> None:
    text = (
        HEAD + "outputs:\n  - name: a\n    number: 3\n    extra: {x: y}\n"
        "    entry_points: ['t = a:main']\n    run_exports: [a]\n"
    )
    (output,) = read(tmp_path, text).outputs
    assert output.build.number == 3
    assert [line.text for line in output.build.entry_points] == ["t = a:main"]
    assert [line.text for line in output.build.run_exports["weak"]] == ["a"]


def test_newer_spellings_and_keys_about_the_host_are_handed_to_recipe_v1(tmp_path: Path) -> None:
    text = (
        HEAD + "build:\n  missing_dso_allowlist: [a]\n  runpath_allowlist: [b]\n"
        "  ignore_prefix_files: [c]\n  msvc_compiler: '14'\n  script: make\n"
    )
    made = translate_recipe(read(tmp_path, text), None, lambda _: None)
    linking = {"missing_dso_allowlist": ["a"], "rpath_allowlist": ["b"]}
    assert made["build"]["dynamic_linking"] == linking
    assert made["build"]["prefix_detection"] == {"ignore": ["c"]}


def test_hashes_and_revisions_of_a_source_are_read(tmp_path: Path) -> None:
    text = (
        HEAD + f"source:\n  - url: a.tar.gz\n    sha512: {'a' * 128}\n    no_hoist: true\n"
        "  - git_url: b\n    git_branch: main\n    path_via_symlink: true\n    folder: b\n"
    )
    first, second = read(tmp_path, text).sources
    assert first.hashes == {"sha512": "a" * 128}
    assert first.keeps_top_folder
    assert second.revision == "main"


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ("build:\n  post-link: a.sh\n", "post-link"),
        ("build:\n  preferred_env: x\n", "preferred_env"),
        ("source:\n  path: .\n  content_sha256: x\n", "content_sha256"),
        ("outputs:\n  - name: a\n    target: win-64\n", "target"),
    ],
)
def test_a_key_that_only_conda_build_knows_is_refused_without_a_suggestion(
    tmp_path: Path, more: str, key: str
) -> None:
    with pytest.raises(ProjectErrors) as caught:
        read(tmp_path, HEAD + more)
    (problem,) = caught.value.problems
    assert problem.message.startswith(f"conda-build knows '{key}' of ")
    assert "did you mean" not in problem.hint


def test_of_a_key_given_twice_the_last_one_counts_and_is_reported(tmp_path: Path) -> None:
    recipe = read(tmp_path, HEAD + "about:\n  summary: a\n  home: x\n  summary: b\n")
    assert recipe.outputs[0].about["summary"][0].text == "b"
    assert recipe.remarks == (
        "meta.yaml:7: 'about/summary' is also in line 5; the last one counts",
    )
    (tmp_path / "conda_build_config.yaml").write_text("a: [1]\na: [2]\n", encoding="utf-8")
    variants = read_variants(tmp_path / "meta.yaml", LINUX, Environ({}))
    assert variants.values["a"] == ("2",)
    assert "the last one counts" in variants.remarks[0]


def test_a_key_given_twice_in_recipe_yaml_is_an_error_as_for_rattler_build(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text("package:\n  name: x\n  name: y\n  version: '1'\n", encoding="utf-8")
    with pytest.raises(ProjectErrors, match="second time"):
        read_recipe_yaml(path, ReadContext(tmp_path, find_roots(path), LINUX, Environ({})))


def test_constraints_and_run_exports_keep_a_version_without_a_star(tmp_path: Path) -> None:
    root = make_project(tmp_path / "p")
    made = Builder()(
        root,
        HEAD + "build:\n  noarch: python\n  run_exports: [foo 1.2]\n  features: [x]\n"
        "requirements:\n  run: [python, bar 1.2]\n  run_constrained: [foo 1.2, baz 1.2.*]\n",
    )
    package = Path(made.artifacts[0].path)
    index = read_info(package)
    assert index["constrains"] == ["foo 1.2", "baz 1.2.*"]
    assert "bar 1.2.*" in index["depends"]
    assert index["features"] == "x"
    exports = json.loads(read_members(package)["info/run_exports.json"])
    assert exports == {"weak": ["foo 1.2"]}


def test_a_link_script_beside_the_recipe_is_refused_and_not_dropped(tmp_path: Path) -> None:
    recipe = read(make_project(tmp_path / "p"), HEAD)
    (recipe.folder / "post-link.sh").write_text("true\n", encoding="utf-8")
    with pytest.raises(ProjectErrors, match=r"post-link\.sh as a link script"):
        choose_methods(recipe)


@pytest.mark.parametrize("section", ["build:\n  script:", "test:\n  commands:"])
def test_a_colon_in_a_command_is_explained(tmp_path: Path, section: str) -> None:
    with pytest.raises(ProjectErrors) as caught:
        read(tmp_path, f"{HEAD}{section}\n    - entr | grep usage: x\n")
    assert "colon" in caught.value.problems[0].hint


def test_a_build_number_and_a_script_have_the_forms_that_python_reads(tmp_path: Path) -> None:
    text = "build:\n  number: 1_000\n  entry_points:\n    - Single Cell = a.b:c\n"
    (output,) = read(tmp_path, HEAD + text).outputs
    assert output.build.number == 1000
    assert [line.text for line in output.build.entry_points] == ["Single Cell = a.b:c"]


@pytest.mark.parametrize(
    ("subdir", "ending"), [("linux-64", ".so"), ("osx-arm64", ".dylib"), ("win-64", ".dll")]
)
def test_the_ending_of_shared_libraries_is_known_outside_scripts(
    tmp_path: Path, subdir: str, ending: str
) -> None:
    text = (
        "outputs:\n  - name: a\n    files:\n      - lib/liba{{ SHLIB_EXT }}\n"
        'about: {summary: \'{{ environ["SHLIB_EXT"].removeprefix(".") }}\'}\n'
    )
    path = tmp_path / "meta.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    platform = Platform(subdir, "3.12")
    recipe = read_recipe(path, ReadContext(tmp_path, (tmp_path,), platform, Environ({})))
    (output,) = recipe.outputs
    assert [line.text for line in output.files] == [f"lib/liba{ending}"]
    assert output.about["summary"][0].text == ending[1:]
