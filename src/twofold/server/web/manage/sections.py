"""What is on which page of management: the calls that are listed, and the acts that are linked.

tests/server/test_three_ways.py holds that every call of the management API is on a page.
"""

from __future__ import annotations

from twofold.server.web.manage.tables import Section

OVERVIEW = (
    Section(
        "Channels",
        "list-channels",
        ("add-channel",),
        ("change-channel",),
        columns=("name", "public", "quota", "deletion", "keep"),
    ),
    Section(
        "Users and organisations",
        "list-users",
        ("add-user",),
        ("disable-user",),
    ),
)

CHANNEL = (
    Section(
        "Projects",
        "list-projects",
        ("promote",),
        columns=("name", "conda_name", "status", "summary"),
    ),
    Section("Roles", "list-roles", ("set-role",), ("set-role", "remove-role")),
    Section(
        "Invitations",
        "list-invitations",
        ("invite",),
        ("withdraw-invitation",),
        "A link gives its reader a role, once.",
        columns=("role", "invited_by", "created_at", "expires_at"),
    ),
    Section(
        "Labels", "list-labels", ("set-label",), ("set-label", "label", "unlabel", "remove-label")
    ),
    Section(
        "Trusted publishers",
        "list-publishers",
        ("add-publisher",),
        ("remove-publisher",),
        "CI runs that may publish without a stored secret.",
        columns=("project", "issuer", "claims"),
    ),
    Section("Reserved prefixes", "list-prefixes", ("reserve-prefix",), ("free-prefix",)),
    Section(
        "Upstreams",
        "list-upstreams",
        ("set-upstream",),
        ("set-upstream", "set-upstream-policy", "remove-upstream"),
        columns=("name", "kind", "url", "private_prefixes", "only", "max_age"),
    ),
    Section("Requests", "list-requests", (), ("grant", "withdraw-approval")),
    Section("Granted projects", "list-approvals", ("ask", "grant"), ("withdraw-approval",)),
    Section("Refused files", "list-refusals", (), (), "Files of upstreams that are not served."),
    Section(
        "Webhooks",
        "list-webhooks",
        ("add-webhook",),
        ("change-webhook", "test-webhook", "rotate-webhook-secret", "remove-webhook"),
        "Uploads, yanks, deletions and promotions are posted to a URL, signed.",
        columns=("url", "events", "created_at"),
    ),
    Section(
        "Deliveries",
        "list-deliveries",
        row_acts=("resend-delivery",),
        columns=("event", "url", "created_at", "attempts", "status", "error", "next_at"),
    ),
    Section(
        "Notices",
        "list-notices",
        ("add-notice",),
        ("remove-notice",),
        columns=("message", "level", "created_at", "expires_at"),
    ),
)

#: Links at the top of pages: of a label, a channel, a project, a release, and of one's own.
LABEL_ACTS = ("label", "unlabel", "set-label", "remove-label")
CHANNEL_ACTS = ("change-channel", "retain", "convert-waiting")
OWN_ACTS = ("accept-invitation",)
PROJECT_ACTS = ("set-status", "label", "undelete-project", "delete-project")
RELEASE_ACTS = ("yank", "unyank", "label", "undelete", "delete-release")

USER = (
    Section(
        "Tokens",
        "list-tokens",
        ("add-token",),
        ("revoke-token",),
        columns=("name", "token", "actions", "channel", "projects", "expires_at", "used_at"),
    ),
    Section(
        "Sessions",
        "list-sessions",
        ("end-sessions",),
        ("end-session",),
        columns=("browser", "method", "address", "began_at", "used_at", "expires_at"),
    ),
    Section(
        "Sign-in",
        "show-sign-in",
        (
            "set-password",
            "remove-password",
            "reset-second-factor",
            "link-identity",
            "unlink-identity",
            "disable-user",
        ),
    ),
)
ORGANISATION = (
    Section("Members", "list-members", ("set-member",), ("set-member", "remove-member")),
    Section(
        "Invitations",
        "list-member-invitations",
        ("invite-member",),
        ("withdraw-member-invitation",),
        columns=("role", "invited_by", "created_at", "expires_at"),
    ),
)

#: Calls that list something and are shown otherwise: in a page's frame, its forms, or as a file.
OTHER_LISTS = (
    "whoami",
    "show-user",
    "show-channel",
    "show-project",
    "show-upstream-policy",
    "list-labelled",
    "channel-log",
    "log",
    "log-csv",
    "show-state",
)
