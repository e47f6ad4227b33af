"""The room fetching."""
