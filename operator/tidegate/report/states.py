"""A node's state in a few characters."""

from typing import Final

from tidegate.api.status import NodePhase, NodeStatus, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.report.model import run_of

SYMBOLS: Final = {
    NodePhase.PENDING: "·",
    NodePhase.WAITING: "◷",
    NodePhase.RUNNING: "▸",
    NodePhase.RETRYING: "↻",
    NodePhase.SUCCEEDED: "✓",
    NodePhase.FAILED: "✗",
    NodePhase.SKIPPED: "\N{EN DASH}",
    NodePhase.CANCELLED: "■",
}


def state(node: NodeStatus) -> str:
    """``✓ Succeeded``."""
    return f"{SYMBOLS[node.phase]} {node.phase}"


def is_kept(node: NodeStatus, status: WorkflowStatus) -> bool:
    """Whether the node didn't run in this run, as a former one's success still holds."""
    return node.phase is NodePhase.SUCCEEDED and run_of(node, status) < status.run


def is_tolerated(name: str, node: NodeStatus, workflow: ValidatedWorkflow | None) -> bool:
    """Whether the node's failure doesn't fail the run."""
    if node.phase is not NodePhase.FAILED or workflow is None:
        return False
    task = workflow.tasks.get(name)
    return task is not None and task.allow_failure


def ordered(report_status: WorkflowStatus, workflow: ValidatedWorkflow | None) -> list[str]:
    """The nodes in the order of the list, wave by wave; handlers, which are in no wave, last."""
    place = {name: i for i, name in enumerate(report_status.order or ())}
    if workflow is not None:
        place = {name: i for i, name in enumerate(workflow.tasks)} | place
        handlers = (*workflow.spec.on_error, *workflow.spec.on_exit)
        place |= {name: len(place) + i for i, name in enumerate(handlers)}
    last = len(place)
    nodes = report_status.nodes

    def key(name: str) -> tuple[bool, int, int]:
        wave = nodes[name].wave
        return wave is None, wave or 0, place.get(name, last)

    return sorted(nodes, key=key)
