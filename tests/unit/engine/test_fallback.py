import json
from typing import Any

from tests.unit.engine.builders import PATIENT, node, spec
from tests.unit.engine.run import Run
from tidegate.api.status import Failure, NodeStatus
from tidegate.engine.fallback import fallback_env
from tidegate.facts.model import AnswerKind

STANDBY = {"name": "s", "retry": PATIENT}


def story(**fields: Any) -> Run:
    return Run(spec(node("a", fallback="s", **fields), node("b", "a"), standbys="s"))


def test_it_runs_in_the_failed_nodes_place_in_the_same_wave() -> None:
    run = story()
    run.pod_fails("a", exit_code=3)
    assert run.started == ["a1", "a2/s"]
    assert run.status.wave == 1
    assert run.reason("a") == ("Running", None)
    run.pod_succeeds("a")
    assert run.reason("a") == ("Succeeded", None)
    assert run.node("a").served_by == "s"
    run.pod_succeeds("b")
    assert run.result == ("Succeeded", "NodesSucceeded")


def test_it_waits_for_no_record_as_it_rests_on_the_pods_verdict_alone() -> None:
    run = story()
    run.pod_fails("a", look=False)
    planned = run.plan()
    assert not planned.decides
    assert [s.attempt.standby for s in planned.starts] == ["s"]


def test_numbers_go_on_through_it() -> None:
    run = story(retry=PATIENT)
    for _ in range(2):
        run.pod_fails("a")
        run.advance(60)
    run.pod_fails("a")
    assert run.started == ["a1", "a2", "a3", "a4/s"]


def test_if_it_fails_the_node_fails_with_both_failures() -> None:
    run = story()
    run.pod_fails("a", exit_code=3)
    run.advance(5)
    run.pod_fails("a", exit_code=4)
    assert run.reason("a") == ("Failed", "ExitCode")
    assert [(f.attempt, f.standby, f.exit_code) for f in run.node("a").failures] == [
        (1, None, 3), (2, "s", 4)]  # fmt: skip
    assert run.node("a").message == (
        "exit code 3; fallback s: exit code 4; logs: kubectl logs -n data -l "
        "tidegate.dev/workflow=flow,tidegate.dev/node=a --tail=-1"
    )
    assert run.node("a").served_by is None
    assert run.reason("b") == ("Skipped", "DependencyFailed")
    assert run.status.message == "a: exit code 3; fallback s: exit code 4"


def test_it_has_its_own_retries_and_no_fallback_itself() -> None:
    run = Run(spec(node("a", fallback="s", retry={"limit": 1}), extra=[STANDBY]))
    run.pod_fails("a")
    run.advance(60)
    run.pod_fails("a")
    for _ in range(3):
        run.pod_fails("a")
        run.advance(60)
    assert run.started == ["a1", "a2", "a3/s", "a4/s", "a5/s"]
    assert run.reason("a") == ("Failed", "ExitCode")


def test_the_nodes_inherited_retry_is_not_the_standbys() -> None:
    defaults = {"image": "i", "retry": PATIENT}
    run = Run(spec(node("a", fallback="s", retry={"limit": 0}), standbys="s", defaults=defaults))
    run.pod_fails("a")
    run.pod_fails("a")
    assert run.started == ["a1", "a2/s"]


def test_its_max_duration_counts_from_its_own_first_attempt() -> None:
    standby = {"name": "s", "retry": PATIENT | {"maxDuration": "30s"}}
    run = Run(spec(node("a", fallback="s"), extra=[standby]))
    run.pod_runs("a")
    run.advance(1000)
    run.pod_fails("a")
    run.pod_fails("a")
    run.advance(10)
    assert run.started == ["a1", "a2/s", "a3/s"]


def test_its_evictions_are_forgiven() -> None:
    run = story()
    run.pod_fails("a")
    run.pod_is_evicted("a")
    run.advance(60)
    assert run.started == ["a1", "a2/s", "a3/s"]


def test_what_it_is_told() -> None:
    run = story(retry={"limit": 1})
    run.pod_fails("a", exit_code=3)
    run.advance(60)
    run.pod_fails("a", exit_code=75)
    env = dict(run.starts[-1].env)
    assert set(env) == {"TIDEGATE_PRIMARY_NODE", "TIDEGATE_PRIMARY_ERROR"}
    assert env["TIDEGATE_PRIMARY_NODE"] == "a"
    assert json.loads(env["TIDEGATE_PRIMARY_ERROR"]) == {
        "reason": "ExitCode", "exitCode": 75, "message": "exit code 75", "attempts": 2}  # fmt: skip


def test_its_own_retry_is_told_the_primarys_error_not_its_own() -> None:
    run = Run(spec(node("a", fallback="s"), extra=[STANDBY]))
    run.pod_fails("a", exit_code=3)
    run.pod_fails("a", exit_code=4)
    run.advance(60)
    error = json.loads(dict(run.starts[-1].env)["TIDEGATE_PRIMARY_ERROR"])
    assert (run.started[-1], error["exitCode"], error["attempts"]) == ("a3/s", 3, 1)


def test_the_error_is_of_a_bounded_length() -> None:
    failure = Failure(attempt=1, reason="ExitCode", message="x" * 5000)
    env = dict(fallback_env("a", NodeStatus(failures=(failure,))))
    assert len(env["TIDEGATE_PRIMARY_ERROR"]) < 700


def test_a_history_that_was_shortened_to_nothing_can_be_told() -> None:
    error = json.loads(dict(fallback_env("a", NodeStatus()))["TIDEGATE_PRIMARY_ERROR"])
    assert error == {"reason": None, "exitCode": None, "message": "", "attempts": 0}


def test_one_standby_may_serve_many_nodes() -> None:
    run = Run(spec(node("a", fallback="s"), node("b", fallback="s"), standbys="s"))
    run.pod_fails("a", "b")
    assert run.started == ["a1", "b1", "a2/s", "b2/s"]
    run.pod_succeeds("a", "b")
    assert (run.node("a").served_by, run.node("b").served_by) == ("s", "s")
    assert "s" not in run.status.nodes


def test_a_fallbacks_job_is_no_stray_before_it_is_recorded() -> None:
    """Its creation may be answered after the operator was killed: then the view shows it first."""
    run = story()
    run.pod_fails("a", look=False)
    run.answer("a/s", AnswerKind.LATER)
    attempt = run.plan().starts[0].attempt
    run.job_appears(run.workflow, attempt)
    run.look()
    assert run.ends == []
    assert run.reason("a") == ("Running", None)
    assert (run.node("a").attempt, run.node("a").standby) == (2, "s")


def test_a_tolerated_node_tries_its_fallback_first() -> None:
    run = story(allowFailure=True)
    run.pod_fails("a")
    run.pod_fails("a")
    assert run.started == ["a1", "a2/s", "b1"]


def test_a_fallback_serves_for_what_never_got_a_job() -> None:
    run = Run(spec(node("a", fallback="s"), standbys="s"), look=False)
    run.answer("a", AnswerKind.INVALID, 'unknown field "imagee"')
    run.look()
    assert run.started == ["a2/s"]
    run.pod_succeeds("a")
    assert run.result[0] == "Succeeded"
