"""One invocation of the workflow: what happens before its first job and after its last."""
