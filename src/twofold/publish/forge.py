"""Where a project's repository is, and what PyPI's form of a pending publisher wants of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from twofold.publish.git import find_root, get_remote

#: Hosts -> the forge, as PyPI's form calls it. The second ones are for SSH where only 443 is open.
FORGES = {
    "github.com": "GitHub",
    "www.github.com": "GitHub",
    "ssh.github.com": "GitHub",
    "gitlab.com": "GitLab",
    "www.gitlab.com": "GitLab",
    "altssh.gitlab.com": "GitLab",
}

#: git's short form of an SSH address: `git@host:owner/name.git`.
SSH_ADDRESS = re.compile(r"(?:[^@/]+@)?([^:/@]+):(?!//)(.+)")


@dataclass(frozen=True)
class Repository:
    """A project's place on a forge; `owner` is a namespace with subgroups at GitLab."""

    forge: str
    owner: str
    name: str


def parse_remote(address: str) -> Repository | None:
    """What a remote's address means, in any of git's ways to write it; None on other hosts."""
    short = SSH_ADDRESS.fullmatch(address) if "://" not in address else None
    parts = urlsplit(address)
    host, path = short.groups() if short else (parts.hostname or "", parts.path)
    owner, _, name = path.strip("/").removesuffix(".git").rpartition("/")
    forge = FORGES.get(host.lower())
    is_whole = bool(owner and name) and (forge == "GitLab" or "/" not in owner)
    return Repository(forge, owner.strip("/"), name) if forge and is_whole else None


def list_publisher_steps(
    root: Path, name: str, service: str = "PyPI", target: str = ""
) -> list[str]:
    """The steps of the form for a pending publisher, with this project's own values.

    `service` is PyPI or TestPyPI, `target` what it is called after `--to`. Empty when the
    project's remote is on no forge that they trust.
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
    fields["environment"] = environment or "leave it empty, or the one the job names"
    return [head, *(f"  {key}: {value}" for key, value in fields.items()), f"  and {job}"]


def _find_workflow(folder: Path) -> tuple[str, str]:
    """The workflow that publishes, as far as the files tell (else the name to give it), and the
    one environment that it names, if it does."""
    files = sorted((folder / ".github" / "workflows").glob("*.y*ml"))
    for word in ("twofold publish", "id-token", "publish", "release"):
        for file in files:
            text = file.read_text("utf-8", errors="replace")
            if word in text or word in file.name:
                return file.name, _find_environment(text)
    return "release.yml (to be written)", ""


def _find_environment(workflow: str) -> str:
    """`environment: NAME`, or `name: NAME` on the line below; '' for none, several or computed."""
    found = re.findall(
        r"^\s+environment:[ \t]*(?:\n\s+name:)?[ \t]*([^\s#][^\n#]*)", workflow, re.M
    )
    names = {name.strip().strip("'\"") for name in found}
    name = names.pop() if len(names) == 1 else ""
    return "" if "${{" in name or name.startswith("{") else name
