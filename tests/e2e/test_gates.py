"""Open checkpoints and all else that may happen to a run."""

from __future__ import annotations

import pytest

from tests.kit.cluster import Cluster
from tests.kit.run import Run
from tests.kit.space import Space
from tests.kit.voting import (
    GATED,
    admin,
    approve,
    ended,
    opened,
    vote,
)

pytestmark = pytest.mark.e2e


@pytest.mark.runs(GATED)
def test_cancelled_while_it_waits_the_question_is_closed(run: Run) -> None:
    opened(run, "gate")
    run.annotate("cancel", "graceful")
    status = run.finished("Cancelled")
    assert ended(status)["gate"] == ("Skipped", "RunEnded")
    assert "waitingFor" not in status
    assert run.log("tidy") == "Cancelled\n"


@pytest.mark.runs("{timeout: 5s, nodes: [{name: gate, checkpoint: {message: 'Go on?'}}]}")
def test_the_time_of_the_run_is_over_for_an_open_question_too(run: Run) -> None:
    status = run.finished("Failed")
    assert status["reason"] == "DeadlineExceeded"
    assert ended(status)["gate"] == ("Skipped", "RunEnded")


@pytest.mark.runs("""
nodes:
- {name: one, checkpoint: {message: "One?"}}
- {name: two, checkpoint: {message: "Two?"}}
- {name: slow, script: sleep 3600}
- {name: next, dependsOn: [one, two], script: "true"}
execution: Eager
""")
def test_several_are_open_at_once_while_other_nodes_run(run: Run) -> None:
    opened(run, "one")
    status = run.wait(lambda s: s.get("waitingFor") == "one, two", "both questions")
    assert status["phase"] == "Running"
    approve(run, "two")
    run.wait(lambda s: s.get("waitingFor") == "one", "one question left")
    approve(run, "one")
    run.wait_node("next", "Succeeded", seconds=60)
    run.annotate("cancel", "now")
    run.finished("Cancelled")


@pytest.mark.runs("""
nodes:
- {name: gate, checkpoint: {message: "Go on?"}}
- {name: next, dependsOn: [gate], script: "true"}
""")
def test_suspended_votes_count_but_nothing_starts_until_it_is_resumed(run: Run) -> None:
    opened(run, "gate")
    run.patch_spec({"suspend": True})
    run.wait(lambda s: "suspend" in s["message"].lower(), "the suspension")
    approve(run, "gate")
    run.wait_node("gate", "Succeeded", "Approved")
    run.wait_phase("Suspended")
    assert run.jobs() == []
    run.patch_spec({"suspend": False})
    run.finished("Succeeded")


@pytest.mark.runs("""
nodes:
- {name: gate, checkpoint: {message: "Go on?"}}
- {name: next, dependsOn: [gate], script: test "$TIDEGATE_RUN" -ge 2}
""")
def test_a_rerun_keeps_the_approval_until_something_behind_it_changes(run: Run) -> None:
    opened(run, "gate")
    approve(run, "gate", "first")
    run.finished("Failed")
    run.annotate("rerun", "failed@1")
    status = run.finished("Succeeded", run=2)
    assert status["nodes"]["gate"]["votes"][0]["comment"] == "first"
    nodes = run.object["spec"]["nodes"]
    nodes[1]["script"] = "echo other"
    run.patch_spec({"nodes": nodes})
    run.annotate("rerun", "failed@2")
    run.wait(lambda s: s.get("run") == 3 and s.get("phase") == "Waiting", "the question again")
    approve(run, "gate", "second")
    status = run.finished("Succeeded", run=3)
    assert status["nodes"]["gate"]["votes"][0]["comment"] == "second"


@pytest.mark.runs("nodes: [{name: gate, checkpoint: {message: 'Go?', approver: {users: [alice]}}}]")
def test_a_typo_never_opens_a_gate(run: Run) -> None:
    status = run.wait_phase("Failed", "InvalidSpec")
    assert "approver" in status["message"]
    assert "nodes" not in status or not status["nodes"]


def test_a_vote_while_the_operator_is_down_counts_when_it_is_back(
    space: Space, deployed: Cluster
) -> None:
    run = space.flow(GATED)
    code = opened(run, "gate")["code"]
    deployed.scale_operator(0)
    try:
        vote(run, "gate", f"approve@{code} by {admin(deployed)}: in its absence")
    finally:
        deployed.scale_operator(1)
    status = run.finished("Succeeded")
    assert status["nodes"]["gate"]["votes"][0]["comment"] == "in its absence"
    assert status["nodes"]["gate"]["code"] == code
