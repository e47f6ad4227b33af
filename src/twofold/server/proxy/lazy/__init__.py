"""`/CHANNEL/lazy`: the channel with packages that are made when they are first downloaded."""

from __future__ import annotations

from twofold.server.proxy.lazy.channel import get_package, get_page, get_shard, list_missing

__all__ = ["get_package", "get_page", "get_shard", "list_missing"]
