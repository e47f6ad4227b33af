"""Rules about built files: each speaks in its sample and is silent in a sound file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CommandResult
from tests.factories.artifacts import (
    make_member,
    make_wheel_files,
    write_conda,
    write_sdist,
    write_wheel,
    write_zip,
)
from tests.factories.checked_files import DIST_INFO, GOOD, KEY, lie, unlisted, wheel, with_fields
from tests.formats import bad_zips
from twofold.building.options import stop_at_errors
from twofold.check import (
    artifact_findings,
    check_file,
    check_files,
    check_project,
    find_artifact_errors,
)
from twofold.check.artifacts import list_code_rules
from twofold.check.rule_table import BY_CODE
from twofold.check.rules import structure
from twofold.check.rules.metadata import METADATA_RULES
from twofold.conda_metadata import CondaPackage
from twofold.errors import ProjectErrors


def clash(subdir: str) -> Callable[[Path], Path]:
    """A conda package with two files that Windows takes for one."""
    noarch = "python" if subdir == "noarch" else None
    package = CondaPackage("my_package", "1.0.0", subdir=subdir, noarch=noarch)
    inside = "site-packages" if noarch else "lib/python3.11/site-packages"
    files = {f"{inside}/my_package/{name}": b"1\n" for name in ("A.txt", "a.txt")}
    return lambda folder: write_conda(folder, package, files)


def code(text: str, **others: str) -> dict[str, bytes]:
    files = {"my_package/__init__.py": text.encode()}
    return files | {f"my_package/{name}.py": other.encode() for name, other in others.items()}


def rst(text: str) -> Callable[[Path], Path]:
    metadata = with_fields(Description_Content_Type="text/x-rst").replace("# my_package\n", text)
    return lambda folder: write_wheel(folder, None, metadata)


def page(folder: Path) -> Path:
    path = folder / "my_package-1.0.0-py3-none-any.whl"
    path.write_bytes(b"<html>not found</html>")
    return path


def of_linux(folder: Path) -> Path:
    return write_wheel(folder, None, GOOD, "my_package-1.0.0-cp311-cp311-linux_x86_64.whl")


def of_manylinux(folder: Path) -> Path:
    return write_wheel(folder, None, GOOD, "my_package-1.0.0-cp311-cp311-manylinux_2_28_x86_64.whl")


def points(text: str, source: str = "def main(): ...") -> dict[str, bytes]:
    return code(source) | {f"{DIST_INFO}/entry_points.txt": text.encode()}


sound = wheel()

#: Code -> (a file in which the rule speaks, one in which it does not).
FILES: dict[str, tuple[Callable[[Path], Path], Callable[[Path], Path]]] = {
    "TF020": (wheel(Classifier="Programming :: Pithon"), wheel(Classifier="Typing :: Typed")),
    "TF021": (wheel(Classifier="Natural Language :: Ukranian"), sound),
    "TF031": (wheel(Classifier="License :: OSI Approved :: MIT License"), sound),
    "TF022": (wheel(Requires_Dist="x @ https://example.org/x.whl"), wheel(Requires_Dist="x>=1")),
    "TF023": (
        lambda folder: write_wheel(
            folder, None, with_fields(Version="1.0+x"), "my_package-1.0+x-py3-none-any.whl"
        ),
        sound,
    ),
    "TF024": (wheel(Requires_Python=""), sound),
    "TF025": (wheel(License_Expression=""), sound),
    "TF026": (wheel(Summary="long " * 120), sound),
    "TF027": (
        wheel(Project_URL="Home, ftp://example.org"),
        wheel(Project_URL="Home, https://example.org"),
    ),
    "TF028": (
        lambda folder: write_wheel(
            folder, None, with_fields(Name="logging"), "logging-1.0.0-py3-none-any.whl"
        ),
        sound,
    ),
    "TF029": (rst("Title\n===\n\n.. nosuch:: x\n\n`a\n"), rst("Title\n=====\n\nText.\n")),
    "TF030": (
        lambda folder: write_wheel(folder, None, GOOD.partition("\n\n")[0] + "\n"),
        sound,
    ),
    "TF032": (
        wheel(code(""), Metadata_Version="2.5", Import_Name="my_package.a"),
        wheel(code("", a=""), Metadata_Version="2.5", Import_Name="my_package.a"),
    ),
    "TF101": (wheel(code("def f(:")), sound),
    "TF102": (
        wheel(points("[console_scripts]\nrun = my_package:mian\n")),
        wheel(points("[console_scripts]\nrun = my_package:main\n")),
    ),
    "TF103": (wheel(code('__version__ = "2.0"')), wheel(code('__version__ = "1.0"'))),
    "TF104": (wheel(code('__all__ = ["f"]')), wheel(code('__all__ = ["f"]\nf = 1'))),
    "TF105": (
        wheel(code("from .a import f", a="g = 1")),
        wheel(code("from .a import f", a="f = 1")),
    ),
    "TF106": (
        wheel(code("from .a import f", a="from .b import g\nf = 1", b="from .a import f\ng = 1")),
        wheel(code("from .a import f", a="f = 1\nfrom .b import g", b="from .a import f\ng = 1")),
    ),
    "TF108": (wheel(code("match 1:\n    case 1: pass")), sound),
    "TF109": (wheel(code("from enum import StrEnum")), wheel(code("from enum import Enum"))),
    "TF111": (
        wheel(code("import numpy")),
        wheel(code("import numpy"), Requires_Dist="numpy>=1; extra == 'plots'"),
    ),
    "TF208": (
        wheel(code("") | {"x.pth": b"import my_package\n"}),
        wheel(code("") | {"x.pth": b"lib\n"}),
    ),
    "TF209": (wheel(code("") | {"README.md": b"x"}), wheel(code("") | {"my_package/x.md": b"x"})),
    "TF210": (
        wheel(code("x = 1\n" * 99, other="x = 1\n" * 99)),
        wheel(code("x = 1\n" * 99, other="x = 2\n" * 99)),
    ),
    "TF211": (wheel({"my_package/a.py": b"x = 1\n"}), wheel({"my_package/b/__init__.py": b""})),
    "TF201": (wheel(code("") | {"my_package/server.pem": KEY}), sound),
    "TF202": (wheel(code("") | {"my_package/.DS_Store": b"x"}), sound),
    "TF203": (wheel({}), wheel({}, Requires_Dist="numpy")),
    "TF205": (wheel(code("") | {"tests/__init__.py": b""}), wheel(code("", tests=""))),
    "TF206": (
        wheel(code("") | {"my_package/_fast.cpython-311-x86_64-linux-gnu.so": b"ELF"}),
        wheel(code("") | {"my_package/_fast.c": b"int x;"}),
    ),
    "TF207": (
        clash("noarch"),
        clash("linux-64"),
    ),
    "TF401": (page, sound),
    "TF402": (lie("climbs"), sound),
    "TF403": (lie("two names"), sound),
    "TF404": (unlisted, sound),
    "TF405": (
        lambda folder: write_wheel(folder, None, GOOD, "other-1.0.0-py3-none-any.whl"),
        sound,
    ),
    "TF413": (
        lambda folder: sound(folder).rename(folder / "my_package-1.0.0-py2.py3-none-any.whl"),
        sound,
    ),
    "TF406": (wheel(Requires_Python="3.9 or so"), sound),
    "TF407": (of_linux, of_manylinux),
    "TF412": (wheel(Metadata_Version="2.3"), wheel(Metadata_Version="2.4")),
    "TF410": (
        lambda folder: write_wheel(folder, None, GOOD, "My_Package-1.0.0-py3-none-any.whl"),
        sound,
    ),
}


@pytest.mark.parametrize("case", sorted(FILES))
def test_a_rule_reports_in_its_file(case: str, tmp_path: Path) -> None:
    path = FILES[case][0](tmp_path)
    found = [finding for finding in check_file(path) if finding.code == case]
    assert found, "the rule says nothing"
    assert found[0].message
    assert found[0].where.startswith(path.name)
    assert found[0].severity == BY_CODE[case].severity


@pytest.mark.parametrize("case", sorted(FILES))
def test_a_rule_is_silent_in_the_file_beside_it(case: str, tmp_path: Path) -> None:
    assert [finding.code for finding in check_file(FILES[case][1](tmp_path))] == []


def test_every_rule_about_files_has_its_samples() -> None:
    judged = {*METADATA_RULES, *structure.PREDICATES, *list_code_rules()}
    assert set(FILES) == judged


_PATHS = "climbs, absolute, drive, backslash, control character, NUL, not plain, no name, a link"
_DAMAGED = "archive comment, trailing data, leading data, cut off, several parts, points nowhere"
#: The few lies whose code is not that of an ambiguous archive.
_OTHER = dict.fromkeys(_PATHS.split(", "), "TF402") | dict.fromkeys(_DAMAGED.split(", "), "TF401")


@pytest.mark.parametrize("case", sorted(bad_zips.BAD_ZIPS))
def test_every_lying_zip_gets_a_finding_of_its_kind(case: str, tmp_path: Path) -> None:
    found = artifact_findings(lie(case)(tmp_path))
    assert found
    assert all(finding.is_error for finding in found)
    assert _OTHER.get(case, "TF403") in {finding.code for finding in found}


def test_sound_files_of_all_kinds_have_no_finding(tmp_path: Path) -> None:
    source = make_member("my_package-1.0.0/src/my_package/__init__.py", b"answer = 42\n")
    sdist = write_sdist(tmp_path, source, metadata=GOOD)
    conda, tar = write_conda(tmp_path), write_conda(tmp_path, ending=".tar.bz2")
    assert check_files([sound(tmp_path), sdist, conda, tar]) == []


def test_code_in_a_conda_package_is_judged_too(tmp_path: Path) -> None:
    path = write_conda(tmp_path, files={"site-packages/my_package/__init__.py": b"def f(:\n"})
    assert [(f.code, f.where) for f in check_file(path)] == [
        ("TF101", f"{path.name}: my_package/__init__.py:1")
    ]


def test_a_secret_in_an_sdist_is_found(tmp_path: Path) -> None:
    sdist = write_sdist(tmp_path, make_member("my_package-1.0.0/id_rsa", KEY), metadata=GOOD)
    assert [f.code for f in check_file(sdist)] == ["TF201"]


def test_a_wheel_with_more_than_its_sdist_is_reported(tmp_path: Path) -> None:
    made = write_wheel(tmp_path, code("", more="x = 1"), GOOD)
    sdist = write_sdist(
        tmp_path, make_member("my_package-1.0.0/lib/my_package/__init__.py"), metadata=GOOD
    )
    found = check_files([made, sdist])
    assert [(f.code, f.where) for f in found] == [("TF408", f"{made.name}: my_package/more.py")]


@pytest.mark.parametrize("name", ["class", "a.def", "x-stubs", "a ; public", "a;"])
def test_an_import_name_that_packaging_refuses_is_reported(name: str, tmp_path: Path) -> None:
    def metadata(value: str) -> str:
        return with_fields(Import_Name=value, Metadata_Version="2.5")

    found = check_file(write_wheel(tmp_path, None, metadata(name)))
    assert [f.code for f in found] == ["TF412"]
    assert check_file(write_wheel(tmp_path, None, metadata("my_package; private"))) == []
    newer = check_file(write_wheel(tmp_path, None, with_fields(Import_Name="my_package")))
    assert [f.code for f in newer] == ["TF412"]


_DATA = "my_package-1.0.0.data"
_POINTS = f"{DIST_INFO}/entry_points.txt"
#: Legal files that run by themselves or replace a command, and such that do not.
RUNNING: dict[str, dict[str, bytes]] = {
    "code in a .pth": {"a.pth": b"# x\nimport os; os.getpid()\n"},
    "code in a .pth, tab": {"a.pth": b"import\tos\r\n"},
    "a .pth in purelib": {f"{_DATA}/purelib/a.pth": b"import os\n"},
    "sitecustomize": {"sitecustomize.py": b"x = 1\n"},
    "usercustomize": {"usercustomize/__init__.py": b"x = 1\n"},
    "a script python": {f"{_DATA}/scripts/python": b"#!python\n"},
    "a script pip.exe": {f"{_DATA}/scripts/pip3.exe": b"MZ"},
    "a console script python": {_POINTS: b"[console_scripts]\npython = my_package:main\n"},
    "a console script pip3.12": {_POINTS: b"[gui_scripts]\npip3.12 = my_package:main\n"},
}
RESTING: dict[str, dict[str, bytes]] = {
    "a .pth of paths": {"a.pth": b"lib/important\n"},
    "a .pth deeper": {"my_package/a.pth": b"import os\n"},
    "a module of that name deeper": {"my_package/sitecustomize.py": b"x = 1\n"},
    "another script": {f"{_DATA}/scripts/pipeline": b"#!python\n"},
    "another console script": {_POINTS: b"[console_scripts]\npython-x = my_package:main\n"},
}


@pytest.mark.parametrize("case", [*RUNNING, *RESTING])
def test_what_runs_by_itself_or_replaces_a_command_is_reported(case: str, tmp_path: Path) -> None:
    files = code("def main(): ...\n") | (RUNNING | RESTING)[case]
    found = [f for f in check_file(write_wheel(tmp_path, files, GOOD)) if f.code == "TF208"]
    assert [f.severity for f in found] == ["warning"] * (case in RUNNING)


@pytest.mark.parametrize("script", ["bin/.x-post-link.sh", "Scripts/.x-pre-unlink.bat"])
def test_a_link_script_of_a_conda_package_is_reported(script: str, tmp_path: Path) -> None:
    path = write_conda(tmp_path, files={script: b"echo\n", "bin/tool.py": b"x = 1\n"})
    found = [(f.code, f.where) for f in check_file(path)]
    assert found == [("TF208", f"{path.name}: {script}")]


def test_a_module_that_a_build_moved_is_known_by_its_contents(tmp_path: Path) -> None:
    made = write_wheel(tmp_path, code("x = 1", more="y = 2"), GOOD)
    sdist = write_sdist(
        tmp_path,
        make_member("my_package-1.0.0/lib/__init__.py", b"x = 1"),
        make_member("my_package-1.0.0/impl/other.py", b"y = 2"),
        metadata=GOOD,
    )
    assert [f.code for f in check_files([made, sdist])] == []


@pytest.mark.parametrize("generator", ["hatchling 1.27", "setuptools (80.0)", "twofold-build"])
def test_a_module_that_only_the_wheel_has_is_an_error_of_our_own_backend_alone(
    generator: str, tmp_path: Path
) -> None:
    files = code("x = 1", _version="version = 1")
    wheel = (
        f"Wheel-Version: 1.0\nGenerator: {generator}\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    path = tmp_path / "my_package-1.0.0-py3-none-any.whl"
    made = write_zip(path, make_wheel_files(files, GOOD, wheel=wheel))
    sdist = write_sdist(
        tmp_path, make_member("my_package-1.0.0/my_package/__init__.py", b"x = 1"), metadata=GOOD
    )
    (found,) = check_files([made, sdist])
    assert (found.code, found.where) == ("TF408", f"{made.name}: my_package/_version.py")
    assert found.is_error == (generator == "twofold-build")
    assert check_files([made, sdist], ["TF408"]) == []


def test_a_wheel_that_says_something_else_than_its_sdist_is_reported(tmp_path: Path) -> None:
    made = write_wheel(tmp_path, None, with_fields(Requires_Dist="numpy>=1"))
    source = make_member("my_package-1.0.0/my_package/__init__.py")
    sdist = write_sdist(tmp_path, source, metadata=with_fields(Requires_Python=">=3.10"))
    found = check_files([made, sdist])
    assert [f.code for f in found] == ["TF409", "TF409"]
    assert "Requires-Dist is 'numpy>=1' here" in found[0].message
    in_build = find_artifact_errors(tmp_path, [made, sdist])
    assert {one.severity for one in in_build} == {"warning"}, "it was built from this very sdist"
    assert "Requires-Python is '>=3.9' here and '>=3.10'" in found[1].message


def test_what_an_sdist_calls_dynamic_may_differ(tmp_path: Path) -> None:
    made = write_wheel(tmp_path, None, with_fields(Requires_Dist="numpy>=1"))
    source = make_member("my_package-1.0.0/my_package/__init__.py")
    sdist = write_sdist(tmp_path, source, metadata=with_fields(Dynamic="Requires-Dist"))
    assert check_files([made, sdist]) == []


@pytest.mark.parametrize("written", ["zope.event", "zope_event", "zope-event", "Zope.Event"])
def test_the_old_spellings_of_dotted_names_are_taken(written: str, tmp_path: Path) -> None:
    """As setuptools wrote them before PEP 625: PyPI is full of them."""
    source = make_member(f"{written}-1.0/zope/event/__init__.py")
    metadata = with_fields(Name="zope.event", Version="1.0")
    sdist = write_sdist(tmp_path, source, metadata=metadata, filename=f"{written}-1.0.tar.gz")
    assert [f.code for f in check_file(sdist) if f.is_error] == []


@pytest.mark.parametrize("name", ["typing", "dataclasses", "argparse", "configparser"])
def test_a_backport_that_pypi_has_is_only_warned_of(name: str, tmp_path: Path) -> None:
    made = write_wheel(tmp_path, None, with_fields(Name=name), f"{name}-1.0.0-py3-none-any.whl")
    assert [(f.code, f.severity) for f in check_file(made)] == [("TF028", "warning")]
    assert artifact_findings(made)[0].severity == "warning"


def test_a_description_folded_into_the_header_keeps_its_indentation(tmp_path: Path) -> None:
    text = "Title\n=====\n\n.. image:: x.png\n   :alt: y\n"
    folded = "Description: " + "\n        ".join(text.splitlines())
    head = with_fields(Description_Content_Type="text/x-rst").partition("\n\n")[0]
    sdist = write_sdist(
        tmp_path, make_member("my_package-1.0.0/m.py"), metadata=f"{head}\n{folded}\n"
    )
    assert check_file(sdist) == []


def test_a_namespace_shared_as_before_pep_420_may_hold_others_modules(tmp_path: Path) -> None:
    shared = b"import pkgutil\n__path__ = pkgutil.extend_path(__path__, __name__)\n"
    files = {
        "my_package/__init__.py": shared,
        "my_package/text/__init__.py": b"from my_package.functools import cache\n",
        "my_package/text/inner.py": b"from my_package.text import gone\n",
    }
    found = check_file(wheel(files)(tmp_path))
    assert [(f.code, f.place[0].partition(": ")[2]) for f in found] == [
        ("TF105", "my_package/text/inner.py")
    ]


@pytest.mark.parametrize("name", ["my_package.egg-info/SOURCES.txt", "pyproject.toml.orig"])
def test_what_backends_put_into_an_sdist_is_no_junk(name: str, tmp_path: Path) -> None:
    entries = make_member(f"my_package-1.0.0/{name}")
    assert check_file(write_sdist(tmp_path, entries, metadata=GOOD)) == []
    entries = make_member("my_package-1.0.0/docs/a.orig")
    assert check_file(write_sdist(tmp_path, entries, metadata=GOOD)) != []


def test_a_gates_look_does_not_parse_the_code(tmp_path: Path) -> None:
    assert artifact_findings(wheel(code("def f(:"))(tmp_path)) == []


def test_the_command_checks_files_and_reports_them_as_json(
    tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    ran = twofold("check", unlisted(tmp_path), "--json")
    assert ran.code == 1
    found = json.loads(ran.out)
    assert found["errors"] == 1
    assert found["findings"][0]["code"] == "TF404"
    assert "my_package/extra.py" in found["findings"][0]["message"]


@pytest.mark.parametrize("name", ["aux.py", "what?.txt", "end.", "\u00c5.txt"])
def test_names_that_not_every_system_holds_are_reported_of_projects(
    name: str, project: Callable[..., Path]
) -> None:
    if sys.platform in ("darwin", "win32"):
        pytest.skip("this system cannot hold the file either")
    files = {f"src/pkg/{name}": "x = 1\n"}
    if not name.isascii():
        files["src/pkg/A\u030a.txt"] = "the same letter\n"
    found = [one for one in check_project(project(files)) if one.code == "TF207"]
    assert [one.is_error for one in found] == [True]
    beside = {f"more/{Path(path).name}": "x = 1\n" for path in files}
    only_sdist = {"[project]": '[tool.twofold.sdist]\ninclude = ["more/**"]\n[project]'}
    found = check_project(project(beside, only_sdist, "beside"))
    assert [one.is_error for one in found if one.code == "TF207"] == [False]


@pytest.mark.parametrize("test", ["tests/emails_test.py", "tests/test_mail.py", "conftest.py"])
def test_tests_that_are_installed_beside_a_package_need_no_dependency(
    test: str, tmp_path: Path
) -> None:
    files = code("x = 1") | {test: b"import pytest\n"}
    found = [f for f in check_file(write_wheel(tmp_path, files, GOOD)) if f.code == "TF111"]
    assert [f.severity for f in found] == ["warning"]


def test_a_wheel_of_tests_alone_needs_its_dependencies(tmp_path: Path) -> None:
    files = {"tests/helpers.py": b"import pytest\n"}
    found = check_file(write_wheel(tmp_path, files, GOOD))
    assert [f.severity for f in found if f.code == "TF111"] == ["error"]


def test_a_part_of_a_path_below_data_may_be_the_folder_itself(tmp_path: Path) -> None:
    dotted = {f"{_DATA}/scripts/./x.sh": b"#!/bin/sh\n", f"{_DATA}/data/share/./y.txt": b"y"}
    assert check_file(write_wheel(tmp_path, code("") | dotted, GOOD)) == []
    twice = dotted | {f"{_DATA}/scripts/x.sh": b"#!/bin/sh\n"}
    found = check_file(write_wheel(tmp_path, code("") | twice, GOOD))
    assert found and all("install to one path" in f.message or f.code == "TF402" for f in found)
    found = check_file(write_wheel(tmp_path, code("") | {"my_package/./x.py": b""}, GOOD))
    assert [f.code for f in found] == ["TF402"]


def test_an_empty_wheel_of_another_backend_stops_no_build(tmp_path: Path) -> None:
    found = find_artifact_errors(tmp_path, [write_wheel(tmp_path, {}, GOOD)])
    assert [(one.code, one.severity) for one in found] == [("TF203", "warning")]
    reports: list[str] = []
    stop_at_errors(found, reports.append)
    assert len(reports) == 1 and "TF203" in reports[0]


def test_a_verdict_on_built_files_holds_for_their_bytes_and_the_settings(
    tmp_path: Path, own_cache: Path
) -> None:
    (tmp_path / "pyproject.toml").write_text("", encoding="utf-8")
    good = write_wheel(tmp_path / "good", {"my_package/__init__.py": b""}, GOOD)
    assert find_artifact_errors(tmp_path, [good]) == []
    (verdict,) = (own_cache / "check" / "clean").iterdir()
    wrong = write_wheel(tmp_path / "wrong", {"my_package/__init__.py": b"x = (1\n"}, GOOD)
    assert wrong.name == good.name
    for _ in range(2):
        assert [found.code for found in find_artifact_errors(tmp_path, [wrong])] == ["TF101"]
    (tmp_path / "pyproject.toml").write_text(
        "[tool.twofold.check]\nignore = ['TF101']\n", encoding="utf-8"
    )
    assert find_artifact_errors(tmp_path, [wrong]) == []
    assert verdict.exists()
    assert len(list((own_cache / "check" / "clean").iterdir())) == 2
    with pytest.raises(ProjectErrors):
        (tmp_path / "pyproject.toml").write_text("[tool.twofold.check]\nignore = 1\n", "utf-8")
        find_artifact_errors(tmp_path, [good])
