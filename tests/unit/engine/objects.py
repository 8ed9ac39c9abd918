"""Jobs and pods of one Workflow, as the view has them, and what happens to them."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from tests.unit.engine.builders import NOON, UID, Json, container_end
from tidegate.api.identity import AttemptId, job_name
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.model import End, EndMode
from tidegate.facts.model import AttemptFact, Existence, JobEnd, JobFact, PodFact


class Objects:
    """What is known of each attempt; a test changes it, or a plan that is carried out."""

    def __init__(self) -> None:
        self.attempts: dict[AttemptId, AttemptFact] = {}
        self.now = NOON
        self.proven: list[AttemptId] = []
        self.stops_at_once = True
        """Whether what is ended has stopped at once."""
        self._jobs = 0

    def latest(self, name: str) -> AttemptId:
        return max(a for a in self.attempts if a.node == name)

    def job_appears(
        self, workflow: ValidatedWorkflow, attempt: AttemptId, **fields: Any
    ) -> JobFact:
        """The Job of ``attempt`` is in the view, whoever created it."""
        self._jobs += 1
        task = workflow.tasks.get(attempt.node) or workflow.standbys[attempt.node]
        known: Json = {
            "name": job_name(workflow.key.name, UID, attempt),
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

    def prove(self, attempts: Iterable[AttemptId]) -> None:
        """What has no Job here has none; without pods it is gone. What has one has these pods."""
        for attempt in attempts:
            self.proven.append(attempt)
            known = self.attempts.get(attempt, AttemptFact(Existence.UNPROVEN))
            if known.job is not None and known.job.end is not None:
                self.attempts[attempt] = replace(known, pods_listed=True)
                continue
            existence = Existence.PRESENT if known.pods else Existence.GONE
            self.attempts[attempt] = replace(known, existence=existence, job=None, job_gone=True)

    def end(self, end: End) -> None:
        """Carry out what a plan wants."""
        fact = self.attempts[end.attempt]
        if end.mode is EndMode.STOP_JOB:
            self.change_job(end.attempt, end_reason=end.reason)
            if self.stops_at_once:
                self.kill(end.attempt)
        elif end.mode is EndMode.DELETE_JOB:
            self.attempts[end.attempt] = AttemptFact(Existence.UNPROVEN)
        else:
            left = tuple(pod for pod in fact.pods if pod.uid != end.uid)
            self.attempts[end.attempt] = replace(fact, pods=left)

    def change_job(self, attempt: AttemptId, **fields: Any) -> None:
        fact = self.attempts[attempt]
        assert fact.job is not None
        self.attempts[attempt] = replace(fact, job=replace(fact.job, **fields))

    def change_pod(self, name: str, **fields: Any) -> None:
        """Change the newest pod of the node, or make its first."""
        attempt = self.latest(name)
        fact = self.attempts[attempt]
        uid = fact.job.uid if fact.job is not None else ""
        fresh = PodFact(f"pod-{uid}", f"pod-of-{uid}", uid, attempt, self.now, "Pending")
        pod = replace(fact.pods[-1] if fact.pods else fresh, **fields)
        self.attempts[attempt] = replace(fact, pods=(*fact.pods[:-1], pod))

    def end_pod(
        self, name: str, phase: str, exit_code: int, reason: str, message: str = ""
    ) -> None:
        end = container_end(exit_code=exit_code, reason=reason, message=message)
        end = replace(end, finished_at=self.now)
        self.change_pod(
            name,
            phase=phase,
            any_started=True,
            main_started_at=self.now,
            main=end,
            failed=end if exit_code else None,
            finished_at=self.now,
        )

    def kill(self, attempt: AttemptId) -> None:
        """As the Job controller does it: the pod is killed, then the Job is Failed."""
        fact, now = self.attempts[attempt], self.now
        killed = tuple(
            pod if pod.is_over else replace(pod, phase="Failed", deletion_at=now, finished_at=now)
            for pod in fact.pods
        )
        self.attempts[attempt] = replace(fact, pods=killed)
        words = "Job was active longer than specified deadline"
        end = JobEnd(
            succeeded=False, reason="DeadlineExceeded", message=words, at=now, stopped=True
        )
        self.change_job(attempt, end=end)
