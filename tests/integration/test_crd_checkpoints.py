"""Checkpoints on a real API server: what the CRD refuses, keeps for the operator, and locks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.test_crd import Api, api, node, spec
from tests.kit.client import ApiError, Object

__all__ = ["api"]
pytestmark = pytest.mark.integration

NEVER_BOTH = "a node is a task or a checkpoint, never both"


def gate(**fields: Any) -> Object:
    return node(checkpoint={"message": "Go on?", **fields})


BAD: dict[str, tuple[Object, str]] = {
    "no question": (node(checkpoint={}), "checkpoint.message: Required value"),
    "an image": (gate() | {"image": "x"}, NEVER_BOTH),
    "a retry": (gate() | {"retry": {}}, NEVER_BOTH),
    "a fallback": (gate() | {"fallback": "s"}, NEVER_BOTH),
    "allowFailure": (gate() | {"allowFailure": True}, NEVER_BOTH),
    "no approvals": (gate(minApprovals=0), "greater than or equal to 1"),
    "too many approvals": (gate(minApprovals=21), "less than or equal to 20"),
    "a clock that shrugs": (gate(onTimeout="Ignore"), 'supported values: "Reject", "Approve"'),
    "a timeout of days": (gate(timeout="1d"), "timeout in body should match"),
    "a choice in capitals": (gate(choices=["Go"]), "choices[0] in body should match"),
    "an approver twice": (gate(approvers={"users": ["a", "a"]}), 'Duplicate value: "a"'),
    "an input twice": (gate(inputs=[{"name": "n"}, {"name": "n"}]), "Duplicate value"),
}


@pytest.mark.parametrize(("bad", "words"), BAD.values(), ids=BAD)
def test_refuses_in_plain_words(api: Api, bad: Object, words: str) -> None:
    with pytest.raises(ApiError) as refused:
        api.attempt(spec(bad, standbys=[node("s")], onExit=["s"]))
    assert words in refused.value.message


def test_a_standby_asks_nobody(api: Api) -> None:
    with pytest.raises(ApiError, match="unknown field"):
        api.attempt(spec(node(), standbys=[gate() | {"name": "s"}], onExit=["s"]))


def test_what_is_misspelt_or_empty_reaches_the_operator_which_refuses_it(api: Api) -> None:
    """Pruned, a typo in approvers or nothing behind it would open the gate to everyone."""
    wrong = {
        "approver": {"users": ["alice"]},
        "approvers": {"user": ["alice"]},
        "inputs": [{"name": "n", "patern": "x"}],
    }
    made = api.create(spec(gate(**wrong)), query="?dryRun=All")
    kept = made["spec"]["nodes"][0]["checkpoint"]
    assert wrong.items() <= kept.items()
    empty = dict.fromkeys(("approvers", "timeout", "minApprovals", "forbidAuthors", "requireCode"))
    made = api.create(spec(gate(**empty)), query="?dryRun=All")
    assert empty.items() <= made["spec"]["nodes"][0]["checkpoint"].items()
    made = api.create(spec(node(checkpoint=None)), query="?dryRun=All")
    assert made["spec"]["nodes"][0]["checkpoint"] is None


def test_the_largest_checkpoints_are_within_the_budget_of_rules(api: Api) -> None:
    users = [f"user-{number}@example.com" for number in range(64)]
    gates = [gate(approvers={"users": users}) | {"name": f"n{number}"} for number in range(150)]
    api.attempt(spec(*gates))


@pytest.fixture
def live(api: Api) -> Iterator[str]:
    """A Workflow whose checkpoint is open."""
    api.create(spec(gate(approvers={"users": ["alice"]})), "live")
    api.patch("live", {"status": {"phase": "Waiting", "observedGeneration": 1}}, "/status")
    yield "live"
    api.delete("live")


@pytest.mark.parametrize(
    "edit",
    [
        {"message": "Other?"},
        {"approvers": {"users": ["alice", "mallory"]}},
        {"approvers": None},
        {"minApprovals": 2},
        {"approver": {"users": ["mallory"]}},
        {"approvers": {"users": ["alice"], "group": ["x"]}},
        {"inputs": [{"name": "n"}]},
    ],
    ids=str,
)
def test_an_open_question_is_locked_with_all_that_stands_under_it(
    api: Api, live: str, edit: Object
) -> None:
    asked = {"approvers": {"users": ["alice"]}, "onTimeout": "Reject", "minApprovals": 1}
    flags = {"forbidAuthors": False, "requireCode": False}
    same = {"trigger": "DependenciesSucceeded", "allowFailure": False}
    api.patch(live, {"spec": spec(gate(**asked, **flags) | same)})
    with pytest.raises(ApiError, match="can't change while a run is on"):
        api.patch(live, {"spec": spec(gate(**{**asked, **flags, **edit}) | same)})
