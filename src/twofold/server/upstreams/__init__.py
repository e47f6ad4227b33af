"""Upstreams: other indexes and channels, as a channel that stands in front of them sees them.

    http     fetching, with the rules against being led to where nobody should be
    pypi     a simple index's page -> offers, and offers -> pages of ours
    conda    a channel's repodata -> offers, and offers -> repodata of ours
    following   which releases a closure needs

Nothing here knows the store; `registry.fronting` puts it together.
"""
