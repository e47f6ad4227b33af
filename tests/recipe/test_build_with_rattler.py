"""Recipes that need more than Python code become recipe v1, which py-rattler-build builds."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import yaml
from rattler_build import MultiOutputRecipe, SingleOutputRecipe, Stage0Recipe, VariantConfig

from tests.recipe.recipe_builder import RECIPES, Builder, copy_recipe, read_info, read_members
from tests.recipe.summary import read_for_linux
from twofold.errors import ProjectErrors, SubprocessFailed, TwofoldError
from twofold.recipe.building.with_rattler import render_unchanged
from twofold.recipe.read.match_specs import to_strict_spec
from twofold.recipe.request import Platform, RecipeRequest
from twofold.recipe.write.to_v1 import render_v1, translate_recipe

posix = pytest.mark.skipif(os.name == "nt", reason="its script is for a POSIX shell")


@pytest.fixture
def build() -> Builder:
    return Builder(platform=Platform.current())


def translated(path: Path) -> dict[str, object]:
    text = render_v1(translate_recipe(read_for_linux(path), Path("/source"), print))
    return dict(yaml.safe_load(text))


def test_compilers_pins_and_linking_are_translated_to_v1() -> None:
    assert translated(RECIPES / "compiled" / "meta.yaml") == {
        "schema_version": 1,
        "package": {"name": "fastsum", "version": "1.4.0"},
        "build": {
            "number": 2,
            "script": {"content": ["$PYTHON -m pip install . -vv"], "env": {}},
            "dynamic_linking": {"missing_dso_allowlist": ["*/libcuda.so*"]},
        },
        "requirements": {
            "build": ["${{ compiler('c') }}", "${{ stdlib('c') }}", "make"],
            "host": ["python", "pip", "numpy"],
            "run": [
                "python",
                "${{ pin_compatible('numpy', lower_bound='x.x.x.x.x.x', upper_bound='x.x') }}",
            ],
            "run_constraints": ["fastsum-legacy <0"],
            "ignore_run_exports": {"by_name": ["libfoo"]},
        },
        "tests": [{"python": {"imports": ["fastsum"], "pip_check": False}}],
        "source": [{"path": "/source", "use_gitignore": False}],
    }


def test_a_library_keeps_its_script_file_and_run_exports() -> None:
    made = translated(RECIPES / "library" / "meta.yaml")
    assert made["build"] == {
        "number": 0,
        "script": {"file": "build.sh", "env": {"CFLAGS": "-O2"}},
        "prefix_detection": {"ignore_binary_files": True},
    }
    assert made["requirements"] == {
        "build": ["${{ compiler('cxx') }}", "${{ cdt('mesa-libgl-devel') }}", "cmake", "ninja"],
        "host": ["zlib"],
        "run_exports": {
            "strong": [
                "${{ pin_subpackage('libthing', lower_bound='x.x.x.x.x.x', upper_bound='x.x') }}"
            ]
        },
    }
    assert made["tests"] == [{"script": ["test -f $PREFIX/lib/libthing.so.5"]}]


CASES = sorted(path.parent.name for path in RECIPES.glob("*/meta.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_rattler_build_reads_every_recipe_of_the_corpus_in_its_v1_form(case: str) -> None:
    recipe_ = read_for_linux(RECIPES / case / "meta.yaml", OTHER_VERSION="7.*")
    read = Stage0Recipe.from_yaml(render_v1(translate_recipe(recipe_, None, print)))
    several = recipe_.outputs[0].is_split
    assert isinstance(read, MultiOutputRecipe if several else SingleOutputRecipe)
    variants = read.render(VariantConfig({"python": ["3.12"], "c_stdlib": ["sysroot"]}))
    rendered = sorted(variant.recipe.package.name for variant in variants)
    assert rendered == sorted(output.name for output in recipe_.outputs)


COPIES = """\
package:
  name: data-files
  version: 1.0
source:
  path: files
build:
  number: 2
  noarch: generic
  script_env:
    - GREETING=hello there
  script: |
    mkdir -p $PREFIX/share/{{ PKG_NAME }}
    cp *.txt $PREFIX/share/{{ PKG_NAME }}/
    echo "$GREETING" > $PREFIX/share/{{ PKG_NAME }}/greeting
    if true; then
        echo deep > $PREFIX/share/deep
    fi
requirements:
  run_constrained:
    - other-files >=2
test:
  commands:
    - test -f $PREFIX/share/data-files/a.txt
about:
  license: MIT
  license_file: LICENSE
  summary: only files
extra:
  recipe-maintainers:
    - somebody
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("a\n", encoding="utf-8")
    (tmp_path / "files" / "LICENSE").write_text("MIT, shortened\n", encoding="utf-8")
    return tmp_path


@posix
def test_a_recipe_with_commands_of_its_own_is_built_by_rattler_build(
    build: Builder, files: Path
) -> None:
    made = build(files, COPIES)
    (artifact,) = made.artifacts
    assert (artifact.name, artifact.subdir, artifact.build_number) == ("data-files", "noarch", 2)
    index = read_info(artifact.path)
    assert index["constrains"] == ["other-files >=2"]
    found = read_members(artifact.path)
    assert found["share/data-files/a.txt"] == b"a\n"
    assert found["share/data-files/greeting"] == b"hello there\n"
    assert found["share/deep"] == b"deep\n"
    assert found["info/licenses/LICENSE"] == b"MIT, shortened\n"
    assert read_info(artifact.path, "about")["summary"] == "only files"
    assert (files / "conda-bld" / "noarch" / "repodata.json").is_file()
    assert made.messages[0] == "meta.yaml needs a host environment: built as recipe v1"
    left = [path.name for path in (files / "conda-bld").iterdir()]
    assert ".rattler-build" not in left


@posix
def test_a_build_script_file_is_run_as_it_is(build: Builder, files: Path) -> None:
    (files / "build.sh").write_text(
        'mkdir -p "$PREFIX/share"\ncat > "$PREFIX/share/x" <<END\n  indented\nEND\n',
        encoding="utf-8",
    )
    text = "package: {name: x, version: 1}\nbuild: {noarch: generic}\nsource: {path: files}\n"
    (artifact,) = build(files, text).artifacts
    assert read_members(artifact.path)["share/x"] == b"  indented\n"


@posix
def test_a_script_without_a_source_copies_from_folders_beside_the_recipe(
    build: Builder, files: Path
) -> None:
    (files / "build.sh").write_text(
        'mkdir -p "$PREFIX/share"\ncp "$RECIPE_DIR/files/a.txt" "$PREFIX/share/"\n',
        encoding="utf-8",
    )
    text = "package: {name: x, version: 1}\nbuild: {noarch: generic}\n"
    (artifact,) = build(files, text).artifacts
    assert read_members(artifact.path)["share/a.txt"] == b"a\n"


@posix
def test_a_recipe_v1_in_the_folder_is_built_too(build: Builder, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(
        "package: {name: v1, version: '2.0'}\nbuild:\n  noarch: generic\n"
        "  script: mkdir -p $PREFIX/share && echo v1 > $PREFIX/share/v1\n",
        encoding="utf-8",
    )
    (artifact,) = build(tmp_path).artifacts
    assert artifact.path.parent == tmp_path / "conda-bld" / "noarch"
    assert read_members(artifact.path)["share/v1"] == b"v1\n"


@posix
def test_the_variants_beside_a_recipe_are_built(build: Builder, files: Path) -> None:
    (files / "conda_build_config.yaml").write_text(
        "flavour:\n  - sweet\n  - sour\n  - salty  # [win]\n", encoding="utf-8"
    )
    (files / "recipe.yaml").write_text(
        "package: {name: x, version: '1'}\nbuild:\n  string: ${{ flavour }}_0\n  noarch: generic\n"
        "  script: mkdir -p $PREFIX/share && echo ${{ flavour }} > $PREFIX/share/x\n",
        encoding="utf-8",
    )
    made = build(files).artifacts
    assert sorted(artifact.build for artifact in made) == ["sour_0", "sweet_0"]


@posix
def test_a_failing_script_is_reported_and_leaves_nothing(build: Builder, files: Path) -> None:
    with pytest.raises(SubprocessFailed) as caught:
        build(files, COPIES.replace("cp *.txt", "cp *.not-there"))
    assert "could not build data-files" in str(caught.value)
    assert "not-there" in caught.value.output
    assert "mend the script" in caught.value.problems[0].hint
    assert not list(files.glob("conda-bld/**/*.conda"))


def test_a_host_that_no_channel_provides_is_reported(build: Builder, files: Path) -> None:
    text = COPIES.replace("requirements:\n", "requirements:\n  host:\n    - not-anywhere\n")
    with pytest.raises(SubprocessFailed) as caught:
        build(files, text)
    assert "not-anywhere" in str(caught.value) + caught.value.output
    assert "--channel" in caught.value.problems[0].hint


def test_a_recipe_v1_that_cannot_be_read_is_reported(build: Builder, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("outputs: 5\n", encoding="utf-8")
    with pytest.raises(TwofoldError, match="rattler-build cannot read the recipe"):
        build(tmp_path)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (
            "build:\n  script: make\n  overlinking_ignore_patterns:\n    - x\n",
            "meta.yaml:5: build/overlinking_ignore_patterns",
        ),
        ("build:\n  script: make\napp:\n  entry: x\n", "meta.yaml:5: app"),
        ("build:\n  script: 'echo ${' '{ x }}'\n".replace("' '", ""), "meta.yaml:3: build/script"),
    ],
)
def test_what_v1_cannot_say_is_an_error_with_key_and_line(
    build: Builder, tmp_path: Path, text: str, where: str
) -> None:
    if "echo" in text:
        text = text.replace("${{ x }}", "{% raw %}${{ x }}{% endraw %}")
    with pytest.raises(ProjectErrors) as caught:
        build(tmp_path, "package: {name: x, version: 1}\n" + text)
    (problem,) = caught.value.problems
    assert problem.where == where
    assert "not supported" in problem.message
    assert problem.hint


@posix
def test_python_in_the_host_comes_from_the_channels_given(
    build: Builder, tmp_path: Path, offline: Path
) -> None:
    """A script that runs the host's own Python; the channel holds the running one, repacked."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    folder = copy_recipe(tmp_path, "document")
    text = (folder / "meta.yaml").read_text(encoding="utf-8")
    (folder / "build.sh").write_text(
        "$PYTHON -c \"import sys; open(sys.prefix + '/made-by', 'w').write(sys.version)\"\n",
        encoding="utf-8",
    )
    text = text.replace("    - setuptools\n    - wheel\n", "").replace("numpy", "python")
    (artifact,) = build(
        folder,
        text,
        channels=(offline.as_uri(),),
        platform=Platform(Platform.current().subdir, minor),
    ).artifacts
    assert read_members(artifact.path)["made-by"].decode().startswith(minor)


@posix
def test_an_about_section_that_conda_build_accepts_is_built_and_changes_are_reported(
    build: Builder, tmp_path: Path
) -> None:
    text = (
        "package: {name: x, version: 1}\nbuild:\n  script: touch $PREFIX/built\nabout:\n"
        "  home: www.example.org\n  dev_url:\n    - https://a.example.org/x\n"
        "    - https://b.example.org/x\n  license: BSD 3-Clause (revised)\n  summary: a sample\n"
    )
    made = build(tmp_path, text)
    about = read_info(made.artifacts[0].path, "about")
    assert about["license"] == "LicenseRef-BSD-3-Clause-revised"
    assert "home" not in about
    assert made.messages[1:4] == [
        "meta.yaml:5: about/home: 'www.example.org' is left out: it is not a URL; "
        "write https:// in front",
        "meta.yaml:8: about/dev_url: 'https://b.example.org/x' is left out: the first one counts",
        "meta.yaml:9: about/license: 'BSD 3-Clause (revised)' is not an SPDX expression: the "
        "package says LicenseRef-BSD-3-Clause-revised",
    ]
    assert build(tmp_path, text.replace("BSD 3-Clause (revised)", "mit")).artifacts


@pytest.mark.parametrize(
    ("spec", "strict"),
    [
        ("a 1.2", "a ==1.2"),
        ("a 1!2.0", "a ==1!2.0"),
        ("a 1.2 py_0", "a ==1.2 py_0"),
        ("a 1.2=py_0", "a ==1.2 py_0"),
        ("a==1.2=py_0", "a ==1.2 py_0"),
        ("a=1.2=*_x", "a ==1.2 *_x"),
        ("a 1.2|1.3.*", "a ==1.2|1.3.*"),
        ("c/label/x::a 1.2", "c/label/x::a ==1.2"),
        ("a >=1.2.*,<2.*", "a >=1.2,<2"),
        ("a ~=1.2.*", "a ~=1.2"),
        ("a =1.2.*", "a 1.2.*"),
        ("a != 1.2.*", "a !=1.2.*"),
        ("a * *_x", "a * *_x"),
        ("a 1.2.* *_x", "a 1.2.* *_x"),
        ("a", "a"),
        ("a[version='>=1']", "a[version='>=1']"),
    ],
)
def test_requirements_are_written_as_rattler_build_reads_them(spec: str, strict: str) -> None:
    assert to_strict_spec(spec) == strict
    text = f"package: {{name: x, version: '1'}}\nrequirements: {{run: [\"{strict}\"]}}\n"
    assert Stage0Recipe.from_yaml(text).render(VariantConfig())


def test_every_section_of_a_recipe_for_rattler_build_has_strict_requirements(
    tmp_path: Path,
) -> None:
    path = tmp_path / "meta.yaml"
    path.write_text(
        "package: {name: x, version: '1'}\nbuild:\n  script: echo a\n"
        "  run_exports:\n    - e >=1.*\n"
        "requirements:\n  host:\n    - h 1.2 *_x\n  run:\n    - r 1.2=py_0\n"
        "  run_constrained:\n    - c 1.2\ntest:\n  commands: ['true']\n  requires:\n    - t =1.*\n",
        encoding="utf-8",
    )
    made = translated(path)
    needs, tests = made["requirements"], made["tests"]
    assert isinstance(needs, dict) and isinstance(tests, list)
    assert (needs["host"], needs["run"]) == (["h ==1.2 *_x"], ["r ==1.2 py_0"])
    assert needs["run_constraints"] == ["c ==1.2"]
    assert needs["run_exports"] == {"weak": ["e >=1"]}
    assert tests[0]["requirements"] == {"run": ["t 1.*"]}


SKIPPING = """\
context: {{version: "1"}}
recipe: {{name: s, version: "${{{{ version }}}}"}}
build: {{noarch: generic, skip: {top}}}
outputs:
  - package: {{name: "${{{{ 's-' ~ 'a' }}}}"}}
    build: {{skip: {own}}}
  - package: {{name: s-b}}
"""


@pytest.mark.parametrize(
    ("top", "own", "names"),
    [
        ("[]", "[linux]", ["s-b"]),
        ("[linux]", "[]", []),
        ("[win]", "['version == \"1\"', win]", ["s-b"]),
        ("'${{ linux }}'", "[]", []),
        ("[osx]", "[\"match(python, '<3.12')\"]", ["s-b"]),
        ("[nowhere.there]", "[win]", ["s-a", "s-b"]),
    ],
)
def test_outputs_that_a_recipe_v1_skips_are_not_built(
    tmp_path: Path, top: str, own: str, names: list[str]
) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(SKIPPING.format(top=top, own=own), encoding="utf-8")
    request = RecipeRequest(lambda source, _: source, platform=Platform("linux-64", "3.11"))
    rendered = render_unchanged(path, request)
    assert [one["package"]["name"] for one in rendered] == names
