"""A Workflow in a small world of its own: status, facts and a clock, and the plan carried out.

A test tells a story (``run.pod_fails("a")``, ``run.advance(10)``) and looks at what came of it.
Passes go as the reconcile loop's do: a new decision is recorded before anything is done, answers
lead to a second plan, and the status goes through JSON each time. Nothing is looked at but after
an event or at ``wake_at``, so a plan that forgets to ask to be woken fails its tests. Each plan is
held against the promises that hold for every plan.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.unit.engine.builders import NOON, UID, Json, at, container_end, workflow_fact
from tests.unit.engine.promises import broken_promises
from tidegate.api.identity import AttemptId, job_name
from tidegate.api.status import NodePhase, NodeStatus, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow, validate
from tidegate.engine.invalid import plan_invalid
from tidegate.engine.model import End, EndMode, Note, NoteKind, Observation, Plan, Remove, Start
from tidegate.engine.plan import plan
from tidegate.errors import InvalidSpec
from tidegate.facts.model import (
    Answer,
    AnswerKind,
    AttemptFact,
    Existence,
    Facts,
    JobEnd,
    JobFact,
    PodFact,
)

_QUIET_AFTER = 60
_POSITIVE = (AnswerKind.CREATED, AnswerKind.ADOPTED)


class Run:
    """One Workflow, from its creation at noon."""

    def __init__(self, given: Json, *, look: bool = True, **metadata: Any) -> None:
        self.fact = workflow_fact(given, **metadata)
        self.status = WorkflowStatus()
        self.attempts: dict[AttemptId, AttemptFact] = {}
        self.now = NOON
        self.wake_at: datetime | None = None
        self.starts: list[Start] = []
        self.ends: list[End] = []
        self.removes: list[Remove] = []
        self.proven: list[AttemptId] = []
        self.notes: list[Note] = []
        self.observations: list[Observation] = []
        self.records: list[WorkflowStatus] = []
        self.deleted = False
        self.stops_at_once = True
        """Whether what is ended has stopped at once."""
        self.excluded = False
        self._answers: dict[str, tuple[AnswerKind, str]] = {}
        self._jobs = 0
        if look:
            self.look()

    # --- what people do

    def edit(self, **fields: Any) -> None:
        """Change fields of the spec."""
        given = {**self.fact.spec, **fields}
        self.fact = replace(self.fact, spec=given, generation=self.fact.generation + 1)
        self.look()

    def edit_node(self, name: str, **fields: Any) -> None:
        """Change fields of a node."""
        nodes = [n | fields if n["name"] == name else n for n in self.fact.spec["nodes"]]
        self.edit(nodes=nodes)

    def ask(self, **texts: str) -> None:
        """Annotate: ``run.ask(cancel="now")``."""
        added = {f"tidegate.dev/{key}": text for key, text in texts.items()}
        self.fact = replace(self.fact, annotations={**self.fact.annotations, **added})
        self.look()

    # --- what the cluster does

    def answer(self, name: str, kind: AnswerKind | None, message: str = "") -> None:
        """From now on the API server answers so to creations for the node; None: as usual."""
        if kind is None:
            self._answers.pop(name)
        else:
            self._answers[name] = (kind, message)

    def pod_runs(self, *names: str) -> None:
        for name in names:
            self._pod(name, phase="Running", any_started=True, main_started_at=self.now)
        self.look()

    def pod_succeeds(self, *names: str, look: bool = True) -> None:
        for name in names:
            self._ended_pod(name, "Succeeded", 0, "Completed")
        if look:
            self.look()

    def pod_fails(
        self, *names: str, exit_code: int = 1, reason: str = "Error", look: bool = True
    ) -> None:
        for name in names:
            self._ended_pod(name, "Failed", exit_code, reason)
        if look:
            self.look()

    def pod_is_evicted(self, name: str) -> None:
        """Drained, preempted and the like: the Job fails by its podFailurePolicy."""
        self._pod(name, phase="Failed", disruption="eviction by the API", deletion_at=self.now)
        self.job_ends(name, "PodFailurePolicy", "Pod data/p has condition DisruptionTarget")

    def job_ends(self, name: str, reason: str, message: str = "") -> None:
        end = JobEnd(succeeded=False, reason=reason, message=message, at=self.now, stopped=True)
        self._change_job(self.latest(name), end=end)
        self.look()

    def vanishes(self, name: str, **traces: Any) -> None:
        """Somebody deleted the latest attempt's Job, and its pods."""
        self.attempts[self.latest(name)] = AttemptFact(Existence.UNPROVEN, **traces)
        self.look()

    def tell(self, name: str, **fields: Any) -> None:
        """Change what is known of the node's latest attempt."""
        attempt = self.latest(name)
        self.attempts[attempt] = replace(self.attempts[attempt], **fields)
        self.look()

    def tell_job(self, name: str, **fields: Any) -> None:
        self._change_job(self.latest(name), **fields)
        self.look()

    def tell_pod(self, name: str, **fields: Any) -> None:
        self._pod(name, **fields)
        self.look()

    def stop(self, *names: str) -> None:
        """What was told to end has ended."""
        for name in names:
            self._stop(self.latest(name))
        self.look()

    def advance(self, seconds: float) -> None:
        """Let time go by; the Workflow is looked at only when it asked for it."""
        until = self.now + timedelta(seconds=seconds)
        while self.wake_at is not None and self.wake_at <= until:
            self.now = max(self.wake_at, self.now)
            self.look()
        self.now = until

    # --- passes

    @property
    def workflow(self) -> ValidatedWorkflow:
        return validate(self.fact)

    def facts(self, answers: dict[AttemptId, Answer] | None = None) -> Facts:
        return Facts(dict(self.attempts), answers or {}, namespace_excluded=self.excluded)

    def plan(self, answers: dict[AttemptId, Answer] | None = None) -> Plan:
        """The plan as things stand, carried out by nobody."""
        try:
            workflow = self.workflow
        except InvalidSpec as error:
            return plan_invalid(self.fact, self.status, error.faults, self.now)
        facts = self.facts(answers)
        planned = plan(workflow, self.fact, self.status, facts, self.now)
        broken = broken_promises(workflow, self.status, facts, planned, self.now)
        assert not broken, broken
        return planned

    def look(self) -> None:
        """Passes until nothing is left to do."""
        for _ in range(_QUIET_AFTER):
            if not self._round():
                return
        raise AssertionError("the Workflow never comes to rest")

    def _round(self) -> bool:
        planned = self.plan()
        if planned.prove:
            self._prove(planned.prove)
            planned = self.plan()
            assert not planned.prove, "what was proven is asked again"
        if planned.decides:
            self._record(planned)
            return True
        answers = {start.attempt: self._post(start) for start in planned.starts}
        if answers:
            planned = self.plan(answers)
        self._carry_out(planned)
        changed = self._record(planned)
        self.wake_at = planned.wake_at
        self.deleted = self.deleted or planned.delete_workflow
        created = any(answer.kind in _POSITIVE for answer in answers.values())
        return changed or created or bool(planned.ends or planned.removes)

    def _record(self, planned: Plan) -> bool:
        if planned.status == self.status:
            return False
        text = planned.status.model_dump_json(by_alias=True, exclude_none=True)
        recorded = WorkflowStatus.model_validate_json(text)
        changed, self.status = recorded != self.status, recorded
        self.records.append(recorded)
        self.notes += planned.notes
        self.observations += planned.observations
        return changed

    def _post(self, start: Start) -> Answer:
        kind, message = self._answers.get(start.attempt.node, (AnswerKind.CREATED, ""))
        known = self.attempts.get(start.attempt)
        if known is not None and known.job is not None:
            return Answer(AnswerKind.ADOPTED, self.now, job=known.job)
        if kind not in _POSITIVE:
            again = self.now + timedelta(seconds=5)
            rests = kind in (AnswerKind.QUOTA, AnswerKind.UNAVAILABLE)
            return Answer(kind, self.now, message, again_at=again if rests else None)
        self.starts.append(start)
        return Answer(kind, self.now, job=self.job_appears(start.attempt))

    def job_appears(self, attempt: AttemptId, **fields: Any) -> JobFact:
        """The Job of ``attempt`` is in the view, whoever created it."""
        self._jobs += 1
        task = self.workflow.tasks.get(attempt.node) or self.workflow.standbys[attempt.node]
        known: Json = {
            "name": job_name(self.fact.key.name, UID, attempt),
            "uid": f"job-{self._jobs}",
            "owner_uid": UID,
            "attempt": attempt,
            "definition": task.definition,
            "created_at": self.now,
            "started_at": self.now,
        }
        job = JobFact(**known | fields)
        self.attempts[attempt] = AttemptFact(Existence.PRESENT, job=job)
        return job

    def _prove(self, attempts: Iterable[AttemptId]) -> None:
        for attempt in attempts:
            self.proven.append(attempt)
            known = self.attempts.get(attempt, AttemptFact(Existence.UNPROVEN))
            existence = Existence.PRESENT if known.pods else Existence.GONE
            self.attempts[attempt] = replace(known, existence=existence, job=None, job_gone=True)

    def _carry_out(self, planned: Plan) -> None:
        for end in planned.ends:
            self.ends.append(end)
            if end.mode is EndMode.STOP_JOB:
                self._change_job(end.attempt, end_reason=end.reason)
                if self.stops_at_once:
                    self._stop(end.attempt)
            elif end.mode is EndMode.DELETE_JOB:
                self.attempts[end.attempt] = AttemptFact(Existence.UNPROVEN)
            else:
                fact = self.attempts[end.attempt]
                left = tuple(p for p in fact.pods if p.uid != end.uid)
                self.attempts[end.attempt] = replace(fact, pods=left)
        for remove in planned.removes:
            self.removes.append(remove)
            del self.attempts[remove.attempt]

    # --- objects

    def latest(self, name: str) -> AttemptId:
        return max(a for a in self.attempts if a.node == name)

    def _change_job(self, attempt: AttemptId, **fields: Any) -> None:
        fact = self.attempts[attempt]
        assert fact.job is not None
        self.attempts[attempt] = replace(fact, job=replace(fact.job, **fields))

    def _pod(self, name: str, **fields: Any) -> None:
        attempt = self.latest(name)
        fact = self.attempts[attempt]
        job_uid = fact.job.uid if fact.job is not None else ""
        fresh = PodFact(f"pod-{job_uid}", f"u-{job_uid}", job_uid, attempt, self.now, "Pending")
        pod = replace(fact.pods[-1] if fact.pods else fresh, **fields)
        self.attempts[attempt] = replace(fact, pods=(*fact.pods[:-1], pod))

    def _ended_pod(self, name: str, phase: str, exit_code: int, reason: str) -> None:
        end = replace(container_end(exit_code=exit_code, reason=reason), finished_at=self.now)
        self._pod(
            name,
            phase=phase,
            any_started=True,
            main_started_at=self.now,
            main=end,
            failed=end if exit_code else None,
            finished_at=self.now,
        )

    def _stop(self, attempt: AttemptId) -> None:
        """As the Job controller does it: the pod is killed, then the Job is Failed."""
        fact = self.attempts[attempt]
        killed = tuple(
            p
            if p.is_over
            else replace(p, phase="Failed", deletion_at=self.now, finished_at=self.now)
            for p in fact.pods
        )
        self.attempts[attempt] = replace(fact, pods=killed)
        words = "Job was active longer than specified deadline"
        end = JobEnd(
            succeeded=False, reason="DeadlineExceeded", message=words, at=self.now, stopped=True
        )
        self._change_job(attempt, end=end)

    # --- what came of it

    def node(self, name: str) -> NodeStatus:
        return self.status.nodes[name]

    @property
    def phases(self) -> dict[str, str]:
        return {name: str(n.phase) for name, n in self.status.nodes.items()}

    @property
    def result(self) -> tuple[str, str | None]:
        """Phase and reason of the Workflow."""
        return str(self.status.phase), self.status.reason

    def reason(self, name: str) -> tuple[str, str | None]:
        """Phase and reason of a node."""
        return str(self.node(name).phase), self.node(name).reason

    @property
    def running(self) -> set[str]:
        return {n for n, s in self.status.nodes.items() if s.phase is NodePhase.RUNNING}

    @property
    def started(self) -> list[str]:
        """Attempts that got a Job, in order: ``a1``, ``b1``, ``a2``; a standby's as ``a3/s``."""
        return [_short(start.attempt) for start in self.starts]

    @property
    def ended(self) -> list[str]:
        return [_short(end.attempt) for end in self.ends]

    def told(self, kind: NoteKind) -> list[str]:
        return [note.message for note in self.notes if note.kind is kind]

    @property
    def time(self) -> float:
        """Seconds since noon."""
        return (self.now - at(0)).total_seconds()


def _short(attempt: AttemptId) -> str:
    run = f"@{attempt.run}" if attempt.run > 1 else ""
    standby = f"/{attempt.standby}" if attempt.standby else ""
    return f"{attempt.node}{attempt.number}{standby}{run}"
