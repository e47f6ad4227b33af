"""Resolves TARGET arguments to target settings.

A TARGET is, in this order: a name in the user's configuration; a name of twine's configuration
(`pypi`, `testpypi`, any index server of ~/.pypirc); `anaconda:OWNER[:LABEL]`; a URL with its
kind as a prefix (`legacy+https://…`, `quetz+https://host/CHANNEL`, …); `s3://BUCKET/PATH`; the
URL of a twofold registry's channel; a folder.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from twofold.errors import TwofoldError, UsageError
from twofold.publish.addresses import (
    guess_url,
    is_windows_path,
    redact_url,
    split_login,
    strip_page,
)
from twofold.publish.config import read_targets
from twofold.publish.external_config import find_anaconda_url, list_pypirc_names, read_pypirc_target
from twofold.publish.targets.kinds import KINDS
from twofold.publish.targets.settings import TargetSettings

#: URL scheme -> kind, for URLs without a kind as a prefix.
KIND_OF_SCHEME = {
    scheme: kind.name for kind in KINDS.values() if not kind.is_web for scheme in kind.schemes
}


def resolve_targets(
    names: Sequence[str], known: dict[str, TargetSettings] | None = None
) -> list[TargetSettings]:
    """Resolve target names to settings, without duplicates, in the order given."""
    targets = read_targets() if known is None else known
    found: dict[tuple[object, ...], TargetSettings] = {}
    for one in (_resolve(word, targets) for word in names):
        place = (one.kind, one.url.rstrip("/"), one.owner, one.channel, one.files)
        found[place] = _merge_labels(found[place], one) if place in found else one
    return list(found.values())


def _merge_labels(first: TargetSettings, second: TargetSettings) -> TargetSettings:
    """One target with the labels of both: a server keeps a file once, with all its labels."""
    labels = [label for one in (first, second) for label in one.labels or ("main",)]
    both = tuple(dict.fromkeys(labels))
    return first if both == (first.labels or ("main",)) else replace(first, labels=both)


def _resolve(name: str, known: dict[str, TargetSettings]) -> TargetSettings:
    if not name.strip():
        raise UsageError("the target is empty", "name one: a variable in the command may be unset")
    if name in known:
        return _complete(known[name])
    name = strip_page(name)
    scheme, separator, rest = name.partition("://")
    if separator:
        found = _parse_address(name, scheme.lower(), rest)
        same = (t for t in known.values() if _is_same_target(t, found))
        return found if found.token else next(same, found)
    if name.startswith("anaconda:"):
        owner, _, label = name.removeprefix("anaconda:").partition(":")
        base = known.get("anaconda", TargetSettings("anaconda", "", "anaconda"))
        labels = (label,) if label else base.labels
        return _complete(replace(base, name=name, owner=owner or base.owner, labels=labels))
    is_path = any(c in name for c in "/\\") or name.startswith((".", "~"))
    from_twine = None if is_path else read_pypirc_target(name)
    if from_twine is not None:
        return from_twine
    if os.name == "posix" and is_windows_path(name) and not Path(name).is_dir():
        raise TwofoldError(
            f"'{name}' is a path of Windows, and this system has none such",
            f"write the path of a folder here, or ./{name} for a new one of that name",
        )
    if is_path or ":" in name or Path(name).is_dir():
        guess = guess_url(name)
        if guess:
            bare = guess.partition("://")[2]
            raise TwofoldError(
                f"'{bare}' is neither a URL nor an existing folder",
                f"write {guess} for a server, or ./{bare} for a new folder",
            )
        return TargetSettings(name, str(Path(name).expanduser().resolve()), "folder")
    raise _unknown_target(name, known)


def _is_same_target(known: TargetSettings, found: TargetSettings) -> bool:
    """Whether a URL means a configured target: its token and labels then apply."""
    here = (known.kind, known.url.rstrip("/"), known.owner, known.channel)
    return here == (found.kind, found.url.rstrip("/"), found.owner, found.channel)


def _parse_address(word: str, scheme: str, rest: str) -> TargetSettings:
    kind, plus, inner = scheme.rpartition("+")
    if not plus:
        kind = KIND_OF_SCHEME.get(scheme, "registry")
    if kind not in KINDS or inner not in KINDS[kind].schemes:
        raise _make_scheme_error(word, kind if plus else inner)
    if KINDS[kind].is_web and re.search(r"[\s\x00-\x1f\x7f]", rest):
        raise TwofoldError(
            f"'{redact_url(word)}' is not a valid URL: it contains a blank",
            "write one URL without blanks, and each further target after its own --to",
        )
    bare = split_login(f"{inner}://{rest}")
    parts = urlsplit(f"{inner}://{rest}")
    if not parts.netloc and inner != "file":
        hint = (
            "write it as s3://BUCKET/PATH" if kind == "s3" else "write it as https://host/channel"
        )
        raise TwofoldError(f"'{redact_url(word)}' is not a valid URL: the host is missing", hint)
    if parts.query and KINDS[kind].is_web and not KINDS[kind].is_uploaded_by_twine:
        raise TwofoldError(
            f"'{redact_url(word)}' is not a target URL: it has a query",
            f"write {redact_url(word)}, without what follows the '?'",
        )
    if kind == "folder" and parts.netloc not in ("", "localhost") and os.name == "posix":
        raise TwofoldError(
            f"'{word}' names a host, and folders of other machines cannot be written",
            f"write file:///{rest} for a folder of this machine",
        )
    if kind == "folder":
        from urllib.request import url2pathname

        return TargetSettings(word, str(Path(url2pathname(parts.path)).resolve()), "folder")
    # Upload URLs are used as they are written, as twine and uv do: servers differ in the slash.
    url = bare.url if KINDS[kind].is_uploaded_by_twine else bare.url.rstrip("/")
    settings = TargetSettings(
        url, url, kind, user=bare.user, token=bare.secret, token_source="the URL"
    )
    if KINDS[kind].is_uploaded_by_twine:
        settings = replace(settings, ca=os.environ.get("TWINE_CERT", ""))
    return _split_channel(settings)


def _make_scheme_error(word: str, scheme: str) -> TwofoldError:
    """The error for a URL with an unknown kind, or with a scheme that its kind does not have."""
    url = redact_url(word)
    known = [*KINDS.list_names(), *KIND_OF_SCHEME, "http", "https"]
    close = difflib.get_close_matches(scheme, known, n=1, cutoff=0.7)
    if scheme not in known and close:
        rest = url[len(scheme) :]
        return TwofoldError(f"'{url}' is not a target URL", f"did you mean {close[0]}{rest}?")
    form = KINDS[scheme].url if scheme in KINDS else "https://host/channel"
    if "+" in word.partition("://")[0] and scheme not in KINDS:
        return TwofoldError(
            f"'{url}': there is no kind of target '{scheme}'",
            f"the kinds are: {', '.join(KINDS.list_names())}",
        )
    hint = f"write {form}, or KIND+https://… (KIND: {', '.join(KINDS.list_names())})"
    return TwofoldError(f"'{url}' is not a target URL", hint)


def _split_channel(settings: TargetSettings) -> TargetSettings:
    """Split the channel or owner from the end of the URL, for kinds that have it there."""
    last_part = KINDS[settings.kind].last_part
    if not last_part:
        return settings
    base, _, last = settings.url.rpartition("/")
    named = settings.owner if last_part == "owner" else settings.channel
    if named:
        return settings
    if not last or base.endswith("/"):
        raise TwofoldError(
            f"'{settings.name}' has no {last_part}",
            f"append it to the URL: {settings.url}/{last_part.upper()}",
        )
    if last_part == "owner":
        return replace(settings, url=base, owner=last)
    return replace(settings, url=base, channel=last)


def _complete(settings: TargetSettings) -> TargetSettings:
    """Add the URL that the kind implies to a configured target without one."""
    if settings.kind == "anaconda":
        if settings.url:
            return _split_channel(settings)
        if not settings.owner:
            raise TwofoldError(
                f"target '{settings.name}' has no owner", "write it as anaconda:OWNER"
            )
        return replace(settings, url=find_anaconda_url())
    if settings.url:
        return replace(settings, index=settings.index or _find_public_index(settings))
    from_twine = read_pypirc_target(settings.name) or read_pypirc_target("pypi")
    if from_twine is None:
        raise TwofoldError(f"target '{settings.name}' has no URL", 'add url = "…"')
    return replace(
        settings,
        url=from_twine.url,
        kind=from_twine.kind,
        index=settings.index or from_twine.index,
        user=settings.user or from_twine.user,
        token=settings.token or from_twine.token,
        token_source=settings.token_source if settings.token else from_twine.token_source,
        ca=settings.ca or from_twine.ca,
        client_cert=settings.client_cert or from_twine.client_cert,
    )


def _find_public_index(settings: TargetSettings) -> str:
    """The index of PyPI or TestPyPI for a table with only the upload URL."""
    if settings.kind != "pypi":
        return ""
    known = filter(None, map(read_pypirc_target, ("pypi", "testpypi")))
    return next((one.index for one in known if one.url.rstrip("/") == settings.url.rstrip("/")), "")


def _unknown_target(word: str, known: dict[str, TargetSettings]) -> TwofoldError:
    names = sorted({*known, *list_pypirc_names()})
    folded = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(word.casefold(), folded, n=1)
    hint = (
        f"did you mean '{folded[close[0]]}'?"
        if close
        else f"known names: {', '.join(names)}; or pass a URL"
    )
    return TwofoldError(f"there is no target '{word}'", hint)


def get_default_targets() -> list[str]:
    """Default target from twine's TWINE_REPOSITORY_URL or TWINE_REPOSITORY, or uv's variable."""
    for name in ("TWINE_REPOSITORY_URL", "UV_PUBLISH_URL"):
        if os.environ.get(name):
            return [f"legacy+{os.environ[name]}"]
    return [os.environ["TWINE_REPOSITORY"]] if os.environ.get("TWINE_REPOSITORY") else []
