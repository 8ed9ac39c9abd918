"""What becomes of a checkpoint that is decided, where there is little room; and what it says."""

import json

import pytest

from tests.unit.engine.builders import node, rows, spec
from tests.unit.engine.run import Run
from tests.unit.engine.test_checkpoint import asks, gate
from tidegate.constants import MAX_OUTPUT_BYTES, MAX_RUN_OUTPUT_BYTES
from tidegate.engine.approval import moment

MANY = MAX_RUN_OUTPUT_BYTES // MAX_OUTPUT_BYTES


def with_room(left: int) -> Run:
    """An open checkpoint in a run whose outputs may take so many bytes more."""
    names = [f"n{number}" for number in range(MANY)]
    run = Run(spec(*map(node, names), gate(after=names[0]), parallelism=MANY))
    for name in names:
        size = MAX_OUTPUT_BYTES - (left if name == "n0" else 0)
        told = json.dumps({"k": "x" * (size - len('{"k":""}'))}, separators=(",", ":"))
        run.pod_succeeds(name, told=told, look=False)
    run.look()
    return run


def test_outputs_that_find_no_room_lose_the_comment_first() -> None:
    run = with_room(60)
    run.vote(ok="approved by alice: " + "c" * 100)
    assert run.reason("ok") == ("Succeeded", "Approved")
    assert json.loads(run.node("ok").outputs or "") == {
        "decision": "approved",
        "by": "alice",
        "comment": "",
    }
    assert "cccc" in (run.node("ok").message or "")


def test_outputs_that_find_no_room_at_all_fail_the_checkpoint() -> None:
    run = with_room(10)
    run.vote(ok="approved by alice")
    assert run.reason("ok") == ("Failed", "OutputTooLarge")
    assert "approved by alice (not verified); but its outputs" in (run.node("ok").message or "")


SAID = {
    "by name": ("approved by alice", "approved by alice (not verified)"),
    "with a comment": ("approved by alice: fine", "approved by alice (not verified): fine"),
    "an empty comment": ("approved by alice: ", "approved by alice (not verified)"),
    "nameless": ("approved", "approved by somebody unnamed (not verified)"),
    "a comment that would do harm": (
        "approved by alice: \u202egnp.exe",
        "approved by alice (not verified): gnp.exe",
    ),
    "rejected": ("reject by bob: no", "rejected by bob (not verified): no"),
}


@pytest.mark.parametrize(("text", "message"), rows(SAID))
def test_what_is_said_of_a_decision(text: str, message: str) -> None:
    run = asks()
    run.vote(ok=text)
    assert run.node("ok").message == message


def test_the_clock_names_those_who_had_approved() -> None:
    run = asks(timeout="1h", minApprovals=2)
    run.vote(ok="approved by alice")
    run.advance(3600)
    assert run.node("ok").message == (
        "rejected by the clock: only alice (not verified) approved within 1 h, until "
        "Sun 22 Nov 13:00 UTC (onTimeout)"
    )


def test_a_time_that_may_be_days_away_has_its_day() -> None:
    run = asks(timeout="72h")
    opened = run.node("ok").opened_at
    assert opened is not None
    assert moment(opened) == "Sun 22 Nov 12:00 UTC"
    assert "until Wed 25 Nov 12:00 UTC" in (run.node("ok").message or "")


def test_further_choices_are_told() -> None:
    run = asks(choices=["canary", "full"])
    code = run.node("ok").code
    told = f"; canary@{code} and full@{code} approve, too; rejected@{code} rejects; answer with: "
    assert told in (run.node("ok").message or "")


def test_with_several_questions_each_says_how_to_answer() -> None:
    run = Run(spec(*(gate(name) for name in "abc")))
    message = run.status.message or ""
    assert message == "waiting for approval of a, b and c; how to answer stands in each's message"
    assert all("answer with: kubectl" in (run.node(name).message or "") for name in "abc")


def test_the_question_can_show_a_reference_as_it_is_written() -> None:
    question = "run $(workflow.run): write $$(params.x) and $$5?"
    run = Run(spec(gate(message=question)))
    assert '"run 1: write $(params.x) and $$5?"' in (run.node("ok").message or "")
