"""Statuses that releases have left in clusters are still understood, and nothing moves for them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tidegate.api.status import NodePhase, WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow, validate
from tidegate.cluster.book import as_stored, difference
from tidegate.engine.model import Plan
from tidegate.engine.plan import plan
from tidegate.facts.model import Facts, WorkflowFact
from tidegate.facts.workflow import workflow_fact

SAVED = sorted(Path(__file__).parent.glob("*/*.json"))
IDS = [f"{path.parent.name}-{path.stem}" for path in SAVED]


def planned(raw: dict[str, Any]) -> tuple[Plan, WorkflowStatus, ValidatedWorkflow]:
    """What an operator would do that has just been started and sees none of the Jobs."""
    fact: WorkflowFact = workflow_fact(raw)
    workflow = validate(fact)
    status = WorkflowStatus.model_validate(fact.status)
    # A moment after the last thing that the status tells of.
    times = [status.started_at, status.finished_at, *(n.finished_at for n in status.nodes.values())]
    now = max(at for at in times if at is not None) + timedelta(milliseconds=1)
    return plan(workflow, fact, status, Facts(), now), status, workflow


@pytest.mark.parametrize("path", SAVED, ids=IDS)
def test_a_saved_status_says_the_same_when_it_is_read_and_written_again(path: Path) -> None:
    stored = json.loads(path.read_text())["status"]
    assert difference(stored, as_stored(WorkflowStatus.model_validate(stored))) == {}


@pytest.mark.parametrize("path", SAVED, ids=IDS)
def test_a_saved_status_still_plans(path: Path) -> None:
    step, status, workflow = planned(json.loads(path.read_text()))
    assert status.phase is not None
    if status.phase.is_final:
        assert (step.starts, step.ends, step.removes, step.prove) == ((), (), (), ())
        assert not step.decides
        assert step.status == status
        return
    running = {n for n, node in status.nodes.items() if node.phase is NodePhase.RUNNING}
    assert {attempt.node for attempt in step.prove} == running
    assert not {start.attempt.node for start in step.starts} & running
    for name in workflow.tasks:
        assert workflow.has_definition(name, status.nodes[name].definition or "")


def test_there_are_runs_that_are_on_and_runs_that_are_over() -> None:
    phases = {json.loads(path.read_text())["status"]["phase"] for path in SAVED}
    assert {"Running", "Succeeded", "Failed"} <= phases
