"""Which calls of the management API are forms of the pages, and how each form is worded."""

from __future__ import annotations

from collections.abc import Mapping

from twofold.server.web.management import ENDPOINTS
from twofold.server.web.management.endpoints import Endpoint

ACTS: Mapping[str, Endpoint] = {one.name: one for one in ENDPOINTS if one.method != "GET"}
LISTS: Mapping[str, Endpoint] = {one.name: one for one in ENDPOINTS if one.method == "GET"}

#: Acts whose subject has to be entered once more, by the parameter that names it.
TYPED = {
    "delete-project": "project",
    "delete-release": "version",
    "delete-file": "file",
    "remove-label": "label",
    "disable-user": "user",
}

#: Fields that may hold a secret: an invitation's code, the login in a URL, a webhook's own URL.
NOT_IN_ADDRESSES = {"code", "url"}

#: Acts that take something away, or are hard to undo: their button says so.
DANGEROUS = {
    *TYPED,
    "remove-password",
    "reset-second-factor",
    "remove-upstream",
    "retain",
    "end-sessions",
    "set-status",
}

#: Acts whose response is shown: it has a secret, or says what was done.
SHOWN = {
    "add-token",
    "invite",
    "invite-member",
    "add-webhook",
    "rotate-webhook-secret",
    "promote",
    "retain",
    "undelete",
    "undelete-project",
    "delete-project",
    "delete-release",
    "label",
    "unlabel",
    "convert-waiting",
}

#: Headings of forms where a call's name alone does not say enough.
TITLES = {
    "ask": "Ask for a project",
    "grant": "Grant a project",
    "label": "Label files",
    "unlabel": "Take files from a label",
    "retain": "Delete old releases",
    "convert-waiting": "Convert waiting wheels",
    "set-label": "Add or lock a label",
    "set-role": "Give a role",
    "set-member": "Add a member",
    "set-upstream": "Set an upstream",
    "set-status": "Set the status",
    "change-channel": "Change rules",
    "end-sessions": "End other sessions",
    "undelete": "Restore deleted files",
    "undelete-project": "Restore deleted files",
    "withdraw-approval": "Take back",
    "withdraw-member-invitation": "Withdraw invitation",
    "invite-member": "Invite",
    "set-upstream-policy": "Set the policy",
}

#: Code of a refusal -> the field it is about, where the call has that field.
FIELD_OF = {
    "wrong-password": "current",
    "user-exists": "name",
    "channel-exists": "name",
    "invalid-name": "name",
    "no-user": "user",
    "no-channel": "channel",
    "invalid-issuer": "issuer",
    "insecure-url": "url",
    "invalid-url": "url",
    "no-identity": "claims",
    "no-claims": "claims",
    "internal-address": "url",
    "invalid-prefix": "prefix",
    "unreachable": "url",
    "no-organisation": "organisation",
    "not-a-user": "user",
    "identity-exists": "subject",
    "no-invitation": "code",
}


def make_title(endpoint: Endpoint) -> str:
    """Return the heading of a call's form."""
    return TITLES.get(endpoint.name, endpoint.name.replace("-", " ").capitalize())
