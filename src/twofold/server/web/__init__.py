"""HTTP: one file per protocol, each a list of routes over the registry's verbs."""
