"""The Workflow resource: its spec and status, its graph, and the identities derived from it."""
