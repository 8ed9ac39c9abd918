"""What others do to Jobs, pods and namespaces while a run is on."""

from __future__ import annotations

import pytest

from tests.kit.client import Query
from tests.kit.cluster import Cluster
from tests.kit.run import OF_WORKFLOW, Run, main_started
from tests.kit.space import Space
from tests.kit.waiting import wait_for, wait_for_one, wait_gone

pytestmark = pytest.mark.e2e

ENDLESS = "nodes: [{name: a, script: sleep 3600}]"
AT_SECOND_TRY = """
nodes:
- name: a
  retry: {limit: 1, backoff: {base: 500ms, jitter: None}}
  script: test "$TIDEGATE_ATTEMPT" = 2 || sleep 3600
"""


def only_job(run: Run) -> str:
    (job,) = run.jobs()
    return str(job["metadata"]["name"])


def only_pod(run: Run) -> str:
    (pod,) = run.pods()
    return str(pod["metadata"]["name"])


@pytest.mark.runs(ENDLESS)
def test_a_job_deleted_by_hand_is_lost_and_not_run_again(run: Run) -> None:
    run.wait_running("a", seconds=60)
    run.kubectl("delete", "job", only_job(run))
    status = run.finished("Failed")
    assert status["nodes"]["a"]["reason"] == "Lost"
    assert "deleted by somebody" in status["message"]
    assert run.jobs() == []


@pytest.mark.runs(AT_SECOND_TRY)
def test_a_job_deleted_by_hand_is_tried_again_where_the_node_says_retry(run: Run) -> None:
    run.wait_running("a", seconds=60)
    run.kubectl("delete", "job", only_job(run))
    status = run.finished("Succeeded")
    node = status["nodes"]["a"]
    assert node["attempt"] == 2
    assert [failure["reason"] for failure in node["failures"]] == ["Lost"]


@pytest.mark.runs(AT_SECOND_TRY)
def test_a_pod_deleted_by_hand_fails_its_attempt_once_it_has_stopped(run: Run) -> None:
    run.wait_running("a", seconds=60)
    run.kubectl("delete", "pod", only_pod(run), "--wait=false")
    status = run.finished("Succeeded")
    (failure,) = status["nodes"]["a"]["failures"]
    assert failure["reason"] in ("ExitCode", "Lost")
    assert "deleted" in failure["message"]


@pytest.mark.runs("""
nodes:
- name: a
  script: test "$TIDEGATE_ATTEMPT" = 2 || sleep 3600
""")
def test_an_evicted_pod_is_tried_again_and_not_counted(run: Run) -> None:
    run.wait_running("a", seconds=60)
    meta = {"name": only_pod(run), "namespace": run.namespace}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta}
    run.cluster.client.create("pods", run.namespace, eviction, "eviction")
    node = run.finished("Succeeded")["nodes"]["a"]
    assert [failure["reason"] for failure in node["failures"]] == ["Disrupted"]
    assert (node.get("retries", 0), node["disruptions"], node["attempt"]) == (0, 1, 2)


def test_a_job_suspended_as_by_kueue_is_queued_and_goes_on_as_the_same_attempt(
    space: Space,
) -> None:
    run = space.flow("nodes: [{name: a, startTimeout: 30s, script: sleep 8}]")
    run.wait_running("a", seconds=60)
    job = only_job(run)
    run.kubectl("patch", "job", job, "--type=merge", "-p", '{"spec":{"suspend":true}}')
    node = run.wait_node("a", "Running", "Queued")
    assert "suspended" in node["message"]
    # resumed before its pod has stopped, Kubernetes counts that pod's exit code as the Job's
    wait_gone(space.client, Query("pods", space.name), "no pod of the suspended Job")
    run.kubectl("patch", "job", job, "--type=merge", "-p", '{"spec":{"suspend":false}}')
    status = run.finished("Succeeded")
    assert status["nodes"]["a"]["attempt"] == 1
    assert only_job(run) == job


def test_an_orphaned_pod_still_counts_as_the_attempt(space: Space) -> None:
    run = space.flow("""
    nodes: [{name: a, script: sleep 8}, {name: b, dependsOn: [a], script: "true"}]
    """)
    run.wait_running("a", seconds=60)
    run.kubectl("delete", "job", only_job(run), "--cascade=orphan")
    status = run.finished("Succeeded")
    assert status["nodes"]["a"]["attempt"] == 1
    assert len(run.jobs("a")) == 0


@pytest.mark.runs(ENDLESS)
def test_an_orphaned_pod_is_stopped_by_a_cancel(run: Run) -> None:
    run.wait_running("a", seconds=60)
    run.kubectl("delete", "job", only_job(run), "--cascade=orphan")
    run.annotate("cancel", "now")
    run.finished("Cancelled")
    wait_for(
        run.cluster.client,
        Query("pods", run.namespace, labels=f"{OF_WORKFLOW}={run.name}"),
        lambda pods: all(
            pod["status"]["phase"] not in ("Pending", "Running") for pod in pods.values()
        ),
        "no pod runs",
    )


@pytest.mark.parametrize("how", ["background", "foreground"])
def test_a_deleted_workflow_leaves_nothing(space: Space, how: str) -> None:
    run = space.flow("""
    nodes: [{name: a, script: 'true'}, {name: b, dependsOn: [a], script: sleep 3600}]
    """)
    run.wait_running("b", seconds=60)
    run.kubectl("delete", "twf", run.name, f"--cascade={how}", "--wait=false")
    run.wait_gone()


def test_a_namespace_that_is_deleted_goes_and_holds_up_nobody(space: Space) -> None:
    run = space.flow("""
    nodes:
    - {name: a, script: sleep 2, retry: {limit: 9, backoff: {base: 500ms, jitter: None}}}
    - {name: b, dependsOn: [a], script: "true"}
    """)
    run.wait_running("a", seconds=60)
    space.discard()
    space.wait_gone()


def test_a_kept_success_survives_the_loss_of_its_job(space: Space) -> None:
    run = space.flow("""
    nodes: [{name: a, script: 'true'}, {name: b, dependsOn: [a], script: sleep 6}]
    """)
    (pod,) = run.wait_running("b", seconds=60)
    assert main_started(pod)
    run.kubectl("delete", "job", run.jobs("a")[0]["metadata"]["name"])
    status = run.finished("Succeeded")
    assert status["nodes"]["a"]["phase"] == "Succeeded"
    assert run.jobs("a") == []


def test_the_owner_of_everything_is_the_workflow(space: Space, deployed: Cluster) -> None:
    run = space.flow("nodes: [{name: a, script: 'true'}]")
    run.finished("Succeeded")
    (job,), (pod,) = run.jobs(), run.pods()
    (owner,) = job["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Workflow", run.object["metadata"]["uid"])
    assert pod["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
    found = wait_for_one(
        deployed.client, Query("pods", space.name, pod["metadata"]["name"]), bool, "the pod"
    )
    assert found["spec"]["automountServiceAccountToken"] is False
