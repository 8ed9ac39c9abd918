from typing import Any

import pytest

from tests.unit.engine.builders import at, rows
from tidegate.api.status import (
    Ending,
    JobRef,
    NodePhase,
    NodeStatus,
    Outcome,
    Phase,
    Requests,
    WorkflowStatus,
)
from tidegate.engine.decisions import has_new_decision

BEFORE = WorkflowStatus(run=1, phase=Phase.RUNNING, nodes={"a": NodeStatus()})


def after(node: dict[str, Any] | None = None, **fields: Any) -> WorkflowStatus:
    nodes = {"a": NodeStatus(**node)} if node is not None else BEFORE.nodes
    return BEFORE.model_copy(update={"nodes": nodes, **fields})


def ref(**fields: Any) -> JobRef:
    return JobRef(name="j", uid="u", **fields)


@pytest.mark.parametrize(
    "status",
    rows({
        "the begin of a run": after(run=2),
        "why a run ends": after(ending=Ending(cause="CancelNow", at=at(0))),
        "a request that was consumed": after(requests=Requests(cancel="now")),
        "the outcome": after(outcome=Outcome(phase=Phase.FAILED, reason="r", at=at(0))),
        "a final phase": after(phase=Phase.SUCCEEDED),
        "the time of a retry": after({"retry_at": at(9), "phase": NodePhase.RETRYING}),
        "a node that won't run": after({"phase": NodePhase.SKIPPED}),
        "the end of an attempt": after({"job": ref(ending="StartTimeout")}),
        "a node that wasn't there": after(nodes={**BEFORE.nodes, "b": NodeStatus()}),
    }),
)  # fmt: skip
def test_what_is_recorded_before_anything_is_done(status: WorkflowStatus) -> None:
    assert has_new_decision(BEFORE, status)
    assert not has_new_decision(status, status)


@pytest.mark.parametrize(
    "status",
    rows({
        "an attempt has its Job": after({"phase": NodePhase.RUNNING, "attempt": 1, "job": ref()}),
        "an attempt succeeded": after({"phase": NodePhase.SUCCEEDED, "finished_at": at(1)}),
        "an attempt failed": after({"phase": NodePhase.FAILED, "finished_at": at(1)}),
        "a fallback takes over": after({"phase": NodePhase.RETRYING, "standby": "s"}),
        "words for people": after({"reason": "ImagePull", "message": "m"}, message="m"),
    }),
)  # fmt: skip
def test_facts_can_be_told_again(status: WorkflowStatus) -> None:
    assert not has_new_decision(BEFORE, status)
