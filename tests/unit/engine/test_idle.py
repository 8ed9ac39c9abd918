"""What happens while no run is on."""

from typing import Any

import pytest

from tests.unit.engine.builders import at, node, rows, spec
from tests.unit.engine.run import Run
from tidegate.engine.model import NoteKind

A = spec(node("a"))


def ended(phase: str = "Succeeded", **fields: Any) -> Run:
    run = Run(spec(node("a"), **fields))
    run.advance(60)
    if phase == "Succeeded":
        run.pod_succeeds("a")
    elif phase == "Failed":
        run.pod_fails("a")
    else:
        run.ask(cancel="now")
    assert run.result[0] == phase
    return run


# --- created suspended, restored, in a namespace that is left alone


def test_created_suspended_no_run_begins_and_no_clock_runs() -> None:
    run = Run(spec(node("a"), suspend=True, timeout="1m", ttlSecondsAfterFinished=5))
    assert run.result == ("Pending", "Suspended")
    assert (run.status.run, run.status.started_at, run.wake_at) == (0, None, None)
    assert run.status.observed_generation == 1
    run.advance(86400)
    run.edit(suspend=False)
    assert (run.result, run.started) == (("Running", "NodesRun"), ["a1"])


def test_everything_may_be_edited_while_it_waits_suspended() -> None:
    run = Run(spec(node("a"), suspend=True))
    run.edit(nodes=[node("b"), node("c")])
    assert run.result == ("Pending", "Suspended")
    assert run.status.progress == "0/2"
    run.edit(suspend=False)
    assert run.started == ["b1", "c1"]


def test_restored_without_status_nothing_runs_until_it_is_asked_for() -> None:
    run = Run(A, restored=True)
    assert run.result == ("Pending", "Restored")
    assert "kubectl annotate --overwrite -n data twf flow tidegate.dev/rerun=all@restored" in str(
        run.status.message
    )
    run.edit(parallelism=3)
    assert run.started == []
    run.ask(rerun="all@restored")
    assert (run.result[0], run.started) == ("Running", ["a1"])


@pytest.mark.parametrize("text", ["all", "failed", "from=a"])
def test_any_rerun_starts_a_restored_workflow(text: str) -> None:
    run = Run(A, restored=True)
    run.ask(rerun=text)
    assert run.started == ["a1"]


def test_a_rerun_that_was_restored_with_the_workflow_starts_nothing() -> None:
    run = Run(A, restored=True, annotations={"tidegate.dev/rerun": "all"})
    assert run.result == ("Pending", "Restored")
    run.ask(rerun="all@now")
    assert run.started == ["a1"]


def test_a_cancel_ends_a_restored_workflow() -> None:
    run = Run(A, restored=True)
    run.ask(cancel="graceful")
    assert run.result == ("Cancelled", "CancelRequested")
    run.look()
    assert run.started == []


def test_restored_with_its_status_it_goes_on() -> None:
    run = Run(A)
    other = Run(A, restored=True, look=False)
    other.status, other.attempts = run.status, run.attempts
    other.pod_succeeds("a")
    assert other.result[0] == "Succeeded"


def test_an_excluded_namespace_is_left_alone() -> None:
    run = Run(A, look=False)
    run.excluded = True
    run.look()
    assert run.result == ("Pending", "NamespaceExcluded")
    assert run.started == []
    run.excluded = False
    run.look()
    assert run.started == ["a1"]


# --- after the end


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Cancelled"])
def test_ttl_counts_from_the_end_however_it_ended(phase: str) -> None:
    run = ended(phase, ttlSecondsAfterFinished=30)
    assert run.wake_at == at(90)
    run.advance(29)
    assert not run.deleted
    run.advance(1)
    assert run.deleted


def test_without_ttl_nothing_is_deleted() -> None:
    run = ended()
    run.advance(10_000_000)
    assert (run.deleted, run.wake_at) == (False, None)


def test_a_ttl_of_zero_deletes_only_what_is_recorded_as_over() -> None:
    run = Run(spec(node("a"), ttlSecondsAfterFinished=0))
    run.pod_succeeds("a", look=False)
    assert not run.plan().delete_workflow
    run.look()
    assert run.deleted
    assert run.result[0] == "Succeeded"


def test_ttl_may_be_given_after_the_end() -> None:
    run = ended()
    run.advance(100)
    run.edit(ttlSecondsAfterFinished=99)
    assert run.deleted


def test_a_rerun_stops_the_clock_of_ttl() -> None:
    run = ended(ttlSecondsAfterFinished=30)
    run.ask(rerun="all")
    run.advance(100)
    assert not run.deleted


# --- changes after the end


CHANGED = rows({
    "a node": {"nodes": [node("a", command=["x"])]},
    "another node": {"nodes": [node("a"), node("b")]},
    "defaults": {"defaults": {"image": "other"}},
    "failurePolicy": {"failurePolicy": "Continue"},
    "execution": {"execution": "Eager"},
    "handlers": {"standbys": [{"name": "x"}], "onExit": ["x"]},
})  # fmt: skip
SAME = rows({
    "parallelism": {"parallelism": 3},
    "timeout": {"timeout": "1h"},
    "jobRetention": {"jobRetention": "OnFailure"},
    "suspend": {"suspend": True},
    "a default that is written out": {"nodes": [node("a", startTimeout="10m")]},
})  # fmt: skip


@pytest.mark.parametrize("fields", CHANGED)
def test_on_change_a_changed_definition_starts_a_run_of_everything(fields: Any) -> None:
    run = ended(rerunPolicy="OnChange")
    run.edit(**fields)
    assert (run.status.run, run.result[0]) == (2, "Running")
    assert "a1@2" in run.started


@pytest.mark.parametrize("fields", SAME)
def test_on_change_nothing_else_starts_a_run(fields: Any) -> None:
    run = ended(rerunPolicy="OnChange")
    run.edit(**fields)
    assert (run.status.run, run.result[0]) == (1, "Succeeded")
    assert run.status.observed_generation == 2


@pytest.mark.parametrize("phase", ["Failed", "Cancelled"])
def test_on_change_also_after_a_bad_end(phase: str) -> None:
    run = ended(phase, rerunPolicy="OnChange")
    run.edit_node("a", command=["x"])
    assert run.status.run == 2


def test_on_change_starts_one_run_a_change() -> None:
    run = ended(rerunPolicy="OnChange")
    run.edit_node("a", command=["x"])
    run.pod_succeeds("a")
    run.look()
    assert run.status.run == 2


def test_on_change_set_later_takes_up_a_change_that_was_there() -> None:
    run = ended()
    run.edit_node("a", command=["x"])
    assert run.status.run == 1
    run.edit(rerunPolicy="OnChange")
    assert run.status.run == 2


def ready(run: Run) -> tuple[str, str, str]:
    found = next(c for c in run.status.conditions if c.type == "Ready")
    return found.status, found.reason, found.message


@pytest.mark.parametrize("fields", CHANGED)
def test_by_default_a_change_only_shows_in_ready(fields: Any) -> None:
    run = ended()
    run.edit(**fields)
    assert (run.status.run, run.result) == (1, ("Succeeded", "NodesSucceeded"))
    assert ready(run)[:2] == ("True", "ChangedSinceRun")
    command = "kubectl annotate --overwrite -n data twf flow tidegate.dev/rerun=failed@run-2"
    assert ready(run)[2].endswith(f"to run it: {command}")
    assert run.status.observed_generation == 2


@pytest.mark.parametrize("fields", SAME)
def test_what_changes_nothing_does_not_show(fields: Any) -> None:
    run = ended("Failed")
    run.edit(**fields)
    assert ready(run)[:2] == ("False", "NodeFailed")


def test_a_change_that_is_taken_back_no_longer_shows() -> None:
    run = ended()
    run.edit_node("a", command=["x"])
    run.edit(nodes=[node("a")])
    assert ready(run)[:2] == ("True", "NodesSucceeded")


def test_a_finished_workflow_is_left_in_peace() -> None:
    run = ended()
    count = len(run.records)
    for _ in range(5):
        run.look()
    assert len(run.records) == count
    assert run.told(NoteKind.WORKFLOW_SUCCEEDED) == ["its node succeeded"]
