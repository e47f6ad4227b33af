"""The registry: one store, and the protocols of both worlds over it."""
