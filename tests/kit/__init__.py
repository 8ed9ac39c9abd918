"""What tests on a real cluster share: a client, namespaces, runs to watch, and words on failure.

Nothing here sleeps: whatever is waited for is watched, and a wait that ends in vain tells what was
seen last. A failed test's report holds status, Jobs, pods, events and the operator's log.
"""
