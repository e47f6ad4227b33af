"""Fetching over HTTP from servers that others control: checked addresses, limits, credentials."""
