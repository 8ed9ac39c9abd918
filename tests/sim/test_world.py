"""The cluster in memory behaves as kubernetes-facts.md says of the real one."""

import pytest

from tests.sim.clock import Time
from tests.sim.garbage import Collector
from tests.sim.jobs import JobController
from tests.sim.kubelet import Kubelet
from tests.sim.store import JOB, POD, WORKFLOW, Raw, Store, merge_patch
from tests.sim.world import Climate, Program, Trace, World
from tidegate.api.identity import AttemptId

_RULES = [
    {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    {
        "action": "FailJob",
        "onExitCodes": {"containerName": "main", "operator": "NotIn", "values": [0]},
    },
]


class Cluster:
    def __init__(self, program: Program) -> None:
        time = Time(7, 3600.0)
        self.store = Store(time)
        self.world = World(time, self.store, Trace(time), Climate(), lambda *_: program)
        self.kubelet = Kubelet(self.world)
        self.collector = Collector(self.world)
        JobController(self.world)

    def job(self) -> None:
        labels = AttemptId(1, "n", 1).labels("flow")
        spec = {
            "backoffLimit": 0,
            "podFailurePolicy": {"rules": _RULES},
            "template": {"metadata": {"labels": labels}, "spec": {}},
        }
        workflow = self.store.create(WORKFLOW, {"metadata": {"name": "flow"}, "spec": {}})
        owner = [{"uid": workflow["metadata"]["uid"], "controller": True}]
        metadata = {"name": "job", "labels": labels, "ownerReferences": owner}
        self.store.create(JOB, {"metadata": metadata, "spec": spec, "status": {}})

    def patch(self, **spec: object) -> None:
        self.store.update(JOB, merge_patch(self.store.find(JOB, "job"), {"spec": spec}))

    def after(self, seconds: float) -> Raw:
        loop = self.world.time.loop
        loop.call_at(loop.elapsed + seconds, loop.stop)
        loop.run_forever()
        return self.store.get(JOB, "job") or {}


def _ended(job: Raw) -> list[tuple[str, str]]:
    return [(x["type"], x["reason"]) for x in job["status"].get("conditions", ())]


def test_a_program_that_fails_leaves_its_exit_code_in_the_job() -> None:
    cluster = Cluster(Program(1.0, 42))
    cluster.job()
    job = cluster.after(60)
    assert _ended(job) == [("FailureTarget", "PodFailurePolicy"), ("Failed", "PodFailurePolicy")]
    assert (
        "failed with exit code 42 matching FailJob rule"
        in job["status"]["conditions"][0]["message"]
    )


def test_a_deadline_patched_to_one_second_stops_the_pod_and_keeps_the_job() -> None:
    cluster = Cluster(Program(1000.0))
    cluster.job()
    cluster.after(20)
    cluster.patch(activeDeadlineSeconds=1)
    job = cluster.after(10)
    assert ("Failed", "DeadlineExceeded") in _ended(job)
    assert not any(process.alive for process in cluster.kubelet.processes.values())


def test_a_success_can_be_reported_as_a_deadline() -> None:
    cluster = Cluster(Program(5.0))
    cluster.job()
    while not any(not process.alive for process in cluster.kubelet.processes.values()):
        cluster.after(0.05)
    cluster.patch(activeDeadlineSeconds=1)
    job = cluster.after(60)
    assert ("Failed", "DeadlineExceeded") in _ended(job)
    assert job["status"]["succeeded"] == 1


def test_a_suspended_job_starts_a_second_pod_when_it_is_resumed() -> None:
    cluster = Cluster(Program(1000.0, term="succeeds"))
    cluster.job()
    cluster.after(20)
    cluster.patch(suspend=True)
    job = cluster.after(20)
    assert "startTime" not in job["status"]
    assert not list(cluster.store.all(POD))
    cluster.patch(suspend=False)
    cluster.after(20)
    assert len(cluster.kubelet.processes) == 2


@pytest.mark.parametrize("way", ["Foreground", "Background"])
def test_deleting_a_job_stops_its_pod(way: str) -> None:
    cluster = Cluster(Program(1000.0))
    cluster.job()
    job = cluster.after(20)
    cluster.collector.delete_job(job, "Foreground" if way == "Foreground" else "Background")
    assert cluster.after(60) == {}
    assert not list(cluster.store.all(POD))


def test_an_orphaned_pod_runs_on() -> None:
    cluster = Cluster(Program(1000.0))
    cluster.job()
    cluster.collector.delete_job(cluster.after(20), "Orphan")
    cluster.after(60)
    assert [process.alive for process in cluster.kubelet.processes.values()] == [True]


def test_a_disruption_beats_the_exit_code() -> None:
    cluster = Cluster(Program(1000.0))
    cluster.job()
    cluster.after(20)
    cluster.kubelet.evict(next(cluster.store.all(POD)), "drained")
    job = cluster.after(60)
    assert "DisruptionTarget" in job["status"]["conditions"][0]["message"]
