"""Manifests of the Jobs that attempts are made of, pure and the same for every replica."""
