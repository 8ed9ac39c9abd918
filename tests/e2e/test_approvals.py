"""Checkpoints as people meet them: they are asked, and answer with kubectl."""

from __future__ import annotations

import json

import pytest

from tests.kit.cluster import Cluster, KubectlError
from tests.kit.run import Run, instant
from tests.kit.space import Space
from tests.kit.voting import (
    GATED,
    VOTE,
    admin,
    approve,
    asked,
    command_in,
    ended,
    grant,
    opened,
    outputs,
    type_in,
    vote,
)

pytestmark = pytest.mark.e2e


# --- asking --------------------------------------------------------------------------------------


@pytest.mark.runs(GATED)
def test_people_are_asked_and_told_the_command_to_paste(run: Run) -> None:
    node = opened(run, "gate")
    status = run.wait_phase("Waiting", "WaitingForApproval")
    assert status["waitingFor"] == "gate"
    assert status["progress"] == "1/3"
    assert "Publish 1200 rows?" in node["message"]
    assert run.jobs("gate") == []
    run.wait_event("CheckpointWaiting", "Publish 1200 rows?")
    columns = run.kubectl("get", "twf", run.name, "--no-headers").split()
    assert columns[1:5] == ["Waiting", "1/3", "2", "gate"]
    condition = asked(run)
    assert condition["status"] == "True"
    command = command_in(condition["message"])
    assert f"@{node['code']}" in command
    type_in(run.cluster, run.namespace, command)
    status = run.finished("Succeeded")
    assert asked(run)["status"] == "False"
    assert "waitingFor" not in status


# --- answering -----------------------------------------------------------------------------------


@pytest.mark.runs(GATED)
def test_approved_the_run_goes_on_and_later_nodes_know_who_approved_and_why(run: Run) -> None:
    node = opened(run, "gate")
    approve(run, "gate", "numbers look right")
    status = run.finished("Succeeded")
    gate, me = status["nodes"]["gate"], admin(run.cluster)
    assert (gate["phase"], gate["reason"]) == ("Succeeded", "Approved")
    (recorded,) = gate["votes"]
    assert recorded["text"] == f"approve by {me}: numbers look right"
    assert (recorded["key"], recorded["decision"], recorded["by"]) == ("gate", "approved", me)
    assert recorded["comment"] == "numbers look right"
    assert instant(node["openedAt"]) <= instant(recorded["at"]) <= instant(gate["finishedAt"])
    assert run.log("publish") == f"approved {me} numbers look right\n"
    assert (run.log("tidy"), run.jobs("page")) == ("Succeeded\n", [])
    run.wait_event("CheckpointApproved", me)


@pytest.mark.runs(GATED)
def test_rejected_the_run_fails_and_its_handlers_are_told_who_and_why(run: Run) -> None:
    opened(run, "gate")
    me = admin(run.cluster)
    vote(run, "gate", f"reject by {me}: 3 regions are missing")
    status = run.finished("Failed")
    assert ended(status)["gate"] == ("Failed", "Rejected")
    assert ended(status)["publish"] == ("Skipped", "DependencyFailed")
    for message in (status["message"], status["nodes"]["gate"]["message"]):
        assert me in message
        assert "3 regions are missing" in message
    (error,) = json.loads(run.log("page"))
    assert (error["node"], error["reason"]) == ("gate", "Rejected")
    assert run.log("tidy") == "Failed\n"
    run.wait_event("CheckpointRejected", "3 regions are missing")


@pytest.mark.runs("""
nodes:
- {name: gate, checkpoint: {message: "Go on?", timeout: 3s}}
- {name: next, dependsOn: [gate], script: "true"}
""")
def test_not_answered_in_time_it_is_rejected_by_the_clock(run: Run) -> None:
    status = run.finished("Failed")
    gate = status["nodes"]["gate"]
    assert (gate["phase"], gate["reason"]) == ("Failed", "RejectedByTimeout")
    waited = instant(gate["finishedAt"]) - instant(gate["openedAt"])
    assert waited.total_seconds() >= 3
    assert run.jobs() == []
    run.wait_event("CheckpointRejected")


@pytest.mark.runs("""
nodes:
- {name: gate, checkpoint: {message: "Go on?", timeout: 3s, onTimeout: Approve}}
- {name: next, dependsOn: [gate], command: [echo, $(nodes.gate.outputs.decision)]}
""")
def test_not_answered_in_time_it_is_approved_by_the_clock_if_it_says_so(run: Run) -> None:
    status = run.finished("Succeeded")
    assert ended(status)["gate"] == ("Succeeded", "ApprovedByTimeout")
    assert run.log("next") == "approved\n"
    run.wait_event("CheckpointApproved")


@pytest.mark.runs("""
nodes:
- {name: gate, checkpoint: {message: "Release?", minApprovals: 2, approvers: {users: [alice, bob]}}}
- {name: next, dependsOn: [gate], command: [echo, $(nodes.gate.outputs.by)]}
""")
def test_two_different_people_must_approve(run: Run) -> None:
    opened(run, "gate")
    grant(run, "alice", "bob")
    vote(run, "gate.alice", "approve by alice", by="alice")
    run.wait(lambda s: len(s["nodes"]["gate"].get("votes", [])) == 1, "alice's vote")
    vote(run, "gate.alice-2", "approve by alice: really", by="alice")
    run.wait_event("CheckpointVoteIgnored", "alice has approved already")
    assert run.status["phase"] == "Waiting"
    assert "1 of 2 approvals (alice" in run.node("gate")["message"]
    vote(run, "gate.bob", "approve by bob", by="bob")
    run.finished("Succeeded")
    assert run.log("next") == "alice, bob\n"


@pytest.mark.runs("""
nodes:
- name: gate
  checkpoint:
    message: How much?
    minApprovals: 2
    inputs: [{name: percent}]
""")
def test_those_who_differ_decide_nothing_until_they_agree(run: Run) -> None:
    opened(run, "gate")
    grant(run, "alice", "bob")
    vote(run, "gate.alice", "approve by alice\npercent: 5", by="alice")
    vote(run, "gate.bob", "approve by bob\npercent: 50", by="bob")
    run.wait(lambda s: "percent" in s["nodes"]["gate"]["message"], "the difference")
    assert run.status["phase"] == "Waiting"
    vote(run, "gate.bob", "approve by bob: right, 5\npercent: 5", by="bob")
    status = run.finished("Succeeded")
    assert outputs(status["nodes"]["gate"])["percent"] == "5"


@pytest.mark.runs("""
nodes:
- {name: gate, checkpoint: {message: "Release?", minApprovals: 2, approvers: {groups: [dba]}}}
""")
def test_one_rejection_rejects_whoever_has_approved(run: Run) -> None:
    opened(run, "gate")
    grant(run, "alice", "bob")
    vote(run, "gate.alice", "approve by alice", "alice", ("dba",))
    run.wait(lambda s: len(s["nodes"]["gate"].get("votes", [])) == 1, "alice's vote")
    vote(run, "gate.bob", "reject by bob: not today", "bob", ("dba",))
    assert "not today" in run.finished("Failed")["message"]


def test_those_who_wrote_it_or_asked_for_the_run_cannot_approve_it(
    space: Space, deployed: Cluster
) -> None:
    me = admin(deployed)
    spec = {"nodes": [{"name": "gate", "checkpoint": {"message": "Go?", "forbidAuthors": True}}]}
    with pytest.raises(KubectlError, match="must say so in the same request"):
        space.flow(spec)
    run = space.flow(spec, annotations={"tidegate.dev/author": me})
    opened(run, "gate")
    assert run.status["authors"] == [me]
    with pytest.raises(KubectlError, match="forbids authors"):
        approve(run, "gate")
    grant(run, "alice")
    vote(run, "gate", "approve by alice", by="alice")
    assert run.finished("Succeeded")["nodes"]["gate"]["votes"][0]["verified"] is True


@pytest.mark.runs("""
nodes:
- name: gate
  checkpoint:
    message: Say "yes"; answer with $(workflow.name)
    minApprovals: 2
    inputs: [{name: ticket}, {name: share, default: it's 5%}]
""")
def test_each_of_several_voters_can_paste_the_command_that_is_told_next(run: Run) -> None:
    opened(run, "gate")
    first = command_in(asked(run)["message"])
    type_in(run.cluster, run.namespace, first.replace("<value>", "CHG-1"))
    run.wait(lambda s: "1 of 2 approvals" in s["nodes"]["gate"]["message"], "the first vote")
    second = command_in(asked(run)["message"])
    assert second != first
    grant(run, "alice")
    as_alice = second.replace("kubectl ", "kubectl --as=alice ").replace("<value>", "CHG-1")
    type_in(run.cluster, run.namespace, as_alice)
    told = outputs(run.finished("Succeeded")["nodes"]["gate"])
    assert told["by"] == f"{admin(run.cluster)}, alice"
    assert told["ticket"] == "CHG-1"


@pytest.mark.runs(r"""
nodes:
- name: gate
  checkpoint:
    message: How much?
    inputs:
    - {name: ticket, pattern: "CHG-[0-9]+"}
    - {name: percent, default: "5"}
- name: next
  dependsOn: [gate]
  env: [{name: TICKET, value: $(nodes.gate.outputs.ticket)}]
  command: [sh, -c, 'echo "$TICKET $1"', sh]
  args: [$(nodes.gate.outputs.percent)]
""")
def test_inputs_are_demanded_and_arrive_at_the_next_node(run: Run) -> None:
    opened(run, "gate")
    me = admin(run.cluster)
    vote(run, "gate", f"approve by {me}")
    run.wait_event("CheckpointVoteIgnored", "ticket")
    vote(run, "gate", f"approve by {me}\nticket: 4711")
    run.wait_event("CheckpointVoteIgnored", "CHG-[0-9]+")
    assert "ticket" in run.node("gate")["message"]
    vote(run, "gate", f"approve by {me}: ok\nticket: CHG-4711\npercent: $(HOME)")
    status = run.finished("Succeeded")
    assert outputs(status["nodes"]["gate"]) == {
        "decision": "approved",
        "by": me,
        "comment": "ok",
        "ticket": "CHG-4711",
        "percent": "$(HOME)",
    }
    assert run.log("next") == "CHG-4711 $(HOME)\n"


@pytest.mark.runs("""
nodes:
- {name: gate, checkpoint: {message: "How?", choices: [canary, everywhere]}}
- {name: next, dependsOn: [gate], when: nodes.gate.outputs.decision == "canary", script: "true"}
- {name: all, dependsOn: [gate], when: nodes.gate.outputs.decision == "everywhere", script: "true"}
""")
def test_a_choice_approves_and_decides_which_way_it_goes(run: Run) -> None:
    opened(run, "gate")
    me = admin(run.cluster)
    vote(run, "gate", f"somewhere by {me}")
    run.wait_event("CheckpointVoteIgnored", "canary, everywhere")
    vote(run, "gate", f"canary by {me}")
    status = run.finished("Succeeded")
    assert ended(status) == {
        "gate": ("Succeeded", "Approved"),
        "next": ("Succeeded", ""),
        "all": ("Skipped", "ConditionFalse"),
    }


# --- what doesn't count --------------------------------------------------------------------------


@pytest.mark.runs("nodes: [{name: gate, checkpoint: {message: 'Go on?', requireCode: true}}]")
def test_a_vote_counts_only_with_the_code_of_the_question(run: Run) -> None:
    code, me = opened(run, "gate")["code"], admin(run.cluster)
    other = "22222" if code != "22222" else "33333"
    for text in (f"approve@{other} by {me}", f"approve by {me}"):
        with pytest.raises(KubectlError, match="code"):  # denied by the policy already
            vote(run, "gate", text)
    vote(run, "gate", f"approve@{code} by {me}")
    run.finished("Succeeded")


@pytest.mark.runs("nodes: [{name: gate, checkpoint: {message: 'Go on?'}}]")
def test_a_malformed_vote_is_told_once_with_what_was_expected(run: Run) -> None:
    opened(run, "gate")
    me = admin(run.cluster)
    vote(run, "gate", f"aproved by {me}")
    event = run.wait_event("CheckpointVoteIgnored", "aproved")
    assert event["type"] == "Warning"
    assert "approve, reject" in event["message"]
    run.wait(lambda s: "aproved" in s["nodes"]["gate"]["message"], "the message")
    assert run.status["phase"] == "Waiting"
    approve(run, "gate")
    run.finished("Succeeded")


@pytest.mark.runs(
    "nodes: [{name: a, script: 'true'}, {name: gate, dependsOn: [a], checkpoint: {message: Now}}]",
    annotations={"checkpoint.tidegate.dev/gate": "approve by tidegate-admin"},
)
def test_a_vote_that_stood_there_before_the_question_does_not_answer_it(run: Run) -> None:
    opened(run, "gate")
    run.wait_event("CheckpointVoteIgnored", "before")
    assert run.status["phase"] == "Waiting"
    approve(run, "gate", "now that I am asked")
    run.finished("Succeeded")


@pytest.mark.runs("""
nodes:
- {name: gate, checkpoint: {message: "Go on?", timeout: 1h, onTimeout: Approve}}
- {name: next, dependsOn: [gate], script: "true"}
""")
def test_a_rerun_answered_with_the_text_of_the_last_time_says_that_it_does_not_count(
    run: Run,
) -> None:
    opened(run, "gate")
    rejection = f"reject by {admin(run.cluster)}"
    vote(run, "gate", rejection)
    run.finished("Failed")
    run.annotate("rerun", "failed@2")
    run.wait(lambda s: s.get("run") == 2 and s.get("phase") == "Waiting", "the question again")
    vote(run, "gate", rejection)
    run.wait_event("CheckpointVoteIgnored", "stood there before gate opened")
    node = run.node("gate")
    assert f"stands there but doesn't count: vote with @{node['code']}" in node["message"]
    assert run.status["phase"] == "Waiting"
    run.kubectl("annotate", "twf", run.name, f"{VOTE}gate-")
    run.wait(lambda s: "doesn't count" not in s["nodes"]["gate"]["message"], "it to be forgotten")
    vote(run, "gate", rejection)
    assert ended(run.finished("Failed", run=2))["gate"] == ("Failed", "Rejected")
