"""The real reconcile loop and ports over an API server in memory, with a kubelet of sorts."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from tests.unit.cluster.objects import KEY, FakeApi, StillClock, pod, workflow
from tidegate.api.identity import AttemptId, WorkflowKey
from tidegate.api.status import WorkflowStatus
from tidegate.cluster.book import Book
from tidegate.cluster.gate import Gate
from tidegate.cluster.hands import Hands
from tidegate.cluster.ports import Recorder
from tidegate.cluster.view import Listing, View, Wake
from tidegate.constants import ANNOTATION_VOTE
from tidegate.errors import ApiError
from tidegate.facts.job import job_fact
from tidegate.reconcile import Reconciler, World

CHAIN = {
    "nodes": [
        {"name": "a", "image": "busybox", "command": ["true"]},
        {"name": "b", "image": "busybox", "command": ["true"], "dependsOn": ["a"]},
    ]
}
RFC3339 = "%Y-%m-%dT%H:%M:%SZ"


class Quiet:
    """Teller, recorder and agenda that only keep what they are given."""

    def __init__(self) -> None:
        self.notes: list[Any] = []

    def tell(self, workflow: Any, notes: Any, observations: Any) -> None:
        self.notes += notes

    def note(self, workflow: Any, valid: Any, status: Any) -> None:
        """Nothing is logged here."""

    def find_over(self, workflow: Any, valid: Any, status: Any) -> None:
        """Nothing is logged here."""

    def find_deleted(self, workflow_uid: str) -> None:
        """Nothing is logged here."""

    def has_logged(self, workflow: Any, attempt: Any = None) -> bool:
        return True

    def wake_at(self, key: WorkflowKey, at: Any) -> None:
        """Passes are made every second anyway."""


class Cluster:
    """One Workflow, the operator, and what a Job controller and a kubelet do."""

    def __init__(self, runs_for: float = 1.0, spec: Mapping[str, Any] = CHAIN) -> None:
        self.api, self.clock = FakeApi(), StillClock()
        self.api.workflows[KEY.name] = workflow(1, spec=spec)
        self.quiet = Quiet()
        self.errors: list[ApiError] = []
        self.created: list[AttemptId] = []
        self._runs_for = timedelta(seconds=runs_for)
        self._ends: dict[str, Any] = {}
        self._versions: dict[str, str] = {}
        self.start_operator()

    def start_operator(self) -> None:
        """A process without memory takes over."""
        self.view = View()
        gate = Gate(self.view, self.clock)
        world = World(
            view=self.view,
            gate=gate,
            hands=Hands(self.api, self.view, gate, self.clock, lambda _: None),
            book=Book(self.api, self.view, lambda _: None),
            teller=self.quiet,
            recorder=self.new_recorder(),
            agenda=self.quiet,
            clock=self.clock,
        )
        self.reconciler = Reconciler(world)
        self._tell()

    def new_recorder(self) -> Recorder:
        """Who keeps the log; nobody here."""
        return self.quiet

    async def rest(self) -> None:
        """What happens between two passes."""

    @property
    def status(self) -> WorkflowStatus:
        return WorkflowStatus.model_validate(self.api.workflows[KEY.name]["status"])

    @property
    def is_over(self) -> bool:
        phase = self.status.phase
        return phase is not None and phase.is_final

    async def run(self, until: Callable[[], bool] | None = None, seconds: int = 180) -> None:
        """Pass after pass, a second each, until the run is over."""
        for _ in range(seconds):
            if self.is_over or (until is not None and until()):
                return
            await self.one_pass()
            self._work()
            self._tell()
            self.clock.advance(1)
            await self.rest()
        raise AssertionError(f"not over after {seconds} s: {self.status!r}")

    async def one_pass(self) -> None:
        """One pass; errors of the API are met as the dispatcher would: by another one."""
        try:
            await self.reconciler.reconcile(KEY)
        except ApiError as error:
            self.errors.append(error)

    async def die_in_a_pass(self) -> None:
        """A request of the pass hangs until the process is killed; another one takes over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.02):
                await self.one_pass()
        self.start_operator()

    def annotate(self, **annotations: str) -> None:
        """A person annotates the Workflow."""
        self._annotate({f"tidegate.dev/{key}": text for key, text in annotations.items()})

    def vote(self, key: str, text: str) -> None:
        """A person votes; the watch tells of it."""
        self._annotate({f"{ANNOTATION_VOTE}{key}": text})
        self._tell()

    def _annotate(self, annotations: Mapping[str, str]) -> None:
        metadata = self.api.workflows[KEY.name]["metadata"]
        metadata["annotations"] |= annotations
        metadata["resourceVersion"] = self.api.next_version()

    def _work(self) -> None:
        """Jobs get a pod, which ends by itself in time or is killed by the Job's deadline."""
        now = self.clock.at
        for raw in self.api.jobs.values():
            uid = raw["metadata"]["uid"]
            if uid not in self._ends:
                fact = job_fact(raw)
                assert fact is not None
                self.created.append(fact.attempt)
                self._ends[uid] = now + self._runs_for
                raw["status"] = {"startTime": now.strftime(RFC3339)}
                raw["metadata"]["resourceVersion"] = self.api.next_version()
                self.api.pods.append(self._pod(uid, fact.attempt, "Running"))
            if raw["spec"].get("activeDeadlineSeconds") == 1:
                self._end(raw, "Failed", "DeadlineExceeded")
            elif self._ends[uid] <= now:
                self._end(raw, "Complete", "")

    def _end(self, raw: Any, condition: str, reason: str) -> None:
        if raw["status"].get("conditions"):
            return
        uid, at = raw["metadata"]["uid"], self.clock.at.strftime(RFC3339)
        ended = {"type": condition, "status": "True", "reason": reason, "lastTransitionTime": at}
        raw["status"]["conditions"] = [ended]
        raw["metadata"]["resourceVersion"] = self.api.next_version()
        for one in self.api.pods:
            if one["metadata"]["uid"] == f"pod-{uid}":
                phase = "Succeeded" if condition == "Complete" else "Failed"
                one["status"] = {"phase": phase}
                one["metadata"]["resourceVersion"] = self.api.next_version()
                if phase == "Failed":
                    one["metadata"]["deletionTimestamp"] = at

    def _pod(self, job_uid: str, attempt: AttemptId, phase: str) -> Any:
        version = int(self.api.next_version())
        return pod(version, phase, attempt=attempt, uid=f"pod-{job_uid}", job_uid=job_uid)

    def _tell(self) -> None:
        """The watches, without lag."""
        view, api = self.view, self.api
        _list(view, view.workflow_seen, view.workflows_settled, api.workflows.values())
        _list(view, view.job_seen, view.jobs_settled, api.jobs.values())
        _list(view, view.pod_seen, view.pods_settled, api.pods)


def _list(
    view: View,
    seen: Callable[[Any], list[Wake]],
    settled: Callable[[Listing], list[Wake]],
    items: Iterable[Any],
) -> None:
    token, uids = view.token(), set[str]()
    for raw in tuple(items):
        uids.add(raw["metadata"]["uid"])
        seen(raw)
    settled(Listing(token, uids))
