"""File formats: one module each; `reader` detects which one a file has."""
