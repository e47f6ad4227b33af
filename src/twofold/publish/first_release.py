"""A project's first release: is its name free, and how to register a trusted publisher.

PyPI compares names more loosely than it writes them: `-`, `_` and `.` do not count, and `0` and
`o`, `1`, `l` and `i` are the same (its rule against confusable names).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from twofold.names import normalize_name
from twofold.names.conda_forge import load_further_names
from twofold.publish.credentials import find_credentials
from twofold.publish.external_config import is_test_pypi
from twofold.publish.release.git import find_root, get_remote
from twofold.publish.responses import RetryPolicy
from twofold.publish.targets.legacy import LegacyIndex
from twofold.publish.targets.lookup import fetch_files
from twofold.publish.targets.protocol import Target
from twofold.publish.targets.registry import TwofoldRegistry
from twofold.publish.targets.settings import TargetSettings
from twofold.publish.trusted_publishing import connect

#: Host -> forge, as PyPI's form calls it. `ssh.` and `altssh.` serve SSH over port 443.
FORGES = {
    "github.com": "GitHub",
    "www.github.com": "GitHub",
    "ssh.github.com": "GitHub",
    "gitlab.com": "GitLab",
    "www.gitlab.com": "GitLab",
    "altssh.gitlab.com": "GitLab",
}

#: git's scp-like URL: `git@host:owner/name.git`.
SSH_ADDRESS = re.compile(r"(?:[^@/]+@)?([^:/@]+):(?!//)(.+)")


@dataclass(frozen=True)
class Repository:
    """A repository on a forge; at GitLab `owner` is a namespace, with subgroups."""

    forge: str
    owner: str
    name: str


def parse_remote(url: str) -> Repository | None:
    """Parse the URL of a remote in any of git's forms; None on other hosts."""
    short = SSH_ADDRESS.fullmatch(url) if "://" not in url else None
    parts = urlsplit(url)
    host, path = short.groups() if short else (parts.hostname or "", parts.path)
    owner, _, name = path.strip("/").removesuffix(".git").rpartition("/")
    forge = FORGES.get(host.lower())
    is_whole = bool(owner and name) and (forge == "GitLab" or "/" not in owner)
    return Repository(forge, owner.strip("/"), name) if forge and is_whole else None


def list_publisher_steps(
    root: Path, name: str, service: str = "PyPI", target: str = ""
) -> list[str]:
    """List the values of the form for a pending publisher of this project.

    `service` is PyPI or TestPyPI, `target` its name after `--to`. Empty if the project's remote
    is not on a forge that they trust.
    """
    found = parse_remote(get_remote(root))
    if found is None:
        return []
    head = (
        f"to publish from CI without a token, add a pending publisher in your {service} account "
        f"(Publishing, {found.forge}):"
    )
    publish = f"twofold publish --to {target or service.lower()} --yes"
    if found.forge == "GitHub":
        workflow, environment = _find_workflow(find_root(root) or root)
        fields = {"owner": found.owner, "repository": found.name, "workflow": workflow}
        job = f"in the workflow: permissions: id-token: write; {publish}"
    else:
        environment = ""
        file = ".gitlab-ci.yml"
        fields = {"namespace": found.owner, "project": found.name, "pipeline file": file}
        token = f"id_tokens: {service.upper()}_ID_TOKEN: aud: {service.lower()}"
        job = f"in the job: {token}; {publish}"
    fields = {f"{service} project name": name, **fields}
    fields["environment"] = environment or "leave it empty, or enter the job's environment"
    return [head, *(f"  {key}: {value}" for key, value in fields.items()), f"  and {job}"]


def _find_workflow(folder: Path) -> tuple[str, str]:
    """The workflow that publishes (else a name to give it), and its environment, if any."""
    files = sorted((folder / ".github" / "workflows").glob("*.y*ml"))
    for word in ("twofold publish", "id-token", "publish", "release"):
        for file in files:
            text = file.read_text("utf-8", errors="replace")
            if word in text or word in file.name:
                return file.name, _find_environment(text)
    return "release.yml (to be written)", ""


def _find_environment(workflow: str) -> str:
    """The `environment` of a workflow; '' for none, several, or an expression."""
    found = re.findall(
        r"^[ \t]++environment:[ \t]*(?:\n[ \t]+name:)?[ \t]*([^\s#][^\n#]*)", workflow, re.M
    )
    names = {name.strip().strip("'\"") for name in found}
    name = names.pop() if len(names) == 1 else ""
    return "" if "${{" in name or name.startswith("{") else name


@dataclass(frozen=True)
class NameReport:
    """Whether a name exists at a target, and the similar names that do.

    `service` is PyPI or TestPyPI if the target is one of them.
    """

    target: str
    name: str
    files: int
    similar_names: tuple[str, ...] = ()
    service: str = ""

    @property
    def is_new(self) -> bool:
        """Whether the target has no file of that name."""
        return self.files == 0

    def describe(self, *, is_first: bool = True) -> list[str]:
        """Describe the name in sentences for the user; empty if there is nothing to report.

        `is_first` is True if no earlier release of this project is known: an existing name may
        then belong to another project.
        """
        sentences = []
        if not self.is_new and is_first:
            sentences.append(
                f"'{self.name}' already exists at {self.target} ({self.files} files): "
                "if it is not your project, choose another name"
            )
        elif self.is_new and self.similar_names:
            sentences.append(
                f"'{self.name}' is new at {self.target}, but very similar to "
                f"{', '.join(self.similar_names)}: it may be refused; choose a more distinct name"
            )
        return sentences


def get_confusable_form(name: str) -> str:
    """The form in which PyPI compares names; names with equal forms exclude each other."""
    bare = re.sub(r"[-_.]", "", normalize_name(name))
    return bare.replace("0", "o").replace("1", "l").replace("i", "l")


def report_name(target: Target, name: str) -> NameReport | None:
    """Look a name up in a target's simple index; None for targets without one."""
    index = target.index if isinstance(target, TwofoldRegistry) else target
    if not isinstance(index, LegacyIndex) or not index.settings.index:
        return None
    here = target.settings.name
    found = fetch_files(index.http, index.settings.index, name, index.auth)
    if found:
        return NameReport(here, name, len(found))
    service = ""
    if target.settings.kind == "pypi":
        service = "TestPyPI" if is_test_pypi(target.settings.url) else "PyPI"
    close = set(_find_similar(name, load_further_names())) if service else set()
    for other in _list_spellings(name):
        if fetch_files(index.http, index.settings.index, other, index.auth):
            close.add(other)
    return NameReport(here, name, 0, tuple(sorted(close)), service)


def report_names(settings: Sequence[TargetSettings], name: str) -> list[NameReport]:
    """Look a name up at every target with a simple index, before anything is built.

    Uses stored credentials only: an identity token of CI is valid once, and needed for the upload.
    """
    reports = []
    for one in settings:
        others = [other for other in settings if other is not one]
        target = connect(one, find_credentials(one, others), RetryPolicy())
        try:
            found = report_name(target, name)
        finally:
            target.close()
        reports += [found] if found else []
    return reports


def _find_similar(name: str, names: Iterable[str]) -> list[str]:
    own, form = normalize_name(name), get_confusable_form(name)
    return [other for other in names if other != own and get_confusable_form(other) == form]


def _list_spellings(name: str) -> list[str]:
    """At most three confusable spellings of a name that are likely to exist."""
    own = normalize_name(name)
    bare = own.replace("-", "")
    letters = bare.replace("0", "o").replace("1", "l")
    with_dash = re.sub(r"(?<=[a-z])(?=\d)", "-", own)
    return [n for n in dict.fromkeys([bare, letters, with_dash]) if n != own]
