"""The Anaconda.org API, for anaconda-client and rattler-build's uploader, under `/api`.

An owner there is a channel here: `/package/OWNER/...` means the channel of that name, or the home
channel of the user of that name; its channels are our labels. Errors have `{"error": message}`,
as all errors of the registry. One module per noun; see `docs/reference/anaconda-api.md`.
"""

from __future__ import annotations

from twofold.server.web.anaconda import (
    authentications,
    groups,
    labels,
    owners,
    packages,
    stages,
)

routes = [
    *owners.routes,
    *authentications.routes,
    *packages.routes,
    *stages.routes,
    *labels.routes,
    *groups.routes,
]
