"""The property of ``plan`` that histories hold it against, on plans that break it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.sim.premises import unfounded
from tidegate.api.identity import AttemptId, WorkflowKey
from tidegate.api.status import JobRef, NodePhase, NodeStatus, Phase, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow, validate
from tidegate.engine.model import End, EndMode, Plan, Remove, Start
from tidegate.facts.model import Facts, WorkflowFact

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_SPEC = {
    "nodes": [{"name": "a", "image": "x", "retry": {}, "fallback": "b"}],
    "standbys": [{"name": "b", "image": "x"}, {"name": "h", "image": "x"}],
    "onExit": ["h"],
}
_RUNNING = NodeStatus(phase=NodePhase.RUNNING, attempt=1, job=JobRef(name="j", uid="u"))
_RETRYING = _RUNNING.model_copy(update={"phase": NodePhase.RETRYING, "retry_at": _NOW})


def _workflow() -> ValidatedWorkflow:
    key = WorkflowKey("sim", "flow")
    return validate(WorkflowFact(key, "w", 1, "1", _NOW, False, {}, False, _SPEC, {}))


def _status(node: NodeStatus) -> WorkflowStatus:
    nodes = {"a": node, "h": NodeStatus()}
    return WorkflowStatus(phase=Phase.RUNNING, run=1, nodes=nodes, started_at=_NOW)


def _start(number: int, node: str = "a", standby: str = "", run: int = 1) -> Plan:
    return Plan(WorkflowStatus(), starts=(Start(AttemptId(run, node, number, standby)),))


_END = End(AttemptId(1, "a", 1), EndMode.STOP_JOB, "j", "u", "Cancelled")
_END_PLAN = Plan(WorkflowStatus(), ends=(_END,))


@pytest.mark.parametrize(
    ("node", "plan", "fine"),
    [
        (NodeStatus(), _start(1), True),
        (NodeStatus(), _start(1, run=2), False),
        (NodeStatus(), _start(1, node="h"), False),
        (_RUNNING, _start(2), False),
        (_RETRYING, _start(2), True),
        (_RETRYING.model_copy(update={"retry_at": _NOW + timedelta(seconds=1)}), _start(2), False),
        (_RETRYING.model_copy(update={"retry_at": None}), _start(2), False),
        (_RUNNING, _start(2, standby="b"), True),
        (_RUNNING.model_copy(update={"phase": NodePhase.SUCCEEDED}), _start(2), False),
        (_RUNNING, _END_PLAN, False),
        (_RETRYING, _END_PLAN, True),
        (_RUNNING, Plan(WorkflowStatus(), removes=(Remove(_END.attempt, "j", "u"),)), False),
        (_RUNNING, Plan(WorkflowStatus(), delete_workflow=True), False),
    ],
)
def test_what_rests_on_nothing_recorded_is_found(node: NodeStatus, plan: Plan, fine: bool) -> None:
    found = list(unfounded(_workflow(), _status(node), Facts(), _NOW, plan))
    assert (not found) == fine, found


def test_an_attempt_with_a_recorded_end_may_be_stopped() -> None:
    job = JobRef(name="j", uid="u", ending="Cancelled")
    status = _status(_RUNNING.model_copy(update={"job": job}))
    assert not list(unfounded(_workflow(), status, Facts(), _NOW, replace(_END_PLAN)))
