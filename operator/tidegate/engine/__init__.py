"""Decisions, pure: what a Workflow's next step is, given its status and the facts.

No module here reads a clock, uses chance, or touches a network.
"""
