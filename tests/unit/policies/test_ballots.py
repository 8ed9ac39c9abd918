"""The policy reads a vote as the operator does: its own CEL is evaluated, with the C++ library."""

import hashlib
import re
from functools import cache
from typing import Any

import pytest
from cel_expr_python import cel
from cel_expr_python.ext import ext_optional, ext_strings
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.vote import parse_vote, vote_key
from tidegate.policies.cel import VOTE, ballots, judged

KEY = f"{VOTE}gate.a"
_TEXTS = {
    "keys": cel.Type.List(cel.Type.STRING),
    "texts": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
}
_STATE = {"state": cel.Type.Map(cel.Type.STRING, cel.Type.DYN), "vote": cel.Type.DYN}
_DECISION = re.compile(r"[a-z][a-z0-9-]*(@[a-z0-9]+)?")

words = st.sampled_from(
    ["approved", "reject", " by ", "by", ": ", ":", " ", "alice", "bob", "@k7f3q", "\n", "é", "A"],
)
# No NUL: the C++ library, given a text from Python, ends it there; the API server's does not.
texts = st.one_of(
    st.lists(words, max_size=9).map("".join),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
)


@cache
def program(text: str, *, about_state: bool) -> Any:
    variables = _STATE if about_state else _TEXTS
    extensions = [ext_strings.ExtStrings(), ext_optional.ExtOptional()]
    return cel.NewEnv(variables=variables, extensions=extensions).compile(text)


def value(text: str, *, about_state: bool = False, **data: Any) -> Any:
    found = program(text, about_state=about_state).eval(data=data)
    assert found.type() != cel.Type.ERROR, str(found)
    return found.plain_value()


def read(text: str, key: str = KEY) -> dict[str, Any]:
    """What the policy makes of a vote."""
    (ballot,) = value(ballots("keys", "texts"), keys=[key], texts={key: text})
    return dict(ballot)


@given(texts)
def test_the_policy_reads_the_same_user_and_decision_as_the_operator(text: str) -> None:
    by_policy, by_operator = read(text), parse_vote(text)
    passes = bool(_DECISION.fullmatch(by_policy["decision"]) and by_policy["by"])
    if isinstance(by_operator, str):
        return  # told as unreadable, whoever wrote it
    if passes:
        code = f"@{by_operator.code}" if by_operator.code is not None else ""
        assert by_policy["decision"] == by_operator.decision + code
        assert by_policy["by"] == by_operator.by
    else:
        assert by_operator.by is None, "whoever is named was compared with the writer"


@pytest.mark.parametrize(
    ("text", "by"),
    [
        ("approved by alice", "alice"),
        ("approved by alice: by bob", "alice"),
        ("approved by mallory by alice", "mallory by alice"),
        ("approved by corp: alice", "corp"),
        ("approved by alice:: yes", "alice:"),
        ("approved by alice ", "alice "),
        ("approved: by alice", ""),
        ("approved\n by alice", ""),
        ("", ""),
    ],
)
def test_whom_a_vote_names(text: str, by: str) -> None:
    assert read(text)["by"] == by


@pytest.mark.parametrize("tag", ["", ".a", ".a-1", ".a.b"])
def test_the_key_names_the_node_as_the_operator_reads_it(tag: str) -> None:
    key = f"{VOTE}gate-1{tag}"
    ballot, named = read("x", key), vote_key(key)
    assert named is not None
    assert ballot["node"] == named.node
    assert ballot["key"] == key.removeprefix(VOTE)


def is_judged(text: str, key: str = "gate.a", **state: Any) -> bool:
    vote = {"key": key, "node": "gate", "text": text}
    told = value(judged("vote", "state"), about_state=True, vote=vote, state={"gate": state})
    return bool(told)


def entry(text: str, key: str = "gate.a") -> str:
    """As status holds it."""
    return f"{hashlib.sha256(text.encode()).hexdigest()[:12]} {key}={text[:200]}"


@given(texts, texts)
def test_only_the_very_text_counts_as_judged(text: str, other: str) -> None:
    assert is_judged(text, seen=[entry(text)])
    assert is_judged(text, votes=[{"key": "gate.a", "text": text}])
    assert not is_judged(text)
    assert is_judged(text, seen=[entry(other)]) == (text == other)
    assert not is_judged(text, seen=[entry(text, "gate.b")])
    assert not is_judged(text, votes=[{"key": "gate.b", "text": text}])


def test_of_a_long_text_its_first_200_characters_count() -> None:
    text = "approved by alice: " + "é" * 300
    assert is_judged(text, seen=[entry(text)])
    assert not is_judged("rejected by alice", seen=["short", "", entry(text)])
