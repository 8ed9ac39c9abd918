"""Attempts that recorded status has decided against are stopped, and nothing else is."""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.engine.builders import PATIENT, at, job, node, present, rows, running_pod, spec
from tests.unit.engine.run import Run
from tidegate.api.identity import AttemptId
from tidegate.engine.model import EndMode
from tidegate.facts.model import AnswerKind, AttemptFact, Existence


def appear(run: Run, attempt: AttemptId, **fields: Any) -> None:
    """A Job that runs and that this operator knows nothing of."""
    run.job_appears(run.workflow, attempt, **fields)
    fact = run.attempts[attempt]
    assert fact.job is not None
    run.look()


@pytest.mark.parametrize(
    ("attempt", "expected"),
    rows({
        "an earlier attempt": (AttemptId(1, "a", 1), True),
        "the same number by a standby": (AttemptId(1, "a", 2, "s"), True),
        "an attempt of a node that has ended": (AttemptId(1, "b", 7), True),
    }),
)  # fmt: skip
def test_in_a_run_that_is_on_it_is_a_stray_if_it_is(attempt: AttemptId, expected: bool) -> None:
    run = Run(spec(node("a", retry=PATIENT, fallback="s"), node("b"), standbys="s"))
    run.pod_fails("a")
    run.pod_succeeds("b")
    run.advance(10)
    assert run.node("a").attempt == 2
    appear(run, attempt)
    assert bool(run.ends) is expected


@pytest.mark.parametrize("result", ["Succeeded", "Failed", "Cancelled"])
def test_whatever_lives_when_the_run_is_over_is_a_stray(result: str) -> None:
    run = Run(spec(node("a")))
    if result == "Succeeded":
        run.pod_succeeds("a")
    elif result == "Failed":
        run.pod_fails("a")
    else:
        run.ask(cancel="now")
    assert run.result[0] == result
    run.ends.clear()
    appear(run, AttemptId(1, "a", 2))
    assert run.ended == ["a2"]
    before = run.status
    run.look()
    assert (run.ended, run.status) == (["a2"], before)


def test_a_late_job_of_a_former_run_is_a_stray_and_holds_up_that_node() -> None:
    run = Run(spec(node("a"), node("b", "a")))
    run.pod_fails("a")
    run.answer("a", AnswerKind.LATER)
    run.ask(rerun="failed")
    run.stops_at_once = False
    run.answer("a", None)
    appear(run, AttemptId(1, "a", 2))
    assert run.ended == ["a2"]
    assert run.started == ["a1"]
    run.kill(AttemptId(1, "a", 2))
    run.look()
    assert run.started == ["a1", "a1@2"]


def test_the_next_attempt_that_status_does_not_know_yet_is_no_stray() -> None:
    run = Run(spec(node("a", retry=PATIENT)))
    run.pod_fails("a")
    run.answer("a", AnswerKind.LATER)
    run.advance(10)
    appear(run, AttemptId(1, "a", 2))
    assert run.ends == []


def test_a_job_of_a_node_that_is_no_more_is_a_stray() -> None:
    run = Run(spec(node("a"), node("b")))
    run.pod_succeeds("a")
    run.pod_fails("b")
    former = replace(job(AttemptId(1, "b", 1)), uid="late", name="late")
    run.edit(nodes=[node("a")])
    run.ask(rerun="all")
    run.attempts[AttemptId(1, "b", 1)] = AttemptFact(Existence.PRESENT, job=former)
    run.look()
    assert [end.uid for end in run.ends] == ["late"]


@pytest.mark.parametrize(
    ("fields", "mode"),
    rows({
        "one that runs: its deadline": ({}, EndMode.STOP_JOB),
        "one that is suspended: deleted": ({"suspended": True}, EndMode.DELETE_JOB),
        "one that never started: deleted": ({"started_at": None}, EndMode.DELETE_JOB),
        "one that was told to end: nothing": ({"end_reason": "Cancelled"}, None),
        "one that is being deleted: nothing": ({"deleting": True}, None),
    }),
)  # fmt: skip
def test_how_a_stray_job_is_stopped(fields: Any, mode: EndMode | None) -> None:
    run = Run(spec(node("a")))
    run.stops_at_once = False
    run.pod_succeeds("a")
    appear(run, AttemptId(1, "a", 2), **fields)
    assert [end.mode for end in run.ends] == ([mode] if mode else [])


def test_a_suspended_job_that_was_told_to_end_is_deleted_as_its_deadline_never_comes() -> None:
    run = Run(spec(node("a")))
    run.stops_at_once = False
    run.tell_job("a", suspended=True, started_at=None)
    run.ask(cancel="graceful")
    assert [end.mode for end in run.ends] == [EndMode.DELETE_JOB]
    assert run.proven == [AttemptId(1, "a", 1)], "its absence is proven before it counts"
    assert run.reason("a") == ("Cancelled", "Cancelled")


def orphan(run: Run, **fields: Any) -> AttemptId:
    """The Job of a1 is not seen any more, its pod runs on."""
    run.pod_runs("a")
    attempt = run.latest("a")
    run.attempts[attempt] = replace(run.attempts[attempt], job=None, **fields)
    return attempt


def test_an_orphan_is_ended_once_its_job_is_proven_to_be_gone() -> None:
    run = Run(spec(node("a")))
    attempt = orphan(run)
    run.ask(cancel="graceful")
    assert run.proven == [attempt]
    assert [(end.mode, end.name, end.uid) for end in run.ends] == [
        (EndMode.DELETE_POD, "pod-job-1", "pod-of-job-1")]  # fmt: skip
    assert run.result[0] == "Cancelled"


def test_an_orphan_is_not_ended_before_that_is_proven() -> None:
    run = Run(spec(node("a")))
    run.pod_succeeds("a")
    late = AttemptId(1, "a", 2)
    run.attempts[late] = present(None, running_pod(attempt=late))
    planned = run.plan()
    assert (planned.ends, planned.prove) == ((), (late,))


def test_an_orphan_nobody_decided_against_runs_on() -> None:
    run = Run(spec(node("a")))
    orphan(run, job_gone=True)
    run.look()
    assert run.ends == []
    assert run.reason("a") == ("Running", None)


def test_an_orphan_that_terminates_is_not_deleted_again() -> None:
    run = Run(spec(node("a")))
    orphan(run, job_gone=True)
    run.tell_pod("a", deletion_at=at(30))
    run.ask(cancel="graceful")
    assert run.ends == []


def test_every_end_names_the_uid_that_was_decided_against() -> None:
    run = Run(spec(node("a"), node("b")))
    run.pod_runs("a", "b")
    run.ask(cancel="now")
    assert [(end.uid, end.reason) for end in run.ends] == [
        ("job-1", "Cancelled"), ("job-2", "Cancelled")]  # fmt: skip


def test_a_foreign_job_uid_in_our_place_is_stopped_and_the_node_was_lost() -> None:
    """Somebody deleted the Job; a late create of a former operator made it again."""
    run = Run(spec(node("a")))
    run.stops_at_once = False
    run.job_appears(run.workflow, AttemptId(1, "a", 1))
    run.look()
    assert run.reason("a") == ("Failed", "Lost")
    assert [end.uid for end in run.ends] == ["job-2"]
