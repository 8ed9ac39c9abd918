import pytest

from tests.unit.engine.builders import PATIENT, at, node, rows, running_pod, spec, succeeded_pod
from tests.unit.engine.run import Run
from tidegate.facts.model import AnswerKind

ONE = spec(node("a"), timeout="1m")
TWO = spec(node("a"), node("b", "a"), timeout="1m")


@pytest.mark.parametrize(
    ("seconds", "result"),
    rows({
        "a second before it is over": (59, ("Running", "NodesRun")),
        "exactly when it is over": (60, ("Failed", "DeadlineExceeded")),
    }),
)  # fmt: skip
def test_the_deadline_is_exact(seconds: float, result: tuple[str, str]) -> None:
    run = Run(ONE)
    run.pod_runs("a")
    run.advance(seconds)
    run.look()
    assert run.result == result


def test_the_deadline_counts_from_the_start_of_the_run_not_from_creation() -> None:
    run = Run(spec(node("a"), timeout="1m", suspend=True))
    run.advance(600)
    run.edit(suspend=False)
    assert run.status.started_at == at(600)
    run.pod_runs("a")
    run.advance(59)
    assert run.result[0] == "Running"
    run.advance(1)
    assert run.result == ("Failed", "DeadlineExceeded")


def test_a_deadline_can_be_moved_while_the_run_is_on() -> None:
    run = Run(ONE)
    run.pod_runs("a")
    run.edit(timeout="2m")
    run.advance(60)
    assert run.result[0] == "Running"
    run.edit(timeout="61s")
    run.advance(1)
    assert run.result == ("Failed", "DeadlineExceeded")


# --- facts before clocks


def test_a_run_whose_last_node_ended_before_the_deadline_succeeded_whenever_it_is_seen() -> None:
    run = Run(ONE)
    run.wake_at = None
    run.advance(59)
    run.pod_succeeds("a", look=False)
    run.wake_at = None
    run.advance(7200)
    run.look()
    assert run.result == ("Succeeded", "NodesSucceeded")
    assert run.status.ending is None


def test_a_success_that_proves_itself_after_the_deadline_was_latched_counts() -> None:
    run = Run(ONE)
    run.stops_at_once = False
    run.pod_runs("a")
    run.advance(60)
    assert run.status.ending is not None
    pod = succeeded_pod(finished=58, attempt=run.latest("a"), job_uid="job-1")
    run.tell("a", pods=(pod,))
    assert run.result == ("Succeeded", "NodesSucceeded")
    assert "timeout" not in str(run.status.message)


def test_a_success_after_the_deadline_is_too_late() -> None:
    run = Run(ONE)
    run.stops_at_once = False
    run.pod_runs("a")
    run.advance(61)
    run.pod_succeeds("a")
    assert run.reason("a") == ("Succeeded", None)
    assert run.result == ("Failed", "DeadlineExceeded")


def test_a_run_with_nodes_left_at_its_deadline_failed_although_what_ran_had_succeeded() -> None:
    run = Run(TWO)
    run.pod_succeeds("a", look=False)
    run.wake_at = None
    run.advance(61)
    run.look()
    assert run.reason("a") == ("Succeeded", None)
    assert run.reason("b") == ("Skipped", "RunEnded")
    assert run.result == ("Failed", "DeadlineExceeded")


def test_a_failure_of_the_last_node_before_the_deadline_is_not_the_deadlines() -> None:
    run = Run(ONE)
    run.pod_fails("a", look=False)
    run.wake_at = None
    run.advance(61)
    run.look()
    assert run.result == ("Failed", "NodeFailed")


# --- stronger causes


@pytest.mark.parametrize(
    ("first", "then", "cause"),
    rows({
        "a deadline over a failure": ("fail", "time", "DeadlineExceeded"),
        "graceful over a failure": ("fail", "graceful", "CancelGraceful"),
        "graceful over a deadline": ("time", "graceful", "CancelGraceful"),
        "now over a deadline": ("time", "now", "CancelNow"),
        "now over graceful": ("graceful", "now", "CancelNow"),
        "no deadline over graceful": ("graceful", "time", "CancelGraceful"),
        "no graceful over now": ("now", "graceful", "CancelNow"),
        "no failure over a deadline": ("time", "fail", "DeadlineExceeded"),
        "no failure over graceful": ("graceful", "fail", "CancelGraceful"),
    }),
)  # fmt: skip
def test_the_stronger_cause_wins(first: str, then: str, cause: str) -> None:
    run = Run(spec(node("a"), node("b"), timeout="1m"))
    run.stops_at_once = False
    run.pod_runs("a", "b")
    for step in (first, then):
        if step == "fail":
            run.pod_fails("a")
        elif step == "time":
            run.advance(60 - run.time)
        else:
            run.ask(cancel=step)
    assert run.status.ending is not None
    assert run.status.ending.cause == cause


def test_a_stronger_cause_ends_what_a_weaker_one_let_run() -> None:
    run = Run(spec(node("a"), node("b"), node("clean", "a", trigger="DependenciesEnded")))
    run.pod_fails("a")
    assert run.running == {"b", "clean"}
    run.ask(cancel="graceful")
    assert run.ended == ["b1", "clean1"]
    assert run.result == ("Cancelled", "CancelRequested")
    assert (
        run.status.message
        == "cancelled on request (graceful): b and clean were ended; a: exit code 1"
    )


# --- ending attempts


def test_an_end_is_recorded_with_its_reason_before_it_is_carried_out() -> None:
    run = Run(ONE)
    run.stops_at_once = False
    run.pod_runs("a")
    run.now = at(60)
    planned = run.plan()
    assert (planned.ends, planned.decides) == ((), True)
    assert planned.status.nodes["a"].job is not None
    assert planned.status.nodes["a"].job.ending == "DeadlineExceeded"
    run.look()
    assert [end.reason for end in run.ends] == ["DeadlineExceeded"]
    assert run.reason("a") == ("Running", "DeadlineExceeded")
    run.stop("a")
    assert run.reason("a") == ("Cancelled", "DeadlineExceeded")
    assert run.result == ("Failed", "DeadlineExceeded")


def test_no_attempt_is_ended_twice() -> None:
    run = Run(ONE)
    run.stops_at_once = False
    run.pod_runs("a")
    run.advance(60)
    for _ in range(3):
        run.advance(10)
        run.look()
    assert run.ended == ["a1"]


def test_the_first_reason_of_an_ended_attempt_stays() -> None:
    run = Run(ONE)
    run.stops_at_once = False
    run.pod_runs("a")
    run.advance(60)
    run.ask(cancel="now")
    assert run.node("a").job is not None
    assert run.node("a").job.ending == "DeadlineExceeded"  # type: ignore[union-attr]


def test_an_attempt_that_started_late_after_a_cancel_was_asked_is_ended() -> None:
    """The operator was killed between creating a Job and recording it; then came the cancel."""
    run = Run(ONE, look=False)
    run.answer("a", AnswerKind.LATER)
    run.look()
    run.job_appears(run.workflow, run.plan().starts[0].attempt)
    run.ask(cancel="graceful")
    assert run.ended == ["a1"]
    assert run.reason("a") == ("Cancelled", "Cancelled")


# --- pods that can't be confirmed stopped


def stuck(**fields: object) -> Run:
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


def test_a_run_has_no_final_phase_while_something_of_it_may_run() -> None:
    run = Run(spec(node("a")))
    stray = run.latest("a")
    run.pod_succeeds("a", look=False)
    pods = run.attempts[stray].pods
    run.tell("a", pods=(*pods, running_pod(attempt=stray, uid="2", name="twin")))
    assert run.result[0] == "Running"


# --- the outcome


def test_the_outcome_and_the_final_phase_are_one_record_without_handlers() -> None:
    run = Run(ONE)
    before = len(run.records)
    run.advance(7)
    run.pod_succeeds("a")
    assert len(run.records) == before + 1
    assert run.status.outcome is not None
    assert (run.status.outcome.phase, run.status.outcome.at) == ("Succeeded", at(7))
    assert run.status.finished_at == at(7)


def test_a_finished_run_never_moves() -> None:
    run = Run(TWO)
    run.pod_fails("a")
    settled = run.status
    run.advance(100_000)
    for attempt in list(run.attempts):
        del run.attempts[attempt]
    run.look()
    run.edit(parallelism=3, timeout="3s")
    assert run.status.model_copy(update={"observed_generation": 1, "conditions": ()}) == (
        settled.model_copy(update={"conditions": ()})
    )
    assert run.status.observed_generation == 2
