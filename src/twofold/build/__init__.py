"""From a project to its artifacts: our own chain, or another backend's hooks in isolation."""
