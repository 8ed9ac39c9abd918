"""Who wrote a Workflow is remembered, and can't vote where that is forbidden."""

from typing import Any

import pytest

from tests.unit.engine.builders import node, spec
from tests.unit.engine.run import Run
from tests.unit.engine.test_checkpoint import IGNORED, gate, opened
from tests.unit.engine.test_checkpoint_combos import IN_FORCE


def test_authors_are_remembered_and_cannot_vote_where_that_is_forbidden() -> None:
    run = Run(
        spec(gate(forbidAuthors=True)), look=False, annotations={"tidegate.dev/author": "alice"}
    )
    run.policies = IN_FORCE
    run.look()
    run.ask(author="bob")
    assert run.status.authors == ("alice", "bob")
    for author in ("alice", "bob"):
        run.vote(ok=f"approved by {author}")
        assert f"is by {author}, who wrote the Workflow" in run.told(IGNORED)[-1]
    assert opened(run)
    run.vote(ok="approved by carol")
    assert run.reason("ok") == ("Succeeded", "Approved")


def test_authors_are_recorded_although_the_spec_is_invalid_or_the_run_is_over() -> None:
    invalid = spec(gate(forbidAuthors=True), node("a", "a"))
    run = Run(invalid, annotations={"tidegate.dev/author": "alice"})
    assert run.status.authors == ("alice",)
    run = Run(spec(gate(forbidAuthors=True, timeout="1h")), look=False)
    run.policies = IN_FORCE
    run.look()
    run.advance(3600)
    assert run.result[0] == "Failed"
    run.ask(author="bob")
    assert run.status.authors == ("bob",)


@pytest.mark.parametrize("given", [spec(gate()), spec(gate(), node("a", "a"))])
def test_where_no_checkpoint_forbids_authors_a_name_that_anybody_may_write_is_not_recorded(
    given: Any,
) -> None:
    run = Run(given, annotations={"tidegate.dev/author": "alice"})
    run.ask(cancel="now", author="bob")
    assert run.status.authors == ()


def test_whoever_forbids_authors_later_is_the_first_one() -> None:
    run = Run(spec(gate()), annotations={"tidegate.dev/author": "alice"})
    run.vote(ok="reject by bob")
    run.policies = IN_FORCE
    run.ask(author="ed", rerun="failed")
    run.vote({"ok.2": "reject by bob"})
    run.edit_node("ok", checkpoint={"message": "Go on?", "forbidAuthors": True})
    run.ask(rerun="failed@2")
    assert run.status.authors == ("ed",)
    run.vote({"ok.3": "approve by alice"})
    assert run.reason("ok") == ("Succeeded", "Approved")


def test_so_many_authors_are_remembered_and_the_present_one_counts_all_the_same() -> None:
    run = Run(spec(gate(forbidAuthors=True)), look=False)
    run.policies = IN_FORCE
    for number in range(70):
        run.ask(author=f"author-{number}")
    assert len(run.status.authors) == 64
    run.vote(ok="approved by author-69")
    assert opened(run)


def asked_of(*users: str, author: str, **fields: Any) -> Run:
    checkpoint = {"forbidAuthors": True, "approvers": {"users": [*users]}, **fields}
    annotations = {"tidegate.dev/author": author}
    run = Run(spec(gate(**checkpoint)), look=False, annotations=annotations)
    run.policies = IN_FORCE
    run.look()
    return run


def test_a_gate_that_too_few_may_answer_says_who_is_left_and_what_to_do() -> None:
    run = asked_of("alice", "bob", author="alice", minApprovals=2)
    assert opened(run)
    assert (
        "; it can't be approved: 2 must approve, and only bob of the approvers can vote, as the "
        "others wrote the Workflow or asked for this run (forbidAuthors); cancel it, and let "
        "somebody who is no approver name more of them and ask for a rerun; "
    ) in (run.node("ok").message or "")


def test_whoever_becomes_an_author_while_it_is_open_is_left_out_from_then_on() -> None:
    run = asked_of("alice", "bob", author="carol")
    assert "can't be approved" not in (run.node("ok").message or "")
    run.ask(author="alice")
    assert "can't be approved" not in (run.node("ok").message or "")
    run.ask(author="bob")
    words = "it can't be approved: 1 must approve, and none of the approvers can vote"
    assert words in (run.node("ok").message or "")
    records = len(run.records)
    run.look()
    assert len(run.records) == records


def test_where_a_group_may_vote_nobody_knows_who_is_left() -> None:
    run = asked_of("alice", author="alice", approvers={"users": ["alice"], "groups": ["dba"]})
    assert "can't be approved" not in (run.node("ok").message or "")


def test_who_voted_before_becoming_an_author_has_voted() -> None:
    run = asked_of("alice", "bob", author="carol", minApprovals=2)
    run.vote({"ok.1": "approve by alice"})
    run.ask(author="alice")
    assert "can't be approved" not in (run.node("ok").message or "")
    run.vote({"ok.2": "approve by bob"})
    assert run.reason("ok") == ("Succeeded", "Approved")
