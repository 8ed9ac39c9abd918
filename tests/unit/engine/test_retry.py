from datetime import timedelta
from typing import Any

import pytest

from tests.unit.engine.builders import PATIENT, UID, Json, at, node, rows, spec, workflow
from tests.unit.engine.run import Run
from tidegate.api.identity import AttemptId, chance
from tidegate.api.task import RetryPolicy
from tidegate.engine.reasons import NOT_COUNTED, Reason
from tidegate.engine.retry import (
    MAX_DISRUPTIONS,
    Again,
    Exhausted,
    Failed,
    backoff,
    next_try,
    why_not,
)


def policy(**retry: Any) -> RetryPolicy:
    found = workflow(node("a", retry=retry)).tasks["a"].retry
    assert found is not None
    return found


def waits(chances: float, count: int = 4, **given: Any) -> list[float]:
    made = policy(limit=10, backoff=given)
    return [backoff(made, n, chances).total_seconds() for n in range(count)]


@pytest.mark.parametrize(
    ("given", "chances", "expected"),
    rows({
        "None: base times factor, n times": ({"jitter": "None"}, 0.5, [1, 2, 4, 8]),
        "None: no more than cap": ({"jitter": "None", "base": "20s"}, 0.5, [20, 32, 32, 32]),
        "None: a factor of 1": ({"jitter": "None", "factor": 1.0}, 0, [1, 1, 1, 1]),
        "None: a factor of 1.5": ({"jitter": "None", "factor": 1.5}, 0, [1, 1.5, 2.25, 3.375]),
        "None: milliseconds": ({"jitter": "None", "base": "500ms"}, 0.9, [0.5, 1, 2, 4]),
        "Full is the default, from 0": ({}, 0.0, [0, 0, 0, 0]),
        "Full: uniform up to the wait": ({}, 0.25, [0.25, 0.5, 1, 2]),
        "Equal: at least half of the wait": ({"jitter": "Equal"}, 0.0, [0.5, 1, 2, 4]),
        "Equal: half and a uniform half": ({"jitter": "Equal"}, 0.5, [0.75, 1.5, 3, 6]),
    }),
)  # fmt: skip
def test_waits(given: Json, chances: float, expected: list[float]) -> None:
    assert waits(chances, **given) == pytest.approx(expected)


def test_defaults_of_an_empty_retry() -> None:
    made = policy()
    assert (made.limit, made.factor, made.jitter, made.timeouts) == (3, 2.0, "Full", True)
    assert (made.base, made.cap) == (timedelta(seconds=1), timedelta(seconds=32))
    assert made.max_duration is None


def test_the_hundredth_wait_overflows_nothing() -> None:
    made = policy(limit=100, backoff={"factor": 10.0, "cap": "24h", "jitter": "None"})
    assert backoff(made, 99, 0.0) == timedelta(hours=24)
    assert backoff(made, 5000, 0.0) == timedelta(hours=24)


def test_chance_is_the_same_for_everybody_and_other_for_each_attempt() -> None:
    ids = [AttemptId(run, name, number) for run in (1, 2) for name in "ab" for number in (1, 2)]
    found = {chance(UID, attempt) for attempt in ids}
    assert len(found) == len(ids)
    assert found == {chance(UID, attempt) for attempt in ids}
    assert all(0 <= one < 1 for one in found)


def tried(
    retry: RetryPolicy | None, reason: str = Reason.EXIT_CODE, code: int | None = 1, **more: Any
) -> Again | Exhausted:
    healing = more.pop("may_heal", True)
    known: Json = {"retries": 0, "disruptions": 0, "since": at(0), "chance": 0.0}
    return next_try(retry, Failed(reason, code, at(60), may_heal=healing), **known | more)


EVEN = policy(limit=2, backoff={"jitter": "None", "base": "10s"})


@pytest.mark.parametrize(
    ("retries", "expected"),
    rows({
        "the first of two": (0, Again(at(70), counted=True)),
        "the second of two, after a longer wait": (1, Again(at(80), counted=True)),
        "no third": (2, Exhausted()),
    }),
)  # fmt: skip
def test_limit(retries: int, expected: object) -> None:
    assert tried(EVEN, retries=retries) == expected


def test_a_task_without_retry_is_tried_once() -> None:
    assert tried(None) == Exhausted()


@pytest.mark.parametrize(
    ("since", "expected"),
    rows({
        "a retry that begins exactly when it is over still begins": (
            10, Again(at(70), counted=True)),
        "a retry that would begin a second later does not": (
            9, Exhausted("maxDuration 1m would be over")),
        "a retry well within it begins": (30, Again(at(70), counted=True)),
    }),
)  # fmt: skip
def test_max_duration(since: float, expected: object) -> None:
    bounded = policy(limit=2, maxDuration="1m", backoff={"jitter": "None", "base": "10s"})
    assert tried(bounded, since=at(since)) == expected


def test_once_the_limit_is_used_up_nothing_else_is_told() -> None:
    listed = policy(limit=2, exitCodes={"fail": [1]}, maxDuration="1s")
    assert tried(listed, retries=2) == Exhausted()


@pytest.mark.parametrize(
    ("retry", "reason", "code", "expected"),
    rows({
        "any exit code by default": ({}, "ExitCode", 7, ""),
        "one in fail is not": ({"exitCodes": {"fail": [7]}}, "ExitCode", 7, "exitCodes.fail has 7"),
        "one outside fail is": ({"exitCodes": {"fail": [7]}}, "ExitCode", 8, ""),
        "one in retry is": ({"exitCodes": {"retry": [7]}}, "ExitCode", 7, ""),
        "one outside retry is not": (
            {"exitCodes": {"retry": [7]}}, "ExitCode", 8, "exitCodes.retry lacks 8"),
        "a helper's exit code is looked up nowhere": (
            {"exitCodes": {"retry": [7], "fail": [1]}}, "ExitCode", None, ""),
        "OOMKilled whatever its code": ({"exitCodes": {"fail": [137]}}, "OOMKilled", 137, ""),
        "Timeout": ({}, "Timeout", None, ""),
        "no Timeout with timeouts: false": (
            {"timeouts": False}, "Timeout", None, "timeouts is false"),
        "StartTimeout that may heal": ({}, "StartTimeout", None, ""),
        "no StartTimeout with timeouts: false": (
            {"timeouts": False}, "StartTimeout", None, "timeouts is false"),
        "Lost": ({}, "Lost", None, ""),
        "Disrupted, once it counts": ({}, "Disrupted", None, ""),
        "never PodRefused": ({}, "PodRefused", None, "PodRefused never is"),
        "never InvalidPodTemplate": ({}, "InvalidPodTemplate", None, "InvalidPodTemplate never is"),
        "never JobRefused": ({}, "JobRefused", None, "JobRefused never is"),
        "never NameConflict": ({}, "NameConflict", None, "NameConflict never is"),
        "never Unknown": ({}, "Unknown", None, "Unknown never is"),
        "never Cancelled": ({}, "Cancelled", None, "Cancelled never is"),
        "never DeadlineExceeded": ({}, "DeadlineExceeded", None, "DeadlineExceeded never is"),
    }),
)  # fmt: skip
def test_what_is_retried_and_why_the_rest_is_not(
    retry: Json, reason: str, code: int | None, expected: str
) -> None:
    assert why_not(policy(**retry), Failed(reason, code, at(0))) == expected


def test_a_start_that_waiting_cannot_heal_is_not_retried() -> None:
    never = Exhausted("trying again can't heal it")
    assert tried(EVEN, Reason.START_TIMEOUT, None, may_heal=False) == never


@pytest.mark.parametrize(
    ("disruptions", "retry", "forgiven", "expected"),
    rows({
        "uncounted and waits like retries do": (0, EVEN, True, Again(at(70), counted=False)),
        "uncounted with a wait of its own without retry": (
            0, None, True, Again(at(60), counted=False)),
        "the tenth is still uncounted": (
            MAX_DISRUPTIONS - 1, EVEN, True, Again(at(92), counted=False)),
        "the eleventh counts": (MAX_DISRUPTIONS, EVEN, True, Again(at(70), counted=True)),
        "the eleventh is the end without retry": (MAX_DISRUPTIONS, None, True, Exhausted()),
        "a handler without retry is never repeated": (0, None, False, Exhausted()),
    }),
)  # fmt: skip
def test_disruptions(
    disruptions: int, retry: RetryPolicy | None, forgiven: bool, expected: object
) -> None:
    found = tried(
        retry, Reason.DISRUPTED, None, disruptions=disruptions, forgives_disruptions=forgiven
    )
    assert found == expected


def test_disruptions_do_not_use_up_retries() -> None:
    assert tried(EVEN, Reason.DISRUPTED, None, retries=2) == Again(at(70), counted=False)


def test_a_job_that_quota_left_without_a_pod_is_made_again_at_once() -> None:
    assert tried(None, NOT_COUNTED, None) == Again(at(60), counted=False)


# --- as a node sees it


def test_a_node_is_retried_after_its_waits_and_not_more_often_than_its_limit() -> None:
    run = Run(spec(node("a", retry=PATIENT)))
    run.advance(5)
    run.pod_fails("a")
    assert run.node("a").retry_at == at(15)
    run.advance(9.9)
    assert run.started == ["a1"]
    run.advance(0.1)
    run.pod_fails("a")
    run.advance(20)
    assert run.started == ["a1", "a2", "a3"]
    run.pod_fails("a")
    assert run.result == ("Failed", "NodeFailed")
    assert [f.attempt for f in run.node("a").failures] == [1, 2, 3]
    run.advance(3600)
    assert run.started == ["a1", "a2", "a3"]


def test_the_wait_counts_from_the_attempts_own_end_however_late_it_is_seen() -> None:
    run = Run(spec(node("a", retry=PATIENT)))
    run.pod_fails("a", look=False)
    run.advance(500)
    run.look()
    assert run.started == ["a1", "a2"]
    recorded = [status.nodes["a"].retry_at for status in run.records if "a" in status.nodes]
    assert recorded[-2:] == [at(10), None], "it is recorded before the next attempt"


def test_a_restart_keeps_the_wait() -> None:
    run = Run(spec(node("a", retry={})))
    run.pod_fails("a")
    wait = run.node("a").retry_at
    assert wait is not None
    assert at(0) <= wait < at(1)
    again = Run(spec(node("a", retry={})), look=False)
    again.status, again.attempts, again.now = run.status, dict(run.attempts), at(0)
    again.look()
    assert again.node("a").retry_at == wait
    assert again.wake_at == wait


def test_full_jitter_is_the_hash_of_the_failed_attempt() -> None:
    run = Run(spec(node("a", retry={"backoff": {"base": "100s", "cap": "100s"}})))
    run.pod_fails("a")
    expected = 100 * chance(UID, AttemptId(1, "a", 1))
    wait = run.node("a").retry_at
    assert wait is not None
    assert (wait - at(0)).total_seconds() == pytest.approx(expected, abs=0.001)


def test_max_duration_of_a_node_counts_from_its_first_attempt() -> None:
    run = Run(spec(node("a", retry=PATIENT | {"maxDuration": "30s"})))
    run.pod_fails("a")
    run.advance(10)
    run.advance(5)
    run.pod_fails("a")
    assert run.reason("a") == ("Failed", "ExitCode")
    assert run.started == ["a1", "a2"]
