"""Which nodes are ready, and how the waves stand."""

from collections.abc import Mapping
from datetime import datetime

from tidegate.api.spec import Execution, Trigger
from tidegate.api.status import NodePhase, NodeStatus, WaveStatus
from tidegate.api.task import Task
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.reasons import Reason

Nodes = Mapping[str, NodeStatus]


def ended_well(task: Task, node: NodeStatus) -> bool:
    """Whether the node's end lets what depends on it run, and counts as progress."""
    if node.phase is NodePhase.SUCCEEDED or was_not_wanted(node):
        return True
    return node.phase is NodePhase.FAILED and task.allow_failure


def was_not_wanted(node: NodeStatus) -> bool:
    """Whether the node was skipped by its own condition."""
    return node.phase is NodePhase.SKIPPED and node.reason == Reason.CONDITION_FALSE


def dependencies_ended(workflow: ValidatedWorkflow, name: str, nodes: Nodes) -> bool:
    """Whether everything that the node depends on has ended, however it did."""
    return all(nodes[d].phase.has_ended for d in workflow.graph.dependencies[name])


def lost_dependency(workflow: ValidatedWorkflow, name: str, nodes: Nodes) -> str | None:
    """A dependency because of which the node can't run any more; None if it still may."""
    if workflow.tasks[name].trigger is Trigger.DEPENDENCIES_ENDED:
        return None
    for dependency in workflow.graph.dependencies[name]:
        node = nodes[dependency]
        if node.phase.has_ended and not ended_well(workflow.tasks[dependency], node):
            return dependency
    return None


def current_wave(workflow: ValidatedWorkflow, nodes: Nodes) -> int | None:
    """The first wave with a node that hasn't ended; None after the last, and with Eager."""
    if workflow.spec.execution is Execution.EAGER:
        return None
    for number, wave in enumerate(workflow.graph.waves, 1):
        if not all(nodes[name].phase.has_ended for name in wave):
            return number
    return None


def is_ready(
    workflow: ValidatedWorkflow, name: str, nodes: Nodes, wave: int | None, *, ending: bool
) -> bool:
    """Whether graph and waves let the node start; not so behind a failure, even one found just now.

    Once a run is ending, nodes that run however their dependencies ended don't wait for waves.
    """
    task = workflow.tasks[name]
    if not dependencies_ended(workflow, name, nodes) or lost_dependency(workflow, name, nodes):
        return False
    if workflow.spec.execution is Execution.EAGER:
        return True
    if ending and task.trigger is Trigger.DEPENDENCIES_ENDED:
        return True
    return workflow.graph.wave_of[name] == wave


def wave_statuses(
    workflow: ValidatedWorkflow, nodes: Nodes, run: int, began: datetime | None = None
) -> dict[str, WaveStatus]:
    """The waves as their nodes make them; what was kept from a former run has no times in it.

    ``began``: when the run did; what was decided before is a kept decision.
    """
    return {
        str(number): _wave_status([nodes[name] for name in wave], run, began)
        for number, wave in enumerate(workflow.graph.waves, 1)
    }


def _wave_status(nodes: list[NodeStatus], run: int, began: datetime | None) -> WaveStatus:
    new = [n for n in nodes if (n.job is None or n.job.run == run) and not _is_older(n, began)]
    started: datetime | None = min((n.started_at for n in new if n.started_at), default=None)
    if all(n.phase.has_ended for n in nodes):
        finished = max((n.finished_at for n in new if n.finished_at), default=None)
        return WaveStatus(phase=_worst(nodes), started_at=started, finished_at=finished)
    phase = NodePhase.RUNNING if started is not None else NodePhase.PENDING
    return WaveStatus(phase=phase, started_at=started)


def _is_older(node: NodeStatus, began: datetime | None) -> bool:
    """Whether it is a checkpoint that a former run has opened."""
    return began is not None and node.opened_at is not None and node.opened_at < began


_BAD_FIRST = (NodePhase.FAILED, NodePhase.CANCELLED, NodePhase.SUCCEEDED, NodePhase.SKIPPED)


def _worst(nodes: list[NodeStatus]) -> NodePhase:
    phases = {node.phase for node in nodes}
    return next(phase for phase in _BAD_FIRST if phase in phases)
