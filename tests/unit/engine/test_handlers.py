import json
from typing import Any

import pytest

from tests.unit.engine.builders import (
    PATIENT,
    Json,
    at,
    gone,
    node,
    present,
    rows,
    running_pod,
    spec,
)
from tests.unit.engine.run import Run
from tidegate.api.status import Ending, NodePhase, NodeStatus, Phase, WorkflowStatus
from tidegate.engine.handlers import DEFAULT_TIMEOUT, errors_json, failed_nodes
from tidegate.engine.model import NoteKind

HANDLED: Json = {"standbys": "e1 e2 x1 x2", "onError": ["e1", "e2"], "onExit": ["x1", "x2"]}


def story(*nodes: Json, **fields: Any) -> Run:
    return Run(spec(*(nodes or (node("a"),)), **HANDLED | fields))


def env(run: Run, handler: str) -> dict[str, str]:
    return dict(next(s for s in run.starts if s.attempt.node == handler).env)


def test_after_a_failure_all_run_in_order_one_after_another() -> None:
    run = story()
    run.pod_fails("a")
    for expected in ("e1", "e2", "x1", "x2"):
        assert run.running == {expected}
        run.pod_succeeds(expected)
    assert run.started == ["a1", "e11", "e21", "x11", "x21"]
    assert run.result == ("Failed", "NodeFailed")


def test_after_a_success_only_on_exit_runs() -> None:
    run = story()
    run.pod_succeeds("a")
    assert run.reason("e1") == ("Skipped", "NotNeeded")
    run.pod_succeeds("x1")
    run.pod_succeeds("x2")
    assert run.started == ["a1", "x11", "x21"]
    assert run.result == ("Succeeded", "NodesSucceeded")


def test_the_outcome_is_recorded_before_the_first_handler_starts() -> None:
    run = story()
    run.pod_fails("a", look=False)
    planned = run.plan()
    assert planned.decides
    assert planned.starts == ()
    assert planned.status.outcome is not None
    assert (planned.status.phase, planned.status.outcome.phase) == ("Running", "Failed")
    run.look()
    assert run.started == ["a1", "e11"]


def test_no_handler_runs_before_every_node_has_stopped() -> None:
    run = story(node("a"), node("b"), failurePolicy="FailFast")
    run.stops_at_once = False
    run.pod_runs("b")
    run.pod_fails("a")
    run.advance(300)
    assert run.started == ["a1", "b1"]
    run.stop("b")
    assert run.started == ["a1", "b1", "e11"]


def test_all_run_even_if_one_fails() -> None:
    run = story()
    run.pod_fails("a", exit_code=3)
    run.pod_fails("e1", exit_code=9)
    assert run.running == {"e2"}
    run.pod_succeeds("e2")
    run.pod_fails("x1")
    run.pod_succeeds("x2")
    assert run.result == ("Failed", "NodeFailed")
    assert str(run.status.message).startswith("a: exit code 3; e1: exit code 9")


def test_a_failing_handler_spoils_a_success() -> None:
    run = story()
    run.pod_succeeds("a")
    run.pod_fails("x1", exit_code=9)
    assert run.result == ("Running", "HandlersRun")
    run.pod_succeeds("x2")
    assert run.result == ("Failed", "ExitHandlerFailed")
    assert run.status.outcome is not None
    assert run.status.outcome.phase is Phase.SUCCEEDED
    assert "x1: exit code 9" in str(run.status.message)


def test_a_failing_handler_does_not_change_a_cancel() -> None:
    run = story()
    run.ask(cancel="graceful")
    run.pod_fails("x1")
    run.pod_succeeds("x2")
    assert run.result == ("Cancelled", "CancelRequested")


def test_each_attempt_of_a_handler_is_started_once() -> None:
    run = story()
    run.pod_fails("a")
    for _ in range(5):
        run.look()
    run.vanishes("e1")
    assert run.reason("e1") == ("Failed", "Lost")
    assert run.started == ["a1", "e11", "e21"]


def test_a_handler_is_not_repeated_unless_it_says_retry_itself() -> None:
    inherited = Run(
        spec(node("a"), standbys="x", onExit=["x"], defaults={"image": "i", "retry": PATIENT})
    )
    inherited.pod_succeeds("a")
    inherited.pod_is_evicted("x")
    assert inherited.reason("x") == ("Failed", "Disrupted")
    assert inherited.result == ("Failed", "ExitHandlerFailed")
    own = Run(spec(node("a"), extra=[{"name": "x", "retry": PATIENT}], onExit=["x"]))
    own.pod_succeeds("a")
    own.pod_is_evicted("x")
    assert own.reason("x") == ("Retrying", "Disrupted")
    own.advance(10)
    own.pod_fails("x")
    own.advance(10)
    own.pod_succeeds("x")
    assert own.started == ["a1", "x1", "x2", "x3"]
    assert own.result == ("Succeeded", "NodesSucceeded")


def test_the_deadline_does_not_end_handlers() -> None:
    run = story(timeout="1m")
    run.pod_runs("a")
    run.advance(60)
    assert run.started == ["a1", "e11"]
    run.advance(300)
    assert run.ended == ["a1"]
    assert run.running == {"e1"}


def test_a_deadline_that_comes_while_handlers_run_changes_nothing() -> None:
    run = story(timeout="1m")
    run.pod_succeeds("a")
    run.advance(120)
    run.look()
    assert run.status.ending is None
    run.pod_succeeds("x1")
    run.pod_succeeds("x2")
    assert run.result == ("Succeeded", "NodesSucceeded")


def test_a_deadline_that_is_moved_before_the_end_of_the_nodes_comes_too_late() -> None:
    run = story()
    run.advance(60)
    run.pod_succeeds("a")
    run.edit(timeout="30s")
    assert run.status.ending is None
    run.pod_succeeds("x1")
    run.pod_succeeds("x2")
    assert run.result == ("Succeeded", "NodesSucceeded")


def test_suspending_holds_no_handler_back() -> None:
    run = story()
    run.pod_runs("a")
    run.edit(suspend=True)
    run.pod_fails("a")
    assert run.running == {"e1"}
    assert run.result == ("Running", "HandlersRun")


def test_handlers_do_not_count_for_parallelism() -> None:
    run = story(parallelism=1)
    run.pod_fails("a")
    assert run.running == {"e1"}


def test_after_graceful_only_on_exit_runs() -> None:
    run = story()
    run.ask(cancel="graceful")
    assert run.reason("e1") == ("Skipped", "NotNeeded")
    assert run.started == ["a1", "x11"]
    run.pod_succeeds("x1")
    run.pod_succeeds("x2")
    assert run.result == ("Cancelled", "CancelRequested")


def test_after_now_none_runs() -> None:
    run = story()
    run.ask(cancel="now")
    assert run.started == ["a1"]
    assert {run.reason(name)[0] for name in ("e1", "e2", "x1", "x2")} == {"Skipped"}


def test_now_ends_the_handler_that_runs_and_keeps_the_outcome() -> None:
    run = story()
    run.pod_fails("a")
    run.pod_runs("e1")
    run.ask(cancel="now")
    assert run.ended == ["e11"]
    assert run.reason("e1") == ("Cancelled", "Cancelled")
    assert run.reason("x1")[0] == "Skipped"
    assert run.started == ["a1", "e11"]
    assert run.result == ("Failed", "NodeFailed")


def test_graceful_comes_too_late_for_handlers() -> None:
    run = story()
    run.pod_fails("a")
    run.ask(cancel="graceful")
    assert run.running == {"e1"}
    assert run.status.ending is not None
    assert run.status.ending.cause == "Failure"
    (words,) = run.told(NoteKind.REQUEST_IGNORED)
    assert "the nodes have ended, only handlers run; only now ends them" in words


def test_what_a_handler_gets() -> None:
    run = story(node("a", fallback="s"), node("b", allowFailure=True), extra=[{"name": "s"}])
    run.pod_fails("b", exit_code=9)
    run.pod_fails("a", exit_code=3)
    run.pod_fails("a", exit_code=4)
    given = env(run, "e1")
    assert set(given) == {"TIDEGATE_PHASE", "TIDEGATE_ERRORS", "TIDEGATE_LOG_CONFIGMAP"}
    assert given["TIDEGATE_LOG_CONFIGMAP"] == "flow-log"
    assert given["TIDEGATE_PHASE"] == "Failed"
    assert json.loads(given["TIDEGATE_ERRORS"]) == [
        {"node": "a", "reason": "ExitCode", "exitCode": 4, "servedBy": "s",
         "message": "exit code 3; fallback s: exit code 4"},
        {"node": "b", "reason": "ExitCode", "exitCode": 9, "message": "exit code 9"},
    ]  # fmt: skip


def test_every_handler_is_told_the_recorded_outcome() -> None:
    run = story()
    run.pod_succeeds("a")
    run.pod_fails("x1", exit_code=9)
    assert env(run, "x2") == env(run, "x1"), "whatever was recorded in between"
    told = {"TIDEGATE_PHASE": "Succeeded", "TIDEGATE_ERRORS": "[]"}
    assert env(run, "x2") == told | {"TIDEGATE_LOG_CONFIGMAP": "flow-log"}


def test_without_a_timeout_a_handler_gets_ten_minutes() -> None:
    run = story()
    run.pod_succeeds("a")
    assert [s.default_timeout for s in run.starts] == [None, DEFAULT_TIMEOUT]
    assert DEFAULT_TIMEOUT == 600


def many_errors(count: int, length: int) -> WorkflowStatus:
    failed = NodeStatus(
        phase=NodePhase.FAILED, reason="ExitCode", exit_code=1, message="m" * length,
        finished_at=at(0),
    )  # fmt: skip
    return WorkflowStatus(nodes={f"node-{i:03}": failed for i in range(count)})


@pytest.mark.parametrize(
    ("count", "length", "told"),
    rows({
        "few whole messages": (5, 1000, 5),
        "shorter messages": (25, 1000, 25),
        "no messages": (120, 1000, 120),
        "as many as fit": (500, 1000, 125),
        "none": (0, 0, 0),
    }),
)  # fmt: skip
def test_errors_keep_within_8_kib(count: int, length: int, told: int) -> None:
    found = many_errors(count, length)
    text = errors_json(failed_nodes(found, found.nodes))
    assert len(text.encode()) <= 8192
    assert len(json.loads(text)) == told


def test_errors_are_told_first_cause_first_then_as_they_ended() -> None:
    def failed(second: float) -> NodeStatus:
        return NodeStatus(phase=NodePhase.FAILED, reason="Lost", finished_at=at(second))

    status = WorkflowStatus(
        nodes={"late": failed(9), "early": failed(1), "cause": failed(5), "ok": NodeStatus()},
        ending=Ending(cause="Failure", node="cause", wave=1, at=at(5)),
    )
    assert [name for name, _ in failed_nodes(status, status.nodes)] == ["cause", "early", "late"]


def killed_before_its_record() -> Run:
    """The operator started e1 and was killed before it recorded that."""
    run = story()
    run.pod_fails("a")
    run.status = run.records[-2]
    assert run.reason("e1")[0] == "Pending"
    return run


def test_a_handler_that_has_begun_already_is_taken_up_not_started_again() -> None:
    run = killed_before_its_record()
    assert run.plan().starts == ()
    run.look()
    assert run.reason("e1") == ("Running", None)


@pytest.mark.parametrize("runs", [True, False])
def test_a_handler_that_has_begun_is_not_started_again_also_if_its_job_is_gone(runs: bool) -> None:
    run = killed_before_its_record()
    attempt = run.latest("e1")
    if runs:
        run.attempts[attempt] = present(None, running_pod(attempt=attempt), job_gone=True)
    else:
        run.attempts[attempt] = gone(last_pod=running_pod(attempt=attempt))
    run.look()
    assert run.started == (["a1", "e11"] if runs else ["a1", "e11", "e21"])
    assert run.reason("e1") == (("Running", None) if runs else ("Failed", "Lost"))


def test_now_gives_up_a_handler_whose_pod_cannot_be_confirmed_stopped() -> None:
    run = story()
    run.stops_at_once = False
    run.pod_fails("a")
    run.pod_runs("e1")
    run.tell_pod("e1", deletion_at=at(30))
    run.ask(cancel="graceful")
    run.advance(150)
    assert run.result[0] == "Running"
    run.ask(cancel="now")
    assert run.reason("e1") == ("Cancelled", "NodeLost")
    assert run.result == ("Failed", "NodeFailed")


def test_a_handler_waits_while_nothing_is_known_of_its_attempt() -> None:
    run = story()
    run.pod_fails("a")
    del run.attempts[run.latest("e1")]
    planned = run.plan()
    assert [p.node for p in planned.prove] == ["e1"]
    assert planned.starts == ()
