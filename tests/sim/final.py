"""What must be true once nothing is left to do."""

from collections.abc import Iterator

from tests.sim.data import wrong_outputs
from tests.sim.invariants import Invariants
from tests.sim.keeping import ended_well
from tests.sim.logs import wrong_logs
from tests.sim.store import JOB, POD, WORKFLOW, Raw, controller_uid, is_deleting
from tidegate.api.spec import JobRetention
from tidegate.api.status import NodePhase, NodeStatus, Phase, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.waves import was_not_wanted

_TABLE = {
    Phase.PENDING: ("Unknown", "False", "Unknown", "True", "False"),
    Phase.RUNNING: ("Unknown", "False", "Unknown", "True", "False"),
    Phase.WAITING: ("Unknown", "False", "Unknown", "True", "False"),
    Phase.SUSPENDED: ("Unknown", "False", "Unknown", "True", "False"),
    Phase.SUCCEEDED: ("True", "True", "True", "False", "False"),
    Phase.FAILED: ("False", "True", "False", "False", "True"),
    Phase.CANCELLED: ("False", "True", "False", "False", "True"),
}
_TYPES = ("Succeeded", "Finished", "Ready", "Reconciling", "Stalled")
_MAX_DISRUPTIONS = 10


def final_violations(checks: Invariants, *, lost_for_good: bool) -> Iterator[str]:
    """What is wrong with the cluster at the end of a history."""
    owners = set()
    if not lost_for_good:
        yield from wrong_logs(checks.store)
    for raw in checks.store.all(WORKFLOW):
        owners.add(raw["metadata"]["uid"])
        if is_deleting(raw):
            continue
        status = WorkflowStatus.model_validate(raw.get("status", {}))
        yield from _status(checks, raw, status, lost_for_good=lost_for_good)
    for raw in checks.store.all(JOB):
        if controller_uid(raw) not in owners:
            yield f"Job {raw['metadata']['name']} outlives its Workflow"


def _status(
    checks: Invariants, raw: Raw, status: WorkflowStatus, *, lost_for_good: bool
) -> Iterator[str]:
    uid, workflow = raw["metadata"]["uid"], checks.validated_of(raw)
    if status.phase is None or not status.phase.is_final:
        if not lost_for_good:
            yield f"the run never ends: {status.phase} {status.reason}: {status.message}"
        return
    yield from _conditions(status)
    if status.observed_generation != raw["metadata"]["generation"]:
        yield f"observedGeneration is {status.observed_generation}"
    seen = checks.seen.get(uid)
    if not status.run or seen is None or workflow is None:
        return
    yield from _nodes(checks, uid, seen.workflow, status)
    for name in status.nodes:
        living = [x for x in checks.truth.living(uid, name) if not x.lost]
        if living:
            yield f"{living[0].pod} of a finished run is alive"
    if workflow.spec.job_retention is JobRetention.NEVER:
        left = [x for x in checks.store.all(JOB) if controller_uid(x) == uid]
        if left and not lost_for_good:
            yield f"Job {left[0]['metadata']['name']} stays, but jobRetention is Never"
    held = [x["metadata"]["name"] for x in checks.store.all(POD) if x["metadata"].get("finalizers")]
    if held and not lost_for_good:
        yield f"pods are held for ever: {held}"


def _conditions(status: WorkflowStatus) -> Iterator[str]:
    if status.phase is None:
        return
    have = {condition.type: condition.status for condition in status.conditions}
    for kind, wanted in zip(_TYPES, _TABLE[status.phase], strict=True):
        if have.get(kind) != wanted:
            yield f"{status.phase}: condition {kind} is {have.get(kind)}, not {wanted}"


def _nodes(
    checks: Invariants, uid: str, workflow: ValidatedWorkflow, status: WorkflowStatus
) -> Iterator[str]:
    for name, node in status.nodes.items():
        yield from _endings(checks, uid, (name, node), status.run)
        if not node.phase.has_ended:
            yield f"{name} is {node.phase} in a finished run"
        yield from _attempts(checks, uid, workflow, (name, node), status.run)
        task = workflow.tasks.get(name)
        if task is None or node.phase is not NodePhase.FAILED or task.allow_failure:
            continue
        if status.phase is Phase.SUCCEEDED:
            yield f"{name} failed, but the run succeeded"
        if status.phase is Phase.FAILED and name not in (status.message or ""):
            yield f"{name} failed, but the message doesn't tell: {status.message}"
    well = all(ended_well(status.nodes[name]) for name in workflow.tasks)
    forgiving = any(task.allow_failure for task in workflow.tasks.values())
    if status.phase is Phase.SUCCEEDED and not well and not forgiving:
        yield "the run succeeded, though not every node did"


def _endings(
    checks: Invariants, uid: str, named: tuple[str, NodeStatus], run: int
) -> Iterator[str]:
    """An attempt that was ended is told to have failed for the recorded reason."""
    name, node = named
    for failure in node.failures:
        decided = checks.endings.get((uid, run, name, failure.attempt))
        if decided is not None and failure.reason != decided:
            yield f"{name} was ended for {decided}, but is told to be {failure.reason}"


def _attempts(
    checks: Invariants,
    uid: str,
    workflow: ValidatedWorkflow,
    named: tuple[str, NodeStatus],
    run: int,
) -> Iterator[str]:
    """Attempts are within the limits, disruptions aside, and succeed only if a program did."""
    name, node = named
    yield from wrong_outputs(checks.truth, uid, name, node.outputs)
    made = [x for x in checks.truth.made(uid, run) if x.attempt.node == name]
    if made and was_not_wanted(node):
        yield f"{name} was skipped by its condition, but ran"
    by_server: dict[str, set[int]] = {}
    for job in made:
        by_server.setdefault(job.attempt.standby, set()).add(job.attempt.number)
    for standby, numbers in by_server.items():
        task = workflow.stand_ins.get(name) if standby else workflow.tasks.get(name)
        task = task or workflow.standbys.get(name)
        limit = task.retry.limit if task is not None and task.retry is not None else 0
        most = 1 + limit + min(node.disruptions, _MAX_DISRUPTIONS) + _uncounted(node)
        if len(numbers) > most:
            yield f"{name} {standby}: {len(numbers)} attempts, at most {most} were allowed"
    claims = node.phase is NodePhase.SUCCEEDED and node.job is not None and node.job.run == run
    if claims and not checks.truth.succeeded(uid, name, run):
        yield f"{name} is Succeeded, but no program of it succeeded"


def _uncounted(node: NodeStatus) -> int:
    """Attempts that a quota left without a pod left no failure behind."""
    return max(0, node.attempt - len(node.failures) - (node.phase is NodePhase.SUCCEEDED))
