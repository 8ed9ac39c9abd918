"""Runs under the admission policies that the chart installs, and gates without them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.cluster import Cluster, KubectlError
from tests.kit.run import Run
from tests.kit.voting import grant, opened, vote

pytestmark = pytest.mark.e2e

BINDINGS = "validatingadmissionpolicybindings"
TWO = """
nodes:
- {name: a, script: "true"}
- {name: b, dependsOn: [a], script: "true"}
"""
GATED = """
nodes:
- {name: gate, checkpoint: {message: "Release?", approvers: {users: [alice]}}}
- {name: release, dependsOn: [gate], script: "true"}
"""
ENOUGH = 60.0
"""Seconds: policies settle 10 s after they were written."""


@pytest.mark.runs(TWO)
def test_people_and_kubernetes_are_not_held_up(run: Run) -> None:
    run.finished("Succeeded")
    (job,), (pod,) = run.jobs("a"), run.pods("a")
    for found in (f"job/{job['metadata']['name']}", f"pod/{pod['metadata']['name']}"):
        run.kubectl("label", found, "team=a")
        run.kubectl("annotate", found, "team=a")
        with pytest.raises(KubectlError, match="may not change what ties the"):
            run.kubectl("label", found, "tidegate.dev/workflow-")
    run.kubectl("label", "twf", run.name, "team=a")
    run.kubectl("delete", "twf", run.name, "--wait=false")
    run.wait_gone()


@pytest.mark.runs(TWO)
def test_the_garbage_collector_can_orphan_what_ran(run: Run) -> None:
    run.finished("Succeeded")
    run.kubectl("delete", "twf", run.name, "--cascade=orphan")
    (job,) = run.jobs("a")
    assert "ownerReferences" not in job["metadata"]
    run.kubectl("delete", "job", job["metadata"]["name"], "--cascade=orphan")
    (pod,) = run.pods("a")
    assert "ownerReferences" not in pod["metadata"]


@pytest.fixture
def unenforced(deployed: Cluster) -> Iterator[Cluster]:
    """The policy of votes only writes into the audit log, until the test switches it on again."""
    yield deployed
    switch(deployed, "Deny")


def switch(cluster: Cluster, action: str) -> None:
    patch = {"spec": {"validationActions": [action]}}
    cluster.client.patch(BINDINGS, "", "tidegate-votes", patch)


@pytest.mark.runs(GATED)
def test_a_gate_waits_while_nobody_checks_votes_and_asks_anew_when_somebody_does(
    run: Run, unenforced: Cluster
) -> None:
    grant(run, "alice")
    before = opened(run, "gate")
    assert before["policy"]
    switch(unenforced, "Audit")
    waiting = run.wait_node("gate", "Waiting", "PolicyMissing", ENOUGH)
    assert "policies" in waiting["message"]
    switch(unenforced, "Deny")
    after = opened(run, "gate", ENOUGH)
    assert (after["policy"], after["code"]) != (before["policy"], before["code"])
    with pytest.raises(KubectlError, match=f"code of this opening: approved@{after['code']}"):
        vote(run, "gate", f"approved@{before['code']} by alice", by="alice")
    with pytest.raises(KubectlError, match="is not among the approvers of gate"):
        vote(run, "gate", "approved by tidegate-admin")
    vote(run, "gate", f"approved@{after['code']} by alice", by="alice")
    status = run.finished("Succeeded")
    (counted,) = status["nodes"]["gate"]["votes"]
    assert (counted["by"], counted["verified"]) == ("alice", True)
