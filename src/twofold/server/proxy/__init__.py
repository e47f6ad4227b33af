"""The room proxy."""
