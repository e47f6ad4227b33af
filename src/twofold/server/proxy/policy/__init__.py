"""Which files of an upstream a channel takes: its conditions, and what they refused."""

from __future__ import annotations

from twofold.server.proxy.policy.conditions import (
    Policy,
    PolicyFacts,
    find_refused,
    parse_policy,
    serialize_policy,
)

__all__ = ["Policy", "PolicyFacts", "find_refused", "parse_policy", "serialize_policy"]
