"""Facts of Kubernetes that the operator's rules rest on, tried on the cluster without any operator.

The Jobs of all tests are made at once, as most of the time goes by waiting for pods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import SPACES
from tests.kit.client import ApiError, Object, Query
from tests.kit.cluster import Cluster
from tests.kit.run import instant
from tests.kit.space import Space
from tests.kit.waiting import wait_for, wait_for_one, wait_gone

pytestmark = pytest.mark.integration

JOB = "job"
FOR_EVER = "sleep 3600"
EXITS_NICELY = "trap 'exit 0' TERM; sleep 3600 & wait"


def job(script: str, **spec: Any) -> Object:
    main = {"name": "main", "image": "busybox:1.36", "command": ["/bin/sh", "-ec", script]}
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [main]}
    body = {"backoffLimit": 0, "podReplacementPolicy": "Failed", "template": {"spec": pod}, **spec}
    return {"metadata": {"name": JOB}, "spec": body}


@pytest.fixture(scope="module")
def made(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Space]]:
    """A namespace for each test that is marked `job`, with its Job under way."""
    spaces: dict[str, Space] = {}
    for item in request.session.items:
        mark = item.get_closest_marker("job")
        if mark is not None and item.path == request.path:
            space = spaces[item.nodeid] = Space.make(cluster, item.name)
            item.stash.setdefault(SPACES, []).append(space)
            for resource, body in mark.kwargs.get("before", ()):
                space.add(resource, body)
            space.add("jobs", mark.args[0])
    yield spaces.__getitem__
    for space in spaces.values():
        space.discard()


@pytest.fixture
def place(made: Callable[[str], Space], request: pytest.FixtureRequest) -> Space:
    return made(request.node.nodeid)


def pods(space: Space) -> Query:
    return Query("pods", space.name)


def wait_running(space: Space) -> Object:
    found = wait_for(
        space.client,
        pods(space),
        lambda seen: any(pod["status"].get("phase") == "Running" for pod in seen.values()),
        "the pod runs",
        60,
    )
    return next(iter(found.values()))


def conditions(found: Object) -> dict[str, Object]:
    listed = (found.get("status") or {}).get("conditions") or []
    return {c["type"]: c for c in listed if c["status"] == "True"}


def wait_condition(space: Space, kind: str, seconds: float = 30) -> Object:
    return wait_for_one(
        space.client,
        Query("jobs", space.name, JOB),
        lambda found: kind in conditions(found),
        f"the Job {kind}",
        seconds,
    )


def end(space: Space) -> None:
    uid = space.client.get("jobs", space.name, JOB)["metadata"]["uid"]
    patch = {"metadata": {"uid": uid}, "spec": {"activeDeadlineSeconds": 1}}
    space.client.patch("jobs", space.name, JOB, patch)


@pytest.mark.job(job(FOR_EVER))
def test_a_patched_deadline_ends_a_running_job_and_leaves_it_as_the_record(place: Space) -> None:
    wait_running(place)
    end(place)
    failed = conditions(wait_condition(place, "Failed"))["Failed"]
    assert failed["reason"] == "DeadlineExceeded"
    assert not [
        pod for pod in place.client.list(pods(place)) if pod["status"]["phase"] == "Running"
    ]


@pytest.mark.job(job(FOR_EVER, suspend=True))
def test_a_patched_deadline_does_not_end_a_suspended_job(place: Space) -> None:
    wait_condition(place, "Suspended")
    end(place)
    found = place.client.get("jobs", place.name, JOB)
    assert "startTime" not in found["status"]
    place.client.patch("jobs", place.name, JOB, {"metadata": {"labels": {"seen": "yes"}}})
    assert "Failed" not in conditions(place.client.get("jobs", place.name, JOB))


@pytest.mark.job(job(FOR_EVER))
def test_a_bare_delete_of_a_job_orphans_its_pod(place: Space) -> None:
    pod = wait_running(place)
    place.client.delete("jobs", place.name, JOB)
    orphan = wait_for_one(
        place.client,
        Query("pods", place.name, pod["metadata"]["name"]),
        lambda found: not found["metadata"].get("ownerReferences"),
        "a pod without owner",
    )
    assert orphan["status"]["phase"] == "Running"
    assert "deletionTimestamp" not in orphan["metadata"]
    uid = pod["metadata"]["ownerReferences"][0]["uid"]
    assert orphan["metadata"]["labels"]["batch.kubernetes.io/controller-uid"] == uid


@pytest.mark.job(job(FOR_EVER))
def test_a_foreground_delete_keeps_the_job_until_its_pod_is_gone(place: Space) -> None:
    wait_running(place)
    place.client.delete("jobs", place.name, JOB, propagationPolicy="Foreground")
    wait_gone(place.client, Query("jobs", place.name, JOB))
    assert place.client.list(pods(place)) == []


QUOTA = {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}


@pytest.mark.job(job("true"), before=[("resourcequotas", QUOTA)])
def test_a_pod_quota_lets_the_job_pass_and_refuses_its_pod_in_an_event(place: Space) -> None:
    words = _failed_create(place)
    assert "exceeded quota" in words
    assert place.client.get("jobs", place.name, JOB)["status"].get("startTime")
    end(place)
    assert conditions(wait_condition(place, "Failed"))["Failed"]["reason"] == "DeadlineExceeded"


@pytest.mark.job(job("true"), before=[("limitranges", {"metadata": {"name": "unused"}, "spec": {
    "limits": [{"type": "Pod", "max": {"cpu": "1m"}}]}})])  # fmt: skip
def test_an_admission_plugin_that_refuses_the_pod_tells_so_in_the_jobs_event(place: Space) -> None:
    assert "forbidden" in _failed_create(place)


def _failed_create(space: Space) -> str:
    events = wait_for(
        space.client,
        Query("events", space.name, fields="reason=FailedCreate"),
        bool,
        "an event FailedCreate",
    )
    return str(next(iter(events.values()))["message"])


def test_a_job_quota_refuses_the_job_itself(own: Space) -> None:
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/jobs.batch": "0"}}}
    own.add("resourcequotas", quota)
    wait_for_one(
        own.client,
        Query("resourcequotas", own.name, "none"),
        lambda found: (found.get("status") or {}).get("hard"),
        "the quota counted",
    )
    with pytest.raises(ApiError, match="exceeded quota") as refusal:
        own.add("jobs", job("true"))
    assert refusal.value.status == 403


def test_strict_validation_refuses_a_typo_in_a_pod_template(own: Space) -> None:
    body = job("true")
    body["spec"]["template"]["spec"]["nodeSelectr"] = {}
    path = f"/apis/batch/v1/namespaces/{own.name}/jobs?fieldValidation=Strict"
    with pytest.raises(ApiError, match=r'unknown field "spec.template.spec.nodeSelectr"'):
        own.client.send("POST", path, body)


POLICY = {"rules": [
    {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    {"action": "FailJob",
     "onExitCodes": {"containerName": "main", "operator": "NotIn", "values": [0]}},
]}  # fmt: skip


@pytest.mark.job(job("exit 42", podFailurePolicy=POLICY))
def test_the_job_records_the_exit_code_of_main(place: Space) -> None:
    failed = conditions(wait_condition(place, "Failed", 60))["Failed"]
    assert failed["reason"] == "PodFailurePolicy"
    assert failed["message"].startswith("Container main for pod")
    assert "failed with exit code 42" in failed["message"]


@pytest.mark.job(job(FOR_EVER, podFailurePolicy=POLICY))
def test_an_evicted_pod_is_marked_and_its_job_says_so(place: Space) -> None:
    pod = wait_running(place)
    meta = {"name": pod["metadata"]["name"], "namespace": place.name}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
    place.client.create("pods", place.name, eviction, "eviction")
    assert "DisruptionTarget" in conditions(wait_condition(place, "Failed"))["Failed"]["message"]


@pytest.mark.job(job(EXITS_NICELY))
def test_a_program_that_exits_zero_when_its_pod_is_deleted_makes_the_job_complete(
    place: Space,
) -> None:
    pod = wait_running(place)
    place.client.delete("pods", place.name, pod["metadata"]["name"])
    assert wait_condition(place, "Complete")["status"]["succeeded"] == 1


@pytest.mark.job(job("true", activeDeadlineSeconds=600))
def test_the_pod_tells_its_success_a_second_before_its_job_does(place: Space) -> None:
    done = wait_condition(place, "Complete", 60)
    (pod,) = place.client.list(pods(place))
    ended = pod["status"]["containerStatuses"][0]["state"]["terminated"]["finishedAt"]
    assert instant(done["status"]["completionTime"]) - instant(ended) >= timedelta(seconds=1)


def test_a_name_of_64_characters_is_too_long_for_a_job(own: Space) -> None:
    body = job("true")
    body["metadata"]["name"] = "n" * 64
    with pytest.raises(ApiError) as refusal:
        own.add("jobs", body)
    assert refusal.value.status == 422


@pytest.fixture
def own(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Space]:
    """A namespace without a Job."""
    space = Space.make(cluster, request.node.name)
    request.node.stash.setdefault(SPACES, []).append(space)
    yield space
    space.discard()
