"""A folder with a recipe becomes the packages that its author meant."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.recipe.recipe_builder import Builder, copy_recipe, make_project, read_info, read_members
from twofold.artifact import Kind
from twofold.errors import TwofoldError
from twofold.recipe.request import Platform

SMALL = """\
package:
  name: sample
  version: 1.0.0
{more}
requirements:
  host:
    - python
    - pip
  run:
    - python
    - attrs >=20
"""


@pytest.fixture
def build() -> Builder:
    return Builder()


def small(more: str = "") -> str:
    return SMALL.format(more=more)


def test_the_documents_recipe_builds_the_project_beside_it(build: Builder, tmp_path: Path) -> None:
    """package, build, requirements and nothing else: conda-build makes an empty package of it."""
    folder = copy_recipe(tmp_path, "document")
    (artifact,) = build(folder).artifacts
    assert artifact.path == folder / "conda-bld" / "noarch" / "my_package-1.0.0-py_0.conda"
    assert artifact.subdir == "noarch"
    assert artifact.depends == ("python", "numpy")
    files = read_members(artifact.path)
    assert files["site-packages/my_package/module1.py"].startswith(b"def function1")
    assert json.loads(files["info/link.json"])["noarch"]["type"] == "python"
    repodata = json.loads((folder / "conda-bld" / "noarch" / "repodata.json").read_text("utf-8"))
    assert list(repodata["packages.conda"]) == [artifact.filename]


def test_a_recipe_overrides_the_project_and_differences_are_reported(
    build: Builder, tmp_path: Path
) -> None:
    folder = make_project(tmp_path, dependencies='"attrs>=20", "rich"')
    made = build(
        folder,
        """\
package:
  name: sample-conda
  version: 1.0.1
build:
  number: 3
  noarch: python
  entry_points:
    - other = sample:main
requirements:
  run:
    - python
    - attrs >=21
  run_constrained:
    - rich-addon >=2
about:
  home: https://example.invalid/
  license: BSD-3-Clause
  license_family: BSD
  license_file: LICENSE
extra:
  recipe-maintainers:
    - somebody
""",
    )
    (artifact,) = made.artifacts
    index = read_info(artifact.path)
    assert (index["name"], index["version"]) == ("sample-conda", "1.0.1")
    assert (index["build"], index["build_number"]) == ("py_3", 3)
    assert index["depends"] == ["python >=3.9", "attrs >=21"]
    assert index["constrains"] == ["rich-addon >=2"]
    assert (index["license"], index["license_family"]) == ("BSD-3-Clause", "BSD")
    assert read_info(artifact.path, "link")["noarch"]["entry_points"] == ["other = sample:main"]
    about = read_info(artifact.path, "about")
    assert about["home"] == "https://example.invalid/"
    assert about["summary"] == "a sample"  # the recipe has none
    assert about["extra"] == {"recipe-maintainers": ["somebody"]}
    files = read_members(artifact.path)
    assert files["info/licenses/LICENSE"] == b"MIT, shortened\n"
    assert files["info/recipe/meta.yaml"].startswith(b"package:")
    assert [line for line in made.messages if "project" in line] == [
        "the recipe's name is sample-conda, the project's sample",
        "the recipe's version is 1.0.1, the project's 1.0.0: pip and conda will show different "
        "versions",
        "the project requires rich; requirements/run does not",
        "the project has the entry point 'sample-tool = sample:main'; the recipe does not",
    ]


@pytest.mark.parametrize(
    "script",
    [
        "script: {{ PYTHON }} -m pip install . --no-deps -vv",
        "script: python setup.py install --single-version-externally-managed --record=record.txt",
        "script:\n    - set -e\n    - pip install .",
    ],
)
def test_scripts_that_only_install_are_built_directly(
    build: Builder, tmp_path: Path, script: str
) -> None:
    folder = make_project(tmp_path)
    (artifact,) = build(folder, small(f"build:\n  noarch: python\n  {script}")).artifacts
    assert "site-packages/sample/__init__.py" in read_members(artifact.path)


def test_a_build_script_beside_the_recipe_counts(build: Builder, tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project")
    own = folder / "conda.recipe"
    own.mkdir()
    (own / "build.sh").write_text("#!/bin/bash\n$PYTHON -m pip install . -vv\n", encoding="utf-8")
    text = small("source:\n  path: ..\nbuild:\n  noarch: python")
    (artifact,) = build(own, text).artifacts
    assert artifact.path.is_relative_to(own / "conda-bld")
    assert "site-packages/sample/__init__.py" in read_members(artifact.path)


def test_a_pure_recipe_without_noarch_becomes_noarch_with_a_remark(
    build: Builder, tmp_path: Path
) -> None:
    made = build(make_project(tmp_path), small())
    assert made.artifacts[0].subdir == "noarch"
    assert "sample is built as noarch: it is pure Python for every platform" in made.messages


def test_lines_chosen_by_platform_make_a_package_for_that_platform(
    build: Builder, tmp_path: Path
) -> None:
    text = small() + "    - pywin32  # [win]\n    - pexpect  # [unix]\n"
    (artifact,) = build(make_project(tmp_path), text).artifacts
    assert artifact.subdir == "linux-64"
    assert artifact.depends == ("python >=3.9", "attrs >=20", "pexpect")
    (windows,) = build(tmp_path, text, platform=Platform("win-64", "3.12")).artifacts
    assert windows.subdir == "win-64"
    assert windows.depends == ("python >=3.9", "attrs >=20", "pywin32")


def test_lines_chosen_by_python_make_a_package_for_that_python(
    build: Builder, tmp_path: Path
) -> None:
    text = small() + "    - tomli  # [py<311]\n    - rich  # [py>=311]\n"
    (artifact,) = build(make_project(tmp_path), text).artifacts
    assert (artifact.subdir, artifact.build) == ("linux-64", "py312_0")
    assert artifact.depends == ("python >=3.12,<3.13.0a0", "attrs >=20", "rich")


def test_markers_of_the_project_do_not_narrow_the_recipe(build: Builder, tmp_path: Path) -> None:
    """Its own packages would be one per platform and Python; the recipe requests one noarch."""
    dependencies = (
        "\"tomli; python_version < '3.11'\", \"extra-speed; platform_machine == 'arm64'\""
    )
    folder = make_project(tmp_path, dependencies=dependencies)
    (artifact,) = build(folder, small("build:\n  noarch: python")).artifacts
    assert (artifact.subdir, artifact.build) == ("noarch", "py_0")
    assert artifact.depends == ("python >=3.9", "attrs >=20")


def compiled_wheel(out: Path) -> Path:
    """A small wheel of one CPython and one platform, with a file where the library would be."""
    path = out / "sample-1.0.0-cp312-cp312-manylinux_2_28_x86_64.whl"
    files = {
        "sample/__init__.py": b"def main(): ...\n",
        "sample/fast.cpython-312-x86_64-linux-gnu.so": b"\x7fELF",
        "sample-1.0.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: sample\n"
        b"Version: 1.0.0\nRequires-Python: >=3.9\n\n",
        "sample-1.0.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\n"
        b"Tag: cp312-cp312-manylinux_2_28_x86_64\n",
        "sample-1.0.0.dist-info/entry_points.txt": b"[console_scripts]\nsample = sample:main\n",
    }
    record = ""
    for name, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        record += f"{name},sha256={digest},{len(data)}\n"
    files["sample-1.0.0.dist-info/RECORD"] = f"{record}sample-1.0.0.dist-info/RECORD,,\n".encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_compiled_code_becomes_a_package_of_its_python_and_platform(
    build: Builder, tmp_path: Path
) -> None:
    (artifact,) = build(
        make_project(tmp_path),
        small("build:\n  number: 2\n  script: pip install ."),
        build_wheel=lambda _, out: compiled_wheel(out),
    ).artifacts
    assert (artifact.subdir, artifact.build) == ("linux-64", "py312_2")
    assert artifact.depends[:2] == ("python >=3.12,<3.13.0a0", "python_abi 3.12.* *_cp312")
    assert "__glibc >=2.28" in " ".join(artifact.depends)
    assert artifact.depends[-1] == "attrs >=20"
    files = read_members(artifact.path)
    assert "lib/python3.12/site-packages/sample/__init__.py" in files
    assert b"import main" in files["bin/sample"]


def test_noarch_python_over_compiled_code_is_refused(build: Builder, tmp_path: Path) -> None:
    with pytest.raises(TwofoldError, match="holds compiled code") as caught:
        build(
            make_project(tmp_path),
            small("build:\n  noarch: python\n  script: pip install ."),
            build_wheel=lambda _, out: compiled_wheel(out),
        )
    assert caught.value.problems[0].where == "meta.yaml:5: build/noarch"


def test_noarch_is_the_authors_word_whatever_selectors_say(build: Builder, tmp_path: Path) -> None:
    text = small("build:\n  noarch: python") + "    - pexpect  # [unix]\n"
    (artifact,) = build(make_project(tmp_path), text).artifacts
    assert (artifact.subdir, artifact.build) == ("noarch", "py_0")


def test_a_skipped_recipe_builds_nothing_and_reports_it(build: Builder, tmp_path: Path) -> None:
    made = build(make_project(tmp_path), small("build:\n  skip: true  # [linux]"))
    assert made.artifacts == []
    assert made.messages[-1] == "meta.yaml: build/skip is true on linux-64: nothing is built"
    assert not (tmp_path / "conda-bld").exists()


def test_both_forms_of_a_package_hold_the_same(build: Builder, tmp_path: Path) -> None:
    kinds = (Kind.CONDA, Kind.TAR_BZ2)
    one, two = build(make_project(tmp_path), small(), kinds=kinds).artifacts
    assert (one.kind, two.kind) == kinds
    assert read_members(one.path) == read_members(two.path)


def test_a_build_is_the_same_to_the_byte(build: Builder, tmp_path: Path) -> None:
    folder = make_project(tmp_path)
    first = build(folder, small()).artifacts[0].sha256
    assert build(folder, small()).artifacts[0].sha256 == first


def test_several_outputs_are_built_in_the_order_of_their_pins(
    build: Builder, tmp_path: Path
) -> None:
    made = build(copy_recipe(tmp_path, "several_outputs")).artifacts
    by_name = {artifact.name: artifact for artifact in made}
    assert [artifact.name for artifact in made] == ["thing", "thing-all", "thing-loose"]
    assert by_name["thing"].depends == ("python >=3.10",)
    assert by_name["thing-all"].depends == ("thing 3.1.2 py_4", "numpy")
    assert by_name["thing-loose"].depends == ("thing >=3.1,<4.0a0",)
    assert by_name["thing-loose"].build_number == 7
    assert read_info(by_name["thing"].path, "run_exports") == {"weak": ["thing >=3.1.2,<3.2.0a0"]}
    assert read_info(by_name["thing-loose"].path)["noarch"] == "generic"
    payload = [
        name for name in read_members(by_name["thing-all"].path) if not name.startswith("info/")
    ]
    assert payload == []
    assert read_members(by_name["thing"].path)["info/licenses/LICENSE"] == b"MIT, shortened\n"


def test_a_metapackage_has_no_files(build: Builder, tmp_path: Path) -> None:
    (artifact,) = build(copy_recipe(tmp_path, "metapackage")).artifacts
    assert (artifact.subdir, artifact.version) == ("noarch", "2024.06")
    assert artifact.depends == ("numpy", "pandas 2.1.*", "scipy 1.11.*")
    assert all(name.startswith("info/") for name in read_members(artifact.path))


def test_the_recipes_tests_travel_in_the_package(build: Builder, tmp_path: Path) -> None:
    folder = make_project(tmp_path)
    (folder / "run_test.py").write_text("assert True\n", encoding="utf-8")
    (folder / "data.txt").write_text("data\n", encoding="utf-8")
    (folder / "tests").mkdir()
    (folder / "tests" / "test_a.py").write_text("def test_a(): pass\n", encoding="utf-8")
    tests = """\
test:
  imports: [sample]
  commands:
    - sample-tool
    - python -m sample
  requires:
    - pytest >=7
  files: [data.txt]
  source_files:
    - tests
"""
    (artifact,) = build(folder, small(tests)).artifacts
    files = read_members(artifact.path)
    assert files["info/test/run_test.py"] == (
        b"print(\"import: 'sample'\")\nimport sample\n\nassert True\n"
    )
    assert files["info/test/run_test.sh"] == b"set -ex\nsample-tool\npython -m sample\n"
    assert b"sample-tool\nIF %ERRORLEVEL% NEQ 0" in files["info/test/run_test.bat"]
    assert json.loads(files["info/test/test_time_dependencies.json"]) == ["pytest >=7"]
    assert files["info/test/data.txt"] == b"data\n"
    assert files["info/test/tests/test_a.py"] == b"def test_a(): pass\n"


def _sdist(folder: Path) -> Path:
    source = make_project(folder / "packed")
    path = folder / "sample-1.0.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(source, "sample-1.0.0")
    return path


def test_a_source_given_by_url_is_checked_against_its_hash(build: Builder, tmp_path: Path) -> None:
    path = _sdist(tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    own = tmp_path / "recipe"
    own.mkdir()
    source = "source:\n  url: {}\n  sha256: {}\nbuild:\n  noarch: python\n  script: pip install ."
    for address in (path.as_uri(), "../sample-1.0.0.tar.gz"):
        (artifact,) = build(own, small(source.format(address, digest))).artifacts
        assert "site-packages/sample/__init__.py" in read_members(artifact.path)
    with pytest.raises(TwofoldError) as caught:
        build(own, small(source.format(path.as_uri(), "0" * 64)))
    assert digest in str(caught.value)
    assert caught.value.problems[0].where == "meta.yaml:5: source/url"


def test_a_source_in_a_zip_is_unpacked(build: Builder, tmp_path: Path) -> None:
    source = make_project(tmp_path / "packed")
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for path in source.rglob("*"):
            archive.write(path, f"top/{path.relative_to(source)}")
    own = tmp_path / "recipe"
    own.mkdir()
    text = small("source:\n  url: ../s.zip\nbuild:\n  noarch: python\n  script: pip install .")
    assert build(own, text).artifacts[0].name == "sample"


def _git(folder: Path, *words: str) -> str:
    own = ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@example.invalid"]
    return subprocess.run([*own, *words], check=True, capture_output=True, text=True).stdout.strip()


def test_a_source_from_git_is_taken_at_its_revision(build: Builder, tmp_path: Path) -> None:
    folder = make_project(tmp_path / "repository")
    _git(folder, "init", "-q")
    _git(folder, "add", ".")
    _git(folder, "commit", "-qm", "one")
    first = _git(folder, "rev-parse", "HEAD")
    (folder / "sample" / "later.py").write_text("", encoding="utf-8")
    _git(folder, "add", ".")
    _git(folder, "commit", "-qm", "two")
    own = tmp_path / "recipe"
    own.mkdir()
    script = "build:\n  noarch: python\n  script: pip install ."
    text = small(f"source:\n  git_url: ../repository\n  git_rev: {first}\n{script}")
    assert "site-packages/sample/later.py" not in read_members(build(own, text).artifacts[0].path)
    text = small(f"source:\n  git_url: ../repository\n{script}")
    assert "site-packages/sample/later.py" in read_members(build(own, text).artifacts[0].path)


def test_a_submodule_brings_no_repository_of_this_machine(build: Builder, tmp_path: Path) -> None:
    """CVE-2022-39253: plain git refuses the transport of files for submodules as well."""
    private = make_project(tmp_path / "private")
    folder = make_project(tmp_path / "repository")
    for repository in (private, folder):
        _git(repository, "init", "-q")
        _git(repository, "add", ".")
        _git(repository, "commit", "-qm", "one")
    allowed = ("-c", "protocol.file.allow=always")
    _git(folder, *allowed, "submodule", "add", "-q", private.as_uri(), "sample/private")
    _git(folder, "commit", "-qm", "two")
    own = tmp_path / "recipe"
    own.mkdir()
    script = "build:\n  noarch: python\n  script: pip install ."
    with pytest.raises(TwofoldError, match="git failed"):
        build(own, small(f"source:\n  git_url: ../repository\n{script}"))


@pytest.mark.git
def test_sources_are_assembled_and_patched(build: Builder, tmp_path: Path) -> None:
    folder = make_project(tmp_path / "main")
    (tmp_path / "extra.txt").write_text("extra\n", encoding="utf-8")
    (tmp_path / "one.patch").write_text(
        "--- a/sample/__init__.py\n+++ b/sample/__init__.py\n@@ -1,2 +1,2 @@\n"
        " def main() -> None:\n-    print('sample')\n+    print('patched')\n",
        encoding="utf-8",
    )
    (tmp_path / "plain.patch").write_text(
        "--- sample/__init__.py\n+++ sample/__init__.py\n@@ -1,2 +1,3 @@\n"
        " def main() -> None:\n     print('patched')\n+    print('twice')\n",
        encoding="utf-8",
    )
    text = small("""\
source:
  - path: main
    patches:
      - one.patch
      - plain.patch
  - path: extra.txt
    folder: sample
build:
  noarch: python
  script: pip install .""")
    files = read_members(build(tmp_path, text).artifacts[0].path)
    assert b"patched" in files["site-packages/sample/__init__.py"]
    assert b"twice" in files["site-packages/sample/__init__.py"]
    assert files["site-packages/sample/extra.txt"] == b"extra\n"
    assert "print('sample')" in (folder / "sample" / "__init__.py").read_text(encoding="utf-8")


def _evil_tar(path: Path, name: str, link: str = "") -> None:
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo(name)
        if link:
            member.type, member.linkname = tarfile.SYMTYPE, link
            archive.addfile(member)
        else:
            member.size = 4
            archive.addfile(member, io.BytesIO(b"evil"))


@pytest.mark.git
def test_sources_that_cannot_be_had_or_trusted_are_refused_with_key_and_line(
    build: Builder, tmp_path: Path
) -> None:
    own = tmp_path / "recipe"
    own.mkdir()
    _evil_tar(tmp_path / "climbs.tar.gz", "../../evil.txt")
    _evil_tar(tmp_path / "links.tar.gz", "a/link", "/etc/passwd")
    (tmp_path / "broken.tar.gz").write_bytes(b"no archive")
    with zipfile.ZipFile(tmp_path / "climbs.zip", "w") as archive:
        archive.writestr("../evil.txt", "evil")
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("zeros")
        member.size = 80 << 20
        archive.addfile(member, io.BytesIO(bytes(member.size)))
    cases = {
        "path: ../not-there": "does not exist",
        "url: ../not-there.tar.gz": "does not exist",
        "url: ../climbs.tar.gz": "cannot be unpacked",
        "url: ../links.tar.gz": "cannot be unpacked",
        "url: ../broken.tar.gz": "cannot be unpacked",
        "url: ../climbs.zip": "leaves the archive",
        "url: ../bomb.tar.gz": "archive bomb",
        "url: https://example.invalid/x.tar.gz": "no sha256",
        "url: ftp://example.invalid/x.tar.gz": "not supported",
        "git_url: https://example.invalid/x.git": "no git_rev",
        "git_url: ext::sh -c true": "no git_rev",
        "git_url: --upload-pack=true": "cannot begin with '-'",
        "git_url: ../not-there\n  git_rev: v1": "git failed",
    }
    for source, message in cases.items():
        script = "build:\n  noarch: python\n  script: pip install ."
        with pytest.raises(TwofoldError) as caught:
            build(own, small(f"source:\n  {source}\n{script}"))
        problem = caught.value.problems[0]
        assert message in problem.message, source
        assert problem.where.startswith("meta.yaml:5: source/"), source
        assert not (own / "conda-bld").exists()
    assert not (tmp_path / "evil.txt").exists()


@pytest.mark.parametrize(
    ("text", "where", "message"),
    [
        (small("build:\n  script: curl -O x"), "meta.yaml:5: build/script", "the network"),
        (
            small("build:\n  noarch: generic\n  script: pip install ."),
            "meta.yaml:5: build/noarch",
            "noarch: generic",
        ),
        (
            small("about:\n  license_file:\n    - NOT-THERE\n    - LICENSE"),
            "meta.yaml:6: about/license_file",
            "NOT-THERE",
        ),
        (small("test:\n  files: [not-there.txt]"), "meta.yaml:5: test/files", "names no file"),
        (small("test:\n  files: [../x]"), "meta.yaml:5: test/files", "leaves its folder"),
        (
            small("test:\n  imports: ['os; x']"),
            "meta.yaml:5: test/imports",
            "not a valid module name",
        ),
        (
            small("build:\n  script: pip install ./nowhere"),
            "meta.yaml:5: build/script",
            "no Python project",
        ),
    ],
)
def test_what_cannot_be_built_is_an_error_with_its_key(
    build: Builder, tmp_path: Path, text: str, where: str, message: str
) -> None:
    folder = make_project(tmp_path)
    with pytest.raises(TwofoldError) as caught:
        build(folder, text)
    problem = caught.value.problems[0]
    assert (problem.where, message in problem.message) == (where, True), str(caught.value)
    assert problem.hint
    assert not list(folder.glob("conda-bld/**/*.conda"))


def test_large_files_do_not_travel_under_info(build: Builder, tmp_path: Path) -> None:
    folder = make_project(tmp_path)
    with (folder / "large.bin").open("wb") as file:
        file.truncate(17 << 20)
    for more, key in (
        ("test:\n  files: [large.bin]", "test/files"),
        ("about:\n  license_file: large.bin", "about/license_file"),
    ):
        with pytest.raises(TwofoldError, match="larger than 16 MiB") as caught:
            build(folder, small(more))
        assert caught.value.problems[0].where == f"meta.yaml:5: {key}"


def test_a_recipe_with_nothing_to_build_reports_what_is_missing(
    build: Builder, tmp_path: Path
) -> None:
    without_run = small().partition("requirements:")[0]
    (tmp_path / "module.py").touch()
    with pytest.raises(TwofoldError) as caught:
        build(tmp_path, without_run)
    (problem,) = caught.value.problems
    assert problem.where == "meta.yaml:2: package"
    assert "no script and no Python project in its source or beside" in problem.message
    with pytest.raises(TwofoldError, match=r"there is no meta\.yaml"):
        Builder()(tmp_path / "recipes-elsewhere")


def test_outputs_that_pin_each_other_in_a_circle_are_refused(
    build: Builder, tmp_path: Path
) -> None:
    text = """\
package: {name: x, version: 1}
outputs:
  - name: a
    requirements:
      run:
        - {{ pin_subpackage('b') }}
  - name: b
    requirements:
      run:
        - {{ pin_subpackage('a') }}
"""
    with pytest.raises(TwofoldError, match="circle") as caught:
        build(tmp_path, text)
    assert caught.value.problems[0].where == "meta.yaml:3: outputs"


def test_load_setup_py_data_builds_a_setup_py_that_computes_in_isolation(
    build: Builder, tmp_path: Path
) -> None:
    """The document's own kind of project, with a version that only running setup.py can tell."""
    folder = copy_recipe(tmp_path, "document")
    text = (folder / "setup.py").read_text(encoding="utf-8")
    computed = text.replace('"1.0.0"', 'str(2) + ".5"')
    (folder / "setup.py").write_text(computed, encoding="utf-8")
    made = build(
        folder,
        "{% set data = load_setup_py_data() %}\npackage:\n  name: {{ data['name'] }}\n"
        "  version: {{ data['version'] }}\nrequirements:\n  run:\n"
        "    {% for line in data.install_requires %}\n    - {{ line }}\n    {% endfor %}\n",
    )
    assert made.artifacts[0].filename == "my_package-2.5-py_0.conda"
    assert made.artifacts[0].depends == ("python", "numpy")
