"""Raw objects of the API server, trimmed to the frozen facts that decisions are made of.

The conversions are pure and never raise on what a server sends: a field that is missing or odd
becomes None or a default.
"""
