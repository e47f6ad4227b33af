"""Pages for pip and conda: rendered on write, cached, refreshed in the background."""
