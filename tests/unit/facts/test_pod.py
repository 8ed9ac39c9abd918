from typing import Any

import pytest

from tests.unit.facts.raws import at, condition, raw_pod, running, second, terminated, waiting
from tidegate.api.identity import AttemptId
from tidegate.facts.model import PodFact
from tidegate.facts.pod import pod_fact

PROXY = {"initContainers": [{"name": "proxy", "restartPolicy": "Always"}, {"name": "prepare"}]}


def fact(status: dict[str, Any] | None = None, **more: Any) -> PodFact:
    found = pod_fact(raw_pod(status, **more))
    assert found is not None
    return found


def pod(*containers: dict[str, Any], phase: str = "Running", **status: Any) -> dict[str, Any]:
    return {"phase": phase, "containerStatuses": list(containers), **status}


def test_a_new_pod() -> None:
    assert fact({"phase": "Pending"}) == PodFact(
        name="demo-extract-x-y",
        uid="pod-uid",
        job_uid="job-uid",
        attempt=AttemptId(2, "extract", 3),
        created_at=at(1),
        phase="Pending",
    )


def test_a_pod_that_is_no_job_s() -> None:
    raw = raw_pod()
    del raw["metadata"]["labels"]["batch.kubernetes.io/controller-uid"]
    assert pod_fact(raw) is None


def test_a_pod_being_evicted() -> None:
    found = fact(
        pod(
            running(),
            reason="Evicted",
            message="low on memory",
            conditions=[condition("DisruptionTarget", message="Eviction API: evicting")],
        ),
        spec={"nodeName": "n1"},
        deletionTimestamp=second(30),
    )
    assert (found.reason, found.message) == ("Evicted", "low on memory")
    assert found.disruption == "Eviction API: evicting"
    assert found.deletion_at == at(30)
    assert found.node_name == "n1"
    assert found.finished_at is None


def test_a_disruption_without_words_is_one_all_the_same() -> None:
    assert fact(pod(conditions=[condition("DisruptionTarget")])).disruption == ""
    assert fact(pod(conditions=[condition("DisruptionTarget", status="False")])).disruption is None


STARTS: dict[str, tuple[dict[str, Any], int | None, bool]] = {
    "no status": ({}, None, False),
    "waiting": (pod(waiting("ContainerCreating")), None, False),
    "running": (pod(running(since=4)), 4, True),
    "ended": (pod(terminated(0, 9, since=3)), 3, True),
    "could not be started": (
        {
            "containerStatuses": [
                {"name": "main", "state": {"terminated": {
                    "exitCode": 128, "startedAt": "1970-01-01T00:00:00Z", "finishedAt": second(3),
                    "reason": "StartError"}}}
            ]
        },
        None,
        False,
    ),
    "its kubelet lost it": (
        pod(terminated(137, None, since=None, reason="ContainerStatusUnknown",
                       message="could not be located …  The container used to be Running")),
        None,
        True,
    ),
    "its kubelet never had it": (
        pod(terminated(137, None, since=None, reason="ContainerStatusUnknown",
                       message="could not be located when the pod was terminated")),
        None,
        False,
    ),
    "only an init container started": (
        pod(waiting("PodInitializing"), initContainerStatuses=[running("prepare")]),
        None,
        True,
    ),
    "started before": (
        pod({**running(since=8), "lastState": terminated(1, 6, since=3)["state"]}),
        3,
        True,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("status", "since", "any_started"), STARTS.values(), ids=STARTS.keys())
def test_the_start(status: dict[str, Any], since: int | None, any_started: bool) -> None:
    found = fact(status)
    assert found.main_started_at == (None if since is None else at(since))
    assert found.any_started is any_started


UNSCHEDULABLE = condition(
    "PodScheduled", status="False", reason="Unschedulable", message="0/3 nodes are available"
)
BLOCKS: dict[str, tuple[dict[str, Any], str | None]] = {
    "nothing": ({"phase": "Pending"}, None),
    "no room": (
        {"phase": "Pending", "conditions": [UNSCHEDULABLE]},
        "Unschedulable: 0/3 nodes are available",
    ),
    "gated": (
        {"conditions": [condition("PodScheduled", status="False", reason="SchedulingGated")]},
        "SchedulingGated",
    ),
    "scheduled": ({"conditions": [condition("PodScheduled")]}, None),
    "just slow": (pod(waiting("ContainerCreating"), phase="Pending"), None),
    "initializing": (pod(waiting("PodInitializing"), phase="Pending"), None),
    **{
        reason: (pod(waiting(reason, "in its words"), phase="Pending"), f"{reason}: in its words")
        for reason in (
            "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull",
            "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
        )
    },
    "a helper's image": (
        pod(running(), waiting("ErrImagePull", "no", "helper")),
        "ErrImagePull: no",
    ),
    "an init container first": (
        pod(
            waiting("ImagePullBackOff", "main's"),
            initContainerStatuses=[waiting("ErrImagePull", "prepare's", "prepare")],
        ),
        "ErrImagePull: prepare's",
    ),
    "over, and it never could": (pod(waiting("ErrImagePull"), phase="Failed"), "ErrImagePull"),
}  # fmt: skip


@pytest.mark.parametrize(("status", "expected"), BLOCKS.values(), ids=BLOCKS.keys())
def test_why_it_cannot_start(status: dict[str, Any], expected: str | None) -> None:
    assert fact(status).blocked == expected


FAILURES: dict[str, tuple[dict[str, Any], tuple[str, int] | None]] = {
    "none": (pod(terminated(0, 9)), None),
    "main": (pod(terminated(3, 9)), ("main", 3)),
    "the first one": (pod(terminated(3, 9), terminated(4, 8, "helper")), ("helper", 4)),
    "main, if at once": (pod(terminated(4, 9, "helper"), terminated(3, 9)), ("main", 3)),
    "one with a known end": (pod(terminated(137, None), terminated(4, 9, "helper")), ("helper", 4)),
    "an init container": (
        pod(waiting("PodInitializing"), initContainerStatuses=[terminated(5, 7, "prepare")]),
        ("prepare", 5),
    ),
    "never a sidecar": (
        pod(terminated(0, 6), initContainerStatuses=[terminated(9, 7, "proxy")]),
        None,
    ),
}


@pytest.mark.parametrize(("status", "expected"), FAILURES.values(), ids=FAILURES.keys())
def test_who_failed_first(status: dict[str, Any], expected: tuple[str, int] | None) -> None:
    failed = fact(status, spec=PROXY).failed
    assert (failed and (failed.name, failed.exit_code)) == expected


def test_how_main_ended() -> None:
    end = fact(pod(terminated(137, 9, reason="OOMKilled", message="rows: 3"))).main
    assert end is not None
    assert (end.exit_code, end.reason, end.message) == (137, "OOMKilled", "rows: 3")
    assert (end.started_at, end.finished_at) == (at(2), at(9))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (pod(running(), running("helper")), ()),
        (pod(terminated(0, 5), running("helper"), running("other")), ("helper", "other")),
        (pod(terminated(0, 5), terminated(0, 5, "helper")), ()),
        (pod(terminated(0, 5), initContainerStatuses=[running("proxy")]), ()),
        (pod(running("helper")), ()),
    ],
)
def test_helpers_that_run_on(status: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert fact(status, spec=PROXY).helpers_running == expected


READY_TO_START = condition("PodReadyToStartContainers", status="False", when=20)
NOT_READY = condition("Ready", status="False", when=11)
FINISHES: dict[str, tuple[dict[str, Any], int | None]] = {
    "running": (pod(running()), None),
    "its containers ended, the pod has not": (pod(terminated(0, 5), phase="Running"), None),
    "one container": (pod(terminated(0, 5), phase="Succeeded", conditions=[NOT_READY]), 5),
    "the last of several": (
        pod(
            terminated(0, 5),
            terminated(1, 8, "helper"),
            phase="Failed",
            initContainerStatuses=[terminated(0, 9, "proxy")],
        ),
        9,
    ),
    "no container at all": ({"phase": "Failed", "conditions": [NOT_READY, READY_TO_START]}, 11),
    "rejected by its kubelet": ({"phase": "Failed", "startTime": second(4)}, 4),
    "evicted, one without an end": (
        pod(
            terminated(0, 5),
            terminated(137, None, "helper"),
            phase="Failed",
            conditions=[NOT_READY],
        ),
        11,
    ),
    "never started container": (
        pod(waiting("ContainerCreating"), phase="Failed", conditions=[NOT_READY]),
        11,
    ),
    "its deadline struck before anything started": (
        pod(
            waiting("ErrImagePull"),
            phase="Failed",
            reason="DeadlineExceeded",
            startTime=second(10),
            conditions=[NOT_READY],
        ),
        15,
    ),
    "nothing is known": ({"phase": "Failed"}, None),
}


@pytest.mark.parametrize(("status", "expected"), FINISHES.values(), ids=FINISHES.keys())
def test_when_it_finished(status: dict[str, Any], expected: int | None) -> None:
    found = fact(status, spec={"activeDeadlineSeconds": 5})
    assert found.finished_at == (None if expected is None else at(expected))
