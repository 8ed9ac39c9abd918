"""What really happened: which Jobs were made, which programs ran, and how they ended."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.sim.kubelet import Kubelet, Process
from tests.sim.store import JOB, POD, Raw, Store, controller_uid, label
from tidegate import constants as c
from tidegate.api.identity import AttemptId


@dataclass(slots=True)
class Made:
    """A Job that was made."""

    uid: str
    attempt: AttemptId
    suspended: bool
    at: float
    """When."""
    succeeded: bool = False
    stopped: bool = False
    """Complete, Failed, or gone."""
    ended_by_us: bool = False
    """Whether the operator asked for its end."""


@dataclass(slots=True)
class Truth:
    """Everything by the uid of the Workflow that it belongs to."""

    store: Store
    kubelet: Kubelet
    now: Callable[[], float]
    jobs: dict[str, list[Made]] = field(default_factory=dict)
    owner_of: dict[str, str] = field(default_factory=dict)
    """Workflow uid by Job uid."""
    _made: dict[str, Made] = field(default_factory=dict)

    def note(self, kind: str, event: str, raw: Raw) -> None:
        """Keep up with an event; called before anything is checked."""
        if kind != JOB:
            return
        uid = raw["metadata"]["uid"]
        if event == "ADDED":
            attempt = AttemptId.from_labels(raw["metadata"]["labels"])
            if attempt is None:
                return
            owner = controller_uid(raw)
            made = Made(uid, attempt, raw["spec"].get("suspend", False), self.now())
            self.jobs.setdefault(owner, []).append(made)
            self._made[uid] = made
            self.owner_of[uid] = owner
            return
        made_before = self._made.get(uid)
        if made_before is None:
            return
        status = raw.get("status", {})
        kinds = {x["type"] for x in status.get("conditions", ())}
        annotations = raw["metadata"].get("annotations", {})
        made_before.ended_by_us |= c.ANNOTATION_END in annotations
        made_before.succeeded |= bool(status.get("succeeded"))
        made_before.stopped |= event == "DELETED" or not kinds.isdisjoint({"Complete", "Failed"})

    def made(self, owner: str, run: int | None = None) -> Iterator[Made]:
        return (x for x in self.jobs.get(owner, ()) if run in (None, x.attempt.run))

    def job(self, uid: str) -> Made | None:
        return self._made.get(uid)

    def processes(self, owner: str, node: str, run: int | None = None) -> Iterator[Process]:
        for process in self.kubelet.processes.values():
            attempt = process.attempt
            if attempt.node == node and run in (None, attempt.run) and self.owner(process) == owner:
                yield process

    def owner(self, process: Process) -> str:
        return self.owner_of.get(process.job, "")

    def living(self, owner: str, node: str) -> list[Process]:
        return [x for x in self.processes(owner, node) if x.alive]

    def succeeded(self, owner: str, node: str, run: int) -> bool:
        """Whether an attempt of the node, or one in its place, has succeeded in the run.

        A program that exits 0 when it is killed succeeds if the Job says so, unless it was the
        operator who ended it.
        """
        for process in self.processes(owner, node, run):
            well = not process.alive and process.exit_code == 0 and not process.reason
            if well and not process.killed and not process.vanished:
                return True
            job = self.job(process.job)
            if well and job is not None and job.succeeded and not job.ended_by_us:
                return True
        return False

    def over(self, made: Made) -> bool:
        """Whether nothing of the Job runs or will run."""
        if made.stopped:
            return True
        pods = [x for x in self.store.all(POD) if label(x, c.LABEL_JOB_UID) == made.uid]
        ran = [x for x in self.kubelet.processes.values() if x.job == made.uid]
        if any(x.alive for x in ran):
            return False
        return bool(pods or ran) and all(
            x["status"]["phase"] in ("Succeeded", "Failed") for x in pods
        )
