"""What holds of a connection before, and without, a request: its limits, TLS, the HTTP protocol."""
