"""The extras of twofold: which libraries each adds, and what to install when one is missing."""

from __future__ import annotations

from typing import NamedTuple

from twofold.errors import TwofoldError


class Extra(NamedTuple):
    """One extra of pyproject.toml."""

    #: The subject of a message: "publishing needs urllib3".
    use: str
    #: Names that are imported, each the top of a package.
    modules: tuple[str, ...]


EXTRAS = {
    "publish": Extra("an upload or a login", ("twine", "urllib3", "certifi", "keyring", "id")),
    "server": Extra(
        "the registry",
        (
            *("starlette", "uvicorn", "httptools", "python_multipart", "sqlalchemy", "alembic"),
            *("argon2", "jwt", "cryptography", "readme_renderer", "pyotp", "segno"),
        ),
    ),
    "attest": Extra("making attestations", ("pypi_attestations", "sigstore")),
    "conda": Extra("a conda environment", ("rattler", "rattler_build")),
    "postgres": Extra("a registry on PostgreSQL", ("psycopg",)),
    "s3": Extra("a bucket", ("obstore",)),
}

#: Module -> its distribution, where pip knows it by another name.
_DISTRIBUTIONS = {
    "rattler": "py-rattler",
    "rattler_build": "py-rattler-build",
    "argon2": "argon2-cffi",
    "jwt": "PyJWT",
}


def describe_missing(error: ModuleNotFoundError) -> TwofoldError | None:
    """Return the error for a library of an extra that is not installed; None for another's."""
    missing = (error.name or "").partition(".")[0]
    for name, extra in EXTRAS.items():
        if missing in extra.modules:
            return TwofoldError(
                f"{extra.use} needs {get_distribution(missing)}, which is not installed",
                f"install it with: pip install 'twofold[{name}]'",
            )
    return None


def get_distribution(module: str) -> str:
    """Return the name under which pip installs a module of an extra."""
    return _DISTRIBUTIONS.get(module, module.replace("_", "-"))


def require_extra(name: str) -> None:
    """Raise TwofoldError when a library of an extra is not installed, before work begins."""
    from importlib.util import find_spec

    for module in EXTRAS[name].modules:
        if find_spec(module) is None:
            error = describe_missing(ModuleNotFoundError(name=module))
            assert error is not None
            raise error
