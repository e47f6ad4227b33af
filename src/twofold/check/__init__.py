"""One function per rule, over projects and over built files."""
