"""What votes decide, whatever their order."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.engine.builders import at, rows
from tidegate.api.status import Vote
from tidegate.engine.ballots import decide, differences, present_votes


def votes(*said: str) -> tuple[Vote, ...]:
    """``alice:approved:7``: who, decision, and the input n."""
    numbers, found = count(), []
    for words in said:
        who, decision, value = (*words.split(":"), "", "")[:3]
        inputs = {"n": value} if value else {}
        at_ = at(next(numbers))
        found.append(
            Vote(key="ok", decision=decision, by=who or None, at=at_, inputs=inputs, text=words)
        )
    return tuple(found)


DECIDED = {
    "nothing": ((), 1, None),
    "one of one": (("a:approved",), 1, "a"),
    "one of two": (("a:approved",), 2, None),
    "two of two": (("a:approved", "b:approved"), 2, "a b"),
    "the same twice": (("a:approved", "a:approved"), 2, None),
    "nameless are one": ((":approved", ":approved"), 2, None),
    "nameless and named": ((":approved", "a:approved"), 2, "None a"),
    "inputs that differ": (("a:approved:1", "b:approved:2"), 2, None),
    "inputs that agree at last": (("a:approved:1", "b:approved:2", "a:approved:2"), 2, "a b"),
    "choices that differ": (("a:x", "b:y"), 2, None),
    "two of three agree": (("a:x", "b:y", "c:x"), 2, "a c"),
    "of two contradictions the first": (("a:x", "b:y"), 1, "a"),
    "a rejection": (("a:approved", "b:rejected"), 2, "no b"),
    "a rejection beside enough approvals": (("a:approved", "b:approved", "c:rejected"), 2, "no c"),
    "who approved may reject": (("a:approved", "a:rejected"), 2, "no a"),
}


@pytest.mark.parametrize(("said", "needed", "expected"), rows(DECIDED))
def test_what_votes_decide(said: tuple[str, ...], needed: int, expected: str | None) -> None:
    found = decide(votes(*said), needed)
    told = None
    if found is not None:
        told = " ".join([*([] if found.approved else ["no"]), *(str(v.by) for v in found.votes)])
    assert told == expected


DIFFERENT = {
    "agreed": (("a:x:1", "b:x:1"), []),
    "in the decision": (("a:x", "b:y"), ["decision"]),
    "in an input": (("a:x:1", "b:x:2"), ["n"]),
    "in both": (("a:x:1", "b:y:2"), ["decision", "n"]),
    "no more": (("a:x:1", "b:x:2", "b:x:1"), []),
}


@pytest.mark.parametrize(("said", "expected"), rows(DIFFERENT))
def test_in_what_voters_differ(said: tuple[str, ...], expected: list[str]) -> None:
    assert differences(votes(*said)) == expected


words = st.lists(
    st.builds(
        "{}:{}:{}".format,
        st.sampled_from(["", "a", "b", "c"]),
        st.sampled_from(["approved", "x", "rejected"]),
        st.sampled_from(["", "1", "2"]),
    ),
    max_size=20,
)


@given(words, st.integers(1, 4))
def test_an_approval_is_by_as_many_different_users_who_say_the_same(
    said: list[str], needed: int
) -> None:
    given_votes = votes(*said)
    found = decide(given_votes, needed)
    rejected = any(vote.decision == "rejected" for vote in given_votes)
    assert (found is not None and not found.approved) == rejected
    if found is not None and found.approved:
        assert len({vote.by for vote in found.votes}) == len(found.votes) >= needed
        assert len({(v.decision, str(v.inputs)) for v in found.votes}) == 1
        assert {v.text for v in found.votes} <= {v.text for v in present_votes(given_votes)}
