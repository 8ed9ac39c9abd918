"""A Workflow in a small world of its own: status, facts and a clock, and the plan carried out.

A test tells a story (``run.pod_fails("a")``, ``run.advance(10)``) and looks at what came of it.
Passes go as the reconcile loop's do: a new decision is recorded before anything is done, answers
lead to a second plan, and the status goes through JSON each time. Nothing is looked at but after
an event or at ``wake_at``, so a plan that forgets to ask to be woken fails its tests. Each plan is
held against the promises that hold for every plan.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tests.unit.engine.builders import Json, at, workflow_fact
from tests.unit.engine.objects import Objects
from tests.unit.engine.promises import broken_promises
from tidegate.api.identity import AttemptId
from tidegate.api.status import NodePhase, NodeStatus, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow, validate
from tidegate.constants import ANNOTATION_VOTE
from tidegate.engine.invalid import plan_invalid
from tidegate.engine.model import End, Note, NoteKind, Observation, Plan, Remove, Start
from tidegate.engine.plan import plan
from tidegate.errors import InvalidSpec
from tidegate.facts.model import (
    EMPTY,
    NO_POLICY,
    Answer,
    AnswerKind,
    AttemptFact,
    Existence,
    Facts,
    JobEnd,
)

_QUIET_AFTER = 60
_POSITIVE = (AnswerKind.CREATED, AnswerKind.ADOPTED)


class Run(Objects):
    """One Workflow, from its creation at noon."""

    def __init__(self, given: Json, *, look: bool = True, **metadata: Any) -> None:
        super().__init__()
        self.fact = workflow_fact(given, **metadata)
        self.status = WorkflowStatus()
        self.wake_at: datetime | None = None
        self.starts: list[Start] = []
        self.ends: list[End] = []
        self.removes: list[Remove] = []
        self.notes: list[Note] = []
        self.observations: list[Observation] = []
        self.records: list[WorkflowStatus] = []
        self.deleted = False
        self.excluded = False
        self.policies = NO_POLICY
        self._valid: ValidatedWorkflow | None = None
        self._answers: dict[str, tuple[AnswerKind, str]] = {}
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

    def vote(self, more: Mapping[str, str] = EMPTY, /, *, look: bool = True, **texts: str) -> None:
        """Annotate: ``run.vote(gate="approved by alice")``."""
        said = {**more, **texts}
        added = {f"{ANNOTATION_VOTE}{key}": text for key, text in said.items()}
        self.fact = replace(self.fact, annotations={**self.fact.annotations, **added})
        if look:
            self.look()

    def unvote(self, key: str) -> None:
        """Remove a vote."""
        annotations = dict(self.fact.annotations)
        del annotations[f"{ANNOTATION_VOTE}{key}"]
        self.fact = replace(self.fact, annotations=annotations)
        self.look()

    # --- what the cluster does

    def answer(self, name: str, kind: AnswerKind | None, message: str = "") -> None:
        """From now on creations for a node (or ``node/standby``) are answered so."""
        if kind is None:
            self._answers.pop(name, None)
        else:
            self._answers[name] = (kind, message)

    def pod_runs(self, *names: str) -> None:
        for name in names:
            self.change_pod(name, phase="Running", any_started=True, main_started_at=self.now)
        self.look()

    def pod_succeeds(self, *names: str, look: bool = True, told: str = "") -> None:
        """The pods end with exit code 0; ``told``: the termination message."""
        for name in names:
            self.end_pod(name, "Succeeded", 0, "Completed", told)
        if look:
            self.look()

    def pod_fails(
        self, *names: str, exit_code: int = 1, reason: str = "Error", look: bool = True
    ) -> None:
        for name in names:
            self.end_pod(name, "Failed", exit_code, reason)
        if look:
            self.look()

    def pod_is_evicted(self, name: str) -> None:
        """Drained, preempted and the like: the Job fails by its podFailurePolicy."""
        self.change_pod(
            name, phase="Failed", disruption="eviction by the API", deletion_at=self.now
        )
        self.job_ends(name, "PodFailurePolicy", "Pod data/p has condition DisruptionTarget")

    def job_ends(self, name: str, reason: str, message: str = "") -> None:
        end = JobEnd(succeeded=False, reason=reason, message=message, at=self.now, stopped=True)
        self.change_job(self.latest(name), end=end)
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
        self.change_job(self.latest(name), **fields)
        self.look()

    def tell_pod(self, name: str, **fields: Any) -> None:
        self.change_pod(name, **fields)
        self.look()

    def stop(self, *names: str) -> None:
        """What was told to end has ended."""
        for name in names:
            self.kill(self.latest(name))
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
        if self._valid is None or self._valid.generation != self.fact.generation:
            self._valid = validate(self.fact)
        return self._valid

    def facts(self, answers: dict[AttemptId, Answer] | None = None) -> Facts:
        return Facts(
            dict(self.attempts),
            answers or {},
            namespace_excluded=self.excluded,
            policies=self.policies,
        )

    def plan(self, answers: dict[AttemptId, Answer] | None = None) -> Plan:
        """The plan as things stand, carried out by nobody."""
        try:
            workflow = self.workflow
        except InvalidSpec as error:
            return plan_invalid(self.fact, self.status, error.faults, self.facts(answers), self.now)
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
            self.prove(planned.prove)
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
        assert self.wake_at is None or self.wake_at > self.now, "it asks to be woken at once"
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
        attempt = start.attempt
        who = f"{attempt.node}/{attempt.standby}" if attempt.standby else attempt.node
        kind, message = self._answers.get(who, (AnswerKind.CREATED, ""))
        known = self.attempts.get(start.attempt)
        if known is not None and known.job is not None:
            return Answer(AnswerKind.ADOPTED, self.now, job=known.job)
        if kind not in _POSITIVE:
            again = self.now + timedelta(seconds=5)
            rests = kind in (AnswerKind.QUOTA, AnswerKind.UNAVAILABLE)
            return Answer(kind, self.now, message, again_at=again if rests else None)
        self.starts.append(start)
        return Answer(kind, self.now, job=self.job_appears(self.workflow, start.attempt))

    def _carry_out(self, planned: Plan) -> None:
        for end in planned.ends:
            self.ends.append(end)
            self.end(end)
        for remove in planned.removes:
            self.removes.append(remove)
            del self.attempts[remove.attempt]

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
