"""The room auth."""
