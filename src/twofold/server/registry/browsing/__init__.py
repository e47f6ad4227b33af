"""What people read of a registry: searches, lists, feeds, numbers, and the content of files."""
