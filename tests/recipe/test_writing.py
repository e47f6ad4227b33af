"""A project becomes an equivalent recipe, in both formats."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rattler_build import SingleOutputRecipe, Stage0Recipe, VariantConfig

from tests.factories.packages import make_wheel
from tests.recipe.recipe_builder import Builder, build_wheel, make_project, read_info, read_members
from tests.recipe.summary import read_for_linux
from twofold.building import build_project
from twofold.building.options import BuildRequest
from twofold.errors import TwofoldError, Unreachable
from twofold.recipe.request import Platform
from twofold.recipe.write.draft import Source, draft_recipe
from twofold.recipe.write.from_project import WriteRequest, write_recipe
from twofold.recipe.write.meta_yaml import render_meta_yaml

FULL = """\
[build-system]
requires = ["twofold-build"]
build-backend = "twofold_build"

[project]
name = "Full_Example"
version = "2.1.0rc1"
description = "It's a sample: with {{ signs }} and #marks"
requires-python = ">=3.9"
dependencies = ["attrs>=20,<30", "torch>=2", "left-out", "typing-extensions~=4.1"]
license = "MIT"
license-files = ["LICENSE", "notices/NOTICE.txt"]

[project.optional-dependencies]
plot = ["matplotlib>=3.5"]

[project.scripts]
full-tool = "full_example.cli:main"

[project.urls]
Homepage = "https://example.invalid/full"
Documentation = "https://example.invalid/docs"
Repository = "https://example.invalid/git"

[tool.twofold.conda]
name = "full-example-conda"
depends = ["openssl >=3"]
leave-out = ["left-out"]
build-number = 2
"""


@pytest.fixture
def full(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    package = root / "full_example"
    package.mkdir(parents=True)
    (root / "pyproject.toml").write_text(FULL, encoding="utf-8")
    (root / "LICENSE").write_text("MIT, shortened\n", encoding="utf-8")
    (root / "notices").mkdir()
    (root / "notices" / "NOTICE.txt").write_text("a notice\n", encoding="utf-8")
    (package / "__init__.py").write_text("", encoding="utf-8")
    (package / "cli.py").write_text("def main() -> None: ...\n", encoding="utf-8")
    return root


def written(root: Path, form: str = "meta.yaml", **more: Any) -> str:
    request = WriteRequest(build_wheel, form, root, **more)
    return write_recipe(root, request).text


def test_meta_yaml_has_the_metadata_of_the_project(full: Path) -> None:
    assert (
        written(full)
        == """\
{% set name = "full-example-conda" %}
{% set version = "2.1.0rc1" %}
{% set python_min = "3.9" %}

package:
  name: {{ name }}
  version: {{ version }}

source:
  path: .

build:
  number: 2
  noarch: python
  entry_points:
    - 'full-tool = full_example.cli:main'
  script: {{ PYTHON }} -m pip install . -vv --no-deps --no-build-isolation

requirements:
  host:
    - python {{ python_min }}.*
    - pip
    - twofold-build
  run:
    - python >={{ python_min }}
    - attrs >=20,<30dev0
    - pytorch >=2
    - typing_extensions >=4.1,4.*
    - openssl >=3
  run_constrained:
    - matplotlib-base >=3.5

test:
  imports:
    - full_example
  commands:
    - pip check
  requires:
    - python {{ python_min }}.*
    - pip

about:
  home: https://example.invalid/full
  summary: 'It''s a sample: with { { signs }} and #marks'
  license: MIT
  dev_url: https://example.invalid/git
  doc_url: https://example.invalid/docs
  license_file:
    - LICENSE
    - notices/NOTICE.txt

extra:
  recipe-maintainers:
    - your-github-name
"""
    )


def same_package(one: Path, other: Path) -> None:
    """Everything that installs and solves is the same; the recipe and its tests are carried."""
    assert one.name == other.name
    assert read_info(one) == read_info(other)
    assert read_info(one, "link") == read_info(other, "link")
    first, second = read_members(one), read_members(other)
    payload = [
        {name: data for name, data in files.items() if not name.startswith("info/")}
        for files in (first, second)
    ]
    assert payload[0] == payload[1]
    added = {name for name in second.keys() - first.keys() if name.startswith("info/")}
    assert {name.split("/")[1] for name in added} <= {"recipe", "test"}
    # Without a recipe the package gets a generated one.
    assert first.keys() <= second.keys() | {"info/recipe/meta.yaml"}


def test_what_is_written_builds_to_the_same_package(full: Path, tmp_path: Path) -> None:
    (conda,) = build_project(full, BuildRequest(("conda",), tmp_path / "direct")).artifacts
    (full / "meta.yaml").write_text(written(full), encoding="utf-8")
    (artifact,) = Builder()(full, out=tmp_path / "by-recipe").artifacts
    same_package(Path(conda.path), artifact.path)


def test_markers_become_selectors_and_the_packages_stay_the_same(tmp_path: Path) -> None:
    root = make_project(
        tmp_path / "project",
        dependencies=(
            '"attrs", "colorama; sys_platform == \'win32\'", "pexpect; os_name == \'posix\'"'
        ),
    )
    made = build_project(root, BuildRequest(("conda",), tmp_path / "direct")).artifacts
    direct = {Path(one.path).name: Path(one.path) for one in made}
    (root / "meta.yaml").write_text(written(root), encoding="utf-8")
    targets = [Platform(subdir, "3.12") for subdir in ("linux-64", "win-64")]
    by_recipe = {}
    for target in targets:
        (artifact,) = Builder()(root, out=tmp_path / "by-recipe", platform=target).artifacts
        by_recipe[artifact.filename] = artifact.path
    assert by_recipe.keys() == direct.keys()
    for name, path in direct.items():
        same_package(path, by_recipe[name])


@pytest.mark.parametrize("form", ["meta.yaml", "recipe.yaml"])
def test_another_backend_builds_the_wheel(form: str, tmp_path: Path) -> None:
    root = tmp_path / "project"
    (root / "one" / "sub").mkdir(parents=True)
    for name in ("one/__init__.py", "one/sub/__init__.py", "two.py", "_private.py"):
        (root / name).write_text("", encoding="utf-8")
    (root / "setup.py").write_text(
        "from setuptools import setup\nsetup(name='old', version='1.0', packages=['one', "
        "'one.sub'], py_modules=['two', '_private'], python_requires='>=3.7')\n",
        encoding="utf-8",
    )
    request = WriteRequest(build_wheel, form, root)
    made = write_recipe(root, request)
    assert "- one\n" in made.text
    assert "- two\n" in made.text
    assert "_private" not in made.text
    assert "- setuptools >=40.8.0\n" in made.text
    assert made.remarks == (
        "the project has no licence file: conda-forge requires one",
        "the project has no licence: conda-forge requires an SPDX expression",
        "the project has no homepage: conda-forge requires one ([project.urls])",
        "put your GitHub name under extra/recipe-maintainers",
        "for conda-forge the source must be a published sdist: see --published",
    )


def test_rattler_build_accepts_the_v1_form_and_reads_the_same_in_it(full: Path) -> None:
    text = written(full, "recipe.yaml")
    recipe = Stage0Recipe.from_yaml(text)
    assert isinstance(recipe, SingleOutputRecipe)
    (variant,) = recipe.render(VariantConfig({"python": ["3.12"]}))
    read = variant.recipe.to_dict()
    assert read["package"] == {"name": "full-example-conda", "version": "2.1.0rc1"}
    assert read["requirements"]["run"] == [
        "python >=3.9",
        "attrs >=20,<30dev0",
        "pytorch >=2",
        "typing_extensions >=4.1,4.*",
        "openssl >=3",
    ]
    assert read["requirements"]["run_constraints"] == ["matplotlib-base >=3.5"]
    assert read["build"]["python"]["entry_points"] == ["full-tool = full_example.cli:main"]
    assert read["build"]["noarch"] == "python"
    assert read["about"]["license"] == "MIT"
    assert read["about"]["summary"] == "It's a sample: with { { signs }} and #marks"
    assert read["tests"][0]["python"]["imports"] == ["full_example"]


def test_rattler_build_accepts_markers_in_the_v1_form(tmp_path: Path) -> None:
    root = make_project(
        tmp_path, dependencies="\"a; sys_platform == 'win32'\", \"b; python_version < '3.11'\""
    )
    recipe = Stage0Recipe.from_yaml(written(root, "recipe.yaml"))
    variants = recipe.render(VariantConfig({"python": ["3.10", "3.12"]}))
    runs = [variant.recipe.to_dict()["requirements"]["run"] for variant in variants]
    assert runs == [["python >=3.9", "b", "__unix"]]


@pytest.mark.parametrize("form", ["meta.yaml", "recipe.yaml"])
def test_markers_about_python_are_folded_into_one_recipe_and_reported(
    form: str, tmp_path: Path
) -> None:
    root = make_project(
        tmp_path / "p",
        dependencies="\"tomli; python_version < '3.11'\", \"a>=2; python_version >= '3.12'\", "
        "\"a>=1; python_version < '3.12'\"",
    )
    made = write_recipe(root, WriteRequest(build_wheel, form, root))
    run = made.text.partition("  run:\n")[2].partition("\n\n")[0]
    assert "- python >=" in run and "python_min" in run
    assert "- tomli" in run and "- a >=1" in run and "a >=2" not in run
    assert "# [" not in run and "if:" not in run
    assert "'tomli' is for some Pythons; the recipe requires it on all" in made.remarks
    assert "'a >=2' of some Pythons is left out: 'a >=1' is for all" in made.remarks
    assert any("makes 1 of the 3 packages" in remark for remark in made.remarks)
    if form == "meta.yaml":
        (root / form).write_text(made.text, encoding="utf-8")
        (artifact,) = Builder()(root, out=tmp_path / "out").artifacts
        assert artifact.filename == "sample-1.0.0-py_0.conda"


def test_platforms_and_pythons_become_one_package_for_each_platform(tmp_path: Path) -> None:
    root = make_project(
        tmp_path / "p",
        dependencies="\"tomli; python_version < '3.11'\", \"colorama; sys_platform == 'win32'\", "
        "\"uvloop; platform_system != 'Windows' and python_version >= '3.12'\"",
    )
    made = write_recipe(root, WriteRequest(build_wheel, "meta.yaml", root))
    (root / "meta.yaml").write_text(made.text, encoding="utf-8")
    found = {}
    for subdir in ("linux-64", "osx-arm64", "win-64"):
        target = Platform(subdir, "3.12")
        (artifact,) = Builder()(root, out=tmp_path / subdir, platform=target).artifacts
        found[subdir] = (artifact.build, sorted(artifact.depends))
    unix = ("unix_py_0", ["__unix", "python >=3.9", "tomli", "uvloop"])
    assert found == {
        "linux-64": unix,
        "osx-arm64": unix,
        "win-64": ("win_py_0", ["__win", "colorama", "python >=3.9", "tomli"]),
    }
    assert any("makes 2 of the 5 packages" in remark for remark in made.remarks)
    assert any("--target-platform" in remark for remark in made.remarks)


def test_the_v1_form_reads_like_the_v0_form(full: Path) -> None:
    assert (
        written(full, "recipe.yaml")
        == """\
schema_version: 1

context:
  name: full-example-conda
  version: "2.1.0rc1"
  python_min: "3.9"

package:
  name: ${{ name }}
  version: ${{ version }}

source:
  path: .

build:
  number: 2
  noarch: python
  script: ${{ PYTHON }} -m pip install . -vv --no-deps --no-build-isolation
  python:
    entry_points:
      - 'full-tool = full_example.cli:main'

requirements:
  host:
    - python ${{ python_min }}.*
    - pip
    - twofold-build
  run:
    - python >=${{ python_min }}
    - attrs >=20,<30dev0
    - pytorch >=2
    - typing_extensions >=4.1,4.*
    - openssl >=3
  run_constraints:
    - matplotlib-base >=3.5

tests:
  - python:
      imports:
        - full_example
      python_version: ${{ python_min }}.*
      pip_check: true

about:
  homepage: https://example.invalid/full
  summary: 'It''s a sample: with { { signs }} and #marks'
  license: MIT
  repository: https://example.invalid/git
  documentation: https://example.invalid/docs
  license_file:
    - LICENSE
    - notices/NOTICE.txt

extra:
  recipe-maintainers:
    - your-github-name
"""
    )


def sdist_of(root: Path, out: Path) -> Path:
    return Path(build_project(root, BuildRequest(("sdist",), out)).artifacts[0].path)


def test_an_sdist_gives_its_hash_and_its_address(full: Path, tmp_path: Path) -> None:
    sdist = sdist_of(full, tmp_path / "built")
    digest = hashlib.sha256(sdist.read_bytes()).hexdigest()
    url = f"https://example.invalid/{sdist.name}"
    text = written(full, sdist=sdist, url=url)
    assert "  url: https://example.invalid/full_example-{{ version }}.tar.gz\n" in text
    assert f"  sha256: {digest}\n" in text
    v1 = written(full, "recipe.yaml", sdist=sdist, url=url)
    assert "  url: https://example.invalid/full_example-${{ version }}.tar.gz\n" in v1
    other = sdist_of(make_project(tmp_path / "other"), tmp_path / "built-other")
    with pytest.raises(TwofoldError, match="the project is Full_Example"):
        written(full, sdist=other)


def test_a_recipe_of_an_sdist_builds_the_same_package(full: Path, tmp_path: Path) -> None:
    (conda,) = build_project(full, BuildRequest(("conda",), tmp_path / "direct")).artifacts
    sdist = sdist_of(full, tmp_path / "built")
    own = tmp_path / "recipe"
    own.mkdir()
    request = WriteRequest(build_wheel, folder=own, sdist=sdist)
    text = write_recipe(full, request).text
    assert f"  path: ../built/dist/{sdist.name}\n" in text
    (artifact,) = Builder()(own, text).artifacts
    assert artifact.filename == Path(conda.path).name
    assert artifact.depends == tuple(read_info(Path(conda.path))["depends"])


class Index(BaseHTTPRequestHandler):
    """One project's page, as JSON or as HTML, depending on `form`."""

    form = "json"
    digest = "ab" * 32

    def do_GET(self) -> None:
        if self.path != "/simple/full-example/":
            self.send_error(404)
            return
        if self.form == "private" and self.headers["Authorization"] != "Basic bWU6c2VjcmV0":
            self.send_error(401)
            return
        names = ["Full_Example-1.0.tar.gz", "full_example-2.1.0rc1.tar.gz"]
        if self.form == "broken":
            body, kind = b'{"files": [1]}', "application/json"
        elif self.form in ("json", "private"):
            files = [
                {"filename": name, "url": f"../../files/{name}", "hashes": {"sha256": self.digest}}
                for name in names
            ]
            body = json.dumps({"files": files}).encode()
            kind = "application/vnd.pypi.simple.v1+json"
        else:
            body = "".join(
                f'<a href="/files/{name}#sha256={self.digest}">{name}</a>' for name in names
            ).encode()
            kind = "text/html"
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    servers: list[ThreadingHTTPServer] = []

    def start(handler: Callable[..., BaseHTTPRequestHandler]) -> str:
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("form", ["json", "html"])
def test_a_published_release_is_found_on_the_index(
    full: Path, serve: Callable[..., str], form: str
) -> None:
    base = serve(type("Page", (Index,), {"form": form}))
    environment = {"PIP_INDEX_URL": f"{base}/simple/"}
    text = written(full, published=True, environment=environment)
    assert f"  url: {base}/files/full_example-{{{{ version }}}}.tar.gz\n" in text
    assert f"  sha256: {'ab' * 32}\n" in text


def test_a_missing_release_and_an_unreachable_index_are_reported(
    tmp_path: Path, full: Path, serve: Callable[..., str]
) -> None:
    base = serve(Index)
    index = {"PIP_INDEX_URL": f"{base}/simple"}
    other = make_project(tmp_path / "other", "not-published")
    with pytest.raises(TwofoldError, match="the index has no project"):
        written(other, published=True, environment=index)
    newer = full / "pyproject.toml"
    newer.write_text(newer.read_text("utf-8").replace("2.1.0rc1", "9.0"), encoding="utf-8")
    with pytest.raises(TwofoldError, match=r"no sdist of Full_Example 9\.0"):
        written(full, published=True, environment=index)
    with pytest.raises(Unreachable, match="no response from"):
        written(full, published=True, environment={"PIP_INDEX_URL": "http://127.0.0.1:9/simple"})


def test_a_private_index_gets_its_password_and_nobody_else_sees_it(
    full: Path, serve: Callable[..., str]
) -> None:
    base = serve(type("Page", (Index,), {"form": "private"}))
    secret = {"PIP_INDEX_URL": base.replace("//", "//me:secret@") + "/simple/"}
    text = written(full, published=True, environment=secret)
    assert f"  url: {base}/files/" in text
    wrong = {"PIP_INDEX_URL": base.replace("//", "//me:hunter2@") + "/simple/"}
    with pytest.raises(TwofoldError, match="answered 401") as caught:
        written(full, published=True, environment=wrong)
    assert "hunter2" not in str(caught.value)
    down = {"PIP_INDEX_URL": "http://me:hunter2@127.0.0.1:9/simple"}
    with pytest.raises(Unreachable) as unreachable:
        written(full, published=True, environment=down)
    assert "hunter2" not in str(unreachable.value)


def test_a_page_that_is_not_an_index_is_reported(full: Path, serve: Callable[..., str]) -> None:
    base = serve(type("Page", (Index,), {"form": "broken"}))
    with pytest.raises(TwofoldError, match="PEP 691"):
        written(full, published=True, environment={"PIP_INDEX_URL": f"{base}/simple"})


def test_a_recipe_whose_source_is_an_address_is_fetched_and_built(
    full: Path, tmp_path: Path, serve: Callable[..., str]
) -> None:
    """The whole way of a submission: publish the sdist, write the recipe, build it elsewhere."""
    sdist = sdist_of(full, tmp_path / "built")
    base = serve(partial(Quiet, directory=str(sdist.parent)))
    text = written(full, sdist=sdist, url=f"{base}/{sdist.name}")
    own = tmp_path / "feedstock"
    own.mkdir()
    (artifact,) = Builder()(own, text).artifacts
    assert artifact.name == "full-example-conda"
    assert read_members(artifact.path)["info/licenses/notices/NOTICE.txt"] == b"a notice\n"
    with pytest.raises(Unreachable) as caught:
        Builder()(own, text.replace(f"{base}/full", f"{base}/other"))
    assert caught.value.problems[0].where == "meta.yaml:10: source/url"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_the_command_writes_a_file_that_reads_back(
    twofold: Callable[..., Any], full: Path, tmp_path: Path
) -> None:
    ran = twofold("recipe", full, "--out", full / "conda" / "meta.yaml", "--json")
    assert ran.code == 0, ran.err
    output = ran.json
    path = full / "conda" / "meta.yaml"
    assert output["recipe"] == path.read_text(encoding="utf-8")
    assert "  path: ..\n" in output["recipe"]
    assert read_for_linux(path).outputs[0].name == "full-example-conda"
    assert [p.name for p in path.parent.iterdir()] == ["meta.yaml"]
    printed = twofold("recipe", full, "--format", "recipe.yaml")
    assert printed.out.startswith("schema_version: 1\n")
    assert "recipe-maintainers" in printed.err
    wrong = twofold("recipe", tmp_path / "nothing")
    assert wrong.code == 1
    assert "hint:" in wrong.err


def test_the_v1_form_builds_to_the_same_package(full: Path, tmp_path: Path) -> None:
    (conda,) = build_project(full, BuildRequest(("conda",), tmp_path / "direct")).artifacts
    (full / "recipe.yaml").write_text(written(full, "recipe.yaml"), encoding="utf-8")
    builder = Builder()
    (artifact,) = builder(full, out=tmp_path / "by-recipe").artifacts
    assert not any("rattler-build" in line for line in builder.messages)
    same_package(Path(conda.path), artifact.path)


@pytest.mark.parametrize("form", ["meta.yaml", "recipe.yaml"])
@pytest.mark.parametrize(
    ("requires", "limit"),
    [(">=3.9,<4", ",<4dev0"), ("~=3.10", ",3.*"), (">=3.9,<3.14", ",<3.14dev0")],
)
def test_python_min_is_written_beside_an_upper_limit(
    full: Path, form: str, requires: str, limit: str
) -> None:
    path = full / "pyproject.toml"
    path.write_text(FULL.replace('">=3.9"', f'"{requires}"'), encoding="utf-8")
    text = written(full, form)
    assert f"python_min }}}}{limit}\n" in text and "python_min }}.*\n" in text


def test_packages_that_a_recipe_cannot_make_are_named(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    more = '[project.optional-dependencies]\nfast = ["orjson"]\n[tool.twofold.conda]\n'
    path = root / "pyproject.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(f"{text}{more}extras-as-packages = true\nv3 = true\n", encoding="utf-8")
    made = write_recipe(root, WriteRequest(build_wheel, "meta.yaml", root))
    assert any("sample-fast-1.0.0-py_0" in remark for remark in made.remarks)
    assert any("extra_depends" in remark for remark in made.remarks)


def test_compiled_code_gets_its_tools_and_the_requirements_of_every_platform(
    tmp_path: Path,
) -> None:
    root = tmp_path / "p"
    for name in ("src/a.c", "src/b.cpp", "src/c.f90", ".git/d.rs", "tests/e.cu"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("", encoding="utf-8")
    (root / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["scikit-build-core>=0.10", "pybind11"]\n', encoding="utf-8"
    )
    markers = (
        "tomli>=2; python_version < '3.11'",
        "colorama; sys_platform == 'win32'",
        "uvloop; python_version >= '3.11' and sys_platform != 'win32'",
    )
    fields = ["Requires-Python: >=3.9", *(f"Requires-Dist: {one}" for one in markers)]
    wheel = make_wheel(tmp_path, "p", "1.0", *fields, tag="cp311-cp311-linux_x86_64")
    draft = draft_recipe(root, wheel, Source("."))
    text = render_meta_yaml(draft)
    assert "set python_min" not in text
    found = " ".join(text.split("requirements:")[1].split("test:")[0].split())
    assert found == (
        "build: - {{ compiler('c') }} - {{ compiler('cxx') }} - {{ compiler('fortran') }} "
        "- {{ stdlib('c') }} - cmake - ninja "
        "host: - python - pip - scikit-build-core >=0.10 - pybind11 "
        "run: - python - uvloop # [unix and py>=311] - colorama # [win] - tomli >=2 # [py<311]"
    )
