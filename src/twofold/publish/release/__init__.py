"""What a release changes in the project itself: its version, changelog, commit and tag."""
