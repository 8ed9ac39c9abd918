from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.unit.cluster.objects import T0, UID, StillClock, complete, job, pod, workflow
from tidegate.api.identity import AttemptId
from tidegate.cluster.lags import Lags
from tidegate.cluster.view import View


def samples(name: str) -> tuple[float, float]:
    read = REGISTRY.get_sample_value
    return (
        read(f"tidegate_{name}_seconds_count") or 0.0,
        read(f"tidegate_{name}_seconds_sum") or 0.0,
    )


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def view(clock: StillClock) -> View:
    lags = Lags(clock.monotonic)
    lags.begin(T0)
    return watching(lags)


def watching(lags: Lags) -> View:
    view = View(observe=lags.observe)
    view.workflow_seen(workflow())
    return view


def ran(version: int, phase: str, **state: Any) -> dict[str, Any]:
    raw = pod(version, phase)
    raw["status"]["containerStatuses"] = [{"name": "main", "state": state}]
    return raw


def test_how_long_pods_took_to_run_and_jobs_to_tell(view: View) -> None:
    started, told = samples("job_start_lag"), samples("job_finish_lag")
    view.job_seen(job())
    view.pod_seen(ran(3, "Running", running={"startedAt": "2026-11-22T12:00:04Z"}))
    ended = {
        "exitCode": 0,
        "startedAt": "2026-11-22T12:00:04Z",
        "finishedAt": "2026-11-22T12:00:53Z",
    }
    view.pod_seen(ran(4, "Succeeded", terminated=ended))
    view.job_seen(complete(5))
    view.job_seen(complete(6, metadata={"annotations": {"x": "y"}}))
    assert samples("job_start_lag") == (started[0] + 1, started[1] + 4)
    assert samples("job_finish_lag") == (told[0] + 1, told[1] + 7)


def test_how_long_a_hand_off_took(view: View, clock: StillClock) -> None:
    before = samples("handoff")
    view.job_seen(job())
    view.pod_seen(pod(4, "Succeeded"))
    clock.advance(0.5)
    for node in ("b", "c"):
        view.learn_job(job(5, uid=f"job-{node}", attempt=AttemptId(1, node, 1)))
    assert samples("handoff") == (before[0] + 1, before[1] + 0.5)


@pytest.mark.parametrize(
    "attempt", [AttemptId(1, "a", 2), AttemptId(1, "a", 2, "spare"), AttemptId(2, "b", 1)]
)
def test_retries_fallbacks_and_reruns_are_no_hand_off(view: View, attempt: AttemptId) -> None:
    before = samples("handoff")
    view.job_seen(job())
    view.pod_seen(pod(4, "Failed"))
    view.learn_job(job(5, uid="job-2", attempt=attempt))
    assert samples("handoff") == before


def test_what_a_decision_starts_is_no_hand_off(clock: StillClock) -> None:
    lags, before = Lags(clock.monotonic), samples("handoff")
    lags.begin(T0)
    view = watching(lags)
    view.job_seen(job())
    view.pod_seen(pod(4, "Succeeded"))
    lags.forget(UID)
    view.learn_job(job(5, uid="job-2", attempt=AttemptId(1, "c", 1)))
    assert samples("handoff") == before


def everything_happens(view: View) -> None:
    view.job_seen(job())
    view.pod_seen(ran(3, "Running", running={"startedAt": "2026-11-22T12:00:04Z"}))
    view.pod_seen(pod(4, "Succeeded"))
    view.learn_job(job(5, uid="job-2", attempt=AttemptId(1, "b", 1)))


def counted() -> list[float]:
    return [samples(name)[0] for name in ("job_start_lag", "job_finish_lag", "handoff")]


def test_a_replica_that_stands_by_counts_nothing() -> None:
    before = counted()
    everything_happens(watching(Lags()))
    assert counted() == before


def test_what_happened_before_this_replica_led_is_not_counted_again() -> None:
    before, lags = counted(), Lags()
    lags.begin(T0 + timedelta(minutes=5))
    everything_happens(watching(lags))
    assert counted() == before
