from datetime import timedelta
from typing import Any

import pytest

from tests.unit.cluster.objects import KEY, T0, job, pod, workflow
from tidegate.api.identity import WorkflowKey
from tidegate.cluster.census import take
from tidegate.cluster.view import View
from tidegate.gauges import Census

LATER = T0 + timedelta(hours=1)
AT_TEN = "2026-11-22T12:10:00Z"
AT_TWENTY = "2026-11-22T12:20:00.250000Z"


def status(phase: str, **nodes: Any) -> dict[str, Any]:
    return {"phase": phase, "run": 1, "startedAt": "2026-11-22T12:00:00Z", "nodes": nodes}


def census(view: View) -> Census:
    return take(view.rows(), {"hot": 1}, LATER)


def of(*statuses: dict[str, Any]) -> Census:
    view = View()
    for number, one in enumerate(statuses):
        key = WorkflowKey("shop", f"w{number}")
        view.workflow_seen(workflow(number + 1, uid=f"wf-{number}", key=key, status=one))
    return census(view)


def running(view: View | None = None, **node: Any) -> View:
    view = view or View()
    view.workflow_seen(workflow(status=status("Running", a={"phase": "Running", **node})))
    return view


def test_nothing_at_all() -> None:
    assert of() == Census(queued={"hot": 1})


def test_workflows_are_counted_by_phase() -> None:
    phases = of(status("Running"), status("Failed"), status("Failed"), {}).phases
    assert phases == {"Running": 1, "Failed": 2, "Pending": 1}


def test_open_checkpoints_are_counted_and_the_oldest_tells_its_age() -> None:
    found = of(
        status("Waiting", a={"phase": "Waiting", "openedAt": AT_TWENTY}, b={"phase": "Waiting"}),
        status("Running", a={"phase": "Waiting", "openedAt": AT_TEN}, b={"phase": "Running"}),
        status("Failed", a={"phase": "Waiting", "openedAt": "2026-11-22T11:00:00Z"}),
    )
    assert (found.checkpoints, found.oldest_checkpoint) == (3, 3000.0)


def test_a_checkpoint_that_waits_for_its_policy_has_no_age() -> None:
    found = of(status("Waiting", a={"phase": "Waiting"}))
    assert (found.checkpoints, found.held_checkpoints, found.oldest_checkpoint) == (1, 1, 0.0)


@pytest.mark.parametrize(
    ("one", "idle"),
    [
        ({}, 3600.0),
        (status("Running"), 3600.0),
        (status("Running", a={"phase": "Running", "startedAt": AT_TEN}), 3000.0),
        (status("Running", a={"startedAt": AT_TEN}, b={"finishedAt": AT_TWENTY}), 2399.75),
        (status("Running", a={"phase": "Retrying", "retryAt": "2026-11-22T14:00:00Z"}), 0.0),
        (status("Waiting", a={"phase": "Waiting", "openedAt": AT_TEN}), 0.0),
        (status("Suspended"), 0.0),
        (status("Pending"), 0.0),
        (status("Succeeded"), 0.0),
        (status("Running", a="odd"), 3600.0),
        ({"phase": "Running", "run": 1, "nodes": 7}, 3600.0),
        (status("Running", a={"startedAt": 7}), 3600.0),
    ],
)
def test_a_run_is_idle_since_it_last_moved(one: dict[str, Any], idle: float) -> None:
    assert of(one).longest_idle == idle


def test_the_longest_idle_run_counts() -> None:
    busy = status("Running", a={"finishedAt": AT_TWENTY})
    assert of(busy, status("Running"), busy).longest_idle == 3600.0


def test_a_run_with_a_running_pod_is_not_idle() -> None:
    view = running()
    view.job_seen(job())
    view.pod_seen(_started(pod(3, "Running")))
    assert census(view).longest_idle == 0.0
    view.pod_seen(_started(pod(4, "Succeeded")))
    assert census(view).longest_idle == 3600.0


def test_a_pod_that_never_started_is_no_move_but_its_creation_is() -> None:
    view = running()
    view.job_seen(job())
    view.pod_seen(pod(3, "Pending", creationTimestamp=AT_TEN))
    assert census(view).longest_idle == 3000.0


@pytest.mark.parametrize(("deletion", "idle"), [("13:05", 0.0), ("12:30", 1800.0)])
def test_a_pod_that_cannot_be_confirmed_stopped_stands_still_since_it_should_be(
    deletion: str, idle: float
) -> None:
    view = running()
    view.job_seen(job())
    deleting = pod(3, "Running", deletionTimestamp=f"2026-11-22T{deletion}:00Z")
    view.pod_seen(_started(deleting))
    assert census(view).longest_idle == idle


def test_a_job_in_somebody_elses_queue_is_not_idle() -> None:
    view = running()
    view.job_seen(job(spec={"suspend": True}))
    assert census(view).longest_idle == 0.0


def test_pods_of_a_former_run_do_not_count() -> None:
    view = View()
    view.workflow_seen(workflow(status=status("Running") | {"run": 2}))
    view.job_seen(job())
    view.pod_seen(_started(pod(3, "Running")))
    assert view.workflow(KEY)
    assert census(view).longest_idle == 3600.0


def _started(raw: dict[str, Any]) -> dict[str, Any]:
    state = {"running": {"startedAt": "2026-11-22T12:00:04Z"}}
    raw["status"]["containerStatuses"] = [{"name": "main", "state": state}]
    return raw
