"""The Anaconda.org API, for anaconda-client and rattler-build's uploader, under `/api`.

An owner there is a channel here: `/package/OWNER/...` means the channel of that name, or the home
channel of the user of that name; its channels are our labels. Errors carry `{"error": message}`,
as every answer of ours does. One module per noun; `docs/reference/anaconda-api.md` lists the calls.
"""

from __future__ import annotations

from twofold.server.web.anaconda import (
    authentications,
    copying,
    groups,
    labels,
    owners,
    packages,
    search,
    stages,
)

routes = [
    *owners.routes,
    *authentications.routes,
    *search.routes,
    *packages.routes,
    *stages.routes,
    *labels.routes,
    *copying.routes,
    *groups.routes,
]
