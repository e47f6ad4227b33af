"""What to do about a server's no: by its status, the kind of target and the token's source."""

from __future__ import annotations

from dataclasses import dataclass

from twofold.publish.credentials import get_token_variable

#: Who gives the right that a token lacks.
PERMISSION_HINTS = {
    "registry": "who looks after it gives it with 'twofold admin role CHANNEL USER upload'",
    "pypi": "make one as owner or maintainer of the project, with this project in its scope",
    "legacy": "check user and password, and who may upload to this index",
    "anaconda": "it must be the owner's, or of somebody who may write for the owner",
    "prefix": "make one that may write to this channel",
    "quetz": "its user must be a member of the channel",
    "artifactory": "its user must be allowed to deploy to this repository",
}

#: What an address of each kind looks like.
ADDRESS_HINTS = {
    "registry": "it is http://host/CHANNEL; a private channel shows itself to its tokens alone",
    "pypi": "it is the one twine uploads to",
    "legacy": "it is the one twine uploads to (devpi: http://host/USER/INDEX/)",
    "anaconda": "it is the API's with the owner at its end: anaconda+https://host/api/OWNER",
    "prefix": "it ends in the channel's name: prefix+https://host/CHANNEL",
    "quetz": "it ends in the channel's name: quetz+https://host/CHANNEL",
    "artifactory": "it is artifactory+https://host/artifactory/api/conda/REPOSITORY",
}

#: Codes of a registry's answers that say the token is no good, or not for this.
TOKEN_ERROR_CODES = frozenset(
    {"invalid-token", "invalid-login", "revoked-token", "expired-token", "forbidden"}
)

NAME_USED = "a name that was used there stays used: publish under a new version"


@dataclass(frozen=True)
class AuthContext:
    """Who asks a target, as hints name it; `source` says where the token is from ('': no token)."""

    target: str = ""
    kind: str = ""
    source: str = ""

    @property
    def login_command(self) -> str:
        """The command that stores a token for the target."""
        is_address = "://" in self.target
        prefixed = is_address and self.kind != "registry" and "+" not in self.target
        return (
            f"twofold login {self.kind}+{self.target}"
            if prefixed
            else (f"twofold login {self.target}")
        )

    @property
    def token_variable(self) -> str:
        """The environment variable to name: the target's own where its name is short."""
        return "TWOFOLD_TOKEN" if "/" in self.target else get_token_variable(self.target)


def suggest_login(context: AuthContext) -> str:
    """What to do where no token was found."""
    return f"run '{context.login_command}', or set {context.token_variable}"


def suggest_action(status: int, context: AuthContext) -> str:
    """An action for a refusal with this status; '' where the status says nothing of one."""
    if status in (401, 403) and not context.source:
        return f"no token was sent: {suggest_login(context)}"
    if status == 401:
        return (
            f"the token from {context.source} is wrong, expired or revoked: "
            f"run '{context.login_command}' with another"
        )
    if status == 403:
        right = PERMISSION_HINTS.get(context.kind, "ask who looks after it")
        return f"the token from {context.source} is wrong or has no right to this: {right}"
    return {
        400: "mend what it names: 'twofold check FILES' finds most of what indexes refuse",
        404: f"check the address: {ADDRESS_HINTS.get(context.kind, 'nothing is there')}",
        405: "nothing is uploaded at this address: "
        f"{ADDRESS_HINTS.get(context.kind, 'check its kind')}",
        409: NAME_USED,
        410: NAME_USED,
        413: "it is larger than this target takes: 'twofold build --list' shows what is in it; "
        "or ask who looks after the target for a higher limit",
        422: "mend what it names: 'twofold check FILES' finds most of what indexes refuse",
    }.get(status, "")
