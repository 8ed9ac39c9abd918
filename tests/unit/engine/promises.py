"""What holds for every plan, whatever it is made for: no action rests on an unrecorded decision."""

from collections.abc import Iterator
from datetime import datetime

from tidegate.api.identity import AttemptId
from tidegate.api.status import LIVE_PHASES, NodePhase, NodeStatus, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.model import End, EndMode, Plan, Start
from tidegate.facts.model import AttemptFact, Facts


def broken_promises(
    workflow: ValidatedWorkflow, recorded: WorkflowStatus, facts: Facts, plan: Plan, now: datetime
) -> list[str]:
    """What the plan would do that the recorded status doesn't hold the decision for."""
    found = [*_bad_ends(recorded, plan), *_unproven_ends(facts, plan)]
    if not plan.decides and not facts.answers:
        for start in plan.starts:
            found += _bad_start(workflow, recorded, facts, start, now)
        found += _too_many(workflow, recorded, facts, plan)
    if plan.delete_workflow and (recorded.phase is None or not recorded.phase.is_final):
        found.append("a Workflow is deleted that isn't recorded as over")
    return found


def _bad_start(
    workflow: ValidatedWorkflow, recorded: WorkflowStatus, facts: Facts, start: Start, now: datetime
) -> Iterator[str]:
    attempt = start.attempt
    if recorded.phase not in LIVE_PHASES or attempt.run != recorded.run or not recorded.run:
        yield f"{attempt} starts before its run is recorded"
        return
    yield from _against_the_end(workflow, recorded, attempt)
    node = recorded.nodes[attempt.node]
    if _is_repeat(node, attempt) and (node.retry_at is None or now < node.retry_at):
        yield f"{attempt} starts before its retryAt is recorded and over"
    if node.phase.has_ended:
        yield f"{attempt} starts although its node has ended"
    if attempt.node in workflow.conditions and not node.when:
        yield f"{attempt} starts before it is recorded that its condition holds"
    for other, fact in facts.attempts.items():
        if other.node == attempt.node and _has_living_pod(fact):
            yield f"{attempt} starts beside {other}"
    for dependency in workflow.graph.dependencies.get(attempt.node, ()):
        if not recorded.nodes[dependency].phase.has_ended and not _has_ended_pod(facts, dependency):
            yield f"{attempt} starts before {dependency} has ended"


def _against_the_end(
    workflow: ValidatedWorkflow, recorded: WorkflowStatus, attempt: AttemptId
) -> Iterator[str]:
    """What the recorded end of the run forbids."""
    is_handler = attempt.node in workflow.standbys
    if is_handler and recorded.outcome is None:
        yield f"handler {attempt} starts before the outcome is recorded"
    if not is_handler and recorded.outcome is not None:
        yield f"{attempt} starts after the outcome"
    cause = recorded.ending.cause if recorded.ending else "Failure"
    if cause == "CancelNow" or (cause != "Failure" and not is_handler):
        yield f"{attempt} starts although the run is ended by {cause}"


def _is_repeat(node: NodeStatus, attempt: AttemptId) -> bool:
    """Whether it repeats an attempt of the same task: not so for a first one, or a fallback's."""
    return attempt.number > 1 and not (
        attempt.standby and (node.standby != attempt.standby or not node.retries)
    )


def _has_living_pod(fact: AttemptFact) -> bool:
    return any(not pod.is_over for pod in fact.pods)


def _has_ended_pod(facts: Facts, name: str) -> bool:
    return any(
        a.node == name and (f.job is None or f.job.end or any(p.is_over for p in f.pods))
        for a, f in facts.attempts.items()
    )


def _too_many(
    workflow: ValidatedWorkflow, recorded: WorkflowStatus, facts: Facts, plan: Plan
) -> Iterator[str]:
    living = {
        a.node
        for a, f in facts.attempts.items()
        if a.node in workflow.tasks
        and recorded.nodes[a.node].phase is NodePhase.RUNNING
        and (a.run, a.number) == (recorded.run, recorded.nodes[a.node].attempt)
        and _has_living_pod(f)
    }
    starting = [start for start in plan.starts if start.attempt.node in workflow.tasks]
    if starting and len(living) + len(starting) > workflow.spec.parallelism:
        yield f"{len(living)} run, {len(starting)} start, parallelism {workflow.spec.parallelism}"


def _bad_ends(recorded: WorkflowStatus, plan: Plan) -> Iterator[str]:
    for end in plan.ends:
        node = recorded.nodes.get(end.attempt.node)
        if node is not None and not _is_decided_against(recorded, node, end):
            yield f"{end.attempt} is ended, which isn't recorded"
    for remove in plan.removes:
        node = recorded.nodes.get(remove.attempt.node)
        if node is None and remove.attempt.run < recorded.run:
            continue
        if node is None or not _has_recorded_end(recorded, node, remove.attempt):
            yield f"the Job of {remove.attempt} is removed before its end is recorded"


def _unproven_ends(facts: Facts, plan: Plan) -> Iterator[str]:
    for end in plan.ends:
        if end.mode is EndMode.DELETE_POD and not facts.of(end.attempt).job_gone:
            yield f"a pod of {end.attempt} is deleted before its Job is proven to be gone"


def _is_decided_against(recorded: WorkflowStatus, node: NodeStatus, end: End) -> bool:
    if recorded.phase is not None and recorded.phase.is_final:
        return True
    attempt, ref = end.attempt, node.job
    serving = (attempt.number, attempt.standby or None) == (node.attempt, node.standby)
    if ref is not None and serving and attempt.run == ref.run:
        foreign = end.mode is not EndMode.DELETE_POD and end.uid != ref.uid
        return ref.ending is not None or node.phase is not NodePhase.RUNNING or foreign
    return attempt.run < recorded.run or node.phase.has_ended or attempt.number <= node.attempt


def _has_recorded_end(recorded: WorkflowStatus, node: NodeStatus, attempt: AttemptId) -> bool:
    over = attempt.run < recorded.run or attempt.number < node.attempt
    return over or node.phase.has_ended or node.phase is NodePhase.RETRYING
