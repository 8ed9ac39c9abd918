"""The one sentence that says where a Workflow stands."""

from collections.abc import Mapping

from tidegate.api.status import Failure, NodePhase, NodeStatus, Phase, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.handlers import failed_nodes, handler_names
from tidegate.engine.messages import clip, names, short_failure
from tidegate.engine.reasons import Reason, RunReason
from tidegate.engine.waves import was_not_wanted

_MAX_MESSAGE = 4096


def running(workflow: ValidatedWorkflow, status: WorkflowStatus, *, full: bool) -> str:
    """Of a run that is on; ``full``: parallelism keeps ready nodes waiting."""
    nodes = {name: status.nodes[name] for name in workflow.tasks}
    if status.outcome is not None:
        return _handlers(workflow, status)
    where = f"wave {status.wave} of {len(workflow.graph.waves)}: " if status.wave else ""
    what = _who(nodes, full=full) or _nobody(nodes)
    if workflow.spec.suspend:
        what = f"suspended (spec.suspend), no node starts; {_who(nodes, full=False) or 'none runs'}"
    if status.ending is not None:
        return clip(f"{where}{_cause(status)}; {what}", _MAX_MESSAGE)
    return clip(f"{where}{what}", _MAX_MESSAGE)


def _who(nodes: Mapping[str, NodeStatus], *, full: bool) -> str:
    runs = [_runner(n, s) for n, s in nodes.items() if _runs_well(s)]
    parts = []
    if runs:
        parts.append(f"{names(runs)} {'are' if len(runs) > 1 else 'is'} running")
    stopping = [name for name, node in nodes.items() if _is_stopping(node)]
    if stopping:
        parts.append(f"{names(stopping)} {'are' if len(stopping) > 1 else 'is'} being stopped")
    parts += [
        f"{name}: {node.message}"
        for name, node in nodes.items()
        if not node.phase.has_ended and node.reason is not None and node.message
    ][:3]
    if full:
        parts.append("others wait for room (parallelism)")
    return "; ".join(parts)


def _runs_well(node: NodeStatus) -> bool:
    return node.phase is NodePhase.RUNNING and node.reason is None


def _is_stopping(node: NodeStatus) -> bool:
    """Whether its attempt was told to end, for a reason that needs no words of its own."""
    told = node.job is not None and node.job.ending is not None
    return node.phase is NodePhase.RUNNING and told and not node.message


def _nobody(nodes: Mapping[str, NodeStatus]) -> str:
    if all(node.phase.has_ended for node in nodes.values()):
        return "every node has ended, what is left of their pods is being stopped"
    return "about to start the next nodes"


def _runner(name: str, node: NodeStatus) -> str:
    if node.standby:
        return f"{name} (by its fallback {node.standby})"
    return f"{name} (attempt {node.attempt})" if node.attempt > 1 else name


def _cause(status: WorkflowStatus) -> str:
    ending = status.ending
    if ending is None:
        return ""
    match ending.cause:
        case "Failure":
            return f"{ending.node} failed, the run is ending"
        case "DeadlineExceeded":
            return "the run's timeout is over, it is being ended"
        case _:
            return "the run is being cancelled"


def _handlers(workflow: ValidatedWorkflow, status: WorkflowStatus) -> str:
    current = [n for n in handler_names(workflow) if not status.nodes[n].phase.has_ended]
    outcome = str(status.outcome.phase) if status.outcome is not None else ""
    handler = f"handler {current[0]} runs" if current else "its handlers have run"
    return clip(f"{outcome} is recorded as the outcome; {handler}", _MAX_MESSAGE)


def finished(workflow: ValidatedWorkflow, status: WorkflowStatus) -> str:
    """Of a run that is over: every failure is told, the first cause first."""
    parts: list[str] = []
    failed = failed_nodes(status)
    tolerated = [n for n, _ in failed if n in workflow.tasks and workflow.tasks[n].allow_failure]
    if status.reason == RunReason.DEADLINE_EXCEEDED:
        parts.append("the run's timeout was over")
    if status.phase is Phase.CANCELLED:
        how = "now" if status.ending and status.ending.cause == "CancelNow" else "gracefully"
        parts.append(f"cancelled {how} on request")
    parts += [one_failure(name, node) for name, node in failed if name not in tolerated]
    lost = [n for n, node in status.nodes.items() if node.reason == Reason.NODE_LOST]
    parts += [f"{name}: {status.nodes[name].message}" for name in lost]
    if status.phase is Phase.SUCCEEDED:
        count = len(workflow.tasks)
        unwanted = [n for n in workflow.tasks if was_not_wanted(status.nodes[n])]
        well = f"{status.progress} nodes ended well"
        if not (tolerated or unwanted):
            well = f"all {count} nodes succeeded" if count > 1 else "its node succeeded"
        parts.append(well)
        if unwanted:
            parts.append(f"skipped by their conditions: {names(unwanted)}")
    if tolerated:
        parts.append(f"tolerated: {names(tolerated)} failed (allowFailure)")
    return clip("; ".join(parts) or str(status.reason), _MAX_MESSAGE)


def one_failure(name: str, node: NodeStatus) -> str:
    """A node's failures in a few words: ``b: exit code 137 (OOMKilled) after 3 attempts``."""
    own = [f for f in node.failures if not f.standby]
    others = [f for f in node.failures if f.standby]
    if not own:
        return f"{name}: {node.message or node.reason}"
    tries = own[-1].attempt
    text = f"{name}: {_failure(own[-1], tries)}"
    if not others:
        return text
    return (
        f"{text}; fallback {others[-1].standby}: {_failure(others[-1], others[-1].attempt - tries)}"
    )


def _failure(last: Failure, attempts: int) -> str:
    tries = f" after {attempts} attempts" if attempts > 1 else ""
    details = "" if last.exit_code is not None or not last.message else f": {last.message}"
    return f"{short_failure(last)}{details}{tries}"
