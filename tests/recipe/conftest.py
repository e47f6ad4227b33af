"""The recipes are data: their run_test.py is not for pytest."""

collect_ignore = ["recipes"]
