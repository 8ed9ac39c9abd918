"""The reasons of api.md, section 4: each once through a node with a retry and a fallback."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.engine.builders import PATIENT, Json, at, node, rows, spec
from tests.unit.engine.run import Run
from tidegate.engine.model import NoteKind
from tidegate.facts.model import AnswerKind, ContainerEnd

Story = Callable[[Run], object]
COUNTED, UNCOUNTED, NOT_AGAIN = "counted", "uncounted", "not again"


def helper_fails(run: Run) -> None:
    end = ContainerEnd("fetch", 9, "Error", "", at(0), run.now)
    run.tell_pod("a", phase="Failed", failed=end, any_started=True, finished_at=run.now)


def timeout(run: Run) -> None:
    run.tell_pod("a", phase="Failed", reason="DeadlineExceeded", main_started_at=at(0))


def start_timeout(why: str) -> Story:
    def story(run: Run) -> None:
        run.tell_pod("a", blocked=why)
        run.advance(600)

    return story


def refused_pod(words: str) -> Story:
    return lambda run: run.tell("a", refusal=words)


def webhook_is_down(run: Run) -> None:
    refused_pod("failed calling webhook: timeout")(run)
    run.advance(600)


def refused_job(kind: AnswerKind, words: str) -> Story:
    def story(run: Run) -> None:
        run.answer("a", kind, words)
        run.look()

    return story


def rejected(run: Run) -> None:
    run.tell_pod("a", phase="Failed", reason="OutOfmemory", message="full", finished_at=run.now)


def unknown(run: Run) -> None:
    run.tell_pod("a", phase="Failed", any_started=True, finished_at=run.now)


REASONS: dict[str, tuple[Story, Json, str, str]] = {
    "ExitCode is counted and retried": (
        lambda run: run.pod_fails("a", exit_code=3), {}, "ExitCode", COUNTED),
    "ExitCode in exitCodes.fail is not retried": (
        lambda run: run.pod_fails("a", exit_code=3), {"exitCodes": {"fail": [3]}}, "ExitCode",
        NOT_AGAIN),
    "ExitCode outside a given exitCodes.retry is not retried": (
        lambda run: run.pod_fails("a", exit_code=3), {"exitCodes": {"retry": [4]}}, "ExitCode",
        NOT_AGAIN),
    "ExitCode of another container is not looked up in exitCodes": (
        helper_fails, {"exitCodes": {"fail": [9]}}, "ExitCode", COUNTED),
    "OOMKilled is counted and retried": (
        lambda run: run.pod_fails("a", exit_code=137, reason="OOMKilled"), {}, "OOMKilled",
        COUNTED),
    "Timeout is retried": (timeout, {}, "Timeout", COUNTED),
    "Timeout is not retried with timeouts: false": (
        timeout, {"timeouts": False}, "Timeout", NOT_AGAIN),
    "StartTimeout for want of room is retried": (
        start_timeout("Unschedulable: 0/3 nodes are available"), {}, "StartTimeout", COUNTED),
    "StartTimeout for want of room is not retried with timeouts: false": (
        start_timeout("Unschedulable: 0/3 nodes are available"), {"timeouts": False},
        "StartTimeout", NOT_AGAIN),
    "StartTimeout in image pull back-off is retried": (
        start_timeout("ImagePullBackOff: Back-off pulling image"), {}, "StartTimeout", COUNTED),
    "StartTimeout for a missing Secret is not retried": (
        start_timeout('CreateContainerConfigError: secret "s" not found'), {}, "StartTimeout",
        NOT_AGAIN),
    "StartTimeout comes at once for an invalid image name": (
        lambda run: run.tell_pod("a", blocked="InvalidImageName: no"), {}, "StartTimeout",
        NOT_AGAIN),
    "StartTimeout for a webhook that is down is not retried": (
        webhook_is_down, {},
        "StartTimeout", NOT_AGAIN),
    "Disrupted by an eviction is retried uncounted": (
        lambda run: run.pod_is_evicted("a"), {}, "Disrupted", UNCOUNTED),
    "Disrupted by the kubelet's refusal is retried uncounted": (
        rejected, {}, "Disrupted", UNCOUNTED),
    "Disrupted with all traces gone but the fact is retried uncounted": (
        lambda run: run.vanishes("a", disrupted=True), {}, "Disrupted", UNCOUNTED),
    "Lost is counted and retried": (lambda run: run.vanishes("a"), {}, "Lost", COUNTED),
    "PodRefused by Pod Security comes at once and is not retried": (
        refused_pod('pods "p" is forbidden: violates PodSecurity "restricted:latest"'), {},
        "PodRefused", NOT_AGAIN),
    "PodRefused by a policy comes at once and is not retried": (
        refused_pod('admission webhook "x" denied the request: no'), {}, "PodRefused", NOT_AGAIN),
    "InvalidPodTemplate is not retried": (
        refused_job(AnswerKind.INVALID, 'unknown field "imagee"'), {}, "InvalidPodTemplate",
        NOT_AGAIN),
    "JobRefused is not retried": (
        refused_job(AnswerKind.REFUSED, "forbidden"), {}, "JobRefused", NOT_AGAIN),
    "NameConflict is not retried": (
        refused_job(AnswerKind.CONFLICT, "already exists"), {}, "NameConflict", NOT_AGAIN),
    "Unknown is not retried": (unknown, {}, "Unknown", NOT_AGAIN),
}  # fmt: skip


def begun(story: Story, **fields: Any) -> Run:
    """A run of one node; suspended at first where its creation is to be refused."""
    is_refused = story.__qualname__.startswith("refused_job")
    run = Run(spec(node("a", **fields), standbys="s" if "fallback" in fields else ""), look=False)
    if is_refused:
        run.answer("a", AnswerKind.LATER)
    run.look()
    return run


@pytest.mark.parametrize(("story", "retry", "reason", "repeated"), rows(REASONS))
def test_a_node_with_retry_and_fallback(
    story: Story, retry: Json, reason: str, repeated: str
) -> None:
    run = begun(story, retry=PATIENT | retry, fallback="s")
    story(run)
    a = run.node("a")
    assert [f.reason for f in a.failures] == [reason]
    assert (a.retries, a.disruptions) == (int(repeated == COUNTED), int(repeated == UNCOUNTED))
    run.answer("a", AnswerKind.CREATED)
    run.advance(10)
    run.look()
    again = "a2/s" if repeated == NOT_AGAIN else "a2"
    assert run.started[-1] == again
    told = "not retried: " in a.failures[0].message
    assert told == (repeated == NOT_AGAIN), "why it isn't tried again although it might be"


@pytest.mark.parametrize(("story", "retry", "reason", "repeated"), rows(REASONS))
def test_a_node_with_neither(story: Story, retry: Json, reason: str, repeated: str) -> None:
    run = begun(story)
    story(run)
    if repeated == UNCOUNTED:
        run.advance(1)
        assert run.started == ["a1", "a2"]
        return
    assert run.reason("a") == ("Failed", reason)
    assert run.result == ("Failed", "NodeFailed")
    assert "not retried" not in (run.node("a").message or ""), "nobody wanted it to be"
    run.advance(3600)
    assert len(run.started) <= 1


def test_status_event_and_fallback_tell_why_an_attempt_is_not_repeated() -> None:
    retry = PATIENT | {"exitCodes": {"fail": [7]}}
    run = Run(spec(node("a", retry=retry, fallback="s"), node("b", retry=retry), standbys="s"))
    run.pod_fails("a", exit_code=7)
    run.pod_fails("b", exit_code=1)
    run.advance(10)
    run.pod_fails("b", exit_code=7)
    run.pod_succeeds("a")
    words = "exit code 7 (not retried: exitCodes.fail has 7)"
    assert run.told(NoteKind.FALLBACK_STARTED) == [f"a: {words}; s runs in its place"]
    assert (run.node("b").message or "").startswith(f"{words} after 2 attempts; logs: ")
    (failed,) = run.told(NoteKind.NODE_FAILED)
    assert failed.startswith(f"b: {words} after 2 attempts; logs: ")
    assert [f.message for f in run.node("b").failures] == ["exit code 1", words]


def test_once_no_retry_is_left_it_is_not_told_what_else_would_forbid_one() -> None:
    run = Run(spec(node("a", retry=PATIENT | {"limit": 1, "maxDuration": "15s"})))
    for _ in range(2):
        run.pod_fails("a")
        run.advance(10)
    assert (run.node("a").message or "").startswith("exit code 1 after 2 attempts; logs: ")


@pytest.mark.parametrize(
    ("kind", "reason"),
    rows({
        "quota: QuotaExceeded": (AnswerKind.QUOTA, "QuotaExceeded"),
        "429, 5xx or silence: ApiUnavailable": (AnswerKind.UNAVAILABLE, "ApiUnavailable"),
    }),
)  # fmt: skip
def test_what_is_nobodys_failure_waits_uncounted(kind: AnswerKind, reason: str) -> None:
    run = Run(spec(node("a", retry=PATIENT)), look=False)
    run.answer("a", kind, "exceeded quota: team-a")
    run.look()
    assert run.reason("a") == ("Pending", reason)
    assert run.wake_at == at(5)
    run.advance(7200)
    assert (run.node("a").attempt, run.node("a").failures) == (0, ())
    run.answer("a", None)
    run.advance(5)
    assert run.started == ["a1"]
    assert run.reason("a") == ("Running", None)


def test_an_answer_that_says_nothing_new_is_not_written_again() -> None:
    run = Run(spec(node("a")), look=False)
    run.answer("a", AnswerKind.QUOTA, "exceeded quota: used 40")
    run.look()
    count = len(run.records)
    run.answer("a", AnswerKind.QUOTA, "exceeded quota: used 41")
    run.advance(60)
    assert len(run.records) == count


def test_no_room_in_the_gate_changes_nothing() -> None:
    run = Run(spec(node("a")), look=False)
    run.answer("a", AnswerKind.LATER)
    run.look()
    assert run.reason("a") == ("Pending", None)
    assert run.wake_at is None


def test_in_a_terminating_namespace_nothing_is_planned() -> None:
    run = Run(spec(node("a", retry=PATIENT)), look=False)
    run.answer("a", AnswerKind.TERMINATING)
    run.look()
    assert run.reason("a") == ("Pending", None)
    assert run.wake_at is None


def test_a_quota_that_leaves_a_job_without_pod_stops_the_clock() -> None:
    run = Run(spec(node("a", startTimeout="1m", retry=PATIENT)))
    run.tell("a", refusal="pods is forbidden: exceeded quota: team-a, used 40")
    assert run.reason("a") == ("Running", "QuotaExceeded")
    run.advance(3600)
    run.look()
    assert run.reason("a") == ("Running", "QuotaExceeded")
    assert run.ends == []


def test_a_job_that_its_backstop_ended_for_want_of_quota_is_made_again_uncounted() -> None:
    run = Run(spec(node("a")))
    run.tell("a", refusal="pods is forbidden: exceeded quota: team-a")
    run.job_ends("a", "DeadlineExceeded")
    assert run.started == ["a1", "a2"]
    assert (run.node("a").failures, run.node("a").retries) == ((), 0)


def test_fail_fast_calls_no_failure_what_a_quota_left_without_a_pod() -> None:
    run = Run(spec(node("a"), node("b"), failurePolicy="FailFast"))
    run.tell("b", refusal="pods is forbidden: exceeded quota: team-a")
    run.end_pod("a", "Failed", 1, "Error")
    run.job_ends("b", "DeadlineExceeded")
    assert run.reason("b")[0] == "Cancelled"
    assert run.status.nodes["b"].failures == ()
    assert str(run.status.message).startswith("a: exit code 1")


def test_what_cannot_heal_stays_so_if_its_words_are_cut_for_size() -> None:
    run = Run(spec(node("a", retry=PATIENT)))
    run.stops_at_once = False
    run.tell_pod("a", blocked="InvalidImageName: no")
    silent = run.node("a").model_copy(update={"message": None})
    run.status = run.status.model_copy(update={"nodes": {"a": silent}})
    run.stop("a")
    assert run.reason("a") == ("Failed", "StartTimeout")


def test_a_start_that_timed_out_without_a_word_may_heal() -> None:
    run = Run(spec(node("a", retry=PATIENT)))
    run.tell_pod("a", phase="Pending")
    run.advance(600)
    assert run.reason("a") == ("Retrying", "StartTimeout")


def test_a_backstop_that_strikes_a_job_whose_pod_was_refused_reads_as_start_timeout() -> None:
    run = Run(spec(node("a")))
    run.tell("a", refusal='serviceaccount "robot" not found')
    run.job_ends("a", "DeadlineExceeded")
    assert run.reason("a") == ("Failed", "StartTimeout")
    assert 'serviceaccount "robot" not found' in str(run.node("a").message)


def test_ten_disruptions_of_a_node_and_run_are_forgiven_then_they_count() -> None:
    run = Run(spec(node("a", retry=PATIENT)))
    for _ in range(10):
        run.pod_is_evicted("a")
        run.advance(60)
    assert (run.node("a").attempt, run.node("a").retries, run.node("a").disruptions) == (11, 0, 10)
    for _ in range(3):
        run.pod_is_evicted("a")
        run.advance(60)
    assert run.reason("a") == ("Failed", "Disrupted")
    assert run.node("a").retries == 2


def test_disruptions_are_forgiven_anew_in_the_next_run() -> None:
    run = Run(spec(node("a")))
    run.pod_is_evicted("a")
    run.advance(60)
    run.pod_fails("a")
    run.ask(rerun="all")
    assert (run.node("a").disruptions, run.node("a").attempt) == (0, 1)


def test_lost_runs_again_only_with_retry() -> None:
    without, having = Run(spec(node("a"))), Run(spec(node("a", retry=PATIENT)))
    without.vanishes("a")
    having.vanishes("a")
    having.advance(10)
    assert without.reason("a") == ("Failed", "Lost")
    assert having.started == ["a1", "a2"]
