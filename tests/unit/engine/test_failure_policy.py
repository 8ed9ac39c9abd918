"""How a run ends: each cause of the table in api.md, section 3, by each of its columns.

The graph has two waves and something for each column when ``bad`` fails: ``slow`` runs, ``flaky``
runs and fails later, ``late`` finds no room, ``next`` doesn't need ``bad``, ``needs`` does,
``clean`` runs however its dependencies ended, ``tidy`` likewise after a node that won't run.
"""

from collections.abc import Callable

import pytest

from tests.unit.engine.builders import PATIENT, Json, at, node, rows, spec, workflow
from tests.unit.engine.run import Run
from tidegate.api.status import Cause, Ending
from tidegate.engine.failure_policy import is_stronger, leave
from tidegate.facts.model import AnswerKind

Change = Callable[[Run], object]
BY_ENDS = {"trigger": "DependenciesEnded"}


def story(**fields: object) -> Run:
    run = Run(
        spec(
            node("bad"),
            node("slow"),
            node("flaky", retry=PATIENT, fallback="spare"),
            node("late"),
            node("next", "slow"),
            node("needs", "bad"),
            node("clean", "bad", **BY_ENDS),
            node("tidy", "needs", **BY_ENDS),
            standbys="spare on-error on-exit",
            onError=["on-error"],
            onExit=["on-exit"],
            timeout="1h",
            **fields,
        ),
        look=False,
    )
    run.answer("late", AnswerKind.LATER)
    run.look()
    assert run.started == ["bad1", "slow1", "flaky1"]
    run.pod_runs("bad", "slow", "flaky")
    return run


def fails(run: Run) -> None:
    run.pod_fails("bad")


def times_out(run: Run) -> None:
    run.advance(3600 - run.time)


def cancels(text: str) -> Change:
    return lambda run: run.ask(cancel=text)


WAVES: Json = {}
EAGER: Json = {"execution": "Eager"}
FAIL_FAST: Json = {"failurePolicy": "FailFast"}
CONTINUE: Json = {"failurePolicy": "Continue"}
TABLE: dict[str, tuple[Json, Change, dict[str, str]]] = {
    # what becomes of: running slow, ready late, next behind slow, clean, tidy; the phase at the end
    "FinishWave in waves": (WAVES, fails, {
        "slow": "runs", "retry": "yes", "late": "starts", "next": "Skipped", "clean": "runs",
        "tidy": "runs", "handlers": "both", "end": "Failed/NodeFailed"}),
    "FinishWave with Eager": (EAGER, fails, {
        "slow": "runs", "retry": "yes", "late": "Skipped", "next": "Skipped", "clean": "runs",
        "tidy": "runs", "handlers": "both", "end": "Failed/NodeFailed"}),
    "FailFast in waves": (FAIL_FAST, fails, {
        "slow": "Cancelled", "retry": "no", "late": "Skipped", "next": "Skipped", "clean": "runs",
        "tidy": "runs", "handlers": "both", "end": "Failed/NodeFailed"}),
    "FailFast with Eager": (FAIL_FAST | EAGER, fails, {
        "slow": "Cancelled", "retry": "no", "late": "Skipped", "next": "Skipped", "clean": "runs",
        "tidy": "runs", "handlers": "both", "end": "Failed/NodeFailed"}),
    "Continue in waves": (CONTINUE, fails, {
        "slow": "runs", "retry": "yes", "late": "starts", "next": "runs", "clean": "runs",
        "tidy": "runs", "handlers": "both", "end": "Failed/NodeFailed"}),
    "Continue with Eager": (CONTINUE | EAGER, fails, {
        "slow": "runs", "retry": "yes", "late": "starts", "next": "runs", "clean": "runs",
        "tidy": "runs", "handlers": "both", "end": "Failed/NodeFailed"}),
    "the run's timeout in waves": (WAVES, times_out, {
        "slow": "Cancelled", "retry": "no", "late": "Skipped", "next": "Skipped",
        "clean": "Skipped", "tidy": "Skipped", "handlers": "both",
        "end": "Failed/DeadlineExceeded"}),
    "the run's timeout with Eager": (EAGER, times_out, {
        "slow": "Cancelled", "retry": "no", "late": "Skipped", "next": "Skipped",
        "clean": "Skipped", "tidy": "Skipped", "handlers": "both",
        "end": "Failed/DeadlineExceeded"}),
    "cancel graceful in waves": (WAVES, cancels("graceful"), {
        "slow": "Cancelled", "retry": "no", "late": "Skipped", "next": "Skipped",
        "clean": "Skipped", "tidy": "Skipped", "handlers": "onExit",
        "end": "Cancelled/CancelRequested"}),
    "cancel graceful with Eager": (EAGER, cancels("graceful"), {
        "slow": "Cancelled", "retry": "no", "late": "Skipped", "next": "Skipped",
        "clean": "Skipped", "tidy": "Skipped", "handlers": "onExit",
        "end": "Cancelled/CancelRequested"}),
    "cancel now in waves": (WAVES, cancels("now"), {
        "slow": "Cancelled", "retry": "no", "late": "Skipped", "next": "Skipped",
        "clean": "Skipped", "tidy": "Skipped", "handlers": "none",
        "end": "Cancelled/CancelRequested"}),
    "cancel now with Eager": (EAGER, cancels("now"), {
        "slow": "Cancelled", "retry": "no", "late": "Skipped", "next": "Skipped",
        "clean": "Skipped", "tidy": "Skipped", "handlers": "none",
        "end": "Cancelled/CancelRequested"}),
}  # fmt: skip


def expected(column: str) -> list[object]:
    return rows({name: (given, change, what[column]) for name, (given, change, what) in
                 TABLE.items()})  # fmt: skip


def to_the_end(run: Run) -> None:
    """Whatever runs succeeds, until nothing does."""
    run.answer("late", None)
    run.look()
    while run.result[0] == "Running":
        run.pod_succeeds(*run.running)
        run.advance(60)


@pytest.mark.parametrize(("given", "change", "slow"), expected("slow"))
def test_running_attempts(given: Json, change: Change, slow: str) -> None:
    run = story(**given)
    change(run)
    if slow == "runs":
        assert "slow1" not in run.ended
        assert run.reason("slow") == ("Running", None)
    else:
        assert "slow1" in run.ended
        assert run.reason("slow")[0] == slow
        assert run.node("slow").failures[0].reason in ("Cancelled", "DeadlineExceeded")


@pytest.mark.parametrize(("given", "change", "retry"), expected("retry"))
def test_their_retries_and_fallbacks(given: Json, change: Change, retry: str) -> None:
    run = story(**given)
    run.advance(3595 if change is times_out else 0)
    run.pod_fails("flaky")
    change(run)
    run.advance(10)
    if retry == "no":
        assert "flaky2" not in run.started
        assert run.node("flaky").phase in ("Failed", "Cancelled")
        return
    for _ in range(2):
        run.pod_fails("flaky")
        run.advance(60)
    assert [s for s in run.started if "flaky" in s] == [
        "flaky1", "flaky2", "flaky3", "flaky4/spare"]  # fmt: skip


@pytest.mark.parametrize(("given", "change", "late"), expected("late"))
def test_a_ready_node_that_has_not_started(given: Json, change: Change, late: str) -> None:
    run = story(**given)
    change(run)
    if late == "Skipped":
        assert run.reason("late") == ("Skipped", "RunEnded")
    else:
        run.answer("late", None)
        run.look()
        assert "late1" in run.started


@pytest.mark.parametrize(("given", "change", "following"), expected("next"))
def test_a_node_behind_that_does_not_need_the_failed_one(
    given: Json, change: Change, following: str
) -> None:
    run = story(**given)
    change(run)
    if following == "Skipped":
        assert run.reason("next") in (("Skipped", "RunEnded"), ("Skipped", "DependencyFailed"))
    to_the_end(run)
    assert ("next1" in run.started) is (following == "runs")


@pytest.mark.parametrize(("given", "change", "clean"), expected("clean"))
def test_nodes_that_run_however_their_dependencies_ended(
    given: Json, change: Change, clean: str
) -> None:
    run = story(**given)
    change(run)
    if clean == "Skipped":
        assert run.reason("clean") == ("Skipped", "RunEnded")
        assert run.reason("tidy") == ("Skipped", "RunEnded")
    to_the_end(run)
    assert ("clean1" in run.started) is (clean == "runs")
    assert ("tidy1" in run.started) is (clean == "runs"), "skipped counts as ended"


@pytest.mark.parametrize(("given", "change", "handlers"), expected("handlers"))
def test_handlers(given: Json, change: Change, handlers: str) -> None:
    run = story(**given)
    change(run)
    to_the_end(run)
    found = [s for s in run.started if s.startswith("on-")]
    assert (
        found == {"both": ["on-error1", "on-exit1"], "onExit": ["on-exit1"], "none": []}[handlers]
    )


@pytest.mark.parametrize(("given", "change", "end"), expected("end"))
def test_the_phase_at_the_end(given: Json, change: Change, end: str) -> None:
    run = story(**given)
    change(run)
    to_the_end(run)
    assert "/".join(map(str, run.result)) == end
    assert all(n.phase.has_ended for n in run.status.nodes.values())


@pytest.mark.parametrize("given", rows({"in waves": WAVES, "with Eager": EAGER}))
def test_cause_and_wave_are_latched_in_the_pass_that_finds_the_failure(given: Json) -> None:
    run = story(**given)
    fails(run)
    assert run.status.ending == Ending(cause="Failure", node="bad", wave=1, at=at(0))
    assert run.reason("needs") == ("Skipped", "DependencyFailed")
    first = next(s for s in run.records if s.ending is not None)
    assert first.nodes["needs"].phase == "Skipped", "marked in the same record"


def test_cleanup_nodes_do_not_wait_for_waves_once_a_run_is_ending() -> None:
    run = story()
    fails(run)
    run.advance(1)
    assert "clean1" in run.started
    assert run.status.wave == 1


def test_a_cleanup_node_waits_for_its_own_dependencies() -> None:
    run = Run(spec(node("bad"), node("slow"), node("clean", "bad slow", **BY_ENDS)))
    run.pod_fails("bad")
    assert run.started == ["bad1", "slow1"]
    run.pod_succeeds("slow")
    assert run.started == ["bad1", "slow1", "clean1"]


def test_a_cleanup_node_has_its_own_retries_and_fallback_while_the_run_ends() -> None:
    clean = node("clean", "bad", retry=PATIENT, fallback="spare", **BY_ENDS)
    run = Run(spec(node("bad"), clean, standbys="spare", failurePolicy="FailFast"))
    run.pod_fails("bad")
    for _ in range(3):
        run.pod_fails("clean")
        run.advance(60)
    assert run.started == ["bad1", "clean1", "clean2", "clean3", "clean4/spare"]
    run.pod_succeeds("clean")
    assert run.reason("clean") == ("Succeeded", None)
    assert run.result == ("Failed", "NodeFailed")


def test_no_later_failure_ends_a_cleanup_node() -> None:
    clean = node("clean", "bad", **BY_ENDS)
    run = Run(spec(node("bad"), node("slow", allowFailure=True), node("more"), clean,
                   failurePolicy="FailFast"))  # fmt: skip
    run.stops_at_once = False
    run.pod_fails("bad")
    assert "clean1" in run.started
    run.stop("slow", "more")
    assert run.running == {"clean"}
    assert run.result[0] == "Running"


def test_a_cleanup_node_that_fails_first_ends_the_run() -> None:
    run = Run(spec(node("a"), node("clean", "a", **BY_ENDS), node("b", "clean"), node("c", "a")))
    run.pod_succeeds("a")
    run.pod_fails("clean")
    assert run.status.ending is not None
    assert (run.status.ending.node, run.status.ending.wave) == ("clean", 2)
    assert run.reason("b") == ("Skipped", "DependencyFailed")
    assert run.reason("c") == ("Running", None)


def test_continue_skips_what_needs_the_failed_node_through_others() -> None:
    run = Run(spec(node("a"), node("b", "a"), node("c", "b"), node("d"), node("e", "d"),
                   failurePolicy="Continue"))  # fmt: skip
    run.pod_fails("a")
    assert run.reason("c") == ("Skipped", "DependencyFailed")
    run.pod_succeeds("d")
    run.pod_succeeds("e")
    assert run.result == ("Failed", "NodeFailed")
    assert run.status.progress == "2/5"


def test_every_failure_is_told_the_first_cause_first() -> None:
    run = Run(spec(node("a"), node("b"), node("c")))
    run.pod_fails("c", exit_code=9)
    run.advance(5)
    run.pod_fails("a", exit_code=3)
    run.pod_succeeds("b")
    assert run.status.message == "c: exit code 9; a: exit code 3"


def test_of_two_failures_seen_at_once_the_earlier_is_the_cause() -> None:
    run = Run(spec(node("a"), node("b")))
    run.pod_fails("b", look=False)
    run.advance(5)
    run.pod_fails("a")
    assert run.status.ending is not None
    assert run.status.ending.node == "b"


@pytest.mark.parametrize("policy", ["FinishWave", "FailFast", "Continue"])
def test_a_tolerated_failure_ends_nothing(policy: str) -> None:
    run = Run(spec(node("a", allowFailure=True), node("b"), node("c", "a"), failurePolicy=policy))
    run.pod_fails("a")
    assert run.status.ending is None
    run.pod_succeeds("b")
    run.pod_succeeds("c")
    assert run.result == ("Succeeded", "NodesSucceeded")
    assert run.status.progress == "3/3"


def test_fail_fast_ends_what_waits_for_a_quota_without_calling_it_a_failure() -> None:
    run = Run(spec(node("a"), node("b"), failurePolicy="FailFast"), look=False)
    run.answer("b", AnswerKind.QUOTA, "exceeded quota")
    run.look()
    run.pod_fails("a")
    assert run.reason("b") == ("Skipped", "RunEnded")


def test_fail_fast_tells_of_a_node_that_had_failed_before_and_was_to_be_retried() -> None:
    run = Run(spec(node("a"), node("b", retry=PATIENT), failurePolicy="FailFast"))
    run.pod_fails("b", exit_code=7)
    run.advance(1)
    run.pod_fails("a")
    assert run.reason("b") == ("Failed", "ExitCode")
    assert run.status.message == "a: exit code 1; b: exit code 7"


STRENGTHS: tuple[Cause, ...] = ("Failure", "DeadlineExceeded", "CancelGraceful", "CancelNow")


@pytest.mark.parametrize("later", STRENGTHS)
@pytest.mark.parametrize("former", STRENGTHS)
def test_only_a_stronger_cause_replaces_a_latched_one(former: Cause, later: Cause) -> None:
    latched = Ending(cause=former, at=at(0))
    assert is_stronger(later, latched) is (STRENGTHS.index(later) > STRENGTHS.index(former))


def test_whatever_came_first_stands_against_nothing() -> None:
    assert all(is_stronger(cause, None) for cause in STRENGTHS)
    found = workflow(node("a"))
    assert leave(found, "a", None).start
