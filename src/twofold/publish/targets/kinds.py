"""The table of target kinds: one row for everything that depends on the kind of a target.

A new kind is a module beside this one, a row of KINDS and its rows in docs/reference/publish.md and
configuration.md; tests/publish/test_kinds.py fails if one of them is missing. Openers import their
module when they are called: a command that only resolves names loads no HTTP client.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qs, urlsplit

from twofold.errors import TwofoldError
from twofold.plugins import find_extensions, load_extension
from twofold.publish.addresses import Credentials, redact_url
from twofold.publish.external_config import is_anaconda_org
from twofold.publish.targets.settings import AuthStyle, InstallUrls, TargetSettings

if TYPE_CHECKING:
    from twofold.publish.http import HttpClient
    from twofold.publish.targets.protocol import Target

#: Opens a target with its settings, its HTTP client and its credentials.
Opener = Callable[[TargetSettings, "HttpClient", Credentials | None], "Target"]

#: Finds the URLs users install from; the second argument returns whether a URL is a channel.
UrlFinder = Callable[[TargetSettings, Callable[[str], bool]], InstallUrls]

_WEB = ("http", "https")


@dataclass(frozen=True)
class TargetKind:
    """Everything that depends on the kind of a target.

    `url` is the form of its URL after `--to`, and `url_remark` what a hint adds to it. `last_part`
    is the setting at the end of the URL. `permission` is the hint for a token without the
    permission. `no_login` is the hint for a login, of kinds that are written directly and have
    none. `is_uploaded_by_twine` covers twine's variables, keyring and certificates. `basic` is
    when credentials are sent as HTTP Basic, and `channel_style` how a channel's server expects
    them. `names_account` is True if the server returns the account of a token.
    """

    name: str
    open: Opener
    find_urls: UrlFinder
    url: str
    url_remark: str = ""
    schemes: tuple[str, ...] = _WEB
    last_part: Literal["", "owner", "channel"] = ""
    has_default_url: bool = False
    permission: str = ""
    no_login: str = ""
    is_uploaded_by_twine: bool = False
    has_trusted_publishing: bool = False
    basic: Literal["never", "with user", "always"] = "never"
    channel_style: AuthStyle = "bearer"
    names_account: bool = False

    @property
    def is_web(self) -> bool:
        """Whether it is a web server."""
        return self.schemes == _WEB

    @property
    def url_hint(self) -> str:
        """The hint for a URL that leads nowhere."""
        return f"its form is {self.url}{self.url_remark}"


def _open_registry(
    settings: TargetSettings, http: HttpClient, credentials: Credentials | None
) -> Target:
    from twofold.publish.targets.registry import TwofoldRegistry

    if not urlsplit(settings.url).path.strip("/"):
        raise TwofoldError(
            f"'{redact_url(settings.url)}' has no channel",
            f"append it to the URL: {redact_url(settings.url)}/CHANNEL, such as /main",
        )
    return TwofoldRegistry(settings, http, credentials)


def _open_legacy(
    settings: TargetSettings, http: HttpClient, credentials: Credentials | None
) -> Target:
    from twofold.publish.targets.legacy import open_legacy_index

    return open_legacy_index(settings, http, credentials)


def _open_pypi(
    settings: TargetSettings, http: HttpClient, credentials: Credentials | None
) -> Target:
    from twofold.publish import rules
    from twofold.publish.http import basic_auth
    from twofold.publish.targets.legacy import LegacyIndex, make_read_auth

    auth = basic_auth(credentials) if credentials else None
    read_auth = make_read_auth(settings)
    return LegacyIndex(settings, http, auth, rules.PYPI, is_open=False, read_auth=read_auth)


def _open_anaconda(
    settings: TargetSettings, http: HttpClient, credentials: Credentials | None
) -> Target:
    from twofold.publish.targets.anaconda import AnacondaOrg

    return AnacondaOrg(settings, http, credentials)


def _open_prefix_dev(
    settings: TargetSettings, http: HttpClient, credentials: Credentials | None
) -> Target:
    from twofold.publish.targets.conda_servers import open_prefix_dev

    return open_prefix_dev(settings, http, credentials)


def _open_quetz(
    settings: TargetSettings, http: HttpClient, credentials: Credentials | None
) -> Target:
    from twofold.publish.targets.conda_servers import open_quetz

    return open_quetz(settings, http, credentials)


def _open_artifactory(
    settings: TargetSettings, http: HttpClient, credentials: Credentials | None
) -> Target:
    from twofold.publish.targets.conda_servers import open_artifactory

    return open_artifactory(settings, http, credentials)


def _open_folder(
    settings: TargetSettings, _http: HttpClient, _credentials: Credentials | None
) -> Target:
    from twofold.publish.targets.folder import Folder

    return Folder(settings)


def _open_bucket(
    settings: TargetSettings, _http: HttpClient, _credentials: Credentials | None
) -> Target:
    from twofold.publish.targets.s3 import Bucket

    return Bucket(settings)


def _find_registry_urls(
    settings: TargetSettings, _is_channel: Callable[[str], bool]
) -> InstallUrls:
    url = settings.url.rstrip("/")
    return InstallUrls(f"{url}/simple/", url)


def _find_index_urls(settings: TargetSettings, _is_channel: Callable[[str], bool]) -> InstallUrls:
    return InstallUrls(index=settings.index)


def _find_anaconda_urls(settings: TargetSettings, is_channel: Callable[[str], bool]) -> InstallUrls:
    public = settings.public_url.rstrip("/")
    return InstallUrls(settings.index, public or _find_owner_channel(settings, is_channel))


def _find_channel_urls(channel: str) -> UrlFinder:
    """Make a finder for a server whose channel has this URL, with `{url}` and `{channel}`."""

    def find(settings: TargetSettings, _is_channel: Callable[[str], bool]) -> InstallUrls:
        url = channel.format(url=settings.url.rstrip("/"), channel=settings.channel)
        return InstallUrls(settings.index, settings.public_url.rstrip("/") or url)

    return find


def _find_folder_urls(settings: TargetSettings, _is_channel: Callable[[str], bool]) -> InstallUrls:
    url = settings.public_url.rstrip("/") or Path(settings.url.rstrip("/")).as_uri()
    return InstallUrls(f"{url}/simple/", url)


def _find_bucket_urls(settings: TargetSettings, _is_channel: Callable[[str], bool]) -> InstallUrls:
    public = settings.public_url.rstrip("/")
    if public:
        return InstallUrls(f"{public}/simple/", public)
    # pip needs index.html for a folder; S3 serves none
    return InstallUrls(channel=_bucket_url(settings.url))


def _bucket_url(url: str) -> str:
    """The path-style URL of a bucket with its own endpoint; '' without one."""
    parts = urlsplit(url.rstrip("/"))
    endpoint = parse_qs(parts.query).get("endpoint", [""])[0].rstrip("/")
    path = f"{parts.netloc}/{parts.path.strip('/')}".rstrip("/")
    return f"{endpoint}/{path}" if endpoint else ""


def _find_owner_channel(settings: TargetSettings, is_channel: Callable[[str], bool]) -> str:
    """The channel of an owner, or of the first label.

    At Anaconda.org it is a name, which every conda client resolves; elsewhere the URL beside the
    API that has a channel.
    """
    label = next((f"/label/{label}" for label in settings.labels if label != "main"), "")
    if "main" in settings.labels:
        label = ""
    if is_anaconda_org(settings.url):
        return settings.owner + label
    root = settings.url.rstrip("/").removesuffix("/api")
    for channel in (f"{root}/{settings.owner}{label}", f"{root}/conda/{settings.owner}{label}"):
        if is_channel(channel):
            return channel
    return ""


_ROWS = (
    TargetKind(
        "registry",
        _open_registry,
        _find_registry_urls,
        url="http://host/CHANNEL",
        url_remark="; a private channel needs a token",
        permission="ask the registry's administrator for the role 'upload' "
        "('twofold admin role CHANNEL USER upload')",
        has_trusted_publishing=True,
        names_account=True,
    ),
    TargetKind(
        "legacy",
        _open_legacy,
        _find_index_urls,
        url="legacy+https://host/USER/INDEX/",
        url_remark=", the one that twine uploads to",
        permission="check user and password, and whether this user may upload to the index",
        is_uploaded_by_twine=True,
        has_trusted_publishing=True,
        basic="always",
    ),
    TargetKind(
        "pypi",
        _open_pypi,
        _find_index_urls,
        url="pypi+https://host/legacy/",
        url_remark=", the one that twine uploads to",
        has_default_url=True,
        permission="create one as owner or maintainer of the project, with this project in its "
        "scope",
        is_uploaded_by_twine=True,
        has_trusted_publishing=True,
        basic="always",
    ),
    TargetKind(
        "anaconda",
        _open_anaconda,
        _find_anaconda_urls,
        url="anaconda+https://host/api/OWNER",
        last_part="owner",
        has_default_url=True,
        permission="use a token of the owner, or of a member of that organization",
        channel_style="path",
        names_account=True,
    ),
    TargetKind(
        "prefix",
        _open_prefix_dev,
        _find_channel_urls("{url}/{channel}"),
        url="prefix+https://host/CHANNEL",
        last_part="channel",
        permission="create one with write permission for this channel",
        has_trusted_publishing=True,
    ),
    TargetKind(
        "quetz",
        _open_quetz,
        _find_channel_urls("{url}/get/{channel}"),
        url="quetz+https://host/CHANNEL",
        last_part="channel",
        permission="make its user a member of the channel",
        channel_style="x-api-key",
    ),
    TargetKind(
        "artifactory",
        _open_artifactory,
        _find_channel_urls("{url}"),
        url="artifactory+https://host/artifactory/api/conda/REPOSITORY",
        permission="give its user the permission to deploy to this repository",
        basic="with user",
    ),
    TargetKind(
        "folder",
        _open_folder,
        _find_folder_urls,
        url="file:///FOLDER",
        schemes=("file",),
        no_login="publish to it without a login: files are written directly",
    ),
    TargetKind(
        "s3",
        _open_bucket,
        _find_bucket_urls,
        url="s3://BUCKET/PATH",
        schemes=("s3",),
        no_login="use your AWS configuration: environment, profile or role",
    ),
)

#: The group of entry points by which other distributions add kinds:
#:
#:     [project.entry-points."twofold.targets"]
#:     acme = "acme_twofold:KIND"        # a TargetKind called "acme", for acme+https://host/place
GROUP = "twofold.targets"


class _Kinds(dict[str, TargetKind]):
    """The kinds by name; an unknown name may be that of another distribution's kind."""

    def __missing__(self, name: str) -> TargetKind:
        point = find_extensions(GROUP).get(name)
        if point is None:
            raise KeyError(name)
        kind: TargetKind = load_extension(GROUP, point, TargetKind)
        if kind.name != name or not kind.is_web:
            raise TwofoldError(
                f"the extension '{name}' of '{GROUP}' is the kind '{kind.name}'",
                "name the entry point as the kind, whose schemes are http and https",
            )
        self[name] = kind
        return kind

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in find_extensions(GROUP)

    def list_names(self) -> list[str]:
        """The names of all kinds, those of other distributions last."""
        return list(dict.fromkeys([*self, *sorted(find_extensions(GROUP))]))


#: Name -> kind. The name is the value of `kind` in the configuration and the prefix of a URL.
KINDS = _Kinds({kind.name: kind for kind in _ROWS})
