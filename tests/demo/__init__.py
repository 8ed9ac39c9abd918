"""``make up`` and ``make demo``: Tidegate on a real cluster, shown to somebody who is new to it."""
