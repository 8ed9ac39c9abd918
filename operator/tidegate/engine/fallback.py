"""What a standby is told that runs in a failed node's place."""

import json

from tidegate.api.status import NodeStatus
from tidegate.engine.messages import clip

_MAX_MESSAGE = 512


def fallback_env(name: str, node: NodeStatus) -> tuple[tuple[str, str], ...]:
    """Which node it stands in for, and how that node's own attempts failed."""
    own = [failure for failure in node.failures if not failure.standby]
    last = own[-1] if own else None
    error = {
        "reason": last.reason if last else None,
        "exitCode": last.exit_code if last else None,
        "message": clip(last.message, _MAX_MESSAGE) if last else "",
        "attempts": last.attempt if last else 0,
    }
    return (("TIDEGATE_PRIMARY_ERROR", json.dumps(error)), ("TIDEGATE_PRIMARY_NODE", name))
