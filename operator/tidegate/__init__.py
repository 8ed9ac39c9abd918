"""Tidegate: workflows on Kubernetes that run in waves and pick up where they stopped."""

__version__ = "0.1.0"
