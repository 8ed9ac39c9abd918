"""What kstatus says of a custom resource: ``status.Compute`` of sigs.k8s.io/cli-utils, in Python.

The order is the published one: deletion, then the generation, then the first of Reconciling and
Stalled that is true, then Ready, and an object that says nothing at all is taken for finished.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def compute(found: Mapping[str, Any]) -> str:
    """Terminating, InProgress, Failed or Current."""
    if found["metadata"].get("deletionTimestamp"):
        return "Terminating"
    status = found.get("status") or {}
    generation, observed = found["metadata"].get("generation"), status.get("observedGeneration")
    if generation is not None and observed is not None and observed != generation:
        return "InProgress"
    conditions = [(one["type"], one["status"]) for one in status.get("conditions") or []]
    for condition in conditions:
        if condition == ("Reconciling", "True"):
            return "InProgress"
        if condition == ("Stalled", "True"):
            return "Failed"
    for kind, truth in conditions:
        if kind == "Ready":
            return "Current" if truth == "True" else "InProgress"
    return "Current"
