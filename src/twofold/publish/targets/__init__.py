"""One module per protocol that takes packages; each is a Target."""
