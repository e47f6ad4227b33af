"""The page of a project and of each release: commands that work, facts, links, files."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from tests.browser.sample_registry import make_native_conda
from tests.factories.packages import (
    make_conda,
    make_sdist,
    make_wheel,
    record,
    wheel_members,
    zip_bytes,
)
from tests.server.conftest import Place
from twofold.server.auth import accounts
from twofold.server.pages.description_html import (
    find_images,
    fit_into_page,
    replace_images,
)
from twofold.server.pages.release_facts import (
    Dependency,
    read_conda_facts,
    read_match_spec,
    read_python_facts,
)
from twofold.server.registry import lifecycle
from twofold.server.registry.browsing.package_info import read_wheel_info
from twofold.server.web.pages.install_lines import Address, Wanted, write_lines


def test_a_release_has_a_page_of_its_own(served: Place, tmp_path: Path) -> None:
    for version in ("1.0", "1.10", "2.0rc1"):
        served.publish(make_wheel(tmp_path, "My_Package", version, f"Author: of {version}"))
    page = served.get("/main/project/my-package/1.0").text
    assert '<span class="version">1.0</span>' in page and "of 1.0" in page
    assert f"pip install --index-url {served.channel}/simple/ my-package==1.0" in page
    assert f"conda install -c {served.channel} my_package=1.0" in page
    assert 'The newest release is <a href="/main/project/my-package">1.10</a>' in page
    pre = served.get("/main/project/my-package/2.0rc1").text
    assert "pre-release" in pre and f"-c {served.channel}/label/pre my_package=2.0rc1" in pre
    for wrong in ("/main/project/my-package/9", "/main/project/nothing/1.0"):
        assert served.get(wrong).status_code == 404


def test_commands_find_a_project_of_pre_releases_only(served: Place, tmp_path: Path) -> None:
    served.publish(make_wheel(tmp_path, "my_package", "1.0rc1"))
    page = served.get("/main/project/my-package").text
    assert f"pip install --pre --index-url {served.channel}/simple/ my-package" in page
    assert f"conda install -c {served.channel}/label/pre my_package" in page


def test_a_yanked_release_is_installed_by_its_version_alone(served: Place, tmp_path: Path) -> None:
    served.publish(make_wheel(tmp_path, "my_package", "1.0"))
    lifecycle.yank(served.registry, served.owner, "main", "my-package", "1.0", "it <breaks>")
    page = served.get("/main/project/my-package").text
    assert "Yanked: it &lt;breaks&gt;" in page
    assert "my-package==1.0" in page and "conda install" not in page


def test_what_a_channel_lacks_comes_from_elsewhere(served: Place, tmp_path: Path) -> None:
    served.publish(make_wheel(tmp_path, "my_package", "1.0", "Requires-Dist: numpy>=1"))
    page = served.get("/main/project/my-package").text
    assert f"pip install --extra-index-url {served.channel}/simple/ my-package" in page
    assert f"uv pip install --index {served.channel}/simple/ my-package" in page
    assert f"conda install -c {served.channel} -c conda-forge my_package" in page
    assert "highest version from either index" in page
    served.publish(make_wheel(tmp_path, "numpy", "2.0"))
    page = served.get("/main/project/my-package").text
    assert f"pip install --index-url {served.channel}/simple/ my-package" in page
    assert 'href="/main/project/numpy"' in page and "either index" not in page


def test_a_project_of_conda_packages_has_a_whole_page(served: Place, tmp_path: Path) -> None:
    served.publish(make_native_conda(tmp_path))
    page = served.get("/main/project/libmesh").text
    for text in ("linux-64", "h1234567_3", "libstdcxx", "zlib", "libmesh-debug ==2024b"):
        assert text in page, text
    assert "Run exports (weak)" in page and "libmesh &gt;=2024b,&lt;2025" in page
    assert "LGPL-2.1-or-later" in page or "Licence" in page
    assert f"conda install -c {served.channel} -c conda-forge libmesh" in page
    assert "pip install" not in page


def test_files_are_in_groups_with_whole_hashes(served: Place, tmp_path: Path) -> None:
    done = served.publish(make_wheel(tmp_path, "my_package", "1.0"))
    served.publish(make_sdist(tmp_path, "my_package", "1.0"))
    for platform in ("manylinux_2_28_x86_64", "win_amd64", "macosx_11_0_arm64"):
        served.publish(make_wheel(tmp_path, "my_package", "1.0", tag=f"cp312-cp312-{platform}"))
    page = " ".join(served.get("/main/project/my-package").text.split())
    for title in ("Source", "Any platform", "Linux", "Windows", "macOS", "noarch", "win-64"):
        assert f"</span> {title} <span" in page, title
    assert f'data-whole="{done.file.sha256}"' in page
    assert "converted from the wheel" in page


ADDRESS = Address("https://example.org/pkgs/main", "main", True)
PRIVATE = Address("https://example.org/pkgs/my-lab", "my-lab", False)


def test_lines_of_a_private_channel_hold_a_placeholder_where_each_client_wants_it() -> None:
    lines = write_lines(PRIVATE, Wanted("tool", "tool"))
    text = {
        client: "\n".join(f"{one.text}\n{one.note}" for one in found)
        for client, found in lines.items()
    }
    assert "--index-url https://__token__:TOKEN@example.org/pkgs/my-lab/simple/ tool" in text["pip"]
    assert "UV_INDEX_MY_LAB_USERNAME" in text["uv"]
    assert 'url = "https://example.org/pkgs/my-lab/simple/"' in text["uv"]
    assert "-c https://example.org/pkgs/t/TOKEN/my-lab tool" in text["conda"]
    assert "pixi auth login example.org --conda-token TOKEN" in text["pixi"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted("x"), {"pip", "uv", "pixi"}),
        (Wanted("", "x"), {"conda", "mamba", "pixi"}),
        (Wanted("x", "x"), {"pip", "uv", "conda", "mamba", "pixi"}),
        (Wanted(), set()),
    ],
)
def test_only_clients_that_find_something_have_lines(wanted: Wanted, expected: set[str]) -> None:
    assert set(write_lines(ADDRESS, wanted)) == expected


def test_a_version_that_a_shell_would_read_is_quoted() -> None:
    assert '"x==1!2.0"' in write_lines(ADDRESS, Wanted("x", version="1!2.0"))["pip"][0].text


def test_requirements_are_read_with_their_extras_and_conditions() -> None:
    lines = (
        "Requires-Dist: numpy<3,>=1.24",
        "Requires-Dist: a[x,y]; python_version < '3.9'",
        "Requires-Dist: b; extra == 'dev'",
        "Requires-Dist: c; (os_name == 'nt' or os_name == 'posix') and extra == 'dev'",
        "Requires-Dist: d @ https://example.org/d.zip",
        "Requires-Dist: ;;; nonsense",
        "Provides-Extra: dev",
        "Provides-Extra: empty",
    )
    facts = read_python_facts("\n".join(("Metadata-Version: 2.4", "Name: x", *lines)).encode())
    assert facts.requires[0] == Dependency("numpy", "numpy", ">=1.24,<3".replace(",", ", "))
    assert facts.requires[1] == Dependency("a[x,y]", "a", "", 'python_version < "3.9"')
    assert [one.key for one in facts.requires] == ["numpy", "a", "", ""]
    extras = dict(facts.extras)
    assert [one.name for one in extras["dev"]] == ["b", "c"]
    assert extras["dev"][1].condition == 'os_name == "nt" or os_name == "posix"'
    assert extras["empty"] == ()


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("python", Dependency("python", "python")),
        ("python >=3.9,<4", Dependency("python", "python", ">=3.9,<4")),
        ("numpy>=1.2", Dependency("numpy", "numpy", ">=1.2")),
        ("x 1.0 py_0", Dependency("x", "x", "1.0 py_0")),
        ("conda-forge::y =2", Dependency("y", "y", "=2")),
        ('z[version=">=1"]', Dependency("z", "z", "", 'version=">=1"')),
        ("", Dependency("", "")),
    ],
)
def test_match_specs_are_read(spec: str, expected: Dependency) -> None:
    assert read_match_spec(spec) == expected


def test_facts_of_unusual_metadata_are_read() -> None:
    head = "Metadata-Version: 2.1\nName: x\nVersion: 1\n"
    facts = read_python_facts(f"{head}License: {'MIT text ' * 50}\n".encode())
    assert len(facts.license) <= 120
    facts = read_python_facts(
        f"{head}Home-page: javascript:alert(1)\nProject-URL: A, https://a.example\n".encode()
    )
    assert facts.links == (("A", "https://a.example"),)
    about = (
        '{"summary": ["a", "b"], "license": 3, "home": ["https://h.example", 7], "keywords": null}'
    )
    facts = read_conda_facts(b'{"depends": "python", "license": "MIT"}', about)
    assert (facts.summary, facts.license) == ("a b", "3")
    assert facts.links == (("Home page", "https://h.example"),)


def test_a_description_fits_under_the_headings_of_its_page() -> None:
    html = fit_into_page(
        '<h1 id="user-content-t">T<a href="#user-content-t" rel="nofollow"></a></h1><h6>x</h6>'
        '<pre lang="python">x</pre><input type="checkbox" checked="" disabled=""> a'
        '<a href="https://e.org" rel="nofollow"><img src="https://e.org/i?a=1&amp;b=2" alt=""></a>'
        "<table><tr><td>x</td></tr></table>"
    )
    assert '<h3 id="user-content-t">T</h3><h6>x</h6><pre>x</pre>☑ a' in html
    assert 'tabindex="0"' in html and "</table></div>" in html
    assert find_images(html) == ["https://e.org/i?a=1&b=2"]
    assert '<span class="no-image">image</span></a>' in replace_images(html)
    assert '<img src="/x/0" alt="image"' in replace_images(html, ["/x/0"])


def test_a_conda_package_alone_is_listed_beside_a_wheel(served: Place, tmp_path: Path) -> None:
    served.publish(make_conda(tmp_path, "rope-ladder", "0.3"))
    page = served.get("/main/project/rope-ladder/0.3").text
    assert "conda install" in page and "pip install" not in page


def test_a_project_names_what_requires_it(served: Place, tmp_path: Path) -> None:
    served.publish(make_wheel(tmp_path, "typing-extensions", "4.0"))
    served.publish(make_wheel(tmp_path, "typing", "1.0"))
    served.publish(make_wheel(tmp_path, "uses-it", "1.0", "Requires-Dist: typing_extensions>=4"))
    served.publish(make_wheel(tmp_path, "uses-it", "0.9", "Requires-Dist: typing"))
    extra = "Requires-Dist: typing; extra == 'x'", "Provides-Extra: x"
    served.publish(make_wheel(tmp_path, "by-an-extra", "1.0", *extra))
    page = served.get("/main/project/typing-extensions").text
    assert 'href="/main/project/uses-it">uses-it' in page and "Required by" in page
    assert "Required by" not in served.get("/main/project/typing").text
    served.publish(make_native_conda(tmp_path))
    served.publish(make_conda(tmp_path, "zlib", "1.3"))
    assert 'href="/main/project/libmesh">' in served.get("/main/project/zlib").text
    assert "Required by" not in served.get("/main/project/uses-it").text


def test_a_wheels_commands_entry_points_and_import_names_are_shown(
    served: Place, tmp_path: Path
) -> None:
    info = "my_package-1.0.dist-info"
    members = wheel_members("my_package", "1.0")
    del members[f"{info}/RECORD"]
    members["single.py"] = b"x = 1\n"
    members["_native.cpython-312-x86_64-linux-gnu.so"] = b""
    members["my_package/data/not.txt"] = b""
    members["my_package-1.0.data/scripts/run.py"] = b"#!python\n"
    members[f"{info}/entry_points.txt"] = (
        b"[console_scripts]\nmine = my_package:x\nOther=my_package:x\n"
        b"[pytest11]\nplug = my_package\n"
    )
    members[f"{info}/RECORD"] = record(members, f"{info}/RECORD")
    path = tmp_path / "my_package-1.0-py3-none-any.whl"
    path.write_bytes(zip_bytes(members))
    found = json.loads(read_wheel_info(path))
    assert found["import_names"] == ["_native", "my_package", "single"]
    assert found["entry_points"]["console_scripts"] == ["mine", "Other"]
    served.publish(path)
    page = served.get("/main/project/my-package").text
    for text in ("<code>mine</code>", "<code>Other</code>", "pytest11", "plug", "single"):
        assert text in page, text


def read_description(place: Place, path: str, wanted: str) -> str:
    """The description of a page, once it holds this."""
    deadline = time.monotonic() + 60
    while True:
        page = place.get(path).text
        _, found, rest = page.partition('<article class="prose">')
        described = rest.partition("</article>")[0]
        if not found or wanted in described or time.monotonic() > deadline:
            return described
        time.sleep(0.05)


def test_a_conda_package_is_described_by_its_about_or_the_readme_it_carries(
    served: Place, tmp_path: Path
) -> None:
    served.publish(make_native_conda(tmp_path / "about"))
    page = read_description(served, "/main/project/libmesh", "<strong>")
    assert "Reads <strong>meshes</strong>." in page
    readme = (
        b"Mesh\n====\n\n.. image:: https://example.org/b.svg\n   :alt: a badge\n\n*Fast* meshes\n"
    )
    path = make_native_conda(tmp_path / "readme", ["A list", "of *texts*"], README_rst=readme)
    other = make_native_conda(tmp_path / "next", "<script>x()</script>\n\n[a](javascript:x) **b**")
    for file, channel, wanted in (
        (path, "second", "<em>Fast</em>"),
        (other, "third", "<strong>b"),
    ):
        accounts.add_channel(served.registry, "owner", channel, served.owner.user)  # type: ignore[arg-type]
        served.publish(file, channel)
        page = read_description(served, f"/{channel}/project/libmesh", wanted)
        assert wanted in page and "<script" not in page and "javascript:" not in page
        assert "<img" not in page
    assert "a badge" in read_description(served, "/second/project/libmesh", "<em>")


@pytest.mark.parametrize(
    "about",
    [
        None,
        7,
        {"a": 1},
        "",
        " \n ",
        ["x", 7],
        "NUL \0 in it",
        random.Random(1).randbytes(150_000).hex(),
    ],
    ids=["none", "number", "object", "empty", "blank", "mixed", "characters", "long"],
)
def test_any_description_of_a_conda_package_is_shown_or_left_out(
    served: Place, tmp_path: Path, about: object
) -> None:
    served.publish(make_native_conda(tmp_path, about))
    answer = served.get("/main/project/libmesh")
    assert answer.status_code == 200 and "libstdcxx" in answer.text
    has_text = isinstance(about, (str, list)) and bool(str(about[:1]).strip(" \n"))
    assert ("Description</h2>" in answer.text) is has_text


@pytest.mark.parametrize("label", ["", " ", "\u200b\u2060", "\u202e", "\u00a0"])
def test_a_link_without_a_label_that_can_be_seen_is_named_by_its_host(label: str) -> None:
    text = f"Name: x\nVersion: 1\nProject-URL: {label}, https://example.org/a\n"
    assert read_python_facts(text.encode()).links == (("example.org", "https://example.org/a"),)
