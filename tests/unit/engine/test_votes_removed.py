"""A vote that was counted stays recorded, whatever becomes of its annotation."""

from tests.unit.engine.builders import node, spec
from tests.unit.engine.run import Run


def two_needed() -> Run:
    run = Run(spec(node("gate", checkpoint={"message": "Go?", "minApprovals": 2})))
    run.vote({"gate.a": "approve by alice"})
    run.unvote("gate.a")
    return run


def test_removing_ones_vote_takes_nothing_back() -> None:
    run = two_needed()
    assert [vote.by for vote in run.node("gate").votes] == ["alice"]
    run.vote({"gate.b": "approve by bob"})
    assert run.reason("gate") == ("Succeeded", "Approved")


def test_who_has_approved_can_still_reject() -> None:
    run = two_needed()
    run.vote({"gate.a": "reject by alice: it was too early"})
    assert run.reason("gate") == ("Failed", "Rejected")
