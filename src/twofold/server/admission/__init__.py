"""What may refuse a file: checks of the file itself, of its name, and of the channel's policy."""
