"""The management API: what administrators do from afar, at /api/manage.

calls       what a call is: one row of the table
people, channels, projects      the rows, and what each does: one verb of the registry
schema, words, shapes           what requests hold and what answers look like
answering   a row becomes a route: who asks, is the request right, may they, do it
document    the rows become /api/openapi.json (OpenAPI 3.1)
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.server.web.management import accounts, channels, dispatch, openapi_document, projects

CALLS = (*accounts.CALLS, *channels.CALLS, *projects.CALLS)


def openapi(request: Request) -> Response:
    """Everything about this API that a program can read."""
    return JSONResponse(openapi_document.build_document(CALLS, str(request.base_url)))


routes = [Route("/api/openapi.json", openapi), *dispatch.make_routes(CALLS)]
