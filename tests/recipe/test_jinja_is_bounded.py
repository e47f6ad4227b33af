"""Hostile recipes: each is refused with its line, in bounded time and memory, nothing is run."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from twofold.errors import TwofoldError
from twofold.recipe.read.jinja_modules import ReadContext
from twofold.recipe.read.meta_yaml import find_roots, read_recipe
from twofold.recipe.request import Environ, Platform

LINUX = Platform("linux-64", "3.12")
DOUBLED = "{% set x = x ~ x %}" * 40

GROWS = {
    "a product of a text": "{{ 'a' * 1000000000000 }}",
    "a product of a list": "{{ [1] * 1000000000000 }}",
    "a power": "{{ 9 ** 9 ** 9 ** 9 }}",
    "a number squared again and again": "{% set x = 9 %}" + "{% set x = x * x %}" * 64 + "{{ x }}",
    "a text doubled with ~": "{% set x = 'aaaaaaaa' %}" + DOUBLED,
    "a text doubled with +": "{% set x = 'aaaaaaaa' %}" + "{% set x = x + x %}" * 40,
    "lists in lists": "{% set x = [1] %}" + "{% set x = [x, x] %}" * 64 + "{{ x }}",
    "tuples in tuples": "{% set x = (1,) %}" + "{% set x = (x, x) %}" * 64 + "{{ x }}",
    "dicts in dicts": "{% set x = {'a': 1} %}" + "{% set x = {'a': x, 'b': x} %}" * 64,
    "dict() in dict()": "{% set x = dict(a=1) %}" + "{% set x = dict(a=x, b=x) %}" * 64,
    "a wide %": "{{ '%999999999d' % 1 }}",
    "a width from an argument": "{{ '%*d' % (999999999, 1) }}",
    "a wide format": "{{ '{:999999999}'.format(1) }}",
    "a computed width in format": "{{ '{:{w}}'.format(1, w=999999999) }}",
    "a wide format_map": "{{ '{a:999999999}'.format_map({'a': 1}) }}",
    "a wide format filter": "{{ '%999999999d'|format(1) }}",
    "one argument many times": "{% set s = '{0}' * 20000 %}{{ s.format(s) }}",
    "one argument many times, %": "{% set s = '%(a)s' * 10000 %}{{ s % {'a': s} }}",
    "center": "{{ 'a'|center(999999999) }}",
    "ljust": "{{ 'a'.ljust(999999999) }}",
    "zfill": "{{ 'a'.zfill(999999999) }}",
    "expandtabs": "{{ '\\t'.expandtabs(999999999) }}",
    "indent": "{{ 'a\\nb'|indent(999999999) }}",
    "replace of nothing": "{% set s = 'x' * 60000 %}{{ s.replace('', s) }}",
    "replace filter": "{% set s = 'x' * 60000 %}{{ s|replace('x', s) }}",
    "replace filter with names": "{% set s = 'x' * 60000 %}{{ s|replace(old='x', new=s) }}",
    "join": "{% set s = 'x' * 60000 %}{{ s.join(s) }}",
    "join filter": "{% set s = 'x' * 60000 %}{{ s|join(s) }}",
    "a list that appends itself": "{% set l = [] %}{% for i in range(9000) %}"
    "{{ l.append(l) }}{% endfor %}{{ l }}",
    "a large range": "{{ range(1000000000)|list }}",
    "a loop in a loop": "{% for i in range(9000) %}{% for j in range(9000) %}{% endfor %}"
    "{% endfor %}",
    "a loop that writes much": "{% for i in range(9000) %}" + "x" * 9000 + "{% endfor %}",
    "many large values": "{% set s = 'x' * 60000 %}" + "{% set a = s ~ 'y' %}{{ a }}" * 4000,
    "lorem ipsum": "{{ lipsum(n=10000) }}",
    "a macro that calls itself": "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "a recursive loop": "{% for x in [[1]] recursive %}{{ loop(x) }}{% endfor %}",
    "deep brackets": "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "deep conditions": "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
    "deep loops": "{% for x in [1] %}" * 60 + "{% endfor %}" * 60,
}
REACHES = {
    "__class__": "{{ ''.__class__.__mro__ }}",
    "__class__ by index": "{{ ''['__class__'] }}",
    "__globals__ of a function": "{{ compiler.__globals__ }}",
    "__globals__ of range": "{{ range.__globals__ }}",
    "__init__ of namespace": "{{ namespace.__init__.__globals__ }}",
    "the attr filter": "{{ ''|attr('__class__') }}",
    "the map filter": "{{ ['']|map(attribute='__class__')|list }}",
    "sort by attribute": "{{ [3, 1]|sort(attribute='__class__') }}",
    "join by attribute": "{{ ['a', 'b']|join(attribute='__class__') }}",
    "format's attributes": "{{ '{0.__class__}'.format('') }}",
    "os through environ": "{{ environ.__init__.__globals__['os'] }}",
    "the surroundings": "{{ load_file_data._around }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import '/etc/passwd' as p %}",
    "extends": "{% extends '/etc/passwd' %}",
    "os.environ": "{{ os.environ }}",
    "a module": "{{ datetime.sys.modules }}",
}
READS = {
    "an absolute path": "load_file_data('/etc/hostname', fileformat='yaml')",
    "a path that climbs": "load_file_data('../../secret.json')",
    "a link that leaves": "load_file_data('link.json')",
    "a name longer than any": f"load_file_data('{'a' * 300}')",
    "a NUL in a name": "load_file_data('a\\0b.json')",
    "a folder": "load_file_data('.')",
    "a setup.py elsewhere": "load_setup_py_data('/etc/setup.py')",
    "a file too large": "load_file_data('large.json')",
    "JSON nested without end": "load_file_data('deep.json')",
    "YAML with an alias bomb": "load_file_data('bomb.yaml')",
    "YAML with a Python tag": "load_file_data('tag.yaml')",
}


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], object]:
    folder = tmp_path / "deep" / "recipe"
    folder.mkdir(parents=True)

    def read(text: str) -> object:
        path = folder / "meta.yaml"
        path.write_text(text, encoding="utf-8")
        environ = Environ({"HOME": "/home/me", "MY_TOKEN": "hunter2"})
        return read_recipe(path, ReadContext(folder, find_roots(path), LINUX, environ))

    return read


def recipe(jinja: str) -> str:
    return f"package:\n  name: x\n  version: 1.0\n# line 4 follows\n{jinja}\n"


@pytest.mark.parametrize("jinja", GROWS.values(), ids=GROWS.keys())
def test_a_template_that_grows_or_loops_is_refused_quickly_and_within_memory(
    read: Callable[[str], object], jinja: str
) -> None:
    tracemalloc.start()
    start = time.perf_counter()
    with pytest.raises(TwofoldError) as caught:
        read(recipe(jinja))
    seconds = time.perf_counter() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "meta.yaml" in caught.value.problems[0].where
    assert caught.value.problems[0].hint
    assert seconds < 10  # under tracemalloc, which makes it some ten times slower
    assert peak < 100_000_000


@pytest.mark.parametrize("jinja", REACHES.values(), ids=REACHES.keys())
def test_a_template_cannot_reach_into_python(read: Callable[[str], object], jinja: str) -> None:
    with pytest.raises(TwofoldError) as caught:
        read(recipe(jinja))
    assert caught.value.problems[0].where == "meta.yaml:5"


@pytest.mark.parametrize("call", READS.values(), ids=READS.keys())
def test_a_template_reads_no_file_outside_and_no_file_that_harms(
    read: Callable[[str], object], tmp_path: Path, call: str
) -> None:
    folder = tmp_path / "deep" / "recipe"
    (tmp_path / "secret.json").write_text('{"a": "hunter2"}', encoding="utf-8")
    (folder / "large.json").write_text("[" + "1," * 1_000_000 + "1]", encoding="utf-8")
    (folder / "deep.json").write_text("[" * 200_000, encoding="utf-8")
    (folder / "tag.yaml").write_text("!!python/object/apply:os.system [echo]", encoding="utf-8")
    bomb = "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
    (folder / "bomb.yaml").write_text("a0: &a0 [x]\n" + bomb, encoding="utf-8")
    try:
        (folder / "link.json").symlink_to(tmp_path / "secret.json")
    except OSError:
        pytest.skip("this system makes no links here")
    with pytest.raises(TwofoldError) as caught:
        read(recipe(f"about:\n  summary: {{{{ {call} }}}}"))
    assert "hunter2" not in str(caught.value)
    assert "meta.yaml:6" in str(caught.value)


def test_a_secret_of_the_environment_is_not_given(read: Callable[[str], object]) -> None:
    with pytest.raises(TwofoldError, match="looks like a secret"):
        read(recipe("about:\n  summary: {{ environ['MY_TOKEN'] }}"))
    with pytest.raises(TwofoldError, match="looks like a secret"):
        read(recipe("about:\n  summary: {{ environ.get('MY_TOKEN', '') }}"))


def test_setup_py_is_read_and_never_run_in_this_process(
    read: Callable[[str], object], tmp_path: Path
) -> None:
    marker = tmp_path / "was-run"
    (tmp_path / "deep" / "recipe" / "setup.py").write_text(
        f"open({str(marker)!r}, 'w')\nfrom setuptools import setup\n"
        "setup(name='x', version='2.0', install_requires=[])\n",
        encoding="utf-8",
    )
    read(
        "{% set data = load_setup_py_data() %}\npackage:\n  name: x\n  version: {{ data.version }}"
    )
    assert not marker.exists()


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "{a: " * 50_000, "- " * 100_000, "a: &a [*a]", "? " * 100_000, "a: b: c: d"],
    ids=["lists", "mappings", "items", "an alias to itself", "keys", "no YAML"],
)
def test_yaml_that_is_deep_or_wrong_is_refused(read: Callable[[str], object], text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(TwofoldError):
        read(text)
    assert time.perf_counter() - start < 5


def test_a_recipe_that_is_too_large_or_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "meta.yaml"
    around = ReadContext(tmp_path, (tmp_path,), LINUX, Environ({}))
    for content in (b"#" * 300_000, b"\xff\xfe\x00", "package: \ue000".encode(), b"a: \x07"):
        path.write_bytes(content)
        with pytest.raises(TwofoldError):
            read_recipe(path, around)
