"""The log of a run as people read it: markdown, for terminals and for Git hosts (pure)."""
