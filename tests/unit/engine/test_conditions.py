"""Conditions by the table of api.md, section 10, and as kstatus (Flux) and kubectl read them."""

import re
from typing import Any

import pytest

from tests.unit.engine.builders import KEY, at, node, rows, spec
from tests.unit.engine.run import Run
from tidegate.api.status import Phase, WorkflowStatus
from tidegate.engine.conditions import conditions, table

COLUMNS = ("Succeeded", "Finished", "Ready", "Reconciling", "Stalled")
TABLE = {
    "Pending": "Unknown False Unknown True False",
    "Running": "Unknown False Unknown True False",
    "Waiting": "Unknown False Unknown True False",
    "Suspended": "Unknown False Unknown True False",
    "Succeeded": "True True True False False",
    "Failed": "False True False False True",
    "Cancelled": "False True False False True",
}


@pytest.mark.parametrize("phase", list(Phase))
def test_the_table(phase: Phase) -> None:
    assert table(phase) == dict(zip(COLUMNS, TABLE[phase].split(), strict=True))


def kstatus(workflow: dict[str, Any]) -> str:
    """The status that kstatus computes for a custom resource (cli-utils, pkg/kstatus/status)."""
    status = workflow.get("status", {})
    if "deletionTimestamp" in workflow["metadata"]:
        return "Terminating"
    observed = status.get("observedGeneration")
    if observed is not None and observed != workflow["metadata"]["generation"]:
        return "InProgress"
    for condition in status.get("conditions", []):
        if condition["type"] == "Reconciling" and condition["status"] == "True":
            return "InProgress"
        if condition["type"] == "Stalled" and condition["status"] == "True":
            return "Failed"
    for condition in status.get("conditions", []):
        if condition["type"] == "Ready":
            return "Current" if condition["status"] == "True" else "InProgress"
    return "Current"


def stored(run: Run) -> dict[str, Any]:
    status = run.status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"metadata": {"generation": run.fact.generation}, "status": status}


def story(phase: str) -> Run:
    """A Workflow that has come to ``phase``."""
    run = Run(spec(node("a"), node("b", "a"), suspend=phase == "Pending"))
    if phase == "Succeeded":
        run.pod_succeeds("a")
        run.pod_succeeds("b")
    elif phase == "Failed":
        run.pod_fails("a")
    elif phase == "Cancelled":
        run.ask(cancel="now")
    elif phase == "Suspended":
        run.edit(suspend=True)
        run.pod_succeeds("a")
    assert run.result[0] == phase
    return run


KSTATUS = {
    "Pending": "InProgress",
    "Running": "InProgress",
    "Suspended": "InProgress",
    "Succeeded": "Current",
    "Failed": "Failed",
    "Cancelled": "Failed",
}


@pytest.mark.parametrize(("phase", "expected"), list(KSTATUS.items()))
def test_kstatus_agrees(phase: str, expected: str) -> None:
    assert kstatus(stored(story(phase))) == expected


def test_a_new_object_never_looks_finished_to_kstatus() -> None:
    """The CRD's default for ``observedGeneration`` stands until the operator has seen it."""
    new = {"metadata": {"generation": 1}, "status": {"observedGeneration": -1}}
    assert kstatus(new) == "InProgress"
    assert WorkflowStatus().observed_generation == -1


def test_an_edit_that_was_not_seen_yet_is_in_progress_to_kstatus() -> None:
    run = story("Succeeded")
    seen = stored(run)
    seen["metadata"]["generation"] += 1
    assert kstatus(seen) == "InProgress"
    run.edit(parallelism=3)
    assert kstatus(stored(run)) == "Current"


@pytest.mark.parametrize("phase", list(KSTATUS))
def test_kubectl_wait_finds_conditions_of_the_present_generation(phase: str) -> None:
    run = story(phase)
    run.edit(parallelism=7)
    assert {c.observed_generation for c in run.status.conditions} == {run.fact.generation}


@pytest.mark.parametrize("phase", list(KSTATUS))
def test_the_api_server_would_take_every_condition(phase: str) -> None:
    found = story(phase).status.conditions
    assert len({c.type for c in found}) == len(found)
    for condition in found:
        assert re.fullmatch(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", condition.reason)
        assert len(condition.reason) <= 1024
        assert len(condition.message) <= 32768


@pytest.mark.parametrize(
    ("phase", "kind", "reason"),
    rows({
        "Reconciling names the phase": ("Running", "Reconciling", "Running"),
        "Reconciling names the phase Suspended": ("Suspended", "Reconciling", "Suspended"),
        "Ready has the Workflow's reason": ("Succeeded", "Ready", "NodesSucceeded"),
        "Stalled has the Workflow's reason": ("Failed", "Stalled", "NodeFailed"),
        "Finished has the Workflow's reason": ("Cancelled", "Finished", "CancelRequested"),
    }),
)  # fmt: skip
def test_reasons(phase: str, kind: str, reason: str) -> None:
    assert {c.type: c.reason for c in story(phase).status.conditions}[kind] == reason


@pytest.mark.parametrize(
    ("phase", "told"), [("Failed", {"Ready", "Stalled"}), ("Succeeded", {"Ready"})]
)
def test_the_message_stands_where_people_look(phase: str, told: set[str]) -> None:
    run = story(phase)
    message = run.status.message
    assert {c.type for c in run.status.conditions if c.message == message} == told


def test_a_transition_is_when_the_status_of_a_condition_changes() -> None:
    run = Run(spec(node("a"), node("b", "a")))
    run.advance(10)
    run.pod_succeeds("a")
    times = {c.type: c.last_transition_time for c in run.status.conditions}
    assert set(times.values()) == {at(0)}
    run.advance(10)
    run.pod_fails("b")
    times = {c.type: c.last_transition_time for c in run.status.conditions}
    assert times.pop("Suspended") == at(0)
    assert set(times.values()) == {at(20)}


def test_very_long_messages_are_cut() -> None:
    status = WorkflowStatus(phase=Phase.FAILED, reason="InvalidSpec", message="ü" * 100_000)
    assert all(len(c.message) <= 4096 for c in conditions(KEY, status, at(0), suspended=False))
