"""Names in both worlds."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twofold.cli.names import explain
from twofold.errors import BadFile
from twofold.formats.portable_names import is_device_name
from twofold.names import (
    find_on_conda_forge,
    is_conda_name,
    normalize_name,
    parse_conda_name,
    parse_sdist_name,
    parse_wheel_name,
    requirement_name,
    to_conda_name,
)
from twofold.names.conda_forge import _load_table


@pytest.mark.parametrize(
    ("pypi", "conda"),
    [
        ("my_package", "my_package"),
        ("My_Package", "my_package"),
        ("torch", "pytorch"),
        ("charset_normalizer", "charset-normalizer"),
        ("alpha-vantage", "alpha_vantage"),
        ("PyYAML", "pyyaml"),
        ("zope.interface", "zope.interface"),
    ],
)
def test_a_conda_name_is_conda_forges_else_the_authors_in_lower_case(pypi: str, conda: str) -> None:
    assert to_conda_name(pypi) == conda


def test_projects_that_conda_forge_writes_otherwise_get_its_name() -> None:
    table = Path(__file__).with_name("conda_forge_names.tsv").read_text(encoding="utf-8")
    pairs = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    assert len(pairs) > 70
    assert [
        (pypi, to_conda_name(pypi)) for pypi, conda in pairs if to_conda_name(pypi) != conda
    ] == []


def test_the_script_finds_outputs_that_are_equal_to_a_project_after_normalization() -> None:
    script = Path(__file__).parents[2] / "scripts" / "update-names.py"
    find = runpy.run_path(str(script))["find_unlike_names"]
    outputs = [
        "jupyter_core",
        "ruamel.yaml.clib",
        "numpy",
        "foo-bar",
        "foo_bar",
        "_x86_64",
        "known_a",
    ]
    assert find(outputs, ["known-a"]) == {
        "jupyter-core": "jupyter_core",
        "ruamel-yaml-clib": "ruamel.yaml.clib",
    }


def test_a_local_package_gives_its_own_name() -> None:
    assert to_conda_name("My.Package", {"my-package": "my_package"}) == "my_package"
    assert to_conda_name("torch", {"torch": "torch-cpu"}) == "torch-cpu"


def test_every_line_of_the_table_is_needed_and_in_order() -> None:
    lines = _load_table().decode().splitlines()[1:]
    assert len(lines) > 5000
    assert lines == sorted(lines)
    for line in lines:
        pypi, conda, imported = line.split(" ")
        assert normalize_name(pypi) == pypi
        assert conda == "=" or is_conda_name(conda)
        assert conda != "=" or imported != "=" or "-" in pypi
        found = find_on_conda_forge(pypi)
        assert found is not None and found.pypi == pypi  # the lines are sorted


def test_a_name_that_begins_another_is_not_taken_for_it() -> None:
    assert find_on_conda_forge("charset") is None
    assert find_on_conda_forge("harset-normalizer") is None
    for name in ("", "0", "zzzz", "charset-normalizer-", "charset-normalizerx", "é"):
        assert find_on_conda_forge(name) is None


def test_what_is_imported_leads_back_to_the_project() -> None:
    assert "opencv-python" in [one.pypi for one in explain("cv2")]
    assert next(one.pypi for one in explain("sklearn")) == "scikit-learn"
    assert [one.pypi for one in explain("yaml")] == ["pyyaml", "yaml"]


def test_a_conda_name_leads_back_to_the_project() -> None:
    assert "torch" in [one.pypi for one in explain("pytorch")]


@pytest.mark.parametrize(
    ("name", "imported"), [("numpy", "numpy"), ("scikit-learn", "sklearn"), ("PyYAML", "yaml")]
)
def test_a_name_known_in_both_worlds_has_one_reading(name: str, imported: str) -> None:
    (one,) = explain(name)
    assert (one.conda, one.imported) == (name.lower(), imported)
    assert one.why == "the same on PyPI and conda"


def test_an_unlisted_name_is_explained_as_unknown() -> None:
    (one,) = explain("Nobody_Has_This")
    assert (one.pypi, one.conda) == ("nobody-has-this", "nobody_has_this")
    assert "not in the tables" in one.why


def test_file_names_are_parsed() -> None:
    wheel = parse_wheel_name("a.b_c-1.0+l.1-2x-py2.py3-none-any.whl")
    assert wheel == ("a.b_c", "1.0+l.1", "2x", ("py2-none-any", "py3-none-any"))
    assert parse_sdist_name("my-package-1.0.tar.gz") == ("my-package", "1.0")
    assert parse_conda_name("a-b-1.0-py_0.tar.bz2") == ("a-b", "1.0", "py_0", ".tar.bz2")


@pytest.mark.parametrize(
    "filename",
    [
        "a.whl",
        "a-1-py3-none.whl",
        "../a-1-py3-none-any.whl",
        "a/b-1-py3-none-any.whl",
        "a-1-py3-none-any.whl\n",
        "a b-1-py3-none-any.whl",
        "é-1-py3-none-any.whl",
        "-1-py3-none-any.whl",
    ],
)
def test_an_invalid_wheel_name_is_refused(filename: str) -> None:
    with pytest.raises(BadFile, match="not a wheel's file name"):
        parse_wheel_name(filename)


@pytest.mark.parametrize(
    "filename", ["a-1.conda", "A-1-0.conda", "a-1-0.zip", "a-1-b c.conda", "a-1-0.conda\n"]
)
def test_an_invalid_conda_package_name_is_refused(filename: str) -> None:
    with pytest.raises(BadFile):
        parse_conda_name(filename)


@given(
    st.from_regex(r"[a-z0-9_][a-z0-9_.-]{0,20}", fullmatch=True),
    st.from_regex(r"[0-9][0-9.a-z!+_]{0,9}", fullmatch=True),
)
def test_a_conda_file_name_gives_back_its_parts(name: str, version: str) -> None:
    assert parse_conda_name(f"{name}-{version}-py_0.conda")[:2] == (name, version)


def test_a_meaning_of_a_name_is_listed_once() -> None:
    for name in ("dateutil", "yaml", "cv2", "attr", "google"):
        found = explain(name)
        assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("numpy", "numpy"),
        ("  Zope.Interface>=5 ; python_version < '3.12'", "Zope.Interface"),
        ("a_b[c,d] @ https://example.org/a.whl", "a_b"),
        ("x-", "x"),
        (">=1", ""),
        ("", ""),
    ],
)
def test_the_name_of_a_requirement_is_what_it_begins_with(requirement: str, name: str) -> None:
    assert requirement_name(requirement) == name


@pytest.mark.parametrize("name", ["CON", "nul.txt", "com0", "COM¹.py", "lpt9.tar.gz", "conin$"])
def test_windows_reserves_the_names_of_devices(name: str) -> None:
    assert is_device_name(name)


@pytest.mark.parametrize("name", ["console.py", "com10", "lpt", "nul_", "auxiliary"])
def test_other_names_are_free_on_windows(name: str) -> None:
    assert not is_device_name(name)
