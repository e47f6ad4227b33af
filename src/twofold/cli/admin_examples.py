"""Examples in the help of `twofold admin WHAT`."""

from __future__ import annotations

#: WHAT -> examples in its help, without `twofold admin`.
EXAMPLES = {
    "users": ("users", "users --json"),
    "user": ("user ann --password", "user lab --organisation"),
    "password": ("password ann < password-file",),
    "disable": ("disable ann",),
    "member": ("member lab ann upload", "member lab ann none"),
    "channels": ("channels",),
    "channel": ("channel lab --owner ann --private",),
    "rule": ("rule main quota 10000000000", "rule main v3 yes"),
    "role": ("role main ann upload", "role main ann none"),
    "prefix": ("prefix main acme ann",),
    "token": (
        "token ann --channel main --actions upload --days 90",
        "token ann --project my_package --name ci",
    ),
    "tokens": ("tokens ann",),
    "revoke": ("revoke ann ci",),
    "publisher": (
        "publisher main my_package --issuer https://ci.example.org --claim project=me/it",
    ),
    "publishers": ("publishers main",),
    "unpublisher": ("unpublisher main 3",),
    "import": (
        "import devpi http://host/me/stable --channel main --dry-run",
        "import pypiserver /srv/packages",
    ),
    "yank": ("yank main my_package 1.0.0 --reason broken",),
    "unyank": ("unyank main my_package 1.0.0",),
    "delete": ("delete main my_package 1.0.0",),
    "status": ("status main my_package archived --reason moved",),
    "promote": (
        "promote staging main my_package 1.0.0",
        "promote staging main my_package --with-dependencies --dry-run",
    ),
    "undelete": ("undelete main my_package 1.0.0",),
    "retain": ("retain main --keep 5 --dry-run",),
    "log": ("log --channel main --action publish", "log --csv"),
    "verify": ("verify",),
    "sweep": ("sweep --dry-run",),
    "move": ("move --to-database postgresql://host/twofold --to-objects s3://bucket/twofold",),
    "upstream": (
        "upstream add pypi https://index.example.org/simple --kind pypi",
        "upstream list",
    ),
    "follow": ("follow numpy pandas --channel main --python 3.12",),
    "offer": ("offer main numpy pandas",),
    "approve": ("approve main numpy",),
    "notice": ("notice add main 'maintenance on Monday'", "notice list main"),
    "twins": ("twins main",),
    "call": ("call", "call invite channel=main role=upload", "call list-sessions user=ann"),
    "second-factor": ("second-factor ann",),
    "doctor": ("doctor",),
}


def format_examples(what: str) -> str:
    """The end of the help of a subcommand; '' without examples."""
    lines = [f"  twofold admin {line}" for line in EXAMPLES.get(what, ())]
    return "\n".join(["examples:", *lines]) if lines else ""
