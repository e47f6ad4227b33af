"""The management API at /api/manage, for remote administration.

endpoints           the Endpoint class, and how a request is dispatched to one
accounts, channels, projects    the endpoints; each calls one function of the registry
parameters          JSON Schemas of request parameters, and their validation
response_schemas    JSON Schemas of responses, and serializers
openapi_document    /api/openapi.json (OpenAPI 3.1), generated from the endpoints
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.server.web.management import accounts, channels, endpoints, openapi_document, projects

ENDPOINTS = (*accounts.ENDPOINTS, *channels.ENDPOINTS, *projects.ENDPOINTS)


def openapi(request: Request) -> Response:
    """Send the OpenAPI document."""
    return JSONResponse(openapi_document.build_document(ENDPOINTS, str(request.base_url)))


routes = [Route("/api/openapi.json", openapi), *endpoints.make_routes(ENDPOINTS)]
