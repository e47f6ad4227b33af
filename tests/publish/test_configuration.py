"""config.toml: every mistake told, tokens in a file that nobody else can read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from twofold.errors import ProjectErrors, TwofoldError
from twofold.publish.addresses import Secret
from twofold.publish.config import get_config_file, get_config_folder, read_targets
from twofold.publish.resolve import get_default_targets, resolve_targets
from twofold.publish.targets.settings import TargetSettings

POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has such paths")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "twofold-config"
    folder.mkdir()
    return folder / "config.toml"


def test_targets_are_read_by_name(config: Path) -> None:
    config.write_text(
        '[targets.lab]\nurl = "http://host/main"\n'
        '[targets.me]\nurl = "http://api/x"\nkind = "anaconda"\nowner = "me"\nlabels = ["dev"]\n'
    )
    targets = read_targets()
    assert targets["lab"].kind == "registry"
    assert targets["me"].labels == ("dev",)


def test_every_mistake_is_reported_with_its_table(config: Path) -> None:
    config.write_text(
        '[targets.a]\nurl = 1\n[targets.b]\nurll = "x"\n[targets.c]\nurl = "x"\nkind = "ftp"\n'
    )
    with pytest.raises(ProjectErrors) as caught:
        read_targets()
    text = str(caught.value)
    assert "[targets.a]" in text
    assert "did you mean 'url'" in text
    assert "unknown kind 'ftp'" in text
    assert len(caught.value.problems) == 4


def test_no_toml_is_reported_with_the_files_name(config: Path) -> None:
    config.write_text("[targets\n")
    with pytest.raises(TwofoldError) as caught:
        read_targets()
    assert str(config) in str(caught.value)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_file_with_a_token_that_others_can_read_is_refused(config: Path) -> None:
    config.write_text('[targets.lab]\nurl = "http://host/main"\ntoken = "hidden-value"\n')
    config.chmod(0o644)
    with pytest.raises(TwofoldError) as caught:
        read_targets()
    assert "chmod 600" in caught.value.hint
    assert "hidden-value" not in str(caught.value)
    config.chmod(0o600)
    assert read_targets()["lab"].token is not None


def test_without_a_setting_the_platforms_folder_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWOFOLD_CONFIG_DIR")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/xdg")
    monkeypatch.setenv("APPDATA", "C:/appdata")
    assert get_config_folder().name == "twofold"
    assert get_config_file().parent == get_config_folder()


def test_addresses_say_their_kind() -> None:
    words = {
        "http://host/main": ("registry", "http://host/main", "", ""),
        "legacy+http://host/up": ("legacy", "http://host/up", "", ""),
        "anaconda+http://host/api/me": ("anaconda", "http://host/api", "me", ""),
        "prefix+https://host/lab": ("prefix", "https://host", "", "lab"),
        "quetz+https://host/q/lab": ("quetz", "https://host/q", "", "lab"),
        "artifactory+https://host/a/lab": ("artifactory", "https://host/a/lab", "", ""),
        "s3://bucket/path": ("s3", "s3://bucket/path", "", ""),
    }
    for word, expected in words.items():
        (found,) = resolve_targets([word])
        assert (found.kind, found.url, found.owner, found.channel) == expected


def test_a_token_in_an_address_is_taken_out_of_it() -> None:
    (found,) = resolve_targets(["http://__token__:abc%2Fdef@host/main"])
    assert found.url == "http://host/main"
    assert found.token is not None
    assert found.token.reveal() == "abc/def"
    assert "abc" not in repr(found)
    assert "abc" not in found.name


def test_an_address_that_is_configured_has_that_targets_token(config: Path) -> None:
    config.write_text('[targets.lab]\nurl = "http://host/main"\ntoken = "t"\n')
    config.chmod(0o600)
    (found,) = resolve_targets(["http://host/main/"])
    assert found.name == "lab"
    assert found.token is not None


def test_the_same_place_named_twice_is_one_target(config: Path) -> None:
    config.write_text('[targets.lab]\nurl = "http://host/main"\n')
    assert len(resolve_targets(["lab", "http://host/main", "lab"])) == 1


def test_index_servers_of_pypirc_are_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / ".pypirc").write_text(
        "[distutils]\nindex-servers =\n  lab\n"
        "[lab]\nrepository: http://host/legacy/\nusername: me\npassword: pw-value\n"
    )
    (lab,) = resolve_targets(["lab"])
    assert (lab.kind, lab.url, lab.user) == ("legacy", "http://host/legacy/", "me")
    assert lab.token is not None
    assert lab.token.reveal() == "pw-value"


def test_pypi_is_known_from_twine_and_its_index_from_pip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    pypi, test = resolve_targets(["pypi", "testpypi"])
    assert pypi.kind == test.kind == "pypi"
    assert pypi.index.startswith("https://")
    assert test.index != pypi.index


def test_an_odd_pypirc_is_read_as_far_as_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / ".pypirc").write_text(
        "[distutils]\nindex-servers =\n  lab\n  empty\n  gone\n"
        "[lab]\nrepository: http://host/legacy/\nusername = ann\npassword = p%c%(t)s\n"
        "[empty]\nusername = ann\n[another with spaces]\nrepository = http://x\n"
    )
    (found,) = resolve_targets(["lab"], {})
    assert found.token == Secret("p%c%(t)s")
    (test,) = resolve_targets(["testpypi"], {})
    assert (test.kind, test.token) == ("pypi", None)
    with pytest.raises(TwofoldError, match=r"\[empty\] has no repository"):
        resolve_targets(["empty"], {})
    with pytest.raises(TwofoldError, match="no target 'gone'"):
        resolve_targets(["gone"], {})


def test_twines_certificate_counts_for_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINE_REPOSITORY_URL", "https://host/legacy")
    monkeypatch.setenv("TWINE_CERT", "bundle.pem")
    (found,) = resolve_targets(get_default_targets(), {})
    assert (found.url, found.ca) == ("https://host/legacy", "bundle.pem")


def test_a_broken_pypirc_is_reported_without_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / ".pypirc").write_text("password: secret-in-the-open\n")
    with pytest.raises(TwofoldError) as caught:
        resolve_targets(["lab"])
    assert "secret-in-the-open" not in str(caught.value)


@pytest.mark.parametrize("word", ["ftp://host/x", "http:///main", "prefix+http://host", "what"])
def test_words_that_are_no_target_are_reported(word: str) -> None:
    with pytest.raises(TwofoldError) as caught:
        resolve_targets([word])
    assert caught.value.hint


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("hhtp://host/main", "did you mean http://host/main?"),
        ("htps://me:zq-secret@host/main", "did you mean https://host/main?"),
        ("legcy+https://host/main", "did you mean legacy+https://host/main?"),
        ("cloudsmith+https://host/main", "the kinds are: registry, legacy"),
        ("legacy+s3://bucket/x", "write legacy+https://host"),
        ("http://host main", "without blanks"),
        ("http://host/ma\tin", "without blanks"),
        ("legacy+https://host/a b/", "without blanks"),
        pytest.param("file://host/x", "write file:///host/x", marks=POSIX),
        pytest.param(r"C:\x", r"./C:\x", marks=POSIX),
        pytest.param("d:/x", "./d:/x", marks=POSIX),
        pytest.param(r"\\srv\share", "./", marks=POSIX),
    ],
)
def test_a_target_that_is_nearly_one_is_named_with_what_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, hint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TwofoldError) as caught:
        resolve_targets([word], {})
    assert hint in caught.value.hint
    assert "zq-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "url"),
    [
        ("localhost:18431/main", "http://localhost:18431/main"),
        ("localhost:8080", "http://localhost:8080"),
        ("127.0.0.1:8080/main", "http://127.0.0.1:8080/main"),
        ("http//host/main", "http://host/main"),
        ("http:/host/main", "http://host/main"),
        ("https:/host/main", "https://host/main"),
        ("https//host/main", "https://host/main"),
        ("legacy+https:/host/simple", "legacy+https://host/simple"),
        ("s3:/bucket/path", "s3://bucket/path"),
        pytest.param("//host/main", "http://host/main", marks=POSIX),
        ("registry.example/pypi", "http://registry.example/pypi"),
        ("packages/main", "http://packages/main"),
        ("me:zq-secret@host:80/main", "http://host:80/main"),
    ],
)
def test_a_url_without_its_scheme_is_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, url: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TwofoldError, match="is neither a URL nor an existing folder") as caught:
        resolve_targets([word], {})
    assert url in caught.value.hint
    assert "zq-secret" not in str(caught.value)
    assert not list(tmp_path.glob("*host*"))


def test_a_folder_that_an_earlier_mistake_made_is_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "localhost:8080/main").mkdir(parents=True)
    with pytest.raises(TwofoldError, match="is neither a URL"):
        resolve_targets(["localhost:8080/main"], {})


def test_folders_are_written_as_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "out.d").mkdir()
    words = ["./new/main", "../new", str(tmp_path / "x/y"), "~/channel", "out.d", "out.d/"]
    urls = [target.url for target in resolve_targets(words, {})]
    wanted = ["new/main", "../new", "x/y", "channel", "out.d"]
    assert urls == [str((tmp_path / path).resolve()) for path in wanted]


@pytest.mark.parametrize(
    "page", ["simple/", "simple/my-package/", "legacy/", "legacy", "noarch", "linux-64/x.json"]
)
def test_the_address_of_a_channels_page_stands_for_the_channel(page: str) -> None:
    assert [t.url for t in resolve_targets([f"http://host/main/{page}"], {})] == [
        "http://host/main"
    ]
    assert resolve_targets([f"legacy+http://host/main/{page}"], {})[0].url != "http://host/main"


def test_two_channels_of_one_server_are_two_targets() -> None:
    for kind in ("quetz", "prefix"):
        words = [f"{kind}+http://host/a", f"{kind}+http://host/b", f"{kind}+http://host/a"]
        found = resolve_targets(words, {})
        assert [target.channel for target in found] == ["a", "b"]
        assert len({target.place for target in found}) == 2
    owners = resolve_targets(["anaconda+http://host/api/me", "anaconda+http://host/api/you"], {})
    assert len({target.place for target in owners}) == 2


def test_tables_of_one_url_that_send_other_files_are_both_kept(config: Path) -> None:
    config.write_text(
        '[targets.a]\nurl = "http://host/main"\nfiles = ["wheel"]\n'
        '[targets.b]\nurl = "http://host/main/"\nfiles = ["conda"]\n'
    )
    assert [target.name for target in resolve_targets(["a", "b", "a"])] == ["a", "b"]


def test_labels_of_one_owner_are_set_together() -> None:
    known = {"anaconda": TargetSettings("anaconda", "http://host/api", "anaconda", owner="me")}
    (found,) = resolve_targets(["anaconda:me:dev", "anaconda:me"], known)
    assert found.labels == ("dev", "main")
    (found,) = resolve_targets(["anaconda:me", "anaconda:me:main"], known)
    assert found.labels == ()
