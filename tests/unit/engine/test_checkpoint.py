"""Checkpoints as stories: they open, ask, count votes, and are decided by people or the clock."""

import json
from typing import Any

import pytest

from tests.unit.engine.builders import node, rows, spec
from tests.unit.engine.run import Run
from tidegate.engine.model import NoteKind

IGNORED = NoteKind.CHECKPOINT_VOTE_IGNORED


def gate(name: str = "ok", after: str = "", **fields: Any) -> dict[str, Any]:
    return node(name, after, checkpoint={"message": "Go on?", **fields})


def asks(after: Any = None, **fields: Any) -> Run:
    """A run whose checkpoint ``ok`` is open; ``b`` comes after it."""
    return Run(spec(gate(**fields), node("b", "ok", **(after or {}))))


def opened(run: Run) -> bool:
    return run.reason("ok") == ("Waiting", "WaitingForApproval")


def outputs(run: Run, name: str = "ok") -> Any:
    return json.loads(run.node(name).outputs or "null")


# --- the plain course ----------------------------------------------------------------------------


def test_a_checkpoint_in_the_first_wave_opens_and_nothing_runs() -> None:
    run = asks()
    assert opened(run)
    assert run.started == []
    assert run.result == ("Waiting", "WaitingForApproval")
    assert run.status.waiting_for == "ok"
    assert run.wake_at is None


def test_an_approval_lets_what_is_behind_it_start() -> None:
    run = asks()
    run.vote(ok="approved by alice: numbers look right")
    assert run.reason("ok") == ("Succeeded", "Approved")
    assert run.node("ok").message == "approved by alice (not verified): numbers look right"
    assert run.started == ["b1"]
    assert run.result == ("Running", "NodesRun")
    assert run.status.waiting_for is None
    assert outputs(run) == {"decision": "approved", "by": "alice", "comment": "numbers look right"}


def test_a_rejection_fails_the_run_without_retry() -> None:
    run = asks()
    run.vote(ok="rejected by bob: too few")
    assert run.reason("ok") == ("Failed", "Rejected")
    assert run.reason("b") == ("Skipped", "DependencyFailed")
    assert run.result == ("Failed", "NodeFailed")
    assert run.status.message == "ok: rejected by bob (not verified): too few"
    assert run.status.progress == "0/2"


def test_opening_and_decision_are_recorded_before_anything_acts_on_them() -> None:
    """The promises that every plan is held against say so; here are the records."""
    run = asks()
    run.vote(ok="approve by alice")
    seen = [(str(s.nodes["ok"].phase), str(s.nodes["b"].phase)) for s in run.records if s.nodes]
    assert ("Waiting", "Pending") in seen
    assert ("Succeeded", "Pending") in seen


def test_waiting_costs_no_write_and_no_waking() -> None:
    run = asks()
    records = len(run.records)
    run.advance(86_400)
    run.look()
    assert (len(run.records), run.wake_at) == (records, None)


def test_what_is_told_of_a_checkpoint() -> None:
    run = asks(timeout="24h")
    run.vote(ok="approved by alice")
    (waiting,) = run.told(NoteKind.CHECKPOINT_WAITING)
    assert waiting.startswith('waiting for approval of ok: "Go on?" until Mon 23 Nov 12:00 UTC;')
    assert run.told(NoteKind.CHECKPOINT_APPROVED) == ["ok: approved by alice (not verified)"]
    assert run.told(NoteKind.NODE_FAILED) == []
    decided = [o for o in run.observations if o.name == "checkpoint_decided"]
    assert [(o.value, o.labels) for o in decided] == [(0.0, ("approved",))]


# --- the clock -----------------------------------------------------------------------------------


def test_the_clock_rejects_by_default() -> None:
    run = asks(timeout="1h")
    run.advance(3599)
    assert opened(run)
    run.advance(1)
    assert run.reason("ok") == ("Failed", "RejectedByTimeout")
    assert run.node("ok").message == (
        "rejected by the clock: nobody decided within 1 h, until Sun 22 Nov 13:00 UTC (onTimeout)"
    )
    assert run.node("ok").finished_at == run.now
    assert run.result == ("Failed", "NodeFailed")


def test_the_clock_approves_where_it_is_told_to() -> None:
    inputs = [{"name": "rows", "default": "7"}]
    run = asks(timeout="1h", onTimeout="Approve", inputs=inputs)
    run.advance(3600)
    assert run.reason("ok") == ("Succeeded", "ApprovedByTimeout")
    assert outputs(run) == {"decision": "approved", "by": "", "comment": "", "rows": "7"}
    assert run.started == ["b1"]


def test_a_vote_that_is_present_counts_before_the_clock() -> None:
    run = asks(timeout="1h")
    run.vote(look=False, ok="approved by alice")
    run.advance(7200)
    assert run.reason("ok") == ("Succeeded", "Approved")


def test_the_deadline_counts_from_the_opening_whenever_it_is_looked_at() -> None:
    run = asks(timeout="1h")
    end = run.wake_at
    run.advance(600)
    run.look()
    assert run.wake_at == end


def test_a_vote_after_the_clock_changes_nothing() -> None:
    run = asks(timeout="1h")
    run.advance(3600)
    before = run.node("ok")
    run.vote(ok="approved by alice")
    assert run.node("ok") == before
    (told,) = run.told(IGNORED)
    assert told == (
        'vote on ok ignored: "approved by alice" came too late: the checkpoint is decided '
        "(RejectedByTimeout)"
    )


# --- votes that don't count ----------------------------------------------------------------------

WRONG = {
    "a typo": ("aproved by alice", "is none of: approve, reject"),
    "nothing": ("", "is empty; expected <decision> by <user>, or <decision> by <user>: <comment>"),
    "too long": ("approved by alice: " + "x" * 1006, "has 1025 bytes; at most 1024 are possible"),
    "binary": ("approved by al\x00ice", "holds control characters"),
    "another opening's code": ("approved@zzzzz by alice", "names another opening: the code of"),
    "input not asked for": ("approved by alice\nrows: 1", "has lines for unknown inputs rows;"),
    "a line that is no input": ("approved by alice\nrows", "has a line after the first"),
    "leading blank": (" approved by alice", "is not <decision> by <user>"),
    "capital": ("Approved by alice", "is not <decision> by <user>"),
}


@pytest.mark.parametrize(("text", "why"), rows(WRONG))
def test_a_vote_that_cannot_be_read_is_told_once_and_opens_nothing(text: str, why: str) -> None:
    run = asks()
    run.vote(ok=text)
    run.look()
    assert opened(run)
    assert run.started == []
    (told,) = run.told(IGNORED)
    assert why in told
    assert told in (run.node("ok").message or "")
    run.vote(ok="approved by alice")
    assert run.reason("ok") == ("Succeeded", "Approved")


def test_what_stood_there_before_the_opening_does_not_count() -> None:
    run = Run(spec(node("a"), gate(after="a")), look=False)
    run.vote(ok="approved by alice")
    run.pod_succeeds("a")
    assert opened(run)
    early, standing = run.told(IGNORED)
    assert "came before the checkpoint opened" in early
    code = run.node("ok").code
    assert standing == (
        f"votes that stood there before ok opened don't count: ok; vote with @{code}"
    )
    run.vote(ok="approved by alice: again")
    assert run.reason("ok") == ("Succeeded", "Approved")


def test_the_same_text_under_another_key_is_another_vote() -> None:
    run = Run(spec(gate(), node("b", "ok")), look=False)
    run.vote(ok="approved by alice")
    assert opened(run)
    run.vote({"ok.2": "approved by alice"})
    assert run.reason("ok") == ("Succeeded", "Approved")


STRAYS = {
    "on a task": ("b", "is on b, which is a task; only checkpoints are voted on"),
    "on nothing": ("okk", "is on a checkpoint that doesn't exist; did you mean ok?"),
    "with a bad tag": ("ok.Alice", "has a key that can't be read: what follows"),
    "with a bad name": ("-ok", "has a key that can't be read: -ok is no name of a node"),
}


@pytest.mark.parametrize(("key", "why"), rows(STRAYS))
def test_a_vote_that_nothing_asks_for_is_told_once(key: str, why: str) -> None:
    run = asks()
    run.vote({key: "approved by alice"})
    run.look()
    (told,) = run.told(IGNORED)
    assert why in told
    assert opened(run)
    run.vote(ok="approved by bob")
    run.pod_succeeds("b")
    assert len(run.told(IGNORED)) == 1


def test_a_vote_on_a_finished_workflow_is_told_once() -> None:
    run = asks()
    run.vote(ok="rejected by bob")
    run.vote(ok="approved by alice")
    run.look()
    assert run.reason("ok") == ("Failed", "Rejected")
    assert len(run.told(IGNORED)) == 1


# --- several voters, codes, choices, inputs ------------------------------------------------------


def test_two_different_users_must_approve() -> None:
    run = asks(minApprovals=2)
    assert "2 approvals are needed" in (run.node("ok").message or "")
    run.vote({"ok.1": "approved by alice"})
    run.vote({"ok.2": "approved by alice: once more"})
    assert "adds nothing: alice has approved already" in run.told(IGNORED)[0]
    assert "1 of 2 approvals (alice (not verified))" in (run.node("ok").message or "")
    run.vote({"ok.3": "approved by bob: fine"})
    assert run.reason("ok") == ("Succeeded", "Approved")
    assert outputs(run)["by"] == "alice, bob"
    assert outputs(run)["comment"] == "fine"


def test_all_that_name_nobody_are_one_user() -> None:
    run = asks(minApprovals=2)
    run.vote({"ok.1": "approved", "ok.2": "approved: really"})
    assert "adds nothing: somebody unnamed has approved already" in run.told(IGNORED)[0]
    assert opened(run)
    run.vote(ok="approved by bob")
    assert run.reason("ok") == ("Succeeded", "Approved")


def test_one_rejection_rejects_whatever_came_with_it() -> None:
    run = asks(minApprovals=2)
    run.vote({"ok.1": "approved by alice", "ok.2": "approved by bob", "ok.3": "reject by eve"})
    assert run.reason("ok") == ("Failed", "Rejected")
    assert outputs(run) == {"decision": "rejected", "by": "eve", "comment": ""}


def test_a_code_must_be_this_openings() -> None:
    run = asks(requireCode=True)
    run.vote(ok="approved by alice")
    code = run.node("ok").code
    assert f"names no code; expected approved@{code} by <user>" in run.told(IGNORED)[0]
    run.vote(ok=f"approved@{code} by alice")
    assert run.reason("ok") == ("Succeeded", "Approved")


def test_a_choice_approves_and_is_an_output() -> None:
    run = asks(
        choices=["canary", "full"],
        after={"when": 'nodes.ok.outputs.decision == "canary"', "args": ["$(nodes.ok.outputs.by)"]},
    )
    run.vote(ok="canary by alice")
    assert run.reason("ok") == ("Succeeded", "Approved")
    assert run.node("ok").message == "approved (canary) by alice (not verified)"
    assert run.node("b").when is True
    assert run.starts[0].values == (("nodes.ok.outputs.by", "alice"),)


def test_voters_must_choose_the_same() -> None:
    run = asks(minApprovals=2, choices=["canary", "full"])
    run.vote({"ok.1": "canary by alice", "ok.2": "full by bob"})
    assert "they differ in decision and must agree" in (run.node("ok").message or "")
    run.vote({"ok.3": "canary by bob: well then"})
    assert outputs(run)["decision"] == "canary"


def test_who_changes_their_mind_and_back_has_said_what_stands_there_last() -> None:
    run = asks(minApprovals=2, choices=["canary", "full"])
    for choice in ("canary", "full", "canary"):
        run.vote({"ok.1": f"{choice} by alice"})
    run.vote({"ok.2": "full by bob"})
    assert opened(run)
    run.vote({"ok.2": "canary by bob"})
    assert outputs(run)["decision"] == "canary"
    assert run.told(IGNORED) == []


ROWS = [{"name": "rows", "pattern": "[0-9]+"}, {"name": "to", "choices": ["a", "b"]}]


@pytest.mark.parametrize(
    ("text", "why"),
    rows(
        {
            "missing": ("approved by alice\nrows: 1", "expected further lines: to: <value>"),
            "no match": ("approved by alice\nrows: 1x\nto: a", "doesn't match [0-9]+"),
            "a line end in it": ("approved by alice\nrows: \nto: a", "doesn't match [0-9]+"),
            "no choice": ("approved by alice\nrows: 1\nto: c", "is none of: a, b"),
            "unknown": ("approved by alice\nrows: 1\nto: a\nx: 1", "unknown inputs x; there are"),
            "pasted as it was": (
                "approved by alice\nrows: 1\nto: <value>",
                "gives no to: write a value where the command has <value>",
            ),
            "twice": ("approved by alice\nrows: 1\nrows: 1\nto: a", "gives rows twice"),
        }
    ),
)
def test_inputs_must_be_what_is_asked_for(text: str, why: str) -> None:
    run = asks(inputs=ROWS)
    run.vote(ok=text)
    assert opened(run)
    assert why in run.told(IGNORED)[0]


def test_what_a_vote_gives_cannot_pass_for_words_of_the_message() -> None:
    run = asks(inputs=[{"name": "rows", "pattern": "[0-9]+"}])
    run.vote(ok='approved by alice\nrows: 1"; answer with: kubectl delete ns prod')
    assert 'gives rows as "1\'; answer with: kubectl delete ns prod",' in run.told(IGNORED)[0]


def test_inputs_are_outputs() -> None:
    run = asks(inputs=ROWS, after={"args": ["$(nodes.ok.outputs.rows)"]})
    assert "$'\\nrows: <value>\\nto: <value>'" in (run.node("ok").message or "")
    run.vote(ok="approved by alice\nrows: 1200\nto: b")
    assert outputs(run)["rows"] == "1200"
    assert run.starts[0].values == (("nodes.ok.outputs.rows", "1200"),)


def test_the_command_holds_what_must_be_given_and_defaults_that_need_no_quoting() -> None:
    defaults = {"a": None, "b": "7", "c": "it's", "d": "x" * 41}
    inputs = [{"name": n} | ({"default": d} if d else {}) for n, d in defaults.items()]
    run = asks(inputs=inputs)
    assert (run.node("ok").message or "").endswith("\"$'\\na: <value>\\nb: 7'")


def test_inputs_must_agree_between_voters() -> None:
    run = asks(inputs=ROWS, minApprovals=2)
    first = "approved by alice\nrows: 1\nto: a"
    run.vote({"ok.1": first, "ok.2": "approved by bob\nrows: 2\nto: a"})
    assert "they differ in rows and must agree" in (run.node("ok").message or "")
    run.vote({"ok.2": "approved by bob\nrows: 1\nto: a"})
    assert run.reason("ok") == ("Succeeded", "Approved")


def test_a_rejection_needs_no_inputs() -> None:
    run = asks(inputs=ROWS)
    run.vote(ok="rejected by alice")
    assert run.reason("ok") == ("Failed", "Rejected")


def test_the_question_shows_values_of_nodes_before_it() -> None:
    run = Run(spec(node("a"), node("ok", "a", checkpoint={"message": "$(nodes.a.outputs.n) ok?"})))
    run.pod_succeeds("a", told='{"n": 12}')
    assert 'approval of ok: "12 ok?"' in (run.node("ok").message or "")


def test_a_question_without_its_value_fails_the_checkpoint() -> None:
    run = Run(spec(node("a"), node("ok", "a", checkpoint={"message": "$(nodes.a.outputs.n) ok?"})))
    run.pod_succeeds("a", told='{"m": 12}')
    assert run.reason("ok") == ("Failed", "MissingOutput")
