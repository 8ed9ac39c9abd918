import pytest

from tests.unit.engine.builders import PATIENT, at, job_end, node, rows, spec
from tests.unit.engine.run import Run
from tidegate.api.identity import AttemptId

STORY = (node("a", retry=PATIENT | {"limit": 1}), node("b"), node("c", "b"))


def removed(run: Run) -> list[str]:
    return [f"{r.attempt.node}{r.attempt.number}" for r in run.removes]


def story(policy: str) -> Run:
    """a fails once and succeeds then, b succeeds, c fails."""
    run = Run(spec(*STORY, jobRetention=policy))
    run.pod_fails("a")
    run.pod_succeeds("b")
    run.advance(10)
    run.pod_succeeds("a")
    run.pod_fails("c")
    run.advance(120)
    return run


@pytest.mark.parametrize(
    ("policy", "expected"),
    rows({
        "Always keeps all": ("Always", []),
        "OnFailure keeps those that failed": ("OnFailure", ["a2", "b1"]),
        "Never keeps none": ("Never", ["a1", "a2", "b1", "c1"]),
    }),
)  # fmt: skip
def test_which_finished_jobs_stay(policy: str, expected: list[str]) -> None:
    run = story(policy)
    assert sorted(removed(run)) == expected
    assert run.result[0] == "Failed"


def test_a_job_outlives_any_creation_that_is_still_on_its_way() -> None:
    run = Run(spec(node("a"), node("b", "a"), jobRetention="Never"))
    run.pod_succeeds("a", look=False)
    assert run.plan().removes == ()
    run.look()
    assert removed(run) == []
    run.advance(119)
    assert removed(run) == []
    run.advance(1)
    assert removed(run) == ["a1"]


def test_nothing_is_removed_before_its_end_is_recorded_however_long_ago_it_was() -> None:
    run = Run(spec(node("a"), node("b", "a"), jobRetention="Never"))
    run.end_pod("a", "Succeeded", 0, "Completed")
    run.change_job(run.latest("a"), end=job_end("Complete", succeeded=True))
    run.now = at(1000)
    assert run.plan().removes == ()
    run.look()
    assert removed(run) == ["a1"]


def test_a_failed_attempt_may_go_as_soon_as_its_retry_is_recorded() -> None:
    run = Run(spec(node("a", retry=PATIENT), jobRetention="Never"))
    run.pod_fails("a")
    run.advance(10)
    assert run.started == ["a1", "a2"]
    run.advance(110)
    assert removed(run) == ["a1"]


def test_a_removed_job_changes_nothing_about_its_node() -> None:
    run = Run(spec(node("a"), node("b", "a"), jobRetention="Never"))
    run.pod_succeeds("a")
    run.advance(120)
    assert run.reason("a") == ("Succeeded", None)
    assert run.proven == []
    run.pod_succeeds("b")
    assert run.result[0] == "Succeeded"


def test_what_runs_is_never_removed() -> None:
    run = Run(spec(node("a"), node("b"), jobRetention="Never"))
    run.pod_runs("a", "b")
    run.look()
    assert run.removes == []


def test_the_policy_may_change_after_the_end() -> None:
    run = story("Always")
    run.edit(jobRetention="OnFailure")
    assert sorted(removed(run)) == ["a2", "b1"]
    run.edit(jobRetention="Never")
    assert sorted(removed(run)) == ["a1", "a2", "b1", "c1"]


@pytest.mark.parametrize(("policy", "expected"), [("Never", ["b1"]), ("OnFailure", [])])
def test_the_jobs_of_a_node_that_is_no_more_go_likewise(policy: str, expected: list[str]) -> None:
    run = Run(spec(node("a"), node("b"), jobRetention=policy))
    run.pod_succeeds("a")
    run.pod_fails("b")
    run.edit(nodes=[node("a")])
    run.ask(rerun="failed@1")
    run.ask(rerun="all@2")
    run.pod_succeeds("a")
    run.advance(130)
    assert [x for x in removed(run) if x.startswith("b")] == expected
    assert run.result[0] == "Succeeded"


def test_a_job_of_which_status_never_heard_goes_once_its_node_has_ended() -> None:
    run = Run(spec(node("a"), node("b", "a"), jobRetention="Never", timeout="60s"))
    lost = AttemptId(1, "b", 1)
    run.job_appears(run.workflow, lost, end=job_end("Complete", succeeded=True))
    run.advance(60)
    assert (run.result[0], run.reason("b")[0]) == ("Failed", "Skipped")
    run.advance(200)
    assert sorted(removed(run)) == ["a1", "b1"]


def test_handlers_jobs_go_likewise() -> None:
    run = Run(spec(node("a"), standbys="x", onExit=["x"], jobRetention="OnFailure"))
    run.pod_succeeds("a")
    run.pod_succeeds("x")
    run.advance(120)
    assert removed(run) == ["a1", "x1"]


def test_a_removal_names_the_jobs_uid() -> None:
    run = Run(spec(node("a"), jobRetention="Never"))
    run.pod_succeeds("a")
    run.advance(120)
    assert [(r.uid, r.name.startswith("flow-a-")) for r in run.removes] == [("job-1", True)]
