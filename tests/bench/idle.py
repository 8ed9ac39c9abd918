"""What the operator takes while nothing happens: memory with many finished Workflows, and writes.

1,000 Workflows of 10 nodes can't be run for this (the Job controller ends three Jobs a second), so
while the operator is away they are made as they lie there after their end: Workflows, Jobs and pods
with their final status, which no controller has anything to do with any more.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from tests.bench.figures import Figures
from tests.kit.client import Client, Object
from tests.kit.cluster import ACCOUNT, Cluster
from tests.kit.space import Space, workflow
from tidegate.api.identity import AttemptId
from tidegate.api.model import format_time
from tidegate.api.status import JobRef, NodePhase, NodeStatus, Phase, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow, validate
from tidegate.build.job import job_manifest
from tidegate.cluster.book import as_stored
from tidegate.constants import LABEL_JOB_UID
from tidegate.engine.model import Start
from tidegate.engine.run_begin import begin
from tidegate.facts.workflow import workflow_fact

QUIET = 60.0
SETTLE = 120
THREADS = 12
NOW = datetime.now(UTC)
TIME = format_time(NOW.replace(microsecond=0))


def measure(cluster: Cluster, count: int, nodes: int) -> None:
    """Print resident memory before and after, and the writes of a quiet minute."""
    print(f"resident before: {Figures.read(cluster).resident:.0f} MiB")
    cluster.scale_operator(0)
    space = Space.make(cluster, "idle")
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda n: _finished(space, f"flow-{n}", nodes), range(count)))
        cluster.scale_operator(1)
        _wait_until_known(cluster, count)
        threading.Event().wait(QUIET)
        first = Figures.read(cluster)
        threading.Event().wait(QUIET)
        second = Figures.read(cluster)
    finally:
        cluster.scale_operator(1)
        space.discard()
    print(f"resident with {count} finished Workflows of {nodes} nodes: {second.resident:.0f} MiB")
    print(f"writes in {QUIET:.0f} quiet seconds: {dict(second.writes() - first.writes())}")
    print(f"CPU in {QUIET:.0f} quiet seconds: {second.cpu - first.cpu:.2f} s")


def _wait_until_known(cluster: Cluster, count: int) -> None:
    tick = threading.Event()
    for _ in range(SETTLE):
        if Figures.read(cluster).total("tidegate_workflows", phase="Succeeded") >= count:
            return
        tick.wait(1.0)
    raise TimeoutError("the operator doesn't know of all Workflows")


def _finished(space: Space, name: str, nodes: int) -> None:
    """A Workflow that has succeeded, with its Jobs and pods."""
    spec = {"nodes": [{"name": f"n{i}", "command": ["/bin/true"]} for i in range(nodes)]}
    raw = space.add("workflows", workflow(spec, name))
    valid = validate(workflow_fact(raw))
    status = begin(valid, WorkflowStatus(), NOW)
    done = {node: _done(space, valid, node, status.nodes[node]) for node in valid.tasks}
    status = status.model_copy(
        update={"phase": Phase.SUCCEEDED, "finished_at": NOW, "nodes": done, "progress": "10/10"}
    )
    _operator(space).patch("workflows", space.name, name, {"status": as_stored(status)}, "status")


def _operator(space: Space) -> Client:
    """All rights under the operator's name: the admission policies let nobody else write these."""
    return space.client.impersonating(ACCOUNT, ("system:masters",))


def _done(space: Space, valid: ValidatedWorkflow, node: str, before: NodeStatus) -> NodeStatus:
    manifest = job_manifest(valid, Start(AttemptId(1, node, 1)))
    manifest["spec"]["managedBy"] = "tests.tidegate.dev/bench"
    job = _operator(space).create("jobs", space.name, manifest)
    _job_ends(space, job)
    _pod_has_run(space, job)
    return before.model_copy(
        update={
            "phase": NodePhase.SUCCEEDED,
            "attempt": 1,
            "job": JobRef(name=job["metadata"]["name"], uid=job["metadata"]["uid"], run=1),
            "started_at": NOW,
            "finished_at": NOW,
            "exit_code": 0,
        }
    )


def _job_ends(space: Space, job: Object) -> None:
    met = {"status": "True", "lastTransitionTime": TIME, "lastProbeTime": TIME}
    status = {
        "startTime": TIME,
        "completionTime": TIME,
        "succeeded": 1,
        "conditions": [{"type": kind, **met} for kind in ("SuccessCriteriaMet", "Complete")],
    }
    name = job["metadata"]["name"]
    space.client.patch("jobs", space.name, name, {"status": status}, "status")


def _pod_has_run(space: Space, job: Object) -> None:
    name, uid = job["metadata"]["name"], job["metadata"]["uid"]
    template = job["spec"]["template"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid, "controller": True}
    metadata = {
        "name": f"{name}-x",
        "labels": {**template["metadata"]["labels"], LABEL_JOB_UID: uid},
        "ownerReferences": [owner],
    }
    gates = [{"name": "tests.tidegate.dev/bench"}]
    pod = {"metadata": metadata, "spec": {**template["spec"], "schedulingGates": gates}}
    _operator(space).create("pods", space.name, pod)
    ended = {"exitCode": 0, "reason": "Completed", "startedAt": TIME, "finishedAt": TIME}
    main = {
        "name": "main", "image": "busybox:1.36", "imageID": "", "ready": False,
        "restartCount": 0, "state": {"terminated": ended},
    }  # fmt: skip
    status = {"phase": "Succeeded", "containerStatuses": [main]}
    space.client.patch("pods", space.name, f"{name}-x", {"status": status}, "status")
