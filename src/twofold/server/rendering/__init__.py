"""From stored files to the bytes of pages: pure functions."""
