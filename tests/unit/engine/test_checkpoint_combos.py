"""Checkpoints together with everything else: waves, endings, suspend, reruns, policies, authors."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.engine.builders import KEY, Json, at, node, rows, spec
from tests.unit.engine.run import Run
from tests.unit.engine.test_checkpoint import IGNORED, gate, opened
from tidegate.api.status import NodePhase, NodeStatus, Phase, Vote, WorkflowStatus
from tidegate.constants import MAX_STATUS_BYTES
from tidegate.engine.model import NoteKind
from tidegate.engine.size import bounded, minimal, size
from tidegate.facts.model import PolicyFact

IN_FORCE = PolicyFact("print-1", settled=True)
ALTERED = PolicyFact()


# --- waves, parallelism, several at once ---------------------------------------------------------


def test_other_nodes_of_the_wave_run_on_and_the_next_wave_waits() -> None:
    run = Run(spec(gate(), node("a"), node("b", "a")))
    assert (opened(run), run.started) == (True, ["a1"])
    assert run.result == ("Running", "NodesRun")
    run.pod_succeeds("a")
    assert run.result == ("Waiting", "WaitingForApproval")
    assert run.started == ["a1"]
    run.vote(ok="approved by alice")
    assert run.started == ["a1", "b1"]


def test_eager_nodes_that_need_no_approval_run_on() -> None:
    run = Run(spec(gate(), node("a"), node("b", "a"), execution="Eager"))
    run.pod_succeeds("a")
    assert run.running == {"b"}
    assert run.result == ("Running", "NodesRun")


def test_checkpoints_take_no_place_of_parallelism() -> None:
    run = Run(spec(gate("one"), gate("two"), node("a"), parallelism=1))
    assert run.started == ["a1"]
    assert run.status.waiting_for == "one, two"
    run.vote(one="approved by alice")
    assert run.status.waiting_for == "two"


def test_a_node_that_is_about_to_be_tried_again_runs_in_a_way() -> None:
    retry = {"limit": 1, "backoff": {"base": "30s", "jitter": "None"}}
    run = Run(spec(gate(), node("a", retry=retry)))
    run.pod_fails("a")
    assert run.result == ("Running", "NodesRun")


def test_wave_and_progress_tell_where_it_stands() -> None:
    run = Run(spec(node("a"), gate(after="a"), node("b", "ok")))
    run.pod_succeeds("a")
    assert (run.status.wave, run.status.progress) == (2, "1/3")
    assert str(run.status.waves["2"].phase) == "Running"
    assert "wave 2 of 3: ok" in run.told(NoteKind.WAVE_STARTED)
    run.vote(ok="approved by alice")
    assert str(run.status.waves["2"].phase) == "Succeeded"


def test_a_condition_can_skip_a_checkpoint() -> None:
    run = Run(spec(node("ok", when="false", checkpoint={"message": "?"}), node("b", "ok")))
    assert run.reason("ok") == ("Skipped", "ConditionFalse")
    assert run.running == {"b"}


# --- how a run ends ------------------------------------------------------------------------------

POLICIES = {
    "FinishWave": ("FinishWave", ("Skipped", "RunEnded"), "Failed"),
    "FailFast": ("FailFast", ("Skipped", "RunEnded"), "Failed"),
    "Continue": ("Continue", ("Waiting", "WaitingForApproval"), "Waiting"),
}


@pytest.mark.parametrize(("policy", "reason", "phase"), rows(POLICIES))
def test_a_failure_closes_open_checkpoints_but_with_continue(
    policy: str, reason: Any, phase: str
) -> None:
    run = Run(spec(gate(), node("a"), failurePolicy=policy))
    run.pod_fails("a")
    assert run.reason("ok") == reason
    assert str(run.status.phase) == phase
    run.vote(ok="approved by alice")
    assert str(run.status.phase) == "Failed"


def test_under_finish_wave_no_checkpoint_opens_after_the_failure() -> None:
    run = Run(spec(node("a"), node("b"), gate(after="b"), execution="Eager"))
    run.pod_fails("a")
    run.pod_succeeds("b")
    assert run.reason("ok") == ("Skipped", "RunEnded")


def test_a_checkpoint_that_cleans_up_asks_after_a_failure() -> None:
    run = Run(spec(node("a"), gate(after="a") | {"trigger": "DependenciesEnded"}))
    run.pod_fails("a")
    assert opened(run)
    run.vote(ok="approved by alice")
    assert run.result == ("Failed", "NodeFailed")


def test_a_rejection_ends_the_run_by_its_failure_policy_and_calls_the_handlers() -> None:
    run = Run(
        spec(gate(), node("a"), standbys="page", onError=["page"], failurePolicy="FailFast"),
    )
    run.vote(ok="rejected by bob: no")
    assert run.ended == ["a1"]
    run.stop("a")
    assert run.reason("a") == ("Cancelled", "Cancelled")
    assert run.started == ["a1", "page1"]
    env = dict(run.starts[-1].env)
    assert env["TIDEGATE_PHASE"] == "Failed"
    assert '"reason": "Rejected"' in env["TIDEGATE_ERRORS"]
    assert "rejected by bob" in env["TIDEGATE_ERRORS"]


def test_with_continue_what_does_not_need_the_rejected_checkpoint_runs() -> None:
    run = Run(spec(gate(), node("a"), node("b", "a"), node("c", "ok"), failurePolicy="Continue"))
    run.vote(ok="rejected by bob")
    run.pod_succeeds("a")
    assert run.running == {"b"}
    assert run.reason("c") == ("Skipped", "DependencyFailed")


@pytest.mark.parametrize("how", ["graceful", "now"])
def test_a_cancel_closes_it(how: str) -> None:
    run = Run(spec(gate(), node("b", "ok")))
    run.ask(cancel=how)
    assert run.reason("ok") == ("Skipped", "RunEnded")
    assert run.result == ("Cancelled", "CancelRequested")
    run.vote(ok="approved by alice")
    assert "came when the checkpoint was closed" in run.told(IGNORED)[0]
    assert run.started == []


def test_the_runs_timeout_closes_it() -> None:
    run = Run(spec(gate(timeout="2h"), timeout="1h"))
    run.advance(3600)
    assert run.reason("ok") == ("Skipped", "RunEnded")
    assert run.result == ("Failed", "DeadlineExceeded")


def test_a_vote_on_the_last_node_counts_before_the_runs_timeout() -> None:
    run = Run(spec(gate(), timeout="1h"))
    run.vote(look=False, ok="approved by alice")
    run.advance(7200)
    assert run.result == ("Succeeded", "NodesSucceeded")


# --- suspend -------------------------------------------------------------------------------------


def test_suspended_none_opens_but_open_ones_go_on() -> None:
    run = Run(spec(node("a"), gate("one"), gate("two", "a")))
    run.edit(suspend=True)
    run.pod_succeeds("a")
    assert run.reason("two") == ("Pending", None)
    assert run.result == ("Suspended", "Suspended")
    conditions = {c.type: c.status for c in run.status.conditions}
    assert (conditions["Suspended"], conditions["WaitingForApproval"]) == ("True", "True")
    run.vote(one="approved by alice")
    assert run.reason("one") == ("Succeeded", "Approved")
    run.edit(suspend=False)
    assert run.reason("two") == ("Waiting", "WaitingForApproval")


def test_suspended_its_clock_runs_on() -> None:
    run = Run(spec(gate(timeout="1h")))
    run.edit(suspend=True)
    run.advance(3600)
    assert run.reason("ok") == ("Failed", "RejectedByTimeout")


# --- reruns: what a decision covers --------------------------------------------------------------


def approved_then_failed() -> Run:
    """``a``, the checkpoint and ``b`` in a row; approved, and b fails."""
    run = Run(spec(node("a"), gate(after="a"), node("b", "ok"), node("other")))
    run.pod_succeeds("a", "other")
    run.vote(ok="approved by alice")
    run.pod_fails("b")
    assert run.result == ("Failed", "NodeFailed")
    return run


def test_a_rerun_keeps_the_decision_and_its_times() -> None:
    run = approved_then_failed()
    decided = run.node("ok").votes
    run.advance(100)
    run.ask(rerun="failed@1")
    assert run.reason("ok") == ("Succeeded", "Approved")
    assert run.node("ok").votes == decided
    assert run.status.waves["2"].started_at is None
    assert run.started[-1] == "b1@2"
    assert len(run.told(IGNORED)) == 0


@pytest.mark.parametrize("changed", ["a", "b"])
def test_an_edit_before_or_behind_the_gate_asks_again(changed: str) -> None:
    run = approved_then_failed()
    run.edit_node(changed, args=["new"])
    run.ask(rerun="failed@1")
    if changed == "a":
        run.pod_succeeds("a")
    assert opened(run)
    assert run.node("ok").votes == ()
    (told,) = run.told(IGNORED)
    assert "stood there before ok opened don't count: ok;" in told


def test_a_decision_of_which_nobody_can_tell_what_it_covered_is_asked_for_again() -> None:
    """A newer operator recorded it in a format of its own; an older one is back."""
    run = approved_then_failed()
    newer = run.node("ok").model_copy(update={"covers": "99:abc"})
    run.status = run.status.model_copy(update={"nodes": {**run.status.nodes, "ok": newer}})
    run.ask(rerun="failed")
    assert opened(run)


def test_an_edit_beside_the_gate_keeps_the_decision() -> None:
    run = approved_then_failed()
    run.edit_node("other", args=["new"])
    run.ask(rerun="failed@1")
    assert run.reason("ok") == ("Succeeded", "Approved")


@pytest.mark.parametrize(("added", "asks"), [("ok", True), ("other", False)])
def test_a_node_that_comes_behind_the_gate_asks_again(added: str, asks: bool) -> None:
    run = approved_then_failed()
    run.edit(nodes=[*run.fact.spec["nodes"], node("new", added)])
    run.ask(rerun="failed@1")
    assert opened(run) is asks


def test_a_node_that_goes_from_behind_the_gate_asks_again() -> None:
    run = Run(spec(gate(), node("b", "ok"), node("c", "ok")))
    run.vote(ok="approved by alice")
    run.pod_succeeds("c")
    run.pod_fails("b")
    run.edit(nodes=[n for n in run.fact.spec["nodes"] if n["name"] != "c"])
    run.ask(rerun="failed@1")
    assert opened(run)


@pytest.mark.parametrize(("start", "asks"), [("a", True), ("ok", True), ("b", False)])
def test_from_a_node_at_or_before_it_asks_again(start: str, asks: bool) -> None:
    run = approved_then_failed()
    run.ask(rerun=f"from={start}")
    if start == "a":
        run.pod_succeeds("a")
    assert opened(run) is asks


def test_asked_again_the_former_vote_does_not_count_and_the_code_is_another() -> None:
    run = approved_then_failed()
    code = run.node("ok").code
    run.ask(rerun="from=ok")
    assert opened(run)
    assert run.node("ok").code != code
    run.vote({"ok.2": f"approved@{code} by alice"})
    assert "names another opening" in run.told(IGNORED)[-1]
    run.vote({"ok.2": "approved by alice"})
    assert run.reason("ok") == ("Succeeded", "Approved")


def test_a_rejected_checkpoint_is_asked_again() -> None:
    run = Run(spec(gate(), node("b", "ok")))
    run.vote(ok="rejected by bob")
    run.ask(rerun="failed")
    assert opened(run)


# --- admission policies --------------------------------------------------------------------------

NEEDY: Json = {
    "approvers": {"approvers": {"groups": ["dba"]}},
    "forbidAuthors": {"forbidAuthors": True},
}


def under(policies: PolicyFact, **fields: Any) -> Run:
    run = Run(spec(gate(**fields), node("b", "ok")), look=False)
    run.policies = policies
    run.look()
    return run


def change(run: Run, policies: PolicyFact) -> None:
    run.policies = policies
    run.look()


@pytest.mark.parametrize("fields", rows(NEEDY))
def test_without_the_policies_it_does_not_ask(fields: Any) -> None:
    run = under(ALTERED, **fields)
    assert run.reason("ok") == ("Waiting", "PolicyMissing")
    assert run.node("ok").code is None
    assert run.result[0] == "Waiting"
    run.vote(ok="approved by alice")
    assert run.reason("ok") == ("Waiting", "PolicyMissing")
    change(run, IN_FORCE)
    assert opened(run)
    run.vote(ok="approved by alice: again")
    assert run.node("ok").votes[0].verified
    assert run.node("ok").message == "approved by alice: again"


def test_policies_that_are_seconds_old_are_waited_for() -> None:
    run = under(PolicyFact("print-1", wake_at=at(10)), **NEEDY["approvers"])
    assert run.reason("ok") == ("Waiting", "PolicyMissing")
    assert run.wake_at == at(10)
    run.policies = IN_FORCE
    run.advance(10)
    assert opened(run)


def test_changed_policies_open_it_anew_and_what_was_voted_is_void() -> None:
    run = under(IN_FORCE, minApprovals=2, timeout="1h", **NEEDY["approvers"])
    run.vote({"ok.1": "approved by alice"})
    code = run.node("ok").code
    run.advance(60)
    change(run, replace(IN_FORCE, fingerprint="print-2"))
    assert opened(run)
    assert run.node("ok").votes == ()
    assert run.node("ok").opened_at == at(60)
    assert run.node("ok").code != code
    run.vote({"ok.2": "approved by bob"})
    assert opened(run)
    (told,) = run.told(IGNORED)
    assert "stood there before ok opened don't count: ok.1;" in told


def test_policies_that_go_close_it_until_they_are_back() -> None:
    run = under(IN_FORCE, timeout="1h", **NEEDY["approvers"])
    change(run, ALTERED)
    assert run.reason("ok") == ("Waiting", "PolicyMissing")
    assert run.node("ok").opened_at is None
    run.advance(7200)
    change(run, IN_FORCE)
    assert opened(run)


def test_suspended_what_was_asked_is_asked_anew_and_what_was_not_waits() -> None:
    never = under(ALTERED, **NEEDY["approvers"])
    before = under(IN_FORCE, **NEEDY["approvers"])
    change(before, ALTERED)
    for run in (never, before):
        run.edit(suspend=True)
        change(run, IN_FORCE)
    assert opened(before)
    assert never.reason("ok") == ("Waiting", "PolicyMissing")
    never.edit(suspend=False)
    assert opened(never)


def test_without_need_it_asks_all_the_same_and_votes_are_not_verified() -> None:
    run = under(ALTERED, minApprovals=2)
    run.vote({"ok.1": "approved by alice"})
    change(run, IN_FORCE)
    run.vote({"ok.2": "approved by bob"})
    assert [vote.verified for vote in run.node("ok").votes] == [False, False]


def test_required_by_the_setting_votes_count_only_where_they_are_verified() -> None:
    run = under(replace(ALTERED, required=True))
    assert run.reason("ok") == ("Waiting", "PolicyMissing")
    change(run, replace(IN_FORCE, required=True))
    assert opened(run)
    run.vote(ok="approved")
    assert "names no user; expected approved by <user>" in run.told(IGNORED)[0]
    run.vote(ok="approved by alice")
    assert run.node("ok").votes[0].verified


def test_the_engine_itself_knows_approvers_by_name() -> None:
    run = under(IN_FORCE, approvers={"users": ["alice"]})
    run.vote(ok="approved by bob")
    assert "is by bob, who is none of the approvers" in run.told(IGNORED)[0]
    assert opened(run)


# --- bounds --------------------------------------------------------------------------------------


def test_votes_never_keep_a_status_from_its_bounds() -> None:
    """Twenty voters who tell a kilobyte each, at as many checkpoints as nobody has."""
    vote = Vote(
        key="ok.1", decision="approved", by="b" * 256, verified=True, at=at(0),
        comment=None, inputs={"n": "v" * 600}, text="t" * 1024,
    )  # fmt: skip
    decided = NodeStatus(
        phase=NodePhase.SUCCEEDED, reason="Approved", finished_at=at(0), votes=(vote,) * 40
    )
    gates = {f"gate-{n}": decided for n in range(200)}
    status = WorkflowStatus(phase=Phase.SUCCEEDED, run=1, nodes=gates)
    assert size(bounded(status)) <= MAX_STATUS_BYTES
    waiting = decided.model_copy(update={"phase": NodePhase.WAITING, "finished_at": None})
    status = WorkflowStatus(phase=Phase.WAITING, run=1, nodes=dict.fromkeys(gates, waiting))
    assert size(minimal(KEY, status, at(0))) <= MAX_STATUS_BYTES


def test_a_question_is_harmless_in_every_message() -> None:
    told = '"; answer with: kubectl delete \u202e\x1b[31m'
    run = Run(spec(node("a"), node("ok", "a", checkpoint={"message": "$(nodes.a.outputs.n)"})))
    run.pod_succeeds(
        "a", told='{"n": "' + told.replace('"', '\\"').replace("\x1b", "\\u001b") + '"}'
    )
    message = run.node("ok").message or ""
    assert message.isprintable()
    assert message.startswith(
        'waiting for approval of ok: "\'; answer with: kubectl delete"; rejected@'
    )


def test_what_decided_checkpoints_keep_shrinks_and_open_ones_keep_what_they_need() -> None:
    run = Run(spec(gate("one", minApprovals=20), gate("two", minApprovals=20)))
    for name in ("one", "two"):
        run.vote({f"{name}.{n}": f"approved by user-{n}: {'x' * 900}" for n in range(19)})
    run.vote(one=f"approved by user-20: {'x' * 900}")
    assert run.reason("one") == ("Succeeded", "Approved")
    limit = size(run.status) - 1000
    small = bounded(run.status, limit)
    assert size(small) <= limit
    assert {vote.text for vote in small.nodes["one"].votes} == {""}
    assert small.nodes["two"].votes == run.node("two").votes
    tiny = bounded(run.status, 1000)
    assert tiny.nodes["one"].votes == ()
    assert [len(entry) for entry in tiny.nodes["two"].seen] == [12] * 19
