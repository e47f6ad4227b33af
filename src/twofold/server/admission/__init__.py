"""The room admission."""
