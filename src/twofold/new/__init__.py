"""Starting a project, and adopting one that is there."""
