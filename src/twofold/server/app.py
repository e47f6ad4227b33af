"""The ASGI application: the registry, the routes and the error handlers."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from twofold.errors import Refused, TwofoldError
from twofold.server.auth.issuer_client import IssuerClient
from twofold.server.auth.login_throttle import LoginThrottle
from twofold.server.auth.oidc import Issuers
from twofold.server.context import Registry
from twofold.server.opening import open_registry
from twofold.server.proxy.images import ImageCache
from twofold.server.settings import Settings
from twofold.server.web import (
    anaconda,
    conda,
    error_responses,
    management,
    pypi,
    status,
    trusted_publishing,
    uploads,
)
from twofold.server.web.account import invitation, issuer, second_factor, sign_in
from twofold.server.web.credentials import StripToken
from twofold.server.web.manage import pages as manage_pages
from twofold.server.web.manage import upload
from twofold.server.web.pages import (
    channels,
    downloads,
    feeds,
    images,
    inside,
    people,
    projects,
    site,
)
from twofold.server.web.pages.error_pages import ErrorPages, with_page
from twofold.server.web.request_body import Spool
from twofold.server.web.status import Metrics

#: What `create_app` makes and `run` serves.
Application = Starlette


def create_app(settings: Settings, registry: Registry | None = None) -> Application:
    """Create the ASGI application; `settings.data` is created if necessary."""
    site.check_pictures(settings)
    app = Starlette(
        routes=[
            *status.routes,
            *trusted_publishing.routes,
            *management.routes,
            *sign_in.routes,
            *issuer.routes,
            *second_factor.routes,
            *invitation.routes,
            *upload.routes,
            *manage_pages.routes,
            *uploads.routes,
            *anaconda.routes,
            *pypi.routes,
            *site.routes,
            *downloads.routes,
            *feeds.routes,
            *inside.routes,
            *people.routes,
            *channels.routes,
            *images.routes,
            *projects.routes,
            *conda.routes,
        ],
        middleware=[Middleware(ErrorPages), Middleware(StripToken)],
        exception_handlers={
            Refused: error_responses.refused,
            TwofoldError: error_responses.storage_error,
            OSError: error_responses.storage_error,
            HTTPException: error_responses.http_error,
            Exception: with_page(error_responses.internal_error),
        },
    )
    app.router.redirect_slashes = False
    app.state.settings = settings
    app.state.issuers = Issuers()
    if settings.issuer is not None:
        app.state.issuer_client = IssuerClient(settings.issuer)
    app.state.metrics = Metrics()
    app.state.registry = registry = registry or open_registry(settings)
    app.state.spool = Spool(registry.spool, settings.largest_file, settings.spool_quota)
    app.state.images = ImageCache(settings.data / "images", settings.image_hosts)
    app.state.throttle = LoginThrottle(registry.database, registry.clock)
    return app
