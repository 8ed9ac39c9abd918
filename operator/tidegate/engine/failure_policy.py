"""What the end of a run means for each node: the table of "how a run ends".

| cause            | running   | retries, fallback | other starts     | asks   | clean-up |
|------------------|-----------|-------------------|------------------|--------|----------|
| FinishWave       | run on    | yes               | rest of the wave | closed | run      |
| FailFast         | are ended | no                | none             | closed | run      |
| Continue         | run on    | yes               | needs no failed  | stay   | run      |
| DeadlineExceeded | are ended | no                | none             | closed | no       |
| cancel           | are ended | no                | none             | closed | no       |

Asks are open checkpoints; clean-up are nodes with trigger DependenciesEnded, also if they ask.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from tidegate.api.spec import Execution, FailurePolicy, Trigger
from tidegate.api.status import Ending, NodePhase, NodeStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine import node as transitions
from tidegate.engine.reasons import Reason
from tidegate.engine.waves import Nodes, lost_dependency

STRENGTH = {"Failure": 0, "DeadlineExceeded": 1, "CancelGraceful": 2, "CancelNow": 3}
"""A stronger cause replaces a weaker one until the outcome is recorded."""


@dataclass(frozen=True, slots=True)
class Leave:
    """What a node may still do."""

    start: bool = True
    retry: bool = True
    stop: Reason | None = None
    """The reason for which a running attempt is ended; None if it runs on."""
    ask: bool = True
    """Whether it may wait for people, as a checkpoint."""


_NEVER = datetime.max.replace(tzinfo=UTC)
_FREE = Leave()
_FINISH = Leave(start=False, ask=False)
_FINISH_WAVE = Leave(ask=False)


def leave(workflow: ValidatedWorkflow, name: str, ending: Ending | None) -> Leave:
    """What the node may still do, given why the run is ending, if it is."""
    if ending is None:
        return _FREE
    if ending.cause == "DeadlineExceeded":
        return Leave(start=False, retry=False, ask=False, stop=Reason.DEADLINE_EXCEEDED)
    if ending.cause != "Failure":
        return Leave(start=False, retry=False, ask=False, stop=Reason.CANCELLED)
    if workflow.tasks[name].trigger is Trigger.DEPENDENCIES_ENDED:
        return _FREE
    match workflow.spec.failure_policy:
        case FailurePolicy.CONTINUE:
            return _FREE
        case FailurePolicy.FAIL_FAST:
            return Leave(start=False, retry=False, ask=False, stop=Reason.CANCELLED)
        case FailurePolicy.FINISH_WAVE:
            same_wave = workflow.graph.wave_of[name] == ending.wave
            in_waves = workflow.spec.execution is Execution.WAVES
            return _FINISH_WAVE if in_waves and same_wave else _FINISH


def may_begin(workflow: ValidatedWorkflow, name: str, ending: Ending | None) -> bool:
    """Whether a node that hasn't begun still may."""
    allowed = leave(workflow, name, ending)
    return allowed.start if workflow.tasks[name].checkpoint is None else allowed.ask


def is_stronger(cause: str, ending: Ending | None) -> bool:
    """Whether ``cause`` replaces the one that is latched."""
    return ending is None or STRENGTH[cause] > STRENGTH[ending.cause]


def first_failure(
    workflow: ValidatedWorkflow, before: Nodes, nodes: Nodes
) -> tuple[str, NodeStatus] | None:
    """The node whose final failure comes first among those that this pass found."""
    found = [
        (name, node)
        for name, node in nodes.items()
        if node.phase is NodePhase.FAILED
        and name in workflow.tasks
        and not workflow.tasks[name].allow_failure
        and not before[name].phase.has_ended
    ]
    return min(found, key=lambda item: (item[1].finished_at or _NEVER, item[0]), default=None)


def wind_down(
    workflow: ValidatedWorkflow, nodes: Nodes, ending: Ending | None, now: datetime
) -> dict[str, NodeStatus]:
    """The nodes, once what can't run any more is marked and what must stop is decided."""
    result = dict(nodes)
    for wave in workflow.graph.waves:
        for name in wave:
            node = result[name]
            if not node.phase.has_ended:
                result[name] = _wound_down(workflow, name, result, ending, now)
    return result


def _wound_down(
    workflow: ValidatedWorkflow,
    name: str,
    nodes: Nodes,
    ending: Ending | None,
    now: datetime,
) -> NodeStatus:
    node, allowed = nodes[name], leave(workflow, name, ending)
    match node.phase:
        case NodePhase.RUNNING:
            return node if allowed.stop is None else transitions.ending(node, allowed.stop)
        case NodePhase.RETRYING if not allowed.retry:
            if ending is not None and ending.cause == "Failure" and node.failures:
                return transitions.failed_finally(node, now)
            return transitions.cancelled(node, allowed.stop or Reason.CANCELLED, now)
        case NodePhase.WAITING if not allowed.ask:
            words = "the run ended before anybody decided"
            return transitions.skipped(node, Reason.RUN_ENDED, words, now)
        case NodePhase.PENDING:
            return _skipped_if_lost(workflow, name, nodes, ending, now)
        case _:
            return node


def _skipped_if_lost(
    workflow: ValidatedWorkflow, name: str, nodes: Nodes, ending: Ending | None, now: datetime
) -> NodeStatus:
    node = nodes[name]
    dependency = lost_dependency(workflow, name, nodes)
    if dependency is not None:
        words = f"{dependency} did not succeed"
        return transitions.skipped(node, Reason.DEPENDENCY_FAILED, words, now)
    if not may_begin(workflow, name, ending):
        return transitions.skipped(
            node, Reason.RUN_ENDED, "the run ended before it could start", now
        )
    return node
