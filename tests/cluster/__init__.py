"""A real Kubernetes cluster for the tests and the demo: found, made, or told by its user.

Run as ``python -m tests.cluster``; the README in this folder says what it does to a machine.
"""
