from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.engine.builders import KEY, NOON, PATIENT, container_end, node, rows, spec
from tests.unit.engine.run import Run
from tidegate.api.status import (
    Ending,
    Failure,
    JobRef,
    NodePhase,
    NodeStatus,
    Outcome,
    Phase,
    RunSummary,
    WaveStatus,
    WorkflowStatus,
)
from tidegate.constants import MAX_STATUS_BYTES
from tidegate.engine.conditions import conditions
from tidegate.engine.size import bounded, minimal, size

LATE = NOON + timedelta(milliseconds=123)
LONGEST = "x" * 40


def failure(number: int, message: str, standby: str | None = None) -> Failure:
    return Failure(
        attempt=number, standby=standby, reason="InvalidPodTemplate", exit_code=137,
        message=message, started_at=LATE, finished_at=LATE,
    )  # fmt: skip


def failed_node(failures: int, message: str, standby: str | None = None) -> NodeStatus:
    """A node with everything that a node can have."""
    return NodeStatus(
        phase=NodePhase.FAILED,
        reason="InvalidPodTemplate",
        message=message or None,
        wave=500,
        attempt=failures,
        job=JobRef(name="j" * 56, uid="u" * 36, run=1000, ending="DeadlineExceeded",
                   standby=standby),
        standby=standby,
        retries=99,
        serving_since=LATE,
        disruptions=10,
        started_at=LATE,
        finished_at=LATE,
        exit_code=137,
        definition="1:" + "d" * 32,
        failures=tuple(failure(n, message, standby) for n in range(1, failures + 1)),
    )  # fmt: skip


def status_of(count: int, node: NodeStatus, waves: int = 1) -> WorkflowStatus:
    names = [f"{i:03}{LONGEST}"[:40] for i in range(count)]
    wave = WaveStatus(phase=NodePhase.FAILED, started_at=LATE, finished_at=LATE)
    former = RunSummary(run=1, phase=Phase.FAILED, reason="NodeFailed", started_at=LATE)
    return WorkflowStatus(
        phase=Phase.RUNNING,
        reason="NodesRun",
        message="m" * 4096,
        run=1000,
        started_at=LATE,
        nodes=dict.fromkeys(names, node),
        waves={str(n): wave for n in range(1, waves + 1)},
        order=tuple(names),
        runs=(former,) * 10,
        ending=Ending(cause="Failure", node=names[0], wave=1, at=LATE),
        outcome=Outcome(phase=Phase.FAILED, reason="NodeFailed", at=LATE),
    )


@pytest.mark.parametrize(
    ("failures", "message"),
    rows({
        "one failure each": (1, "exit code 1"),
        "one failure with a long message each": (1, "m" * 1024),
        "five failures of 256 bytes each": (5, "m" * 256),
        "twenty failures with messages of many bytes each": (20, "ü" * 256),
        "four-byte characters": (6, "\U0001f600" * 256),
    }),
)  # fmt: skip
def test_500_failed_nodes_with_history_fit(failures: int, message: str) -> None:
    status = bounded(status_of(500, failed_node(failures, message)))
    assert size(status) <= MAX_STATUS_BYTES == 384 * 1024
    assert all(node.failures for node in status.nodes.values()), "something is left of each history"


def test_500_nodes_with_everything_that_a_node_can_have_fit_with_their_final_phase() -> None:
    status = status_of(500, failed_node(7, "ü" * 512, LONGEST), waves=500)
    final = status.model_copy(update={"phase": Phase.FAILED, "message": "ü" * 4096})
    final = final.model_copy(update={"conditions": conditions(KEY, final, LATE, suspended=False)})
    assert size(bounded(final)) <= MAX_STATUS_BYTES
    assert bounded(final).phase is Phase.FAILED


def test_small_statuses_are_left_alone() -> None:
    status = status_of(20, failed_node(5, "m" * 256))
    assert bounded(status) is status


def test_failures_shrink_step_by_step() -> None:
    found = []
    for count in (100, 140, 250, 350, 400):
        status = bounded(status_of(count, failed_node(9, "m" * 150)))
        left = next(iter(status.nodes.values())).failures
        found.append(([f.attempt for f in left], len(left[0].message)))
    assert found == [
        (list(range(1, 10)), 150),
        ([1, 6, 7, 8, 9], 150),
        ([1, 9], 150),
        ([1, 9], 64),
        ([9], 0),
    ]


def test_what_decisions_need_is_never_cut() -> None:
    node = failed_node(7, "ü" * 512, LONGEST)
    for left in bounded(status_of(500, node, waves=500)).nodes.values():
        kept = {"failures": (), "message": None}
        assert left.model_copy(update=kept) == node.model_copy(update=kept)


def test_a_shortened_status_is_not_shortened_again() -> None:
    once = bounded(status_of(500, failed_node(9, "m" * 1024)))
    assert bounded(once) == once


def test_what_is_left_where_the_server_refuses_even_that() -> None:
    running = NodeStatus(phase=NodePhase.RUNNING, attempt=1, job=JobRef(name="j", uid="u"))
    status = status_of(500, failed_node(9, "m" * 1024))
    status = minimal(KEY, status.model_copy(update={"nodes": {**status.nodes, "r": running}}), LATE)
    assert (status.phase, status.reason) == (Phase.FAILED, "StatusTooLarge")
    assert "split the Workflow" in str(status.message)
    assert status.finished_at == LATE
    truths = {c.type: c.status for c in status.conditions}
    assert (truths["Finished"], truths["Stalled"]) == ("True", "True")
    assert status.nodes["r"].phase == "Cancelled", "so that its attempt is ended as a stray"
    assert size(status) <= MAX_STATUS_BYTES


def test_every_record_of_a_run_with_long_failures_is_bounded() -> None:
    names = [f"node-{i:03}" for i in range(150)]
    run = Run(spec(*(node(name, retry=PATIENT) for name in names), parallelism=500))
    while run.running:
        for name in run.running:
            run.end_pod(name, "Failed", 1, "Error")
            end = replace(container_end(message="m" * 900), finished_at=run.now)
            run.change_pod(name, failed=end)
        run.look()
        run.advance(60)
    assert run.result == ("Failed", "NodeFailed")
    assert max(size(status) for status in run.records) <= MAX_STATUS_BYTES
