"""Published releases are yanked, deleted, promoted and shown, by the protocol of each target."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.releases import Release

Twofold = Callable[..., Any]


@pytest.fixture
def published(twofold: Twofold, registry: Any, release: Release) -> Any:
    """A registry with my_package 1.0.0 in its channel."""
    files = [release.wheel, release.sdist]
    ran = twofold(
        "publish", *files, "--to", registry.channel, "--yes", env={"TWOFOLD_TOKEN": registry.token}
    )
    assert ran.code == 0, ran.err
    return registry


@pytest.fixture
def author(twofold: Twofold, published: Any) -> Twofold:
    """`twofold` with the registry's token."""

    def run(*words: str | Path, **rest: Any) -> Any:
        return twofold(*words, env={"TWOFOLD_TOKEN": published.token}, **rest)

    return run


def list_published(author: Twofold, target: str) -> dict[str, Any]:
    shown = author("status", "my_package", "--to", target, "--json")
    assert shown.code == 0, shown.err
    (row,) = shown.json
    return {file["file"]: file for file in row["files"]}


def test_a_yank_reaches_every_file_and_is_undone(author: Twofold, published: Any) -> None:
    words = ["my_package==1.0.0", "--to", published.channel]
    dry = author("yank", *words, "--reason", "broken", "--dry-run")
    assert (dry.code, "yank  my_package 1.0.0" in dry.out) == (0, True), dry.err
    assert {f["yanked"] for f in list_published(author, published.channel).values()} == {None}
    done = author("yank", *words, "--reason", "broken", "--json")
    assert (done.code, done.json["changed"]) == (0, 1), done.err
    files = list_published(author, published.channel)
    assert {file["yanked"] for file in files.values()} == {"broken"}
    assert {Path(name).suffix for name in files} == {".whl", ".gz", ".conda"}
    again = author("yank", *words, "--reason", "broken", "--json")
    assert (again.code, again.json["changed"]) == (0, 0), again.err
    undone = author("unyank", *words, "--json")
    assert (undone.code, undone.json["changed"]) == (0, 1), undone.err
    assert {f["yanked"] for f in list_published(author, published.channel).values()} == {None}


def test_a_release_that_is_not_there_is_not_yanked(author: Twofold, published: Any) -> None:
    ran = author("yank", "my_package==9.0", "--to", published.channel)
    assert ran.code == 1
    assert "there is no my_package 9.0" in ran.err
    assert "hint: list what is there: twofold status my_package" in ran.err


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ("yank my_package==* --to ./out", 2, "write my_package==1.0.0"),
        ("delete ../x==1 --to ./out", 2, "'../x' is not a name"),
        ("yank a==1 --to ./out", 1, "delete it there: twofold delete a==1 --to ./out"),
        ("promote ./a ./out a==1", 1, "twofold publish FILES --to ./out"),
        ("status a --set archived --to ./out", 1, "cannot set the status of projects"),
        ("unyank a==1 --to ./out", 1, "a folder has no place for that"),
    ],
)
def test_what_a_folder_cannot_do_is_led_to_what_it_can(
    twofold: Callable[..., Any], words: str, code: int, text: str
) -> None:
    ran = twofold(*words.split())
    assert (ran.code, text in ran.err) == (code, True), ran.err


def test_one_file_or_a_release_is_deleted(
    author: Twofold, published: Any, release: Release
) -> None:
    words = ["delete", "my_package==1.0.0", "--to", published.channel, "--yes", "--json"]
    one = author(*words, "--file", release.sdist.name)
    assert (one.code, one.json["changed"]) == (0, 1), one.err
    assert release.sdist.name not in list_published(author, published.channel)
    rest = author(*words)
    assert (rest.code, rest.json["changed"]) == (0, 1), rest.err
    assert list_published(author, published.channel) == {}
    again = author(*words)
    assert again.code == 1
    assert "there is no my_package 1.0.0" in again.err


def test_a_release_is_promoted_to_another_channel_of_the_registry(
    author: Twofold, published: Any
) -> None:
    stable = published.create_channel(f"{published.name}-stable").channel
    words = ["promote", published.channel, stable, "my_package==1.0", "--json"]
    done = author(*words)
    assert (done.code, done.json["changed"]) == (0, 1), done.err
    assert list_published(author, stable).keys() == list_published(author, published.channel).keys()
    again = author(*words)
    assert (again.code, again.json["changed"]) == (0, 0), again.err


def test_a_release_is_promoted_to_a_label(author: Twofold, published: Any) -> None:
    words = ["promote", published.channel, published.channel, "my_package==1.0.0"]
    done = author(*words, "--to-label", "stable", "--json")
    assert (done.code, done.json["changed"]) == (0, 1), done.err
    files = list_published(author, published.channel).values()
    assert all(set(file["labels"]) == {"main", "stable"} for file in files)


def test_a_promotion_to_another_server_is_refused(
    author: Twofold, published: Any, tmp_path: Path
) -> None:
    ran = author("promote", published.channel, str(tmp_path / "out"), "my_package==1.0.0")
    assert ran.code == 1
    assert "cannot promote releases" in ran.err
    ran = author("promote", "http://127.0.0.1:1/main", published.channel, "my_package==1.0.0")
    assert ran.code == 1
    assert "is on another server" in ran.err


def test_the_status_of_a_project_is_set_and_shown(author: Twofold, published: Any) -> None:
    words = ["status", "my_package", "--to", published.channel]
    done = author(*words, "--set", "deprecated", "--reason", "use other_package", "--json")
    assert (done.code, done.json["changed"]) == (0, 1), done.err
    shown = author(*words)
    assert "my_package, deprecated (use other_package)" in shown.out


def test_a_file_is_deleted_and_promoted_by_the_anaconda_api(
    author: Twofold, published: Any
) -> None:
    target = f"anaconda+{published.url}/api/{published.name}"
    team = published.create_channel(f"{published.name}-team")
    promoted = author(
        "promote",
        target,
        f"anaconda+{published.url}/api/{team.name}",
        "my_package==1.0.0",
        "--json",
    )
    assert (promoted.code, promoted.json["changed"]) == (0, 1), promoted.err
    labelled = author("promote", target, target, "my_package==1.0.0", "--to-label", "dev", "--json")
    assert (labelled.code, labelled.json["changed"]) == (0, 1), labelled.err
    assert {"dev"} <= set.union(
        *(set(f["labels"]) for f in list_published(author, target).values())
    )
    deleted = author("delete", "my_package==1.0.0", "--to", target, "--yes", "--json")
    assert (deleted.code, deleted.json["changed"]) == (0, 1), deleted.err
    assert list_published(author, target) == {}
    assert list_published(author, team.channel)


def test_a_release_is_deleted_from_a_folder_and_its_pages(
    twofold: Twofold, release: Release, tmp_path: Path
) -> None:
    files = [release.wheel, release.sdist, release.conda]
    out = tmp_path / "out"
    assert twofold("publish", *files, "--to", out).code == 0
    assert len(list_published(twofold, str(out))) == 3
    ran = twofold("delete", "my_package==1.0.0", "--to", out, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["changed"] == 1
    assert list_published(twofold, str(out)) == {}
    assert not list(out.rglob("my_package-1.0.0*"))


def test_what_only_a_page_can_do_is_refused_with_its_address(
    twofold: Twofold, published: Any, tmp_path: Path
) -> None:
    settings = f"""[targets.lab]
url = "{published.channel}/legacy/"
kind = "pypi"
index = "{published.channel}/simple/"
"""
    (tmp_path / "twofold-config").mkdir()
    (tmp_path / "twofold-config" / "config.toml").write_text(settings)
    for words in (["yank"], ["delete", "--yes"], ["unyank"]):
        ran = twofold(*words, "my_package==1.0.0", "--to", "lab")
        assert ran.code == 1
        page = f"{published.url}/manage/project/my-package/release/1.0.0/"
        assert f"hint: do it on the page of the release: {page}" in ran.err
    assert list_published(twofold, "lab")


def test_a_deletion_needs_a_confirmation(twofold: Twofold) -> None:
    ran = twofold("delete", "my_package==1.0.0", "--to", "https://packages.example.org/main")
    assert ran.code == 2
    assert "cannot be undone" in ran.err


def test_the_version_alone_means_the_project_in_the_folder(author: Twofold, published: Any) -> None:
    assert author("new", "my_package").code == 0
    ran = author("yank", "1.0.0", "--to", published.channel, "--project", "my_package", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["changed"] == 1
