"""A run that is on: suspending, restarts, proof, and what a pass may do before its record."""

from dataclasses import replace

import pytest

from tests.unit.engine.builders import (
    A1,
    NOON,
    PATIENT,
    Json,
    at,
    context,
    node,
    rows,
    spec,
    workflow,
)
from tests.unit.engine.run import Run
from tidegate.api.identity import AttemptId
from tidegate.engine.plan import plan
from tidegate.facts.model import Answer, AnswerKind, AttemptFact, Existence, Facts

AB = spec(node("a"), node("b", "a"))


# --- suspend


def test_suspended_nothing_starts_and_what_runs_runs_on() -> None:
    run = Run(spec(node("a"), node("b", "a"), node("c", "b")))
    run.pod_runs("a")
    run.edit(suspend=True)
    assert run.result == ("Running", "NodesRun")
    assert run.ends == []
    run.pod_succeeds("a")
    assert run.result == ("Suspended", "Suspended")
    assert run.started == ["a1"]
    assert "suspended (spec.suspend): no node starts, none that cleans up either; none runs" in str(
        run.status.message
    )
    run.edit(suspend=False)
    assert run.result == ("Running", "NodesRun")
    assert run.started == ["a1", "b1"]


def test_suspended_retries_and_fallbacks_wait_and_their_clocks_run_on() -> None:
    run = Run(spec(node("a", retry=PATIENT), node("b", fallback="s"), standbys="s"))
    run.edit(suspend=True)
    run.pod_fails("a")
    run.pod_fails("b")
    run.advance(60)
    assert run.started == ["a1", "b1"]
    run.edit(suspend=False)
    assert run.started == ["a1", "b1", "a2", "b2/s"]


def test_suspended_cleanup_nodes_wait_too_and_the_message_says_so() -> None:
    run = Run(spec(node("a"), node("clean", "a", trigger="DependenciesEnded")))
    run.edit(suspend=True)
    run.pod_fails("a")
    assert run.started == ["a1"]
    assert run.result == ("Suspended", "Suspended")
    assert "no node starts, none that cleans up either" in str(run.status.message)
    run.edit(suspend=False)
    assert run.started == ["a1", "clean1"]


def test_suspended_endings_are_not_held_back() -> None:
    run = Run(spec(node("a"), node("b", "a"), timeout="1m", standbys="x", onExit=["x"]))
    run.pod_runs("a")
    run.edit(suspend=True)
    run.advance(60)
    assert run.ended == ["a1"]
    assert run.running == {"x"}
    run.pod_succeeds("x")
    assert run.result == ("Failed", "DeadlineExceeded")


def test_suspended_the_last_node_still_ends_the_run() -> None:
    run = Run(spec(node("a")))
    run.edit(suspend=True)
    run.pod_succeeds("a")
    assert run.result == ("Succeeded", "NodesSucceeded")


def test_suspending_is_a_condition() -> None:
    run = Run(AB)
    run.edit(suspend=True)
    found = {c.type: (c.status, c.reason) for c in run.status.conditions}
    assert found["Suspended"] == ("True", "SpecSuspend")
    run.edit(suspend=False)
    found = {c.type: (c.status, c.reason) for c in run.status.conditions}
    assert found["Suspended"] == ("False", "NotSuspended")


# --- restarts: status and what exists give the next step


def killed_before_its_record(given: Json, **fields: object) -> Run:
    """The operator created a1's Job and was killed before it recorded that."""
    run = Run(given, look=False)
    run.answer("a", AnswerKind.LATER)
    run.look()
    run.answer("a", None)
    run.job_appears(run.workflow, AttemptId(1, "a", 1), **fields)
    return run


def test_a_job_that_status_does_not_know_is_taken_up() -> None:
    run = killed_before_its_record(AB)
    run.advance(3)
    run.look()
    assert run.started == []
    a = run.node("a")
    assert (a.phase, a.attempt, a.started_at) == ("Running", 1, at(0))
    assert a.job is not None
    assert a.job.uid == "job-1"


def test_a_job_that_ended_meanwhile_is_taken_up_with_its_end() -> None:
    run = killed_before_its_record(AB)
    run.pod_succeeds("a")
    assert run.started == ["b1"]
    assert run.reason("a") == ("Succeeded", None)


def test_a_job_of_another_definition_is_not_taken_up() -> None:
    run = killed_before_its_record(AB, definition="1:another")
    planned = run.plan()
    assert [s.attempt for s in planned.starts] == [AttemptId(1, "a", 1)]
    assert planned.status.nodes["a"].phase == "Pending"


def test_a_retry_that_status_does_not_know_is_taken_up() -> None:
    run = Run(spec(node("a", retry=PATIENT)))
    run.pod_fails("a")
    run.answer("a", AnswerKind.LATER)
    run.advance(10)
    run.job_appears(run.workflow, AttemptId(1, "a", 2))
    run.look()
    assert run.started == ["a1"]
    assert (run.node("a").attempt, run.node("a").phase) == (2, "Running")


def test_after_a_restart_nothing_is_decided_about_what_is_not_seen() -> None:
    run = Run(spec(node("a"), node("b"), timeout="1m"))
    known = run.attempts
    run.attempts = {}
    planned = run.plan()
    assert {a.node for a in planned.prove} == {"a", "b"}
    assert (planned.starts, planned.ends, planned.decides) == ((), (), False)
    assert planned.status.nodes == run.status.nodes
    run.attempts = known
    run.pod_succeeds("a", "b")
    assert run.result[0] == "Succeeded"


def test_unproven_attempts_do_not_hold_up_others() -> None:
    run = Run(spec(node("a"), node("b"), node("c", "a"), execution="Eager"))
    run.attempts[AttemptId(1, "b", 1)] = AttemptFact(Existence.UNPROVEN)
    run.pod_succeeds("a", look=False)
    planned = run.plan()
    assert [s.attempt.node for s in planned.starts] == ["c"]
    assert [a.node for a in planned.prove] == ["b"]


def test_a_deadline_is_latched_although_something_is_unproven() -> None:
    run = Run(spec(node("a"), timeout="1m"))
    run.attempts = {}
    run.now = at(60)
    planned = run.plan()
    assert planned.status.ending is not None
    assert planned.status.nodes["a"].phase == "Running"
    assert [a.node for a in planned.prove] == ["a"]


@pytest.mark.parametrize(
    "lost",
    rows({
        "the Job, with its pod orphaned and running": "job",
        "everything": "all",
    }),
)  # fmt: skip
def test_gone_is_only_what_was_proven(lost: str) -> None:
    run = Run(spec(node("a")))
    run.pod_runs("a")
    attempt = run.latest("a")
    fact = run.attempts[attempt]
    if lost == "job":
        run.attempts[attempt] = replace(fact, job=None, job_gone=True)
        run.look()
        assert run.reason("a")[0] == "Running"
        run.pod_succeeds("a")
        assert run.reason("a") == ("Succeeded", None)
    else:
        run.vanishes("a")
        assert run.proven == [attempt]
        assert run.reason("a") == ("Failed", "Lost")


def test_another_workflows_job_under_our_name_is_a_conflict() -> None:
    run = Run(spec(node("a")), look=False)
    run.answer("a", AnswerKind.CONFLICT, 'jobs.batch "flow-a-…" already exists')
    run.look()
    assert run.reason("a") == ("Failed", "NameConflict")
    assert "already exists" in str(run.node("a").message)


def test_an_orphan_of_an_attempt_that_status_does_not_know_is_no_room_for_its_twin() -> None:
    """Killed before the record, then somebody deleted the Job and left its pod."""
    run = killed_before_its_record(AB)
    run.change_pod("a", phase="Running", main_started_at=at(0), any_started=True)
    attempt = run.latest("a")
    run.attempts[attempt] = replace(run.attempts[attempt], job=None, job_gone=True)
    run.look()
    assert run.started == []
    run.pod_succeeds("a")
    assert run.started == ["b1"]


# --- what leaves before the record, and what doesn't


def test_status_says_only_what_was_answered_or_seen() -> None:
    run = Run(AB, look=False)
    run.look()
    run.pod_succeeds("a", look=False)
    planned = run.plan()
    assert [s.attempt.node for s in planned.starts] == ["b"]
    assert planned.status.nodes["b"].phase == "Pending"
    assert planned.status.nodes["b"].job is None


def test_a_retry_does_not_start_before_its_time_is_recorded() -> None:
    run = Run(spec(node("a", retry={"backoff": {"base": "1ms", "jitter": "None"}})))
    run.pod_fails("a", look=False)
    run.advance(5)
    planned = run.plan()
    assert planned.decides
    assert planned.status.nodes["a"].retry_at is not None


def test_a_plain_chain_is_written_once_a_node_and_once_for_its_begin_and_end() -> None:
    run = Run(spec(node("a"), node("b", "a"), node("c", "b")))
    for name in "abc":
        run.pod_runs(name)
        run.pod_succeeds(name)
    assert len(run.records) == 5


def test_a_retry_costs_two_writes() -> None:
    run = Run(spec(node("a", retry=PATIENT)))
    run.pod_runs("a")
    before = len(run.records)
    run.pod_fails("a")
    run.advance(10)
    assert run.started == ["a1", "a2"]
    assert len(run.records) == before + 2


def test_an_eviction_costs_two_writes() -> None:
    run = Run(spec(node("a")))
    run.pod_runs("a")
    before = len(run.records)
    run.pod_is_evicted("a")
    run.advance(10)
    assert len(run.records) == before + 2


def test_nothing_changes_by_itself_while_pods_run() -> None:
    run = Run(spec(node("a", timeout="1h"), node("b"), timeout="2h"))
    run.pod_runs("a", "b")
    before = len(run.records)
    for _ in range(10):
        run.advance(60)
        run.look()
    assert len(run.records) == before


@pytest.mark.parametrize("may_exist", [True, False])
def test_a_creation_keeps_its_place_while_nobody_knows_whether_it_was_carried_out(
    *, may_exist: bool
) -> None:
    of = workflow(node("a"), node("b"), parallelism=1)
    begun = context(of)
    answer = Answer(AnswerKind.UNAVAILABLE, NOON, "silence", may_exist=may_exist)
    planned = plan(of, begun.fact, begun.recorded, Facts(answers={A1: answer}), NOON)
    assert [one.attempt.node for one in planned.starts] == ([] if may_exist else ["b"])
