"""An attempt that has a Job and hasn't ended: what is told of it, and when it is given up."""

from typing import Any

import pytest

from tests.unit.engine.builders import PATIENT, at, node, rows, spec
from tests.unit.engine.run import Run


def story(**fields: Any) -> Run:
    return Run(spec(node("a", startTimeout="5m", **fields)))


@pytest.mark.parametrize(
    ("why", "reason", "words"),
    rows({
        "no room": (
            "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.", "Unschedulable",
            "no room: 0/3 nodes are available: 3 Insufficient cpu."),
        "an image that isn't found": (
            "ErrImagePull: registry.corp/ranker:v7: not found", "ImagePull",
            "the image can't be pulled: registry.corp/ranker:v7: not found"),
        "the kubelet's back-off": (
            'ImagePullBackOff: Back-off pulling image "x"', "ImagePull",
            'the image can\'t be pulled: Back-off pulling image "x"'),
        "a missing Secret": (
            'CreateContainerConfigError: secret "token" not found', "CreateContainerConfigError",
            'CreateContainerConfigError: secret "token" not found'),
    }),
)  # fmt: skip
def test_what_a_pod_waits_for_is_told_with_its_clock(why: str, reason: str, words: str) -> None:
    run = story()
    run.tell_pod("a", blocked=why)
    words += " (waiting until 12:05:00 UTC, then the attempt fails)"
    assert run.reason("a") == ("Running", reason)
    assert run.node("a").message == words
    assert run.status.message == f"a: {words}"


def test_the_kubelets_own_words_may_go_to_and_fro_without_a_write() -> None:
    run = story()
    run.tell_pod("a", blocked="ErrImagePull: x")
    count = len(run.records)
    for why in ("ImagePullBackOff: y", "ErrImagePull: x", "ImagePullBackOff: z"):
        run.tell_pod("a", blocked=why)
    assert len(run.records) == count


def test_nothing_is_told_any_more_once_main_has_started() -> None:
    run = story()
    run.tell_pod("a", blocked="ErrImagePull: x")
    run.tell_pod("a", blocked=None, phase="Running", main_started_at=run.now)
    assert run.reason("a") == ("Running", None)
    assert run.node("a").message is None
    assert run.wake_at is None
    run.advance(86400)
    assert run.ends == []


def test_start_timeout_is_exact() -> None:
    run = story()
    run.tell_pod("a", blocked="Unschedulable: no room")
    assert run.wake_at == at(300)
    run.advance(299.9)
    assert run.ends == []
    run.advance(0.1)
    assert [end.reason for end in run.ends] == ["StartTimeout"]
    assert run.reason("a") == ("Failed", "StartTimeout")
    assert run.node("a").message == (
        "StartTimeout: it didn't start in time: Unschedulable: no room"
    )


def test_start_timeout_is_ten_minutes_by_default() -> None:
    run = Run(spec(node("a")))
    assert run.wake_at == at(600)


def test_no_verdict_on_a_job_without_pod_before_its_events_were_read() -> None:
    run = story()
    run.advance(86400)
    assert (run.ends, run.reason("a")) == ([], ("Running", None))
    run.tell("a", refusal='pods "p" is forbidden: exceeded quota: team-a')
    assert (run.ends, run.reason("a")) == ([], ("Running", "QuotaExceeded"))


def test_start_timeout_is_decided_in_recorded_status_first() -> None:
    run = story()
    run.tell("a", refusal="")
    run.now = at(300)
    planned = run.plan()
    assert (planned.decides, planned.ends) == (True, ())


@pytest.mark.parametrize(
    ("why", "heals"),
    rows({
        "InvalidImageName": ("InvalidImageName: couldn't parse", False),
        "violates Pod Security": ('violates PodSecurity "restricted:latest"', False),
        "denied by a webhook": ('admission webhook "w" denied the request: no', False),
        "a webhook that is down": ("failed calling webhook: refused", True),
        "a ServiceAccount that is missing": ('serviceaccount "robot" not found', True),
    }),
)  # fmt: skip
def test_what_cannot_heal_ends_at_once(why: str, heals: bool) -> None:
    run = story()
    if why.startswith("Invalid"):
        run.tell_pod("a", blocked=why)
    else:
        run.tell("a", refusal=why)
    assert (run.ends == []) is heals
    if heals:
        assert why in str(run.node("a").message)
        run.advance(300)
        assert run.reason("a") == ("Failed", "StartTimeout")
        assert why in str(run.node("a").message)


def test_a_suspended_jobs_clock_stands() -> None:
    run = story()
    run.tell_job("a", suspended=True, started_at=None)
    assert run.reason("a") == ("Running", "Queued")
    assert run.wake_at is None
    run.advance(86400)
    run.look()
    assert run.ends == []
    run.tell_job("a", suspended=False, started_at=run.now)
    run.tell("a", refusal="")
    assert run.reason("a") == ("Running", None)
    run.advance(299)
    assert run.ends == []
    run.advance(1)
    assert run.ended == ["a1"]


def test_a_job_that_was_suspended_on_its_way_is_the_same_attempt() -> None:
    run = story(retry=PATIENT)
    run.pod_runs("a")
    run.tell_job("a", suspended=True, started_at=None)
    run.tell_pod("a", deletion_at=run.now, phase="Succeeded", finished_at=run.now)
    assert run.reason("a") == ("Running", "Queued")
    assert run.started == ["a1"]
    run.tell("a", pods=())
    run.tell_job("a", suspended=False, started_at=run.now)
    run.pod_succeeds("a")
    assert (run.started, run.result[0]) == (["a1"], "Succeeded")


def test_helpers_that_hold_the_pod_are_named() -> None:
    run = story()
    run.tell_pod("a", phase="Running", main_started_at=run.now, helpers_running=("proxy",))
    assert run.reason("a") == ("Running", "HelpersRun")
    message = str(run.node("a").message)
    assert message.startswith("main has ended, but proxy still runs and holds the pod")
    assert "native sidecars" in message


def test_quota_for_the_pod_is_told_and_is_nobodys_failure() -> None:
    run = story()
    words = 'pods "p" is forbidden: exceeded quota: team-a, requested: pods=1, used: 40'
    run.tell("a", refusal=words)
    assert run.reason("a") == ("Running", "QuotaExceeded")
    assert run.node("a").message == (
        "quota: exceeded quota: team-a, requested: pods=1, used: 40; "
        "waiting, not counted as an attempt"
    )
    run.advance(86400)
    assert run.ends == []


def test_an_attempt_that_cannot_start_is_ended_by_a_cancel_with_the_cancels_reason() -> None:
    run = story()
    run.tell_pod("a", blocked="Unschedulable: no room")
    run.ask(cancel="graceful")
    assert run.reason("a") == ("Cancelled", "Cancelled")


def test_a_kubelet_that_has_not_looked_for_a_secret_yet_tells_nothing() -> None:
    run = story()
    words = "failed to sync secret cache: timed out waiting for the condition"
    run.tell_pod("a", blocked=f"CreateContainerConfigError: {words}")
    assert run.reason("a") == ("Running", None)
    run.tell_pod("a", blocked='CreateContainerConfigError: secret "token" not found')
    assert run.reason("a") == ("Running", "CreateContainerConfigError")
    assert 'secret "token" not found' in str(run.node("a").message)
