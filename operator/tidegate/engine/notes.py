"""What there is to tell and to count, found by comparing a status with the one before.

As it is made of the difference between two statuses, nothing is told twice, whatever was planned
again in between, and nothing is told that isn't recorded. The status before may be shortened, the
one after must not be yet: what was cut off would be missing in what is told.
"""

from collections.abc import Iterator

from tidegate.api.plain import clip_bytes
from tidegate.api.spec import Execution
from tidegate.api.status import NodePhase, NodeStatus, Phase, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine import messages
from tidegate.engine.messages import clip, names
from tidegate.engine.model import Note, NoteKind, Observation
from tidegate.engine.reasons import Reason

FINAL = {
    Phase.SUCCEEDED: NoteKind.WORKFLOW_SUCCEEDED,
    Phase.FAILED: NoteKind.WORKFLOW_FAILED,
    Phase.CANCELLED: NoteKind.WORKFLOW_CANCELLED,
}
_DECISIONS = {
    str(Reason.APPROVED): "approved",
    str(Reason.REJECTED): "rejected",
    str(Reason.APPROVED_BY_TIMEOUT): "timeout_approved",
    str(Reason.REJECTED_BY_TIMEOUT): "timeout_rejected",
}
"""Why a checkpoint ended, and the metric's label for it."""
_ELSEWHERE = "; the command that answers stands in condition WaitingForApproval"


def notes(
    workflow: ValidatedWorkflow, before: WorkflowStatus, after: WorkflowStatus
) -> Iterator[Note]:
    """Events, in the order in which they are told."""
    if after.run != before.run:
        run = f", run {after.run}" if after.run > 1 else ""
        count = len(workflow.tasks)
        waves = len(workflow.graph.waves)
        yield Note(
            NoteKind.WORKFLOW_STARTED,
            f"{count} node{'s'[: count != 1]} in {waves} wave{'s'[: waves != 1]}{run}",
        )
        return
    for name, node in after.nodes.items():
        former = before.nodes.get(name)
        if former is not None and node is not former:
            yield from _node_notes(name, former, node)
    yield from _wave_notes(workflow, before, after)
    yield from end_notes(before, after)


def end_notes(before: WorkflowStatus, after: WorkflowStatus) -> Iterator[Note]:
    """The Event of a run that has ended."""
    if after.phase is not None and after.phase.is_final and after.phase != before.phase:
        kind = FINAL[after.phase]
        failed = after.phase is not Phase.SUCCEEDED
        yield Note(kind, clip(after.message or str(after.reason)), warning=failed)


def _node_notes(name: str, before: NodeStatus, after: NodeStatus) -> Iterator[Note]:
    def note(kind: NoteKind, message: str | None, *, warning: bool = False) -> Note:
        return Note(kind, f"{name}: {message}", name, after.attempt, warning)

    if after.standby and after.standby != before.standby:
        yield note(NoteKind.FALLBACK_STARTED, messages.falls_back(after, after.standby))
    elif after.retry_at is not None and after.retry_at != before.retry_at:
        yield note(NoteKind.NODE_RETRYING, after.message)
    yield from _checkpoint_notes(name, before, after)
    failed = after.phase is NodePhase.FAILED and before.phase is not NodePhase.FAILED
    if failed and after.reason not in _DECISIONS:
        yield note(NoteKind.NODE_FAILED, after.message, warning=True)
    if after.reason == Reason.NODE_LOST and before.reason != Reason.NODE_LOST:
        yield note(NoteKind.POD_STUCK, after.message, warning=True)


def _checkpoint_notes(name: str, before: NodeStatus, after: NodeStatus) -> Iterator[Note]:
    if after.phase is NodePhase.WAITING:
        opens = after.opened_at is not None and after.opened_at != before.opened_at
        is_held = after.opened_at is None and after.reason != before.reason
        if opens or is_held:
            yield Note(NoteKind.CHECKPOINT_WAITING, after.message or "", name, warning=is_held)
    elif after.phase.has_ended and not before.phase.has_ended and after.reason in _DECISIONS:
        approved = after.phase is NodePhase.SUCCEEDED
        kind = NoteKind.CHECKPOINT_APPROVED if approved else NoteKind.CHECKPOINT_REJECTED
        yield Note(kind, clip(f"{name}: {after.message}"), name, warning=not approved)


def shortened(words: str, limit: int) -> str:
    """A note's words in at most ``limit`` bytes; half a command or code is worse than none."""
    if len(words.encode()) <= limit:
        return words
    told, answer, _ = words.rpartition("; answer with: ")
    if answer:
        return _asking_elsewhere(told, limit)
    told, logs, command = words.rpartition("; logs: ")
    command = f"{logs}{command}"
    if logs and len(command.encode()) <= limit // 2:
        return f"{clip_bytes(told, limit - len(command.encode()))}{command}"
    return clip_bytes(words, limit)


def _asking_elsewhere(told: str, limit: int) -> str:
    """A question, shortened, without the command that answers it."""
    before, _, rest = told.partition('"')
    question, _, after = rest.partition('"')
    after = f"{after}{_ELSEWHERE}" if len(after.encode()) <= limit // 2 else _ELSEWHERE
    room = limit - len(f'{before}""{after}'.encode())
    return clip_bytes(f'{before}"{clip_bytes(question, max(room, 3))}"{after}', limit)


def _wave_notes(
    workflow: ValidatedWorkflow, before: WorkflowStatus, after: WorkflowStatus
) -> Iterator[Note]:
    if workflow.spec.execution is Execution.EAGER:
        return
    for number, wave in after.waves.items():
        former = before.waves.get(number)
        if wave.started_at is not None and (former is None or former.started_at is None):
            wave_nodes = workflow.graph.waves[int(number) - 1]
            members = names([n for n in wave_nodes if _has_begun(after.nodes[n])])
            yield Note(NoteKind.WAVE_STARTED, f"wave {number} of {len(after.waves)}: {members}")


def _has_begun(node: NodeStatus) -> bool:
    return node.attempt > 0 or node.opened_at is not None


def observations(before: WorkflowStatus, after: WorkflowStatus) -> Iterator[Observation]:
    """Numbers for metrics."""
    if after.run != before.run:
        yield Observation("workflow_started")
        return
    for name, node in after.nodes.items():
        former = before.nodes.get(name)
        if former is not None and node is not former:
            yield from _node_observations(former, node)
    for number, wave in after.waves.items():
        earlier = before.waves.get(number)
        if wave.finished_at is not None and (earlier is None or earlier.finished_at is None):
            yield Observation("wave_finished")
    yield from end_observations(before, after)


def end_observations(before: WorkflowStatus, after: WorkflowStatus) -> Iterator[Observation]:
    """The number of a run that has ended."""
    if after.phase is not None and after.phase.is_final and after.phase != before.phase:
        seconds = 0.0
        if after.started_at is not None and after.finished_at is not None:
            seconds = (after.finished_at - after.started_at).total_seconds()
        yield Observation("workflow_finished", seconds, (str(after.phase),))


def _node_observations(before: NodeStatus, after: NodeStatus) -> Iterator[Observation]:
    for failure in after.failures[len(before.failures) :]:
        yield Observation("node_attempt_ended", 1.0, ("failed", failure.reason))
    if after.retry_at is not None and after.retry_at != before.retry_at:
        yield Observation("node_retried")
    ended = after.phase.has_ended and not before.phase.has_ended
    if after.opened_at is not None:
        if ended and after.reason in _DECISIONS and after.finished_at is not None:
            waited = max((after.finished_at - after.opened_at).total_seconds(), 0.0)
            yield Observation("checkpoint_decided", waited, (_DECISIONS[after.reason],))
        return
    if not ended or after.started_at is None or after.finished_at is None:
        return
    seconds = max((after.finished_at - after.started_at).total_seconds(), 0.0)
    result = str(after.phase).lower()
    if after.phase is NodePhase.SUCCEEDED:
        yield Observation("node_attempt_ended", 1.0, ("succeeded", "Succeeded"))
    yield Observation("node_finished", seconds, (result,))
    if after.standby:
        yield Observation("fallback_finished", 1.0, (result,))
