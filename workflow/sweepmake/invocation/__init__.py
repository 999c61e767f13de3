"""One invocation of the workflow: its claim, its first and last words, its markers."""
