"""Every rule speaks where it should and is silent where it should not."""

from __future__ import annotations

import ast
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import twofold
from tests.check.samples import PROJECTS
from twofold.check import check_project
from twofold.check.artifacts import PAIR_RULES, SDIST_RULES, list_code_rules
from twofold.check.projects import PROJECT_RULES
from twofold.check.rule_table import BY_CODE, RULES, Rule
from twofold.check.rules import project_mistakes, structure
from twofold.check.rules.metadata import METADATA_RULES

SOURCES = Path(twofold.__file__).parent
PAGES = Path(__file__).parents[2] / "docs" / "reference" / "checks"


def test_the_good_project_has_no_finding(project: Callable[..., Path]) -> None:
    assert check_project(project()) == []


@pytest.mark.parametrize("code", sorted(PROJECTS))
def test_a_rule_reports_in_its_sample(code: str, project: Callable[..., Path]) -> None:
    files, toml = PROJECTS[code][0]
    if code == "TF207" and sys.platform in ("darwin", "win32"):
        pytest.skip("its two files are one here")
    if code == "TF213" and shutil.which("git") is None:
        pytest.skip("git is not installed")
    found = [finding for finding in check_project(project(files, toml)) if finding.code == code]
    assert found, "the rule says nothing"
    assert found[0].message
    assert found[0].hint
    assert found[0].where
    assert found[0].severity == BY_CODE[code].severity


@pytest.mark.parametrize("code", sorted(PROJECTS))
def test_a_rule_is_silent_in_the_sample_beside_it(code: str, project: Callable[..., Path]) -> None:
    files, toml = PROJECTS[code][1]
    found = check_project(project(files, toml))
    assert [finding for finding in found if finding.code == code] == []
    assert [finding for finding in found if finding.is_error and code > "TF012"] == []


def test_every_rule_about_projects_has_its_samples() -> None:
    assert sorted(PROJECTS) == sorted(
        {*project_mistakes.PREDICATES, *METADATA_RULES, *PROJECT_RULES}
    )


REGISTERED = (
    project_mistakes.PREDICATES,
    structure.PREDICATES,
    METADATA_RULES,
    PROJECT_RULES,
    list_code_rules(),
    PAIR_RULES,
    SDIST_RULES,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_rule_is_one_function_wherever_it_judges(rule: Rule) -> None:
    functions = [rules[rule.code] for rules in REGISTERED if rule.code in rules]
    assert functions
    assert {function.__name__ for function in functions} == {rule.name.replace("-", "_")}


def test_no_function_is_registered_for_a_code_that_the_table_lacks() -> None:
    assert {code for rules in REGISTERED for code in rules} == set(BY_CODE)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_rule_has_a_page_that_says_what_the_rule_says(rule: Rule) -> None:
    text = (PAGES / f"{rule.code}.md").read_text(encoding="utf-8")
    assert text.startswith(f"# {rule.code} {rule.name}\n")
    assert rule.sentence in text
    assert f"Severity: {rule.severity}" in text
    assert f"[{rule.code}]({rule.code}.md)" in (PAGES / "README.md").read_text(encoding="utf-8")


def test_every_page_has_its_rule() -> None:
    pages = {path.stem for path in PAGES.glob("*.md")} - {"README"}
    assert pages == set(BY_CODE)


def test_a_package_that_git_ignores_is_reported_with_the_ignore_file(
    project: Callable[..., Path],
) -> None:
    root = project({".gitignore": "*.py\n", ".git/HEAD": ""})
    found = [finding.hint for finding in check_project(root) if finding.code == "TF203"]
    assert found and all("is ignored by .gitignore:1" in hint for hint in found)


@pytest.mark.parametrize(
    ("text", "neighbour", "is_duplicate"),
    [
        ("# A licence of many lines.\n" * 9, "x = 2\n", False),
        ('"""' + "A licence of many lines.\n" * 9 + '"""\n', "x = 2\n", False),
        ("from .names import x\n" + "y = x + 1\n" * 30, "x = 2\n", False),
        ("f('.names', __package__)\n" + "y = x + 1\n" * 30, "x = 2\n", False),
        ("from .names import x\n" + "y = x + 1\n" * 30, "x = 1\n", True),
        ("from pkg.names import x\n" + "y = x + 1\n" * 30, "x = 2\n", True),
    ],
)
def test_a_text_that_means_something_else_in_each_folder_is_no_duplicate(
    text: str, neighbour: str, is_duplicate: bool, project: Callable[..., Path]
) -> None:
    folders = {"a": "x = 1\n", "b": neighbour}
    files = {f"src/pkg/{folder}/__init__.py": text for folder in folders}
    files |= {f"src/pkg/{folder}/names.py": names for folder, names in folders.items()}
    found = [f.place[0] for f in check_project(project(files)) if f.code == "TF210"]
    assert found == ["src/pkg/b/__init__.py"] * is_duplicate


def test_libraries_for_several_platforms_are_no_error(project: Callable[..., Path]) -> None:
    files = {f"src/pkg/_x.{end}": b"code" for end in ("abi3.so", "cp311-win_amd64.pyd")}
    found = check_project(project(files))
    assert [(f.code, f.severity) for f in found] == [("TF206", "warning")] * 2


def test_an_entry_point_is_reported_with_the_line_it_is_written_on(
    project: Callable[..., Path],
) -> None:
    points = '[project.entry-points."my.group"]\nx = "pkg"\ny = "pkg:gone"'
    (found,) = check_project(project(toml={"dependencies = []": points}))
    text = (project(toml={"dependencies = []": points}) / "pyproject.toml").read_text()
    assert found.place[1] == text.splitlines().index('y = "pkg:gone"') + 1


_GROUPS = (
    ("napari.manifest", "pkg:napari.yaml"),
    ("my.group", "pkg"),
    ("my.group", "pkg/data.json"),
    ("my-group", "pkg:data/x.json [extra]"),
    ("other:group", "what its consumer wants; anything"),
)


@pytest.mark.parametrize(("group", "value"), _GROUPS)
def test_an_entry_point_of_another_group_than_scripts_may_name_anything(
    group: str, value: str, project: Callable[..., Path]
) -> None:
    files = {f"src/pkg/{path}": "1" for path in ("napari.yaml", "data.json", "data/x.json")}
    points = f'[project.entry-points."{group}"]\nx = "{value}"'
    assert check_project(project(files, {"dependencies = []": points})) == []


def test_an_object_that_is_missing_is_an_error_of_scripts_alone(
    project: Callable[..., Path],
) -> None:
    points = (
        '[project.scripts]\na = "pkg:gone"\n[project.gui-scripts]\nb = "pkg:gone"\n'
        '[project.entry-points."my.group"]\nc = "pkg:gone"\nd = "pkg.gone.yaml"\n'
    )
    found = check_project(project({}, {"dependencies = []": points}))
    assert {f.code for f in found} == {"TF102"}
    assert [f.severity for f in found] == ["error", "error", "warning", "warning"]


_INJECTED = (
    ('"a]\\n[console_scripts"', 'x = "pkg:main"'),
    ('"a b"', 'x = "pkg:main"'),
    ('""', 'x = "pkg:main"'),
    ("group", '"x\\n[console_scripts]\\ny" = "pkg"'),
    ("group", '"#x" = "pkg"'),
    ("group", 'x = "pkg\\n[console_scripts]\\ny = pkg:main"'),
    ("scripts", 'x = "pkg:main [x]\\n[console_scripts]\\ny = pkg:main [z]"'),
    ("scripts", 'x = "pkg:main [x;y]"'),
    ("scripts", '";x" = "pkg:main"'),
)


@pytest.mark.parametrize(("group", "line"), _INJECTED)
def test_an_entry_point_that_would_be_more_than_one_line_is_refused(
    group: str, line: str, project: Callable[..., Path]
) -> None:
    table = "project.scripts" if group == "scripts" else f"project.entry-points.{group}"
    root = project({}, {"dependencies = []": f"[{table}]\n{line}"})
    codes = {f.code for f in check_project(root)}
    assert "TF008" in codes and codes <= {"TF008", "TF011"}  # TF011: a line end in a value


_IMPORT_NAMES = (
    '["class"]',
    '["pkg", "pkg.def"]',
    '[""]',
    '["pkg;"]',
    '["pkg ; public"]',
    '["pkg", "x.y.z"]',
    '["pkg", "pkg"]',
    '["pkg ; private", "pkg"]',
    '["p-kg"]',
)


@pytest.mark.parametrize("names", _IMPORT_NAMES)
def test_import_names_that_packaging_refuses_are_mistakes(
    names: str, project: Callable[..., Path]
) -> None:
    found = check_project(project({}, {"dependencies = []": f"import-names = {names}"}))
    assert {finding.code for finding in found} == {"TF011"}
    assert all("[project] import-names" in finding.where and finding.hint for finding in found)


@pytest.mark.parametrize(
    "keys",
    [
        'import-names = ["pkg."]',
        'import-names = ["pkg..a"]',
        'import-names = ["pkg ; private"]\nimport-namespaces = ["pkg"]',
    ],
)
def test_one_mistake_in_import_names_is_reported_once(
    keys: str, project: Callable[..., Path]
) -> None:
    found = check_project(project({}, {"dependencies = []": keys}))
    assert [finding.code for finding in found] == ["TF011"]


def test_import_names_with_their_parents_are_taken(project: Callable[..., Path]) -> None:
    names = 'import-names = ["pkg", "a.b ; private"]\nimport-namespaces = ["a"]'
    there = '[tool.twofold]\nmodules = ["pkg", "a"]\n[project]'
    replaced = {"dependencies = []": names, "[project]": there}
    assert check_project(project({"src/a/b/__init__.py": ""}, replaced)) == []


def test_an_author_without_name_and_address_is_a_mistake(project: Callable[..., Path]) -> None:
    (found,) = check_project(project({}, {"dependencies = []": "authors = [{}]"}))
    assert found.code == "TF011" and "authors" in found.where


@pytest.mark.parametrize("key", ["exclude", "include", "wheel = {exclude", "sdist = {include"])
def test_a_negated_glob_is_a_mistake(key: str, project: Callable[..., Path]) -> None:
    end = "}" if "{" in key else ""
    line = f'[tool.twofold]\n{key} = ["**/tests/*", "!**/tests/kept/"]{end}\n[project]'
    found = check_project(project({"src/pkg/tests/x.py": ""}, {"[project]": line}))
    assert any("'!'" in finding.message and finding.place[1] for finding in found)


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ('exclude = ["a.{c,h}"]', "alternatives in braces", "one pattern for each"),
        ('exclude = ["[^a].c"]', "'^'", "relative to"),
        ('exclude = ["!kept"]', "'!'", "one by one"),
        ('check = {allow = ["!kept"]}', "'!'", "one by one"),
        ('version = {from = "module", path = "../v.py"}', "leaves the project", "name a file"),
    ],
)
def test_a_pattern_with_another_meaning_is_one_mistake_with_its_own_hint(
    settings: str, message: str, hint: str, project: Callable[..., Path]
) -> None:
    replaced = {"[project]": f"[tool.twofold]\n{settings}\n[project]"}
    if "version" in settings:
        replaced['version = "1.0.0"'] = 'dynamic = ["version"]'
    (found,) = check_project(project({}, replaced))
    assert message in found.message and hint in found.hint and found.place[1]


_MEANT = {
    **{"cv2": "opencv-python", "sklearn": "scikit-learn", "PIL": "Pillow", "nunpy": "numpy"},
    **{"scikitlearn": "scikit-learn", "requets": "requests", "pandsa": "pandas"},
    **{"matplotlb": "matplotlib", "pytorch": "torch", "tensorfow": "tensorflow"},
}


@pytest.mark.parametrize("name", _MEANT)
def test_a_module_or_a_misspelling_as_a_dependency_is_led_to_the_project(
    name: str, project: Callable[..., Path]
) -> None:
    toml = {"dependencies = []": f'dependencies = ["{name}"]'}
    found = [f for f in check_project(project({}, toml)) if f.code == "TF301"]
    assert [f"'{_MEANT[name]}'".lower() in f.message.lower() for f in found] == [True]


def test_a_module_of_python_as_a_dependency_is_to_be_removed(
    project: Callable[..., Path],
) -> None:
    toml = {"dependencies = []": 'dependencies = ["json", "my-tool"]'}
    found = [f for f in check_project(project({}, toml)) if f.code == "TF301"]
    assert [f.hint.partition(" ")[0] for f in found] == ["remove", "if"]


def test_codes_and_names_are_given_once() -> None:
    assert len({rule.code for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)


def _messages() -> set[str]:
    """The strings in the code that reads built files, with 1 for every value put in."""
    texts = set()
    folders = (SOURCES / "formats", SOURCES / "names", SOURCES / "check" / "rules")
    for path in (path for folder in folders for path in folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [p.value if isinstance(p, ast.Constant) else "1" for p in node.values]
                texts.add("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(node.value)
    return {text for text in texts if "|" not in text}


@pytest.mark.parametrize("forms", ["_PATHS", "_ZIP", "_NAMES", "_METADATA"])
def test_every_form_that_gives_a_problem_its_code_occurs_in_a_message(forms: str) -> None:
    messages = _messages()
    pattern = getattr(structure, forms).pattern
    unused = [
        form
        for form in re.split(r"\|(?![^(]*\))", pattern)
        if not any(re.search(form, message) for message in messages)
    ]
    assert unused == []
