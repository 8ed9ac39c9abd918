"""What must always be true, checked at every write and at every program's start."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from tests.sim.data import wrong_decisions, wrong_values, wrong_variables
from tests.sim.kubelet import Process
from tests.sim.moves import wrong_moves
from tests.sim.premises import undecided, unfounded_end, unfounded_start
from tests.sim.store import JOB, WORKFLOW, Raw, Store, controller_uid, is_deleting
from tests.sim.truth import Made, Truth
from tests.sim.world import Trace
from tidegate import constants as c
from tidegate.api.identity import AttemptId
from tidegate.api.spec import Execution, Trigger
from tidegate.api.status import NodePhase, NodeStatus, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow, validate
from tidegate.engine.waves import was_not_wanted
from tidegate.errors import InvalidSpec
from tidegate.facts.workflow import workflow_fact


@dataclass(slots=True)
class Allowances:
    """What a history contains that no operator can prevent."""

    destroyed: set[str]
    """uids of Jobs that somebody else deleted, or whose pods they did."""
    orphaned: set[str]
    """Jobs deleted so that their pods run on: if no operator had learned of the Job before, nobody
    can know of the pod, and the attempt's name is free."""
    late_writes: bool = False
    """Whether a paused leader's requests land after another has taken over."""


@dataclass(slots=True)
class Seen:
    """A Workflow at its latest status write."""

    workflow: ValidatedWorkflow
    status: WorkflowStatus
    parallelism: int
    """The greatest of this run."""


@dataclass(slots=True)
class Invariants:
    """Collects whatever is violated."""

    store: Store
    truth: Truth
    allowed: Allowances
    trace: Trace
    clock: Callable[[], datetime]
    violations: list[str] = field(default_factory=list)
    seen: dict[str, Seen] = field(default_factory=dict)
    endings: dict[tuple[str, int, str, int], str] = field(default_factory=dict)
    """Recorded ends of attempts, by Workflow, run, node and number."""
    late: set[str] = field(default_factory=set)
    """Jobs that a paused leader made once more, after jobRetention had set their names free."""
    validated: dict[tuple[str, int], ValidatedWorkflow | None] = field(default_factory=dict)
    on_status: list[Callable[[Raw, WorkflowStatus | None, WorkflowStatus], None]] = field(
        default_factory=list
    )
    """Told of every status that is written, with the one before."""

    def on_event(self, kind: str, event: str, raw: Raw, old: Raw | None) -> None:
        self.truth.note(kind, event, raw)
        if kind == WORKFLOW and event == "MODIFIED" and old is not None:
            self._workflow_changed(raw, old)
        elif kind == JOB and event == "ADDED":
            self._job_made(raw)
        elif kind == JOB and event == "MODIFIED" and old is not None:
            self._job_changed(raw, old)

    def say(self, text: str) -> None:
        self.trace.add("INVARIANT", text)
        self.violations.append(text)

    # Programs

    def on_start(self, process: Process) -> None:
        """A program starts."""
        owner, attempt = self.truth.owner(process), process.attempt
        living = [x for x in self.truth.living(owner, attempt.node) if not self._is_excused(x)]
        others = [] if self._is_excused(process) else [x for x in living if x is not process]
        if others:
            self.say(f"two living pods of {attempt.node}: {process.pod} and {others[0].pod}")
        job = self.truth.job(process.job)
        status = self._status_of(owner)
        if status is None or job is None or self.allowed.late_writes or status.run != attempt.run:
            return
        node = status.nodes.get(attempt.node)
        if node is not None and node.phase is NodePhase.SUCCEEDED:
            self.say(f"{attempt} runs, although {attempt.node} is recorded as Succeeded")

    def _is_excused(self, process: Process) -> bool:
        return process.job in self.allowed.orphaned or process.job in self.late

    # Jobs

    def _job_made(self, raw: Raw) -> None:
        owner, uid = controller_uid(raw), raw["metadata"]["uid"]
        made = self.truth.job(uid)
        seen = self.seen.get(owner)
        if made is None:
            self.say(f"a Job that tells of no attempt: {raw['metadata']['name']}")
            return
        self._never_twice(owner, made)
        if seen is not None:
            self._told(owner, seen, made.attempt, raw)
        if seen is not None and not self.allowed.late_writes:
            for text in unfounded_start(seen.workflow, seen.status, made.attempt, self.clock()):
                self.say(f"an operator {text}")
        if seen is None or self.allowed.late_writes:
            return
        if made.attempt.run != seen.status.run or not self._is_live(owner):
            self.say(f"{made.attempt} starts, but status says run {seen.status.run}")
            return
        if made.attempt.node in seen.workflow.tasks:
            self._dependencies(owner, seen, made.attempt)
            self._parallelism(owner, seen)
        elif seen.status.outcome is None:
            self.say(f"handler {made.attempt} starts before the outcome is recorded")

    def _told(self, owner: str, seen: Seen, attempt: AttemptId, raw: Raw) -> None:
        """What the Job is told was so, and nobody decided otherwise: whoever made it, and when."""
        for wrong in (wrong_values, wrong_variables):
            for text in wrong(self.truth, owner, seen.workflow, attempt, raw):
                self.say(text)
        if attempt.run != seen.status.run:
            return
        for text in wrong_decisions(seen.workflow, seen.status, attempt, raw):
            self.say(text)
        for name in undecided(seen.workflow, seen.status, attempt.node):
            self.say(f"{attempt} starts, but the checkpoint {name} is not decided")

    def _job_changed(self, raw: Raw, old: Raw) -> None:
        """An operator ends an attempt: that must stand in stored status by now."""
        reason = raw["metadata"].get("annotations", {}).get(c.ANNOTATION_END)
        before = old["metadata"].get("annotations", {}).get(c.ANNOTATION_END)
        job, status = self.truth.job(raw["metadata"]["uid"]), self._status_of(controller_uid(raw))
        if reason == before or job is None or status is None or self.allowed.late_writes:
            return
        for text in unfounded_end(status, job.attempt, job.uid):
            self.say(f"an operator {text}")

    def _is_live(self, owner: str) -> bool:
        status = self._status_of(owner)
        return status is not None and (status.phase is None or not status.phase.is_final)

    def _never_twice(self, owner: str, made: Made) -> None:
        same = [x for x in self.truth.made(owner) if x.attempt == made.attempt and x is not made]
        if not same or not self._exists(owner):
            return
        if self.allowed.late_writes:
            self.late.add(made.uid)
        elif not any(x.uid in self.allowed.destroyed for x in same):
            self.say(f"{made.attempt} is started a second time")

    def _exists(self, owner: str) -> bool:
        """Whether the Workflow is there: of one whose end nobody heard of, Jobs are collected."""
        return any(raw["metadata"]["uid"] == owner for raw in self.store.all(WORKFLOW))

    def _dependencies(self, owner: str, seen: Seen, attempt: AttemptId) -> None:
        workflow, name, run = seen.workflow, attempt.node, attempt.run
        node = seen.status.nodes.get(name)
        if node is None or (node.attempt and attempt.number > 1):
            return
        task = workflow.tasks[name]
        for dependency in workflow.graph.dependencies[name]:
            if self.truth.living(owner, dependency):
                self.say(f"{attempt} starts while its dependency {dependency} runs")
            if (
                task.trigger is Trigger.DEPENDENCIES_ENDED
                or workflow.tasks[dependency].allow_failure
            ):
                continue
            recorded = seen.status.nodes.get(dependency)
            done = recorded is not None and (
                recorded.phase is NodePhase.SUCCEEDED or was_not_wanted(recorded)
            )
            if not done and not self.truth.succeeded(owner, dependency, run):
                self.say(f"{attempt} starts, but its dependency {dependency} has not succeeded")
        in_waves = workflow.spec.execution is Execution.WAVES
        if in_waves and task.trigger is not Trigger.DEPENDENCIES_ENDED:
            self._barrier(owner, seen, attempt)

    def _barrier(self, owner: str, seen: Seen, attempt: AttemptId) -> None:
        graph = seen.workflow.graph
        for other, wave in graph.wave_of.items():
            if wave >= graph.wave_of[attempt.node]:
                continue
            node = seen.status.nodes.get(other)
            waits = node is not None and node.phase in (NodePhase.RETRYING, NodePhase.WAITING)
            if self.truth.living(owner, other) or (
                waits and not self._ran_since(owner, node, other)
            ):
                self.say(f"{attempt} starts, but {other} of wave {wave} has not ended")

    def _ran_since(self, owner: str, node: NodeStatus | None, name: str) -> bool:
        """Whether a later attempt than the recorded one was made meanwhile."""
        recorded = node.attempt if node is not None else 0
        return any(
            x.attempt.number > recorded for x in self.truth.made(owner) if x.attempt.node == name
        )

    def _parallelism(self, owner: str, seen: Seen) -> None:
        tasks = seen.workflow.tasks
        on = [
            x
            for x in self.truth.made(owner, seen.status.run)
            if x.attempt.node in tasks
            and x.uid not in self.allowed.destroyed
            and not self.truth.over(x)
        ]
        if len(on) > seen.parallelism:
            self.say(f"{len(on)} attempts at once, parallelism is {seen.parallelism}")

    # Status

    def _nothing_lives(self, uid: str, status: WorkflowStatus) -> None:
        """A run gets its final phase when nothing of it runs, but for what is told to be lost."""
        for name, node in status.nodes.items():
            ran = self.truth.processes(uid, name, status.run)
            living = [x for x in ran if x.alive and not self._is_excused(x)]
            if living and node.reason != "NodeLost" and not self.allowed.late_writes:
                self.say(f"the run ends as {status.phase} while {living[0].pod} runs")

    def validated_of(self, raw: Raw) -> ValidatedWorkflow | None:
        key = (raw["metadata"]["uid"], raw["metadata"]["generation"])
        if key not in self.validated:
            try:
                self.validated[key] = validate(workflow_fact(raw))
            except InvalidSpec:
                self.validated[key] = None
        return self.validated[key]

    def _status_of(self, owner: str) -> WorkflowStatus | None:
        seen = self.seen.get(owner)
        return seen.status if seen is not None else None

    def _workflow_changed(self, raw: Raw, old: Raw) -> None:
        uid, workflow = raw["metadata"]["uid"], self.validated_of(raw)
        before = self.seen.get(uid)
        if raw.get("status") != old.get("status"):
            self._status_written(raw, workflow, before)
        elif before is not None and workflow is not None and _is_on(before.status):
            most = max(before.parallelism, workflow.spec.parallelism)
            self.seen[uid] = Seen(workflow, before.status, most)

    def _status_written(
        self, raw: Raw, workflow: ValidatedWorkflow | None, before: Seen | None
    ) -> None:
        uid = raw["metadata"]["uid"]
        if is_deleting(raw):
            self.say("a Workflow that is being deleted gets a new status")
        status = WorkflowStatus.model_validate(raw["status"])
        self._note_endings(uid, status)
        if _is_final(status) and (before is None or not _is_final(before.status)):
            self._nothing_lives(uid, status)
        for told in self.on_status:
            told(raw, before.status if before else None, status)
        if before is not None:
            for text in wrong_moves(workflow, before.status, status):
                self.say(text)
        if workflow is None:
            if before is not None:
                self.seen[uid] = Seen(before.workflow, status, before.parallelism)
            return
        same_run = before is not None and before.status.run == status.run
        most = max(workflow.spec.parallelism, before.parallelism if before and same_run else 0)
        locked = before.workflow if before and same_run and _is_final(status) else workflow
        self.seen[uid] = Seen(locked, status, most)

    def _note_endings(self, uid: str, status: WorkflowStatus) -> None:
        for name, node in status.nodes.items():
            if node.job is not None and node.job.ending is not None:
                self.endings[uid, node.job.run, name, node.attempt] = node.job.ending


def _is_final(status: WorkflowStatus) -> bool:
    return status.phase is not None and status.phase.is_final


def _is_on(status: WorkflowStatus) -> bool:
    return status.run > 0 and not _is_final(status)
