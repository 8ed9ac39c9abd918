"""What an instant decides at a checkpoint: a clock, a policy or a text that comes just then."""

from tests.unit.engine.builders import node, spec
from tests.unit.engine.run import Run
from tests.unit.engine.test_checkpoint import IGNORED, asks, gate, opened
from tests.unit.engine.test_checkpoint_combos import ALTERED, IN_FORCE, change, under
from tidegate.facts.model import PolicyFact


def test_the_clock_does_not_strike_before_its_time_whoever_looks() -> None:
    run = asks(timeout="1h")
    run.advance(3599)
    run.look()
    assert opened(run)


def test_what_opens_under_policies_that_are_seconds_old_has_no_verified_votes() -> None:
    run = under(PolicyFact(IN_FORCE.fingerprint), minApprovals=2)
    assert opened(run)
    assert run.node("ok").policy is None
    change(run, IN_FORCE)
    run.vote(ok="approved by alice")
    assert not run.node("ok").votes[0].verified


def test_once_the_policies_are_gone_votes_are_no_longer_verified() -> None:
    run = under(IN_FORCE, minApprovals=2)
    run.vote({"ok.1": "approved by alice"})
    change(run, ALTERED)
    run.vote({"ok.2": "approved by bob"})
    assert [vote.verified for vote in run.node("ok").votes] == [True, False]


def test_a_text_that_comes_with_the_pass_that_opens_stood_there_before_and_is_told() -> None:
    run = Run(spec(node("a"), gate(after="a")))
    run.vote(look=False, ok="approved by alice")
    run.pod_succeeds("a")
    assert opened(run)
    (told,) = run.told(IGNORED)
    assert "stood there before ok opened" in told
