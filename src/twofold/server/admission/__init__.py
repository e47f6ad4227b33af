"""Admission of files: checks of the file, of its name, and of the channel's policy."""
