"""What a small build uses in place of libraries whose import costs more than their work."""
