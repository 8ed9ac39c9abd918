"""Pods that can't be confirmed stopped: who waits for them, and what ends without them."""

from typing import Any

import pytest

from tests.unit.engine.builders import PATIENT, at, node, rows, spec
from tests.unit.engine.run import Run


def stuck(**fields: Any) -> Run:
    run = Run(spec(node("a", retry=PATIENT), **fields))
    run.pod_runs("a")
    run.tell_pod("a", deletion_at=at(30), node_name="worker-7")
    return run


def test_a_node_waits_for_a_pod_that_cannot_be_confirmed_stopped() -> None:
    run = stuck()
    run.advance(149)
    assert run.reason("a") == ("Running", None)
    run.advance(1)
    assert run.reason("a") == ("Running", "NodeLost")
    assert [note.warning for note in run.notes if note.kind == "PodStuck"] == [True]
    assert "kubectl delete pod pod-job-1 --force" in str(run.node("a").message)
    run.advance(86400)
    assert run.started == ["a1"]
    assert run.result[0] == "Running"


def test_the_node_goes_on_once_the_pod_is_gone() -> None:
    run = stuck()
    run.advance(200)
    run.vanishes("a", disrupted=True)
    run.advance(60)
    assert run.started == ["a1", "a2"]


@pytest.mark.parametrize(
    ("text", "result"),
    rows({
        "a cancel": ("graceful", ("Cancelled", "CancelRequested")),
        "a cancel now": ("now", ("Cancelled", "CancelRequested")),
        "a deadline": (None, ("Failed", "DeadlineExceeded")),
    }),
)  # fmt: skip
def test_the_run_ends_without_that_pod_at(text: str | None, result: tuple[str, str]) -> None:
    run = stuck(timeout="5m")
    run.stops_at_once = False
    run.advance(160)
    if text:
        run.ask(cancel=text)
    else:
        run.advance(140)
    assert run.result == result
    assert run.reason("a") == ("Cancelled", "NodeLost")
    assert "pod-job-1 on node worker-7" in str(run.status.message)


def test_a_cancel_waits_for_a_pod_until_it_is_past_its_time() -> None:
    run = stuck()
    run.stops_at_once = False
    run.ask(cancel="graceful")
    assert run.result[0] == "Running"
    run.advance(149)
    assert run.result[0] == "Running"
    run.advance(1)
    assert run.result[0] == "Cancelled"


def test_a_failure_elsewhere_does_not_give_a_pod_up_for_lost() -> None:
    run = Run(spec(node("a"), node("b"), failurePolicy="FailFast"))
    run.stops_at_once = False
    run.pod_runs("a")
    run.tell_pod("a", deletion_at=at(30))
    run.pod_fails("b")
    run.advance(600)
    run.look()
    assert run.result[0] == "Running"
    assert run.reason("a")[0] == "Running"


def test_a_rerun_waits_for_the_former_runs_pod_of_that_node() -> None:
    run = stuck()
    run.stops_at_once = False
    run.advance(200)
    run.ask(cancel="graceful")
    assert run.result[0] == "Cancelled"
    run.ask(rerun="all")
    assert run.status.run == 2
    assert run.started == ["a1"]
    assert run.reason("a") == ("Pending", "Stopping")
    former = next(a for a in run.attempts if a.run == 1)
    run.attempts.pop(former)
    run.look()
    assert run.started == ["a1", "a1@2"]
