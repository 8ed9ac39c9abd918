"""The next step of one task: a node of the graph, or a handler.

A step judges the latest attempt, decides what follows it, and says what it would like to start.
Whether it may start is for others to say: waves, parallelism, policies.
"""

from dataclasses import replace
from datetime import timedelta

from tidegate.api.identity import AttemptId, job_name
from tidegate.api.status import JobRef, NodePhase, NodeStatus
from tidegate.engine import messages
from tidegate.engine.condition import asked, is_asked
from tidegate.engine.context import Context, current_attempt, next_attempt
from tidegate.engine.failure import after_failure
from tidegate.engine.judge import Live, Unproven, Verdict, judge
from tidegate.engine.live import step_live
from tidegate.engine.node import begun, succeeded, update
from tidegate.engine.outputs import Outputs, read_outputs
from tidegate.engine.reasons import Reason
from tidegate.engine.sources import MissingValueError, has_all_sources, reference_values
from tidegate.engine.step import NodeStep, Role
from tidegate.facts.model import Answer, AnswerKind, JobFact


def step_task(name: str, node: NodeStatus, role: Role, context: Context) -> NodeStep:
    """The next step of the task ``name``, whose status is ``node``."""
    if node.phase.has_ended:
        return NodeStep(node)
    if node.phase is NodePhase.RUNNING:
        return _step_running(name, node, role, context)
    return _step_waiting(name, node, role, context)


def adopt(name: str, node: NodeStatus, role: Role, context: Context) -> NodeStep | None:
    """The step of a waiting task whose next attempt proves to have begun; None if it hasn't.

    Whatever was ever seen of the attempt counts, also if its Job is gone by now: it isn't begun
    a second time.
    """
    attempt = next_attempt(name, node, context.recorded.run)
    fact = context.facts.of(attempt)
    if fact.job is not None and fact.job.definition != role.task.definition:
        return None
    trace = fact.job or next(iter(fact.pods), None) or fact.last_pod
    if trace is None:
        return None
    uid = trace.uid if isinstance(trace, JobFact) else trace.job_uid
    job = _job_ref(context, attempt, uid)
    began = trace.started_at if isinstance(trace, JobFact) else None
    return _step_running(name, begun(node, attempt, job, began or trace.created_at), role, context)


def _job_ref(context: Context, attempt: AttemptId, uid: str = "") -> JobRef:
    workflow = context.workflow
    return JobRef(
        name=job_name(workflow.key.name, workflow.uid, attempt),
        uid=uid,
        run=attempt.run,
        standby=attempt.standby or None,
    )


def _step_waiting(name: str, node: NodeStatus, role: Role, context: Context) -> NodeStep:
    attempt = next_attempt(name, node, context.recorded.run)
    answer = context.facts.answers.get(attempt)
    if answer is not None:
        return _answered(name, node, role, context, answer)
    if node.retry_at is not None and context.now < node.retry_at:
        return NodeStep(node, wake_at=node.retry_at)
    server = role.server(node)
    if not has_all_sources(context.workflow, server, role.nodes):
        return NodeStep(node)
    if is_asked(name, node, context):
        return NodeStep(asked(name, node, role.nodes, context))
    try:
        values = reference_values(context.workflow, server, role.nodes)
    except MissingValueError as error:
        return _failed(name, node, role, context, _unstarted(Reason.MISSING_OUTPUT, error, context))
    if excess := server.sizes.excess(dict(values)):
        why = _unstarted(Reason.OUTPUT_TOO_LARGE, excess, context)
        return _failed(name, node, role, context, why)
    return NodeStep(node, wants=attempt, values=values)


def _unstarted(reason: Reason, words: object, context: Context) -> Verdict:
    """An attempt that fails before anything was created."""
    return Verdict(False, reason, str(words), finished_at=context.now)


def _answered(
    name: str, node: NodeStatus, role: Role, context: Context, answer: Answer
) -> NodeStep:
    """What the API server's answer to the creation of the next attempt's Job makes of the task."""
    attempt = next_attempt(name, node, context.recorded.run)
    match answer.kind:
        case AnswerKind.CREATED | AnswerKind.ADOPTED if answer.job is not None:
            job = _job_ref(context, attempt, answer.job.uid)
            began = answer.job.started_at or answer.job.created_at
            return _step_running(name, begun(node, attempt, job, began), role, context)
        case AnswerKind.CONFLICT:
            return _refused(name, node, role, context, (Reason.NAME_CONFLICT, answer))
        case AnswerKind.INVALID:
            return _refused(name, node, role, context, (Reason.INVALID_POD_TEMPLATE, answer))
        case AnswerKind.REFUSED:
            return _refused(name, node, role, context, (Reason.JOB_REFUSED, answer))
        case AnswerKind.QUOTA:
            text = messages.waits_for_quota(answer.message)
            return _held(node, Reason.QUOTA_EXCEEDED, text, answer)
        case AnswerKind.UNAVAILABLE:
            text = messages.waits_for_api(answer.message)
            return _held(node, Reason.API_UNAVAILABLE, text, answer)
        case _:
            return NodeStep(node, live=True)  # it keeps its place: no other is to be asked for


def _held(node: NodeStatus, reason: Reason, message: str, answer: Answer) -> NodeStep:
    if node.reason != reason:
        node = update(node, reason=reason, message=message)
    again_at = answer.again_at or answer.at + timedelta(seconds=5)
    return NodeStep(node, live=answer.may_exist, wake_at=again_at)


def _refused(
    name: str, node: NodeStatus, role: Role, context: Context, why: tuple[Reason, Answer]
) -> NodeStep:
    reason, answer = why
    attempt = next_attempt(name, node, context.recorded.run)
    begun = update(
        node,
        attempt=attempt.number,
        job=_job_ref(context, attempt),
        started_at=node.started_at or answer.at,
        serving_since=node.serving_since or answer.at,
    )
    verdict = Verdict(False, reason, answer.message, started_at=answer.at, finished_at=answer.at)
    return _failed(name, begun, role, context, verdict)


def _step_running(name: str, node: NodeStatus, role: Role, context: Context) -> NodeStep:
    attempt = current_attempt(name, node, context.recorded.run)
    if attempt is None or node.job is None:
        return NodeStep(node)
    judged = judge(context.facts.of(attempt), node.job)
    if isinstance(judged, Unproven):
        return NodeStep(node, live=True, prove=attempt)
    if isinstance(judged, Live):
        return step_live(node, role, context, judged)
    if judged.succeeded:
        return _succeeded(name, node, role, context, judged)
    return _failed(name, node, role, context, judged)


def _succeeded(
    name: str, node: NodeStatus, role: Role, context: Context, verdict: Verdict
) -> NodeStep:
    """The step of a task whose program succeeded, which its outputs may still spoil."""
    read = name in context.workflow.read
    found = read_outputs(role.server(node), verdict.told, read=read, room=role.room)
    if isinstance(found, Outputs):
        return NodeStep(succeeded(node, verdict, found.text, context.now))
    spoilt = replace(verdict, succeeded=False, reason=str(found.reason), exit_code=None)
    if node.job is not None and node.job.ending is not None:
        return _failed(name, node, role, context, replace(spoilt, reason=node.job.ending))
    return _failed(name, node, role, context, replace(spoilt, message=found.message))


def _failed(
    name: str, node: NodeStatus, role: Role, context: Context, verdict: Verdict
) -> NodeStep:
    after = after_failure(name, node, role, context, verdict)
    return NodeStep(after) if after.phase.has_ended else _step_waiting(name, after, role, context)
