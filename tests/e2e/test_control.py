"""What users ask of a run: suspend, cancel, rerun, and what happens to it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.kit.client import Object, Query
from tests.kit.cluster import KubectlError
from tests.kit.run import FINAL, Run, instant
from tests.kit.space import CONFLICT, Space
from tests.kit.waiting import wait_for

pytestmark = pytest.mark.e2e

REMOVED_WITHIN = 180.0
"""Seconds: finished Jobs stay for two minutes, so that no late creation runs them again."""

ENDLESS_WITH_HANDLERS = """
nodes:
- {name: a, script: sleep 3600}
- {name: b, dependsOn: [a], script: "true"}
standbys:
- {name: page, script: "true"}
- {name: tidy, script: 'echo "$TIDEGATE_PHASE"'}
onError: [page]
onExit: [tidy]
"""


@pytest.mark.runs("{suspend: true, timeout: 1h, nodes: [{name: a, script: 'true'}]}")
def test_created_suspended_it_waits_without_a_run_and_begins_when_it_may(run: Run) -> None:
    status = run.wait_phase("Pending", "Suspended")
    assert "startedAt" not in status
    assert run.jobs() == []
    run.patch_spec({"nodes": [{"name": "b", "script": "true"}]})
    run.patch_spec({"suspend": False})
    assert run.finished("Succeeded")["nodes"].keys() == {"b"}


@pytest.mark.runs("{suspend: true, nodes: [{name: a, script: 'true'}]}")
def test_a_workflow_cancelled_before_it_began_never_begins(run: Run) -> None:
    run.wait_phase("Pending", "Suspended")
    run.annotate("cancel", "graceful")
    run.wait_phase("Cancelled")
    run.patch_spec({"suspend": False})
    run.annotate("rerun", "all@after-all")
    run.finished("Succeeded")


def test_suspended_it_starts_no_node_and_resumed_it_goes_on(space: Space) -> None:
    run = space.flow("""
    nodes: [{name: a, script: sleep 5}, {name: b, dependsOn: [a], script: "true"}]
    """)
    run.wait_running("a", seconds=90)
    run.patch_spec({"suspend": True})
    status = run.wait_phase("Suspended", seconds=60)
    assert status["nodes"]["a"]["phase"] == "Succeeded"
    assert "suspended" in status["message"]
    assert {c["type"]: c["status"] for c in status["conditions"]}["Suspended"] == "True"
    assert run.jobs("b") == []
    run.patch_spec({"suspend": False})
    run.finished("Succeeded")


@pytest.mark.runs(ENDLESS_WITH_HANDLERS)
def test_a_graceful_cancel_ends_what_runs_and_runs_the_exit_handlers(run: Run) -> None:
    run.wait_running("a", seconds=90)
    run.annotate("cancel", "graceful")
    status = run.finished("Cancelled")
    nodes = status["nodes"]
    assert (nodes["a"]["phase"], nodes["b"]["phase"]) == ("Cancelled", "Skipped")
    assert (nodes["page"]["phase"], nodes["tidy"]["phase"]) == ("Skipped", "Succeeded")
    assert run.log("tidy") == "Cancelled\n"
    run.wait_event("WorkflowCancelled")


@pytest.mark.runs(ENDLESS_WITH_HANDLERS)
def test_a_cancel_now_runs_no_handler(run: Run) -> None:
    run.wait_running("a", seconds=90)
    run.annotate("cancel", "now")
    nodes = run.finished("Cancelled")["nodes"]
    assert nodes["a"]["phase"] == "Cancelled"
    assert {nodes[name]["phase"] for name in ("b", "page", "tidy")} == {"Skipped"}
    assert len(run.jobs()) == 1


@pytest.mark.runs("""
nodes: [{name: a, script: "true"}]
standbys: [{name: tidy, script: sleep 3600}]
onExit: [tidy]
""")
def test_a_cancel_now_also_ends_a_handler(run: Run) -> None:
    run.wait_running("tidy", seconds=90)
    run.annotate("cancel", "graceful")
    run.wait_event("RequestIgnored", "only handlers run")
    run.annotate("cancel", "now")
    status = run.wait(lambda s: s.get("phase") in ("Succeeded", "Cancelled", "Failed"), "the end")
    assert status["nodes"]["tidy"]["phase"] == "Cancelled"


@pytest.mark.runs("""
nodes:
- {name: a, script: "true"}
- {name: b, dependsOn: [a], script: test "$TIDEGATE_RUN" -ge 2}
- {name: c, dependsOn: [b], script: "true"}
""")
def test_a_rerun_runs_what_failed_from_a_node_or_all(run: Run) -> None:
    def runs_of(node: str) -> list[str]:
        return [job["metadata"]["labels"]["tidegate.dev/run"] for job in run.jobs(node)]

    run.finished("Failed")
    run.annotate("rerun", "failed@1")
    status = run.finished("Succeeded", run=2)
    assert (runs_of("a"), runs_of("b"), runs_of("c")) == (["1"], ["1", "2"], ["2"])
    assert [(r["run"], r["phase"]) for r in status["runs"]] == [(1, "Failed")]
    run.annotate("rerun", "failed@2")
    run.wait_event("RequestIgnored", "NothingToRerun")
    run.annotate("rerun", "from=c")
    run.finished("Succeeded", run=3)
    assert (runs_of("b"), runs_of("c")) == (["1", "2"], ["2", "3"])
    run.annotate("rerun", "all")
    run.finished("Succeeded", run=4)
    assert runs_of("a") == ["1", "4"]


@pytest.mark.runs("""
nodes:
- {name: a, script: "true"}
- {name: b, dependsOn: [a], script: echo one}
""")
def test_a_change_after_the_run_waits_for_a_rerun_which_runs_what_changed(run: Run) -> None:
    run.finished("Succeeded")
    run.patch_spec(
        {
            "nodes": [
                {"name": "a", "script": "true"},
                {"name": "b", "dependsOn": ["a"], "script": "echo two"},
            ]
        }
    )
    status = run.wait(
        lambda s: any(c["reason"] == "ChangedSinceRun" for c in s["conditions"]), "ChangedSinceRun"
    )
    assert (status["phase"], status["run"]) == ("Succeeded", 1)
    run.annotate("rerun", "failed@changed")
    run.finished("Succeeded", run=2)
    assert (len(run.jobs("a")), run.log("b")) == (1, "one\ntwo\n")


@pytest.mark.runs("""
nodes:
- {name: a, script: "true"}
- {name: old, dependsOn: [a], script: echo old}
""")
def test_a_node_renamed_between_runs_runs_under_its_new_name(run: Run) -> None:
    run.finished("Succeeded")
    renamed = {"name": "new", "dependsOn": ["a"], "script": "echo old"}
    run.patch_spec({"nodes": [{"name": "a", "script": "true"}, renamed]})
    run.annotate("rerun", "failed")
    status = run.finished("Succeeded", run=2)
    assert status["nodes"].keys() == {"a", "new"}
    assert (len(run.jobs("a")), len(run.jobs("old")), len(run.jobs("new"))) == (1, 1, 1)


@pytest.mark.runs("{rerunPolicy: OnChange, nodes: [{name: a, script: echo one}]}")
def test_with_on_change_a_changed_definition_runs_by_itself(run: Run) -> None:
    run.finished("Succeeded")
    run.patch_spec({"jobRetention": "Always", "ttlSecondsAfterFinished": 3600})
    run.patch_spec({"nodes": [{"name": "a", "script": "echo two"}]})
    run.finished("Succeeded", run=2)
    assert run.log("a") == "one\ntwo\n"


@pytest.mark.runs("{ttlSecondsAfterFinished: 2, nodes: [{name: a, script: 'true'}]}")
def test_it_is_deleted_when_its_time_to_live_is_over(run: Run) -> None:
    run.wait_gone()


@pytest.mark.ahead
@pytest.mark.runs("""
jobRetention: OnFailure
nodes:
- {name: a, retry: {limit: 1, backoff: {base: 500ms}}, script: test "$TIDEGATE_ATTEMPT" = 2}
- {name: b, dependsOn: [a], script: "true"}
""")
def test_job_retention_on_failure_keeps_the_jobs_that_failed(run: Run) -> None:
    run.finished("Succeeded")
    run.wait_jobs_are({("a", "1")}, REMOVED_WITHIN)


@pytest.mark.ahead
@pytest.mark.runs("""
jobRetention: Never
nodes: [{name: a, script: "true"}, {name: b, dependsOn: [a], script: exit 1}]
""")
def test_job_retention_never_keeps_no_finished_job(run: Run) -> None:
    run.finished("Failed")
    run.wait_jobs_are(set(), REMOVED_WITHIN)


@pytest.mark.runs("nodes: [{name: a, script: 'true'}]", labels={"velero.io/restore-name": "monday"})
def test_restored_without_its_status_it_waits_until_a_rerun_is_asked_for(run: Run) -> None:
    status = run.wait_phase("Pending", "Restored")
    assert "tidegate.dev/rerun" in status["message"]
    assert run.jobs() == []
    run.annotate("rerun", "all@restored")
    run.finished("Succeeded")


@pytest.mark.runs(
    "nodes: [{name: a, script: 'true'}]", labels={"velero.io/restore-name": "tuesday"}
)
def test_restored_without_its_status_it_can_be_cancelled(run: Run) -> None:
    run.wait_phase("Pending", "Restored")
    run.annotate("cancel", "now")
    run.wait_phase("Cancelled")
    assert run.jobs() == []


@pytest.mark.runs("nodes: [{name: a, script: sleep 3600}]")
def test_while_a_run_is_on_its_definition_is_locked_and_requests_that_make_no_sense_are_told(
    run: Run,
) -> None:
    run.wait_running("a", seconds=90)
    with pytest.raises(KubectlError, match=r"spec\.nodes can't change while a run is on"):
        run.patch_spec({"nodes": [{"name": "a", "script": "true"}]})
    run.patch_spec({"parallelism": 3})
    run.annotate("rerun", "all")
    run.wait_event("RequestIgnored", "a run is on")
    run.annotate("rerun", "some")
    run.wait_event("RequestIgnored", "none of failed")
    run.annotate("cancel", "please")
    run.wait_event("RequestIgnored", "none of graceful, now")
    run.annotate("cancel", "now")
    run.finished("Cancelled")
    run.annotate("cancel", "now@again")
    run.wait_event("RequestIgnored", "has ended")


@pytest.mark.runs("nodes: [{name: a, script: 'true'}]", annotations={"tidegate.dev/cancel": "now"})
def test_a_request_that_stood_there_at_creation_does_nothing(run: Run) -> None:
    run.finished("Succeeded")


@pytest.mark.runs("nodes: [{name: a, script: 'true'}]")
def test_an_invalid_change_after_a_run_moves_nothing(run: Run) -> None:
    before = run.finished("Succeeded")
    run.patch_spec({"nodes": [{"name": "a", "command": ["echo", "$(params.x)"]}]})
    status = run.wait(
        lambda s: any(c["reason"] == "InvalidSpec" for c in s["conditions"]), "Ready/InvalidSpec"
    )
    assert (status["phase"], status["run"]) == ("Succeeded", 1)
    run.annotate("rerun", "all")
    run.wait_event("RequestIgnored", "InvalidSpec")
    assert instant(run.status["finishedAt"]) - instant(before["finishedAt"]) == timedelta()


def has_seen(request: str) -> Callable[[Object], bool]:
    return lambda status: status.get("requests") == {"rerun": request}


def test_a_request_that_is_refused_once_more_is_counted_in_its_event(space: Space) -> None:
    run = space.flow("nodes: [{name: a, script: 'true'}]")
    run.finished("Succeeded")
    for text in ("failed@1", "failed@2", "failed@1"):
        run.annotate("rerun", text)
        run.wait(has_seen(text), f"{text} seen")

    def repeated(events: dict[str, Object]) -> bool:
        told = [event for event in events.values() if '"failed@1" ignored' in event["message"]]
        return [event["count"] for event in told] == [2]

    wait_for(space.client, Query("events", space.name), repeated, "one Event that happened twice")


def test_a_workflow_that_others_keep_writing_to_runs_to_its_end(space: Space) -> None:
    """Their writes let status writes of the operator fail with a conflict; it looks and goes on."""
    run = space.flow("""
    nodes: [{name: a, script: "true"}, {name: b, dependsOn: [a], script: "true"}]
    """)
    for number in range(5000):
        patch = {"metadata": {"annotations": {"example.com/number": str(number)}}}
        written = space.client.patch("workflows", space.name, run.name, patch)
        if (written.get("status") or {}).get("phase") in FINAL:
            break
    run.finished("Succeeded")
    assert [len(run.jobs("a")), len(run.jobs("b"))] == [1, 1]
    if space.cluster.audit is not None:
        asked = [one for one in space.cluster.audit.requests() if one.namespace == space.name]
        assert (CONFLICT, "workflows/status") in {(one.code, one.resource) for one in asked}
        assert ("workflows", "get") in {one.right for one in asked}
