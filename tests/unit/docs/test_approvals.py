"""The page on approvals reads votes as the operator does."""

from __future__ import annotations

import pytest

from tests.unit.docs.pages import DOCS, rows, sections
from tidegate.api.vote import APPROVALS, REJECTIONS, Ballot, parse_vote

PAGE = DOCS / "approvals.md"
VOTES = rows(sections(PAGE)["Answering"])
CHOICE = "canary"


def read(text: str) -> str:
    """What the page calls a vote of this text."""
    ballot = parse_vote(text)
    if not isinstance(ballot, Ballot) or (ballot.by or "") != (ballot.by or "").strip():
        return "none"
    if ballot.decision in REJECTIONS:
        return "rejects"
    return "approves" if ballot.decision in (*APPROVALS, CHOICE) else "none"


@pytest.mark.parametrize("text", VOTES)
def test_a_vote_counts_as_the_page_says(text: str) -> None:
    told = VOTES[text]
    found = next((word for word in ("none", "rejects", "approves") if word in told), "approves")
    assert read(text) == found


def test_the_page_shows_votes_that_count_and_votes_that_do_not() -> None:
    assert {read(text) for text in VOTES} == {"approves", "rejects", "none"}
