"""What is told of a run whose Workflow was deleted while it was on; nothing records it any more."""

from datetime import datetime

from tidegate.api.status import Phase, WorkflowStatus
from tidegate.engine.node import cut_short
from tidegate.engine.reasons import RunReason


def deleted(status: WorkflowStatus, now: datetime) -> WorkflowStatus:
    """The run as it ended with its Workflow, which was found to be gone at ``now``."""
    words = "the Workflow was deleted before it could start"
    return status.model_copy(
        update={
            "phase": Phase.CANCELLED,
            "reason": str(RunReason.WORKFLOW_DELETED),
            "message": f"the Workflow was deleted at {now:%Y-%m-%d %H:%M:%S} UTC, "
            "and this run ended with it",
            "finished_at": now,
            "waiting_for": None,
            "nodes": {name: cut_short(node, now, words) for name, node in status.nodes.items()},
        }
    )
