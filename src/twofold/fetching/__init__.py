"""HTTP fetching from untrusted servers: checked addresses, limits, credentials."""
