"""What happens to Jobs, pods and machines, from outside: evictions, Kueue, lost nodes, people."""

import random
from collections.abc import Callable

from tests.sim.garbage import WAYS, Collector
from tests.sim.kubelet import Kubelet, Process
from tests.sim.store import JOB, POD, Raw, is_deleting, label, with_spec, with_status
from tests.sim.world import World
from tidegate import constants as c

_OVER = ("Succeeded", "Failed")


class Trouble:
    """Does something unkind ``count`` times."""

    def __init__(
        self, world: World, kubelet: Kubelet, collector: Collector, chance: random.Random
    ) -> None:
        self._world = world
        self._store = world.store
        self._kubelet = kubelet
        self._collector = collector
        self._chance = chance
        self.destroyed: set[str] = set()
        """uids of Jobs that people deleted, or whose pods they did."""
        self.orphaned: set[str] = set()
        """Those whose pods they left running."""
        self.suspended: set[str] = set()
        """Jobs that Kueue suspended while they ran."""
        self.disrupted = kubelet.disrupted
        self.lost_for_good = False
        self.only_nodes = False
        """Whether nothing happens but machines going away."""
        world.store.listeners.append(self._on_event)

    def begin(self, count: int) -> None:
        for _ in range(count):
            self._world.time.after(self._chance.uniform(0.5, 40.0), self._strike, 5)

    def _on_event(self, kind: str, event: str, raw: Raw, _old: Raw | None) -> None:
        """Kueue lets a Job go that its webhook suspended."""
        if kind == JOB and event == "ADDED" and raw["spec"].get("suspend"):
            self._resume_later(raw)

    def _strike(self, tries: int) -> None:
        deeds: list[tuple[Callable[[], bool], int]] = [
            (self._evict, 3),
            (self._delete_pod, 2),
            (self._delete_job, 3),
            (self._lose_node, 2),
            (self._suspend_job, 2),
            (self._clear_pods, 2),
        ]
        if self.only_nodes:
            deeds = [(self._lose_node, 3), (self._clear_pods, 1)]
        deed = self._chance.choices([x for x, _ in deeds], [x for _, x in deeds])[0]
        if not deed() and tries:
            self._world.time.after(self._chance.uniform(0.2, 5.0), self._strike, tries - 1)

    def _pod(self) -> Raw | None:
        pods = [x for x in self._store.all(POD) if x["status"]["phase"] not in _OVER]
        return self._chance.choice(pods) if pods else None

    def _job(self) -> Raw | None:
        jobs = [x for x in self._store.all(JOB) if not is_deleting(x)]
        return self._chance.choice(jobs) if jobs else None

    def _evict(self) -> bool:
        pod = self._pod()
        if pod is not None:
            self._kubelet.evict(pod, "drained", rejected=self._chance.random() < 0.3)
        return pod is not None

    def _delete_pod(self) -> bool:
        pod = self._pod()
        if pod is None:
            return False
        grace = self._chance.choice((0, self._world.climate.grace))
        self._world.trace.add("hand", "deletes pod", pod["metadata"]["name"], grace)
        self.destroyed.add(label(pod, c.LABEL_JOB_UID))
        self._collector.delete_pod(pod, grace)
        return True

    def _delete_job(self) -> bool:
        job = self._job()
        if job is None:
            return False
        way = self._chance.choice(WAYS)
        self._world.trace.add("hand", "deletes job", job["metadata"]["name"], way)
        self.destroyed.add(job["metadata"]["uid"])
        if way == "Orphan":
            self.orphaned.add(job["metadata"]["uid"])
        self._collector.delete_job(job, way)
        return True

    def _lose_node(self) -> bool:
        living = [x for x in self._kubelet.processes.values() if x.alive and not x.lost]
        if not living:
            return False
        process = self._chance.choice(living)
        self._kubelet.lose(process)
        fate = self._chance.random()
        after = self._chance.uniform(5, 400)
        if fate < 0.5:
            self._world.time.after(after, self._kubelet.regain, process)
        elif fate < 0.9:
            self._world.time.after(after, self._destroy, process)
        else:
            self.lost_for_good = True
        return True

    def _destroy(self, process: Process) -> None:
        self._kubelet.destroy(process)

    def _clear_pods(self) -> bool:
        """Pod garbage collection: pods that are over go, their Jobs stay."""
        over = [x for x in self._store.all(POD) if x["status"]["phase"] in _OVER]
        for pod in over:
            self.destroyed.add(label(pod, c.LABEL_JOB_UID))
            self._world.trace.add("podgc", "clears", pod["metadata"]["name"])
            self._collector.delete_pod(pod, 0)
        return bool(over)

    def _suspend_job(self) -> bool:
        job = self._job()
        if job is None or job["spec"].get("suspend") or _is_over(job):
            return False
        self._world.trace.add("kueue", "suspends", job["metadata"]["name"])
        self.suspended.add(job["metadata"]["uid"])
        self._store.update(JOB, with_spec(job, suspend=True))
        self._resume_later(job)
        return True

    def _resume_later(self, job: Raw) -> None:
        name, uid = job["metadata"]["name"], job["metadata"]["uid"]
        self._world.time.after(self._chance.uniform(1, 40), self._resume, name, uid)

    def _resume(self, name: str, uid: str) -> None:
        job = self._store.live(JOB, name, uid)
        if job is not None and not is_deleting(job) and not _is_over(job):
            self._world.trace.add("kueue", "resumes", name)
            fresh = with_status(with_spec(job, suspend=False), startTime=None)
            self._store.update(JOB, fresh)


def _is_over(job: Raw) -> bool:
    return any(
        x["type"] in ("Complete", "Failed") for x in job.get("status", {}).get("conditions", ())
    )
