"""How a run ends: latching the cause, the outcome, and the final phase."""

from collections.abc import Iterable
from datetime import UTC, datetime

from tidegate.api.status import (
    Ending,
    FinalPhase,
    NodePhase,
    NodeStatus,
    Outcome,
    Phase,
    WorkflowStatus,
)
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.context import Context
from tidegate.engine.failure_policy import first_failure, is_stronger, wind_down
from tidegate.engine.handlers import handler_names
from tidegate.engine.reasons import RunReason
from tidegate.engine.waves import Nodes, was_not_wanted


def deadline(workflow: ValidatedWorkflow, status: WorkflowStatus) -> datetime | None:
    """When the run's ``timeout`` is over."""
    if workflow.spec.timeout is None or status.started_at is None:
        return None
    return status.started_at + workflow.spec.timeout


def latch_failure(context: Context, status: WorkflowStatus, nodes: Nodes) -> Ending | None:
    """Why the run is ending, as far as facts tell; its deadline isn't looked at."""
    if status.outcome is not None or not is_stronger("Failure", status.ending):
        return status.ending
    failure = first_failure(context.workflow, status.nodes, nodes)
    if failure is None:
        return status.ending
    name, node = failure
    return Ending(cause="Failure", node=name, wave=node.wave, at=context.now)


def latch(context: Context, status: WorkflowStatus, nodes: Nodes) -> Ending | None:
    """Why the run is ending, the strongest cause so far; facts count before clocks."""
    ending = latch_failure(context, status, nodes)
    end = deadline(context.workflow, status)
    if status.outcome is not None or end is None or context.now < end:
        return ending
    if not is_stronger("DeadlineExceeded", ending):
        return ending
    wound = wind_down(context.workflow, _tasks(context, nodes), ending, context.now)
    if all(node.phase.has_ended for node in wound.values()) and _last_end(wound.values()) <= end:
        return ending
    return Ending(cause="DeadlineExceeded", at=context.now)


def _tasks(context: Context, nodes: Nodes) -> dict[str, NodeStatus]:
    return {name: nodes[name] for name in context.workflow.tasks}


def _last_end(nodes: Iterable[NodeStatus]) -> datetime:
    """When the last node that ran ended; what never ran ends when that is seen."""
    ran = (node.finished_at for node in nodes if node.attempt and node.finished_at)
    return max(ran, default=datetime.min.replace(tzinfo=UTC))


def outcome(context: Context, status: WorkflowStatus) -> Outcome:
    """How the run went, once all of its nodes have ended."""
    phase, reason = _outcome(context, status)
    return Outcome(phase=phase, reason=reason, at=context.now)


def _outcome(context: Context, status: WorkflowStatus) -> tuple[FinalPhase, RunReason]:
    ending = status.ending
    nodes = [(task, status.nodes[name]) for name, task in context.workflow.tasks.items()]
    if ending is not None and ending.cause in ("CancelGraceful", "CancelNow"):
        return Phase.CANCELLED, RunReason.CANCEL_REQUESTED
    if any(n.phase is NodePhase.FAILED and not t.allow_failure for t, n in nodes):
        late = ending is not None and ending.cause == "DeadlineExceeded"
        return Phase.FAILED, RunReason.DEADLINE_EXCEEDED if late else RunReason.NODE_FAILED
    if ending is not None and ending.cause == "DeadlineExceeded":
        end = deadline(context.workflow, status)
        last = max((n.finished_at for _, n in nodes if n.finished_at), default=None)
        unrun = (NodePhase.CANCELLED, NodePhase.SKIPPED)
        cut = any(n.phase in unrun and not was_not_wanted(n) for _, n in nodes)
        if cut or end is None or last is None or last > end:
            return Phase.FAILED, RunReason.DEADLINE_EXCEEDED
    return Phase.SUCCEEDED, RunReason.NODES_SUCCEEDED


def finish(context: Context, status: WorkflowStatus, result: Outcome) -> WorkflowStatus:
    """The status with the final phase: the outcome, unless a handler spoils a success."""
    phase, reason = Phase(result.phase), result.reason
    failed = any(
        status.nodes[name].phase is NodePhase.FAILED for name in handler_names(context.workflow)
    )
    if phase is Phase.SUCCEEDED and failed:
        phase, reason = Phase.FAILED, RunReason.EXIT_HANDLER_FAILED
    return status.model_copy(
        update={
            "phase": phase,
            "reason": str(reason),
            "outcome": result,
            "finished_at": context.now,
        }
    )
