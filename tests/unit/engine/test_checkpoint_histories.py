"""Histories of a checkpoint: whatever is voted, removed, waited for or changed, this holds."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.engine.builders import node, spec
from tests.unit.engine.run import Run
from tidegate.api.status import NodePhase, NodeStatus
from tidegate.facts.model import PolicyFact

KEYS = st.sampled_from(["ok", "ok.1", "ok.2", "b", "ok.X"])
WORDS = st.sampled_from(["approve", "approved@{code}", "reject", "go", "aprove", "approve@zzzzz"])
WHO = st.sampled_from([" by alice", " by bob", " by carol", ""])
MORE = st.sampled_from(["", ": 1", ": 2", "\nn: 1", "\nn: 2", "\nn: x"])
TEXTS = st.builds("{}{}{}".format, WORDS, WHO, MORE)
PRINTS = st.sampled_from(
    [PolicyFact("one", settled=True), PolicyFact("two", settled=True), PolicyFact()]
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("vote"), KEYS, TEXTS),
        st.tuples(st.just("votes"), TEXTS, TEXTS),
        st.tuples(st.just("unvote"), KEYS),
        st.tuples(st.just("advance"), st.integers(1, 2000)),
        st.tuples(st.just("policies"), PRINTS),
        st.tuples(st.just("suspend"), st.booleans()),
        st.tuples(st.just("rerun"), st.sampled_from(["failed", "all", "from=ok"])),
    ),
    max_size=14,
)
CHECKPOINTS = st.fixed_dictionaries(
    {"message": st.just("Go on?")},
    optional={
        "minApprovals": st.integers(1, 3),
        "timeout": st.just("1h"),
        "choices": st.just(["go"]),
        "requireCode": st.booleans(),
        "approvers": st.just({"groups": ["dba"]}),
        "inputs": st.just([{"name": "n", "pattern": "[0-9]", "default": "1"}]),
    },
)


def take(run: Run, step: Any, number: int) -> None:
    """One step; what is asked for again has another number."""
    match step:
        case ("vote", key, text):
            run.vote({key: text.replace("{code}", run.node("ok").code or "none0")})
        case ("votes", one, other):
            run.vote({"ok.1": one, "ok.2": other})
        case ("unvote", key):
            if f"checkpoint.tidegate.dev/{key}" in run.fact.annotations:
                run.unvote(key)
        case ("advance", seconds):
            run.advance(seconds)
        case ("policies", fact):
            run.policies = fact
            run.look()
        case ("suspend", value):
            run.edit(suspend=value)
        case ("rerun", how):
            run.ask(rerun=f"{how}@{number}")


def standing(run: Run) -> set[tuple[str, str]]:
    prefix = "checkpoint.tidegate.dev/"
    return {
        (key.removeprefix(prefix), text)
        for key, text in run.fact.annotations.items()
        if key.startswith(prefix)
    }


def is_same_decision(one: NodeStatus, other: NodeStatus) -> bool:
    fields = ("phase", "reason", "votes", "outputs", "opened_at", "finished_at", "code")
    return all(getattr(one, field) == getattr(other, field) for field in fields)


@settings(max_examples=60)
@given(CHECKPOINTS, STEPS)
def test_one_decision_of_votes_that_came_after_the_opening(checkpoint: Any, steps: Any) -> None:
    run = Run(spec(node("ok", checkpoint=checkpoint), node("b", "ok")))
    needs_policy = "approvers" in checkpoint
    stood = standing(run)
    for number, step in enumerate(steps):
        before, run_before = run.node("ok"), run.status.run
        take(run, step, number)
        after = run.node("ok")
        if after.opened_at != before.opened_at and after.phase is NodePhase.WAITING:
            stood = standing(run)
        if before.phase.has_ended and run.status.run == run_before:
            assert is_same_decision(before, after)
        if after.phase is NodePhase.WAITING and after.opened_at is not None:
            for vote in after.votes:
                assert (vote.key, vote.text) not in stood
        if after.reason == "Approved":
            assert len({vote.by for vote in after.votes}) >= checkpoint.get("minApprovals", 1)
            assert all(vote.decision != "rejected" for vote in after.votes)
            assert not needs_policy or all(vote.verified for vote in after.votes)
        reasons = {record.nodes["ok"].reason for record in run.records if record.nodes}
        assert "b1" not in run.started or "Approved" in reasons
        assert len(after.seen) <= 64
        assert len(after.votes) <= 40


@settings(max_examples=40)
@given(CHECKPOINTS, STEPS)
def test_a_restart_changes_nothing(checkpoint: Any, steps: Any) -> None:
    """The plan is made of status and facts: what a new process sees is what the old one saw."""
    run = Run(spec(node("ok", checkpoint=checkpoint), node("b", "ok")))
    for number, step in enumerate(steps):
        take(run, step, number)
        again = replace(run.fact, resource_version="other")
        run.fact = again
        records, notes = len(run.records), len(run.notes)
        run.look()
        assert (len(run.records), len(run.notes)) == (records, notes)
