"""Pages for pip and conda: rendered when records change, cached, refreshed in the background."""
