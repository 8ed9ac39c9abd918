"""What a hostile or careless author writes of a checkpoint, and what is said of it."""

from typing import Any
from unittest.mock import patch

import pytest

from tests.unit.api.specs import faults, node, spec
from tests.unit.engine.builders import rows
from tidegate.api.expressions import matches
from tidegate.api.rules import NOT_OF_CHECKPOINTS
from tidegate.api.spec import NodeSpec

ASK: dict[str, Any] = {"message": "Go on?"}
AT = "spec.nodes[ok]"


def told(checkpoint: Any, *others: Any, **fields: Any) -> list[str]:
    ok = {"name": "ok", "dependsOn": ["a"], "checkpoint": checkpoint, **fields}
    return faults(spec(node(), ok, *others))


GOOD: dict[str, dict[str, Any]] = {
    "the least": {},
    "everything": {
        "timeout": "24h",
        "onTimeout": "Reject",
        "choices": ["canary", "full-2"],
        "minApprovals": 2,
        "approvers": {"users": ["alice", "system:serviceaccount:ci:bot"], "groups": ["dba"]},
        "forbidAuthors": True,
        "requireCode": True,
        "inputs": [{"name": "rows", "pattern": "[0-9]+", "default": "7"}, {"name": "to"}],
    },
    "the clock approves": {
        "timeout": "1h",
        "onTimeout": "Approve",
        "requireCode": True,
        "inputs": [{"name": "rows", "default": ""}],
    },
    "groups of unknown size": {"minApprovals": 5, "approvers": {"groups": ["dba"]}},
    "as many as are needed": {"minApprovals": 2, "approvers": {"users": ["a", "b"]}},
    "a name with by in it": {"approvers": {"users": ["a by b", "a:"]}},
}


@pytest.mark.parametrize("fields", rows(GOOD))
def test_what_is_fine(fields: dict[str, Any]) -> None:
    assert told(ASK | fields) == []


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "a typo in approvers": ({"approver": {}}, ".approver: is no field; did you mean approvers?"),
    "a typo below approvers": (
        {"approvers": {"user": ["a"], "groups": ["b"]}},
        ".approvers.user: is no field; did you mean users?",
    ),
    "a typo in an input": (
        {"inputs": [{"name": "n", "patern": "x"}]},
        ".inputs[n].patern: is no field; did you mean pattern?",
    ),
    "no approvers behind the word": (
        {"approvers": None},
        ".approvers: is empty (null): say what is meant, or remove the field",
    ),
    "approvers who are nobody": (
        {"approvers": {"users": []}},
        ".approvers: names nobody; give users or groups, or leave it out",
    ),
    "null for a flag": ({"forbidAuthors": None}, ".forbidAuthors: must be true or false, not null"),
    "null for a count": ({"minApprovals": None}, ".minApprovals: must be a whole number, not null"),
    "null for the timeout": (
        {"timeout": None},
        ".timeout: is empty (null): say what is meant, or remove the field",
    ),
    "more approvals than people": (
        {"minApprovals": 3, "approvers": {"users": ["a", "b"]}},
        ".minApprovals: 3 are more than the approvers, who are 2",
    ),
    "no approvals": ({"minApprovals": 0}, ".minApprovals: must be at least 1"),
    "too many approvals": ({"minApprovals": 21}, ".minApprovals: must be at most 20"),
    "a name that no vote can hold": (
        {"approvers": {"users": ["a: b"]}},
        ".approvers.users: a: b can't vote: in a vote a name ends at the first colon and blank",
    ),
    "a name with a blank behind": (
        {"approvers": {"groups": ["dba "]}},
        '.approvers.groups: "dba " begins or ends with a blank',
    ),
    "a name of two lines": (
        {"approvers": {"users": ["a\nb"]}},
        ".approvers.users[0]: must be one line without control characters, as in a vote",
    ),
    "a clock that approves without end": (
        {"onTimeout": "Approve"},
        ".onTimeout: Approve needs a timeout",
    ),
    "a clock among approvers": (
        {"onTimeout": "Approve", "timeout": "1h", "approvers": {"groups": ["a"]}},
        ".onTimeout: Approve can't be had together with approvers",
    ),
    "a clock as one of two": (
        {"onTimeout": "Approve", "timeout": "1h", "minApprovals": 2, "forbidAuthors": True},
        ".onTimeout: Approve can't be had together with forbidAuthors and minApprovals over 1",
    ),
    "a clock that knows no value": (
        {"onTimeout": "Approve", "timeout": "1h", "inputs": [{"name": "rows"}]},
        ".onTimeout: Approve needs a default for the input rows: nobody gives it then",
    ),
    "a choice that every checkpoint has": (
        {"choices": ["rejected"]},
        ".choices[0]: rejected can be voted at every checkpoint; leave it out",
    ),
    "a choice that can't be voted": (
        {"choices": ["Go!"]},
        ".choices[0]: Go! can't be voted for: a-z, 0-9 and - only, beginning with a letter",
    ),
    "a choice twice": ({"choices": ["x", "x"]}, ".choices: x stands there more than once"),
    "an input with an output's name": (
        {"inputs": [{"name": "by"}]},
        ".inputs[by].name: by is an output of every checkpoint",
    ),
    "an input twice": (
        {"inputs": [{"name": "n"}, {"name": "n"}]},
        ".inputs[n].name: n is asked for twice",
    ),
    "a pattern that is none": (
        {"inputs": [{"name": "n", "pattern": "("}]},
        ".inputs[n].pattern: invalid regular expression: missing ): (",
    ),
    "a pattern that takes long": (
        {"inputs": [{"name": "n", "pattern": "((([ab]?){31}){31}){31}"}]},
        ".inputs[n].pattern: may take too long; use fewer repeats inside each other",
    ),
    "a pattern that takes long to read": (
        {"inputs": [{"name": "n", "pattern": r"(\pL{31}){31}", "default": "x"}]},
        ".inputs[n].pattern: may take too long; use fewer repeats inside each other",
    ),
    "a pattern that looks ahead": (
        {"inputs": [{"name": "n", "pattern": "(?=x)"}]},
        ".inputs[n].pattern: invalid regular expression: invalid perl operator: (?=",
    ),
    "a default that doesn't match": (
        {"inputs": [{"name": "n", "pattern": "[0-9]+", "default": "x"}]},
        ".inputs[n].default: x doesn't match the pattern",
    ),
    "a choice of an input that doesn't match": (
        {"inputs": [{"name": "n", "pattern": "[0-9]+", "choices": ["1", "x"]}]},
        ".inputs[n].choices: x doesn't match the pattern",
    ),
    "a default that is no choice": (
        {"inputs": [{"name": "n", "choices": ["a"], "default": "b"}]},
        ".inputs[n].default: b is none of the choices",
    ),
    "a question about nothing": (
        {"message": "$(nodes.x.outputs.n)?"},
        ".message: $(nodes.x.outputs.n): there is no node x",
    ),
    "a question about what comes later": (
        {"message": "$(nodes.ok.phase)?"},
        ".message: $(nodes.ok.phase): ok doesn't run before ok; only what runs before has a value",
    ),
    "a question about its attempt": (
        {"message": "$(node.attempt)?"},
        ".message: $(node.attempt): a checkpoint has no attempts",
    ),
    "no question": ({"message": ""}, ".message: must not be empty"),
}


@pytest.mark.parametrize(("fields", "fault"), rows(BAD))
def test_what_is_refused(fields: dict[str, Any], fault: str) -> None:
    assert told(ASK | fields) == [f"{AT}.checkpoint{fault}"]


TASKS: dict[str, Any] = {
    "image": "busybox:1.36",
    "command": ["true"],
    "script": "true",
    "env": [{"name": "A", "value": "b"}],
    "retry": {},
    "timeout": "1m",
    "outputs": [{"name": "n"}],
    "template": {},
    "allowFailure": True,
}


@pytest.mark.parametrize("field", TASKS)
def test_a_node_is_never_both(field: str) -> None:
    (fault,) = told(ASK, **{field: TASKS[field]})
    assert fault == (
        f"{AT}.{field}: a checkpoint has none; a node is a task or a checkpoint, never both"
    )


def test_every_field_of_tasks_is_refused() -> None:
    """Also one that tasks get one day."""
    fields = {field.alias or name for name, field in NodeSpec.model_fields.items()}
    allowed = {"name", "dependsOn", "trigger", "when", "checkpoint"}
    assert fields - allowed == {*NOT_OF_CHECKPOINTS, "allowFailure"}


def test_a_checkpoint_has_no_fallback() -> None:
    ok = {"name": "ok", "checkpoint": ASK, "fallback": "s"}
    (fault,) = faults(spec(ok, standbys=[{"name": "s"}]))
    assert "a checkpoint has none" in fault


def test_what_defaults_give_to_tasks_is_not_held_against_checkpoints() -> None:
    nodes = [{"name": "ok", "checkpoint": ASK}]
    assert faults({"nodes": nodes}) == []
    assert faults({"nodes": nodes, "defaults": {"retry": {}, "timeout": "1m"}}) == []


def test_the_word_alone_is_no_task() -> None:
    """The API server would drop the null, and a task without a gate would be left."""
    assert f"{AT}.checkpoint: is empty (null): say what is meant, or remove the field" in told(None)


def test_a_standby_asks_nobody() -> None:
    standby = {"name": "s", "checkpoint": ASK}
    (fault,) = faults(spec(node(fallback="s"), standbys=[standby]))
    assert fault.startswith("spec.standbys[s].checkpoint: only nodes have it")


def test_later_nodes_may_read_what_it_gives_and_nothing_else() -> None:
    checkpoint = ASK | {"inputs": [{"name": "rows"}]}
    names = ("decision", "by", "comment", "rows")
    args = [f"$(nodes.ok.outputs.{name})" for name in names]
    assert told(checkpoint, node("b", dependsOn=["ok"], args=args)) == []
    (fault,) = told(checkpoint, node("b", dependsOn=["ok"], args=["$(nodes.ok.outputs.row)"]))
    assert fault.endswith("the checkpoint ok has no output row; did you mean rows?")
    (fault,) = told(checkpoint, node("b", dependsOn=["ok"], when="nodes.ok.outputs.row == '1'"))
    assert "the checkpoint ok has no output row" in fault


def test_handlers_cannot_read_what_may_not_be_there() -> None:
    page = {"name": "page", "args": ["$(nodes.ok.outputs.by)"]}
    (fault,) = faults(spec({"name": "ok", "checkpoint": ASK}, standbys=[page], onError=["page"]))
    assert "the checkpoint ok may have decided nothing" in fault


def test_all_faults_are_told_at_once() -> None:
    assert len(told({"mesage": "x", "minApprovals": 0, "choices": ["approve"], "x": 1})) == 5


def test_a_pattern_is_bounded_in_time_and_means_the_whole_value() -> None:
    assert not matches("(a+)+", "a" * 500 + "!")
    assert not matches("a|b", "ab")
    assert not matches("[0-9]+", "1\n")
    assert matches("(?i)ab", "AB")


def test_what_all_patterns_take_together_is_bounded() -> None:
    asked = [{"name": f"n{i}", "pattern": r"\pL", "default": "x" * 400} for i in range(12)]
    with patch("tidegate.api.checkpoint_checks.pattern_fault", return_value="") as judged:
        found = told(ASK | {"inputs": asked})
    assert found == [
        "spec.nodes: their patterns may take too long together; use fewer and shorter ones"
    ]
    assert judged.call_count == 0


def test_hundreds_of_ordinary_patterns_are_fine() -> None:
    asked = [
        {"name": f"n{i}", "pattern": "CHG-[0-9]{4,9}", "choices": ["CHG-1234", "CHG-123456"]}
        for i in range(16)
    ]
    others = [node(f"ok{i}", checkpoint=ASK | {"inputs": asked}) for i in range(100)]
    assert faults(spec(node(), *others)) == []
