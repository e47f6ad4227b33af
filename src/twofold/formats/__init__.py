"""Files on disk: one module per format, and `opening`, which tells them apart."""
