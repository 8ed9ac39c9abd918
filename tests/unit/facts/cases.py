"""What is recorded of a real cluster: nodes, and the moments at which their Jobs are saved."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

IMAGE = "busybox:1.36"
NAMESPACE = "tidegate-facts"

Json = dict[str, Any]
Moment = Callable[[Json, list[Json], list[Json]], object]
"""Whether it has come, by the Job, its pods and its Events."""


@dataclass(frozen=True)
class Case:
    """A node, and what is done and waited for."""

    node: Json
    steps: tuple[tuple[str, Moment], ...]
    """Moments in order, by name."""
    job: Json = field(default_factory=dict)
    """Fields of the Job's spec that aren't the operator's."""
    acts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """kubectl arguments to run after a moment was saved; ``JOB`` and ``POD`` are replaced."""
    quota: bool = False
    restricted: bool = False


def condition(kind: str) -> Moment:
    return lambda job, _pods, _events: any(
        one["type"] == kind and one["status"] == "True"
        for one in job.get("status", {}).get("conditions", ())
    )


def statuses(pods: list[Json]) -> Iterator[Json]:
    for pod in pods:
        status = pod.get("status", {})
        yield from status.get("initContainerStatuses", ())
        yield from status.get("containerStatuses", ())


def waits(reason: str) -> Moment:
    return lambda _job, pods, _events: any(
        one["state"].get("waiting", {}).get("reason") == reason for one in statuses(pods)
    )


def runs(container: str = "main") -> Moment:
    return lambda _job, pods, _events: any(
        one["name"] == container and "running" in one["state"] for one in statuses(pods)
    )


def ended(container: str = "main") -> Moment:
    return lambda _job, pods, _events: any(
        one["name"] == container and "terminated" in one["state"] for one in statuses(pods)
    )


def phase(name: str) -> Moment:
    return lambda _job, pods, _events: any(pod["status"]["phase"] == name for pod in pods)


def unscheduled(reason: str) -> Moment:
    return lambda _job, pods, _events: any(
        one["type"] == "PodScheduled" and one.get("reason") == reason
        for pod in pods
        for one in pod["status"].get("conditions", ())
    )


def event(reason: str) -> Moment:
    return lambda _job, _pods, events: any(one["reason"] == reason for one in events)


def terminating(_job: Json, pods: list[Json], _events: list[Json]) -> bool:
    return any("deletionTimestamp" in pod["metadata"] for pod in pods)


def created(job: Json, _pods: list[Json], _events: list[Json]) -> bool:
    return bool(job)


def suspended(job: Json, _pods: list[Json], _events: list[Json]) -> bool:
    return condition("Suspended")(job, [], []) is True


COMPLETE, FAILED = condition("Complete"), condition("Failed")
FAILURE = (("target", condition("FailureTarget")), ("failed", FAILED))
END = ("patch", "job", "JOB", "--type=merge", "-p")
END_PATCH = {
    "metadata": {"annotations": {"tidegate.dev/end": "Cancelled"}},
    "spec": {"activeDeadlineSeconds": 1},
}
SLEEP = {"command": ["sleep", "600"]}
PATIENT = "trap 'sleep 4; exit 0' TERM; sleep 600 & wait"


def pod(**spec: Any) -> Json:
    return {"template": {"spec": spec}}


CASES: dict[str, Case] = {
    "success": Case(
        {"script": "sleep 3"}, (("running", runs()), ("pod-ended", ended()), ("complete", COMPLETE))
    ),
    "exit-3": Case(
        {"script": "echo no >/dev/termination-log; exit 3"}, (("pod-ended", ended()), *FAILURE)
    ),
    "oom": Case(
        {"command": ["tail", "/dev/zero"], "resources": {"limits": {"memory": "16Mi"}}},
        (("pod-ended", ended()), ("failed", FAILED)),
    ),
    "image-missing": Case(
        {"image": "localhost/missing:1"},
        (("pull", waits("ErrImagePull")), ("back-off", waits("ImagePullBackOff"))),
    ),
    "image-name": Case({"image": "Not:a:name"}, (("waiting", waits("InvalidImageName")),)),
    "image-never": Case(
        {
            "image": "localhost/missing:2",
            **pod(containers=[{"name": "main", "imagePullPolicy": "Never"}]),
        },
        (("waiting", waits("ErrImageNeverPull")),),
    ),
    "unschedulable": Case(
        {**SLEEP, **pod(nodeSelector={"size": "giant"})},
        (("waiting", unscheduled("Unschedulable")),),
    ),
    "gated": Case(
        {**SLEEP, **pod(schedulingGates=[{"name": "example.com/wait"}])},
        (("waiting", unscheduled("SchedulingGated")),),
    ),
    "timeout": Case(
        {**SLEEP, "timeout": "4s"}, (("pod-ended", phase("Failed")), ("failed", FAILED))
    ),
    "timeout-polite": Case(
        {"script": "trap 'exit 0' TERM; sleep 600 & wait", "timeout": "4s"},
        (("pod-ended", phase("Failed")), ("failed", FAILED)),
    ),
    "timeout-before-start": Case(
        {"image": "localhost/missing:3", "timeout": "5s"},
        (("pod-ended", phase("Failed")), ("failed", FAILED)),
    ),
    "timeout-unscheduled": Case(
        {**SLEEP, "timeout": "1s", "startTimeout": "1s", **pod(nodeSelector={"size": "giant"})},
        (("target", condition("FailureTarget")), ("failed", FAILED)),
    ),
    "ended": Case(
        {"script": PATIENT},
        (("running", runs()), ("terminating", terminating), ("failed", FAILED)),
        acts={"running": (*END, json.dumps(END_PATCH))},
    ),
    "ended-before-start": Case(
        {**SLEEP, **pod(nodeSelector={"size": "giant"})},
        (("waiting", unscheduled("Unschedulable")), ("failed", FAILED)),
        acts={"waiting": (*END, json.dumps(END_PATCH))},
    ),
    "suspended": Case({**SLEEP}, (("suspended", suspended),), job={"suspend": True}),
    "suspended-midway": Case(
        {"script": PATIENT},
        (("running", runs()), ("terminating", terminating), ("suspended", suspended)),
        acts={"running": (*END, json.dumps({"spec": {"suspend": True}}))},
    ),
    "secret-missing": Case(
        {
            **SLEEP,
            "env": [{"name": "T", "valueFrom": {"secretKeyRef": {"name": "none", "key": "t"}}}],
        },
        (("waiting", waits("CreateContainerConfigError")),),
    ),
    "program-missing": Case(
        {"command": ["/no/such/program"]}, (("pod-ended", ended()), ("failed", FAILED))
    ),
    "init-fails": Case(
        {
            **SLEEP,
            **pod(
                initContainers=[
                    {"name": "prepare", "image": IMAGE, "command": ["sh", "-c", "exit 4"]}
                ]
            ),
        },
        (("pod-ended", phase("Failed")), ("failed", FAILED)),
    ),
    "sidecar": Case(
        {
            "script": "sleep 3",
            **pod(
                initContainers=[
                    {
                        "name": "proxy",
                        "image": IMAGE,
                        "restartPolicy": "Always",
                        "command": ["sh", "-c", "trap 'sleep 2; exit 9' TERM; sleep 600 & wait"],
                    }
                ]
            ),
        },
        (("running", runs()), ("main-ended", ended()), ("complete", COMPLETE)),
    ),
    "sidecar-crashes": Case(
        {
            **SLEEP,
            **pod(
                initContainers=[
                    {
                        "name": "proxy",
                        "image": IMAGE,
                        "restartPolicy": "Always",
                        "command": ["sh", "-c", "exit 5"],
                        "startupProbe": {"exec": {"command": ["false"]}},
                    }
                ]
            ),
        },
        (("waiting", waits("CrashLoopBackOff")),),
    ),
    "helper": Case(
        {
            "script": "exit 1",
            **pod(
                containers=[
                    {"name": "helper", "image": IMAGE, "command": ["sh", "-c", "sleep 6; exit 2"]}
                ]
            ),
        },
        (("main-ended", ended()), ("failed", FAILED)),
    ),
    "quota": Case({**SLEEP}, (("refused", event("FailedCreate")),), quota=True),
    "pod-security": Case({**SLEEP}, (("refused", event("FailedCreate")),), restricted=True),
    "deleted": Case(
        {"script": PATIENT},
        (("running", runs()), ("terminating", terminating), ("pod-ended", ended())),
        acts={"running": ("delete", "job", "JOB", "--cascade=foreground", "--wait=false")},
    ),
    "pod-deleted": Case(
        {"script": PATIENT},
        (("running", runs()), ("terminating", terminating), ("complete", COMPLETE)),
        acts={"running": ("delete", "pod", "POD", "--wait=false")},
    ),
    "evicted": Case(
        {"script": "trap 'exit 7' TERM; sleep 600 & wait"},
        (("running", runs()), ("terminating", terminating), ("failed", FAILED)),
        acts={
            "running": (
                "create",
                "--raw",
                f"/api/v1/namespaces/{NAMESPACE}/pods/POD/eviction",
                "-f",
                "-",
            )
        },
    ),
    "evicted-polite": Case(
        {"script": PATIENT},
        (("running", runs()), ("terminating", terminating), ("complete", COMPLETE)),
        acts={
            "running": (
                "create",
                "--raw",
                f"/api/v1/namespaces/{NAMESPACE}/pods/POD/eviction",
                "-f",
                "-",
            )
        },
    ),
    "rejected": Case(
        {**SLEEP, **pod(nodeName="NODE", nodeSelector={"size": "giant"})},
        (("pod-ended", phase("Failed")), ("failed", FAILED)),
    ),
    "volume-missing": Case(
        {
            **SLEEP,
            **pod(volumes=[{"name": "v", "configMap": {"name": "none"}}]),
            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        },
        (("waiting", waits("ContainerCreating")),),
    ),
}
