"""The room write."""
