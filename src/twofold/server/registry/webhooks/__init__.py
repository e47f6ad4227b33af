"""Webhooks: what administrators of a channel set, and the sender that delivers."""
