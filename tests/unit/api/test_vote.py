"""The grammar of votes: total, exact, and the same both ways."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.engine.builders import rows
from tidegate.api.vote import MAX_VOTE_BYTES, Ballot, VoteKey, format_vote, parse_vote, vote_key

FORM = "is not <decision> by <user>, or <decision> by <user>: <comment>"

READ = {
    "the least": ("approve", Ballot("approve")),
    "with a user": ("approved by alice", Ballot("approved", by="alice")),
    "with a comment": (
        "reject by alice: too few",
        Ballot("reject", by="alice", comment="too few"),
    ),
    "an empty comment": ("approve by alice: ", Ballot("approve", by="alice", comment="")),
    "a comment without a user": ("approve: fine", Ballot("approve", comment="fine")),
    "with a code": ("approved@k7f3q by alice", Ballot("approved", "k7f3q", "alice")),
    "a service account": (
        "approve by system:serviceaccount:ci:bot: ok",
        Ballot("approve", by="system:serviceaccount:ci:bot", comment="ok"),
    ),
    "a name that ends in a colon": ("approve by alice:", Ballot("approve", by="alice:")),
    "by in a name": ("approve by a by b", Ballot("approve", by="a by b")),
    "blanks in a name": ("approve by  alice ", Ballot("approve", by=" alice ")),
    "a comment with more of everything": (
        "approve by a: b: c by d@e",
        Ballot("approve", by="a", comment="b: c by d@e"),
    ),
    "inputs": (
        "approve by a: c\nrows: 1: 2\n_x-Y: ",
        Ballot("approve", by="a", comment="c", inputs={"rows": "1: 2", "_x-Y": ""}),
    ),
    "empty lines behind": (
        "approve by a\n\nrows: 1\n",
        Ballot("approve", by="a", inputs={"rows": "1"}),
    ),
    "any word": ("canary-2 by a", Ballot("canary-2", by="a")),
}


@pytest.mark.parametrize(("text", "says"), rows(READ))
def test_what_a_vote_says(text: str, says: Ballot) -> None:
    assert parse_vote(text) == says


WRONG = {
    "nothing": ("", "is empty; expected <decision> by <user>, or <decision> by <user>: <comment>"),
    "a line end": ("\n", FORM),
    "a blank before": (" approve by a", FORM),
    "two blanks": ("approve  by a", FORM),
    "no name": ("approve by ", FORM),
    "no name but a comment": ("approve by : c", FORM),
    "a colon without a blank": ("approve:c", FORM),
    "a capital": ("Approve by a", FORM),
    "a digit first": ("1approve by a", FORM),
    "an empty code": ("approve@ by a", FORM),
    "a code in capitals": ("approve@K7F3Q by a", FORM),
    "another word": ("approve for a", FORM),
    "a tab": ("approve by a\tb", "holds control characters"),
    "a carriage return": ("approve by a\r\nrows: 1", "holds control characters"),
    "an escape": ("approve by a\x1b[31m", "holds control characters"),
    "half a character": ("approve by \ud800", "holds control characters"),
    "a line without a colon": (
        "approve by a\nrows",
        "has a line after the first that is not <name>: <value>",
    ),
    "a value without a blank": (
        "approve by a\nrows:1",
        "has a line after the first that is not <name>: <value>",
    ),
    "an input twice": ("approve by a\nr: 1\nr: 1", "gives r twice"),
    "a byte too much": (
        "approve by " + "ä" * 507,
        "has 1025 bytes; at most 1024 are possible",
    ),
}


@pytest.mark.parametrize(("text", "fault"), rows(WRONG))
def test_what_is_no_vote(text: str, fault: str) -> None:
    assert parse_vote(text) == fault


def test_the_longest_vote() -> None:
    text = "approve by a: " + "x" * (MAX_VOTE_BYTES - 14)
    assert isinstance(parse_vote(text), Ballot)
    assert isinstance(parse_vote(f"{text}x"), str)


@given(st.text() | st.text("aprovedbyjct @:\n-1\0\r", max_size=40) | st.binary().map(repr))
@example("approve by a\n: ")
def test_the_parser_never_raises_and_what_it_reads_it_writes_alike(text: str) -> None:
    ballot = parse_vote(text)
    if isinstance(ballot, Ballot):
        again = parse_vote(format_vote(ballot))
        assert again == ballot
        assert format_vote(ballot) == "\n".join(filter(None, text.split("\n")))


plain = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=30)
names = plain.filter(lambda t: t and ": " not in t)


@given(
    st.builds(
        Ballot,
        decision=st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True),
        code=st.none() | st.from_regex(r"[a-z2-7]{5}", fullmatch=True),
        by=names,
        comment=st.none() | plain,
        inputs=st.dictionaries(
            st.from_regex(r"[A-Za-z_][-A-Za-z0-9_]{0,9}", fullmatch=True), plain
        ),
    )
)
def test_what_is_written_is_read_alike(ballot: Ballot) -> None:
    text = format_vote(ballot)
    if len(text.encode()) > MAX_VOTE_BYTES:
        assert isinstance(parse_vote(text), str)
    elif (ballot.by or "").endswith(":") and ballot.comment is not None:
        return  # "a:" and a comment can't be told from "a" and a comment with a colon
    else:
        assert parse_vote(text) == ballot


KEYS = {
    "a node": ("approve", VoteKey("approve")),
    "a tag": ("approve.alice-2", VoteKey("approve", "alice-2")),
}


@pytest.mark.parametrize(("suffix", "key"), rows(KEYS))
def test_what_a_key_names(suffix: str, key: VoteKey) -> None:
    assert vote_key(f"checkpoint.tidegate.dev/{suffix}") == key


@pytest.mark.parametrize("suffix", ["a.", "a.B", "a.b.c", "a." + "b" * 21, "A", "-a", "", ".a"])
def test_what_no_key_is(suffix: str) -> None:
    key = vote_key(f"checkpoint.tidegate.dev/{suffix}")
    assert key is not None
    assert key.fault


@pytest.mark.parametrize("other", ["tidegate.dev/cancel", "checkpoint.example.com/a", "a"])
def test_other_annotations_are_no_votes(other: str) -> None:
    assert vote_key(other) is None
