"""Channels with an upstream: cached metadata, fetched files, merged pages, and mirror sync."""
