"""Votes that stand there when a question is asked: they don't count, and everybody is told so."""

from tests.unit.engine.builders import node, spec
from tests.unit.engine.run import Run
from tests.unit.engine.test_checkpoint import IGNORED, gate, opened
from tests.unit.engine.test_checkpoint_combos import ALTERED, IN_FORCE, change, under


def rejected_and_asked_again() -> Run:
    """Alice rejected the gate, which the clock would open; it asks again in a rerun."""
    run = Run(spec(gate(timeout="1h", onTimeout="Approve"), node("b", "ok")))
    run.vote(ok="reject by alice")
    run.ask(rerun="failed@2")
    assert opened(run)
    return run


def test_asked_again_everybody_is_told_that_the_former_answer_does_not_count() -> None:
    run = rejected_and_asked_again()
    code = run.node("ok").code
    run.vote(ok="reject by alice")
    assert opened(run)
    assert run.told(IGNORED) == [
        f"votes that stood there before ok opened don't count: ok; vote with @{code}"
    ]
    line = f"; the vote under ok stands there but doesn't count: vote with @{code}; rejected@"
    assert line in (run.node("ok").message or "")


def test_the_former_answer_counts_once_it_was_taken_back_and_given_again() -> None:
    run = rejected_and_asked_again()
    run.unvote("ok")
    assert "doesn't count" not in (run.node("ok").message or "")
    run.vote(ok="reject by alice")
    assert run.reason("ok") == ("Failed", "Rejected")


def test_the_former_answer_with_the_code_counts() -> None:
    run = rejected_and_asked_again()
    run.vote(ok=f"reject@{run.node('ok').code} by alice")
    assert run.reason("ok") == ("Failed", "Rejected")


def test_asked_anew_under_other_policies_the_former_votes_are_told() -> None:
    run = under(IN_FORCE, minApprovals=2, approvers={"groups": ["dba"]})
    run.vote({"ok.1": "approved by alice"})
    change(run, ALTERED)
    change(run, IN_FORCE)
    run.vote({"ok.1": "approved by alice"})
    (told,) = run.told(IGNORED)
    assert "before ok opened don't count: ok.1;" in told
    run.unvote("ok.1")
    run.vote({"ok.1": "approved by alice"})
    assert "1 of 2 approvals (alice)" in (run.node("ok").message or "")


def test_many_that_stood_there_are_told_at_once() -> None:
    run = Run(spec(gate()), look=False)
    run.vote({f"ok.{number}": "approved by alice" for number in range(40)})
    (told,) = run.told(IGNORED)
    assert all(f"ok.{number}" in told for number in range(40))
    words = "the votes under ok.0, ok.1, ok.10 and 37 more stand there but don't count"
    assert words in (run.node("ok").message or "")


def test_a_wrong_vote_that_was_taken_back_is_told_again_when_it_comes_again() -> None:
    run = Run(spec(gate()))
    for _ in range(2):
        run.vote(ok="aproved by alice")
        run.unvote("ok")
    assert len(run.told(IGNORED)) == 2
    assert run.node("ok").seen == ()


def test_who_takes_back_a_counted_vote_and_gives_it_again_adds_nothing() -> None:
    run = Run(spec(gate(minApprovals=2)))
    for _ in range(2):
        run.vote({"ok.1": "approved by alice"})
        run.unvote("ok.1")
    assert [vote.by for vote in run.node("ok").votes] == ["alice"]
    assert "adds nothing" in run.told(IGNORED)[0]
