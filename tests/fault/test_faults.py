"""Each request fails, conflicts or loses its answer, at each step; the outcome is the same."""

import itertools
from typing import Any

import pytest

from tests.fault.harness import Cluster
from tests.unit.cluster.objects import KEY, LOST, UID, workflow
from tidegate.api.identity import AttemptId, job_name
from tidegate.api.status import NodePhase, Phase
from tidegate.cluster.view import Listing
from tidegate.errors import ServerFault, Throttled, from_status

FAULTS: dict[str, Any] = {
    "throttled": Throttled("slow down", retry_after=1),
    "server fault": ServerFault("etcd", status=500),
    "request lost": LOST,
    "answer lost": ("after", LOST),
    "answer lost by a proxy": ("after", ServerFault("gateway timeout", status=504)),
    "conflict": from_status(409, "Conflict", "the object has been modified"),
}
VERBS = ("create_job", "get_job", "list_pods", "patch_job", "patch_status", "get_workflow")
TROUBLES = list(itertools.product(VERBS, FAULTS))
STEPS = range(6)
ATTEMPTS = [AttemptId(1, "a", 1), AttemptId(1, "b", 1)]


def trouble(cluster: Cluster, verb: str, fault: str, step: int) -> None:
    cluster.api.trouble[verb] = [None] * step + [FAULTS[fault]]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("verb", "fault"), TROUBLES)
async def test_a_chain_succeeds(verb: str, fault: str, step: int) -> None:
    cluster = Cluster()
    trouble(cluster, verb, fault, step)
    await cluster.run()
    assert cluster.status.phase is Phase.SUCCEEDED
    assert cluster.created == ATTEMPTS
    assert [node.attempt for node in cluster.status.nodes.values()] == [1, 1]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("verb", "fault"), TROUBLES)
async def test_a_cancelled_run_stops_what_runs(verb: str, fault: str, step: int) -> None:
    cluster = Cluster(runs_for=1000)
    await cluster.run(until=lambda: bool(cluster.created))
    trouble(cluster, verb, fault, step)
    cluster.annotate(cancel="now@1")
    await cluster.run()
    assert cluster.status.phase is Phase.CANCELLED
    assert cluster.created == ATTEMPTS[:1]
    (raw,) = cluster.api.jobs.values()
    assert raw["metadata"]["annotations"]["tidegate.dev/end"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("verb", "fault"), TROUBLES)
async def test_a_job_deleted_by_hand_is_proven_lost(verb: str, fault: str, step: int) -> None:
    cluster = Cluster(runs_for=1000)
    await cluster.run(until=lambda: bool(cluster.created))
    trouble(cluster, verb, fault, step)
    cluster.api.jobs.clear()
    cluster.api.pods.clear()
    cluster.start_operator()
    await cluster.run()
    node = cluster.status.nodes["a"]
    assert (node.phase, node.reason) == (NodePhase.FAILED, "Lost")
    assert cluster.created == ATTEMPTS[:1]


@pytest.mark.parametrize("fault", ["request lost", "answer lost", "server fault"])
async def test_a_long_outage_is_sat_out(fault: str) -> None:
    cluster = Cluster()
    for verb in VERBS:
        cluster.api.trouble[verb] = [FAULTS[fault]] * 5
    await cluster.run()
    assert cluster.status.phase is Phase.SUCCEEDED
    assert cluster.created == ATTEMPTS


@pytest.mark.parametrize("passes", range(1, 12))
async def test_a_new_process_goes_on_at_any_moment(passes: int) -> None:
    cluster = Cluster()
    left = itertools.count(passes, -1)
    await cluster.run(until=lambda: next(left) == 0)
    cluster.start_operator()
    await cluster.run()
    assert cluster.status.phase is Phase.SUCCEEDED
    assert cluster.created == ATTEMPTS


async def test_a_foreign_job_of_our_name_is_never_adopted() -> None:
    cluster = Cluster()
    name = job_name(KEY.name, UID, ATTEMPTS[0])
    metadata = {
        "name": name,
        "namespace": KEY.namespace,
        "uid": "foreign",
        "annotations": {},
        "resourceVersion": "5",
    }
    cluster.api.jobs[name] = {"metadata": metadata, "spec": {}}
    for _ in range(20):
        await cluster.one_pass()
        cluster.clock.advance(1)
    node = cluster.status.nodes["a"]
    assert (node.phase, node.reason) == (NodePhase.FAILED, "NameConflict")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (from_status(422, "Invalid", "spec.template.spec is invalid"), "InvalidPodTemplate"),
        (from_status(400, "BadRequest", "strict decoding error"), "InvalidPodTemplate"),
        (from_status(403, "Forbidden", "denied by policy"), "JobRefused"),
        (from_status(413, "", "too large"), "JobRefused"),
    ],
)
async def test_a_refused_job_fails_its_node_in_the_servers_words(
    error: Exception, reason: str
) -> None:
    cluster = Cluster()
    cluster.api.trouble["create_job"] = [error]
    await cluster.run()
    node = cluster.status.nodes["a"]
    assert (node.phase, node.reason) == (NodePhase.FAILED, reason)
    assert str(error) in (node.message or "")


async def test_a_quota_is_waited_for() -> None:
    cluster = Cluster()
    quota = from_status(403, "Forbidden", "jobs is forbidden: exceeded quota: q")
    cluster.api.trouble["create_job"] = [quota] * 3
    await cluster.run()
    assert cluster.status.phase is Phase.SUCCEEDED
    assert not any(node.failures for node in cluster.status.nodes.values())


async def test_a_status_that_is_refused_as_too_large_ends_in_a_small_one() -> None:
    cluster = Cluster()
    cluster.api.trouble["patch_status"] = [None, None, from_status(413, "", "too large")]
    await cluster.run()
    assert cluster.status.phase is Phase.FAILED
    assert cluster.status.reason == "StatusTooLarge"


async def test_a_workflow_that_is_deleted_meanwhile_is_let_go() -> None:
    cluster = Cluster(runs_for=1000)
    await cluster.run(until=lambda: bool(cluster.created))
    cluster.api.workflows.clear()
    for _ in range(3):
        await cluster.one_pass()
        cluster.view.workflows_settled(Listing(cluster.view.token()))
    cluster.api.workflows[KEY.name] = workflow(500, uid="wf-2")
    assert cluster.view.workflow(KEY) is None
