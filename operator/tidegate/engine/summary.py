"""The one sentence that says where a Workflow stands."""

from collections.abc import Mapping, Sequence

from tidegate.api.duration import human
from tidegate.api.spec import FailurePolicy
from tidegate.api.status import Ending, Failure, NodePhase, NodeStatus, Phase, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.handlers import failed_nodes, handler_names
from tidegate.engine.messages import clip, names, short_failure
from tidegate.engine.reasons import Reason, RunReason
from tidegate.engine.waves import was_not_wanted

_MAX_MESSAGE = 4096
_MAX_ASKED = 2
_MAX_NODE = 256
"""Characters of what is told of one node; its own status has all of it."""


def running(workflow: ValidatedWorkflow, status: WorkflowStatus, *, full: bool) -> str:
    """Of a run that is on; ``full``: parallelism keeps ready nodes waiting."""
    if status.outcome is not None:
        return _handlers(workflow, status)
    waves = len(workflow.graph.waves)
    where = f"wave {status.wave} of {waves}: " if status.wave and waves > 1 else ""
    what = _who(workflow, status, full=full)
    if workflow.spec.suspend:
        what = f"suspended (spec.suspend): no node starts, none that cleans up either; {what}"
    if status.ending is not None:
        what = f"{_cause(workflow, status, status.ending)}; {what}"
    return clip(f"{where}{what}", _MAX_MESSAGE)


def _who(workflow: ValidatedWorkflow, status: WorkflowStatus, *, full: bool) -> str:
    nodes = {name: status.nodes[name] for name in workflow.tasks}
    runs = [_runner(workflow, n, s) for n, s in nodes.items() if _runs_well(s)]
    stopping = [name for name, node in nodes.items() if _is_stopping(node)]
    parts = []
    if runs:
        parts.append(f"{names(runs)} {_are(runs)} running")
    if stopping:
        parts.append(f"{names(stopping)} {_are(stopping)} being stopped")
    parts += [
        f"{name}: {clip(node.message, _MAX_NODE)}"
        for name, node in nodes.items()
        if not node.phase.has_ended and node.reason is not None and node.message
        if node.phase is not NodePhase.WAITING
    ][:3]
    if full:
        limit = workflow.spec.parallelism
        parts.append(f"others wait for room ({limit} of {limit} attempts run: parallelism)")
    parts += _asked(nodes)
    return "; ".join(parts) or _nobody(workflow, nodes)


def _asked(nodes: Mapping[str, NodeStatus]) -> list[str]:
    """What people are asked, with the commands that answer as long as there are few."""
    waiting = {n: node for n, node in nodes.items() if node.phase is NodePhase.WAITING}
    if len(waiting) <= _MAX_ASKED:
        return [node.message for node in waiting.values() if node.message]
    return [
        f"waiting for approval of {names(list(waiting))}; how to answer stands in each's message"
    ]


def waiting_for(workflow: ValidatedWorkflow, nodes: Mapping[str, NodeStatus]) -> str | None:
    """The open checkpoints, for the printer column."""
    waiting = [name for name in workflow.tasks if nodes[name].phase is NodePhase.WAITING]
    return clip(", ".join(waiting), _MAX_NODE) if waiting else None


def _are(items: Sequence[str]) -> str:
    return "are" if len(items) > 1 else "is"


def _runs_well(node: NodeStatus) -> bool:
    return node.phase is NodePhase.RUNNING and node.reason is None


def _is_stopping(node: NodeStatus) -> bool:
    """Whether its attempt was told to end, for a reason that needs no words of its own."""
    told = node.job is not None and node.job.ending is not None
    return node.phase is NodePhase.RUNNING and told and not node.message


def _nobody(workflow: ValidatedWorkflow, nodes: Mapping[str, NodeStatus]) -> str:
    if workflow.spec.suspend:
        return "none runs"
    if all(node.phase.has_ended for node in nodes.values()):
        return "every node has ended, what is left of their pods is being stopped"
    return "about to start the next nodes"


def _runner(workflow: ValidatedWorkflow, name: str, node: NodeStatus) -> str:
    if node.standby:
        return f"{name} (by its fallback {node.standby})"
    retry = workflow.tasks[name].retry
    if node.attempt <= 1 or retry is None:
        return name if node.attempt <= 1 else f"{name} (attempt {node.attempt})"
    return f"{name} (attempt {node.attempt} of {max(retry.limit + 1, node.attempt)})"


def _cause(workflow: ValidatedWorkflow, status: WorkflowStatus, ending: Ending) -> str:
    if ending.cause == "DeadlineExceeded":
        return f"{_timeout(workflow)}, the run is being ended"
    if ending.cause != "Failure" or ending.node is None:
        return "the run is being cancelled"
    goes_on = workflow.spec.failure_policy is FailurePolicy.CONTINUE
    rest = "what doesn't need it goes on" if goes_on else "the run is ending"
    return f"{one_failure(ending.node, status.nodes[ending.node])}; {rest}"


def _timeout(workflow: ValidatedWorkflow) -> str:
    limit = workflow.spec.timeout
    return f"the run's timeout of {human(limit)} is over" if limit else "the run's timeout is over"


def _handlers(workflow: ValidatedWorkflow, status: WorkflowStatus) -> str:
    current = [n for n in handler_names(workflow) if not status.nodes[n].phase.has_ended]
    outcome = str(status.outcome.phase) if status.outcome is not None else ""
    handler = f"handler {current[0]} runs" if current else "its handlers have run"
    told = [one_failure(n, node) for n, node in failed_nodes(status, workflow.tasks)][:3]
    return clip("; ".join([*told, f"{handler}, then the run ends as {outcome}"]), _MAX_MESSAGE)


def finished(workflow: ValidatedWorkflow, status: WorkflowStatus) -> str:
    """Of a run that is over: every failure is told, the first cause first."""
    failed = failed_nodes(status, status.nodes)
    tolerated = [n for n, _ in failed if n in workflow.tasks and workflow.tasks[n].allow_failure]
    parts: list[str] = []
    if status.reason == RunReason.DEADLINE_EXCEEDED:
        parts.append(f"{_timeout(workflow)}{_cut(status)}")
    if status.phase is Phase.CANCELLED:
        how = "now" if status.ending and status.ending.cause == "CancelNow" else "graceful"
        parts.append(f"cancelled on request ({how}){_cut(status)}")
    parts += [one_failure(name, node) for name, node in failed if name not in tolerated]
    parts += [
        f"{name}: {node.message}"
        for name, node in status.nodes.items()
        if node.reason == Reason.NODE_LOST
    ]
    if status.phase is Phase.SUCCEEDED:
        parts.append(_success(workflow, status, tolerated))
    if tolerated:
        parts.append(f"tolerated: {names(tolerated)} failed (allowFailure)")
    return clip("; ".join(parts) or str(status.reason), _MAX_MESSAGE)


def _cut(status: WorkflowStatus) -> str:
    """Which nodes the end of the run hit."""
    ended = [n for n, node in status.nodes.items() if node.phase is NodePhase.CANCELLED]
    never = [n for n, node in status.nodes.items() if node.reason == Reason.RUN_ENDED]
    told = []
    if ended:
        told.append(f"{names(ended)} {'were' if len(ended) > 1 else 'was'} ended")
    if never:
        told.append(f"{names(never)} never ran")
    return f": {', '.join(told)}" if told else ""


def _success(workflow: ValidatedWorkflow, status: WorkflowStatus, tolerated: Sequence[str]) -> str:
    count = len(workflow.tasks)
    well = f"all {count} nodes succeeded" if count > 1 else "its node succeeded"
    unwanted = [name for name in workflow.tasks if was_not_wanted(status.nodes[name])]
    if tolerated or unwanted:
        well = f"{status.progress} nodes ended well"
    if unwanted:
        well = f"{well}, skipped by their conditions: {names(unwanted)}"
    served = [
        f"{name} by its fallback {node.served_by}"
        for name, node in status.nodes.items()
        if node.served_by
    ]
    return f"{well}, {names(served)}" if served else well


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
    told = clip(last.message, _MAX_NODE)
    details = "" if last.exit_code is not None or not told else f": {told}"
    return f"{short_failure(last)}{details}{tries}"
