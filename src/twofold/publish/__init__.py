"""Uploading a release: targets, credentials, the plan."""
