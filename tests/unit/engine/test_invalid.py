import pytest

from tests.unit.engine.builders import at, node, spec
from tests.unit.engine.run import Run
from tidegate.engine.invalid import plan_invalid
from tidegate.engine.model import NoteKind
from tidegate.errors import Fault

CYCLE = spec(node("a", "b"), node("b", "a"), node("c", "x"))


def ready(run: Run) -> tuple[str, str, str]:
    found = next(c for c in run.status.conditions if c.type == "Ready")
    return found.status, found.reason, found.message


def test_before_the_first_run_it_fails_with_all_faults_and_no_job() -> None:
    run = Run(CYCLE)
    assert run.result == ("Failed", "InvalidSpec")
    message = str(run.status.message)
    assert message.startswith("invalid spec: ")
    assert "a → b → a" in message
    assert "spec.nodes[c]" in message
    assert "x" in message
    assert (run.status.run, run.started, run.status.observed_generation) == (0, [], 1)
    assert ready(run)[:2] == ("False", "InvalidSpec")
    assert ready(run)[2] == message


def test_it_is_told_once_for_each_text() -> None:
    run = Run(CYCLE)
    run.look()
    run.edit(parallelism=3)
    assert len(run.told(NoteKind.INVALID_SPEC)) == 1
    run.edit(nodes=[node("a", "a2")])
    assert len(run.told(NoteKind.INVALID_SPEC)) == 2
    assert all(note.warning for note in run.notes)


def test_the_time_of_the_end_stays() -> None:
    run = Run(CYCLE)
    run.advance(60)
    run.edit(parallelism=3)
    assert run.status.finished_at == at(0)


def test_a_corrected_spec_starts_by_itself_if_nothing_has_run_yet() -> None:
    run = Run(CYCLE)
    run.edit(nodes=[node("a")])
    assert (run.result[0], run.status.run, run.started) == ("Running", 1, ["a1"])
    assert run.status.finished_at is None
    assert run.status.runs == ()
    assert [c.status for c in run.status.conditions if c.type == "Stalled"] == ["False"]


def test_a_request_while_it_is_invalid_is_refused_and_consumed() -> None:
    run = Run(CYCLE)
    run.ask(rerun="all", cancel="now")
    assert min(run.told(NoteKind.REQUEST_IGNORED)).startswith("request cancel ignored")
    assert all("InvalidSpec" in w or "invalid" in w for w in run.told(NoteKind.REQUEST_IGNORED))
    assert len(run.told(NoteKind.REQUEST_IGNORED)) == 2
    run.edit(nodes=[node("a")])
    assert (run.status.run, run.result[0]) == (1, "Running")


def finished_then_broken() -> Run:
    run = Run(spec(node("a")))
    run.pod_succeeds("a")
    run.edit(nodes=CYCLE["nodes"])
    return run


def test_after_a_run_an_invalid_edit_moves_nothing() -> None:
    run = finished_then_broken()
    assert run.result == ("Succeeded", "NodesSucceeded")
    assert run.status.message == "its node succeeded"
    assert (run.status.run, run.status.observed_generation) == (1, 2)
    assert ready(run)[1] == "InvalidSpec"
    assert "a → b → a" in ready(run)[2]
    assert run.told(NoteKind.INVALID_SPEC) == []


def test_after_a_run_requests_are_refused_while_the_spec_is_invalid() -> None:
    run = finished_then_broken()
    run.ask(rerun="all")
    assert run.status.run == 1
    (words,) = run.told(NoteKind.REQUEST_IGNORED)
    assert words.startswith("request rerun ignored")
    assert run.status.requests.rerun == "all"
    run.edit(nodes=[node("a")])
    assert run.status.run == 1, "a corrected spec doesn't run by itself after a run"
    run.ask(rerun="all@2")
    assert run.status.run == 2


def test_a_cancelled_workflow_stays_cancelled() -> None:
    run = Run(spec(node("a"), suspend=True))
    run.ask(cancel="now")
    run.edit(nodes=CYCLE["nodes"])
    assert run.result == ("Cancelled", "CancelRequested")


def on_and_broken() -> Run:
    """A run that is on, under an operator that finds fault with its spec."""
    run = Run(spec(node("a"), node("b", "a"), node("gate", "b", checkpoint={"message": "go on?"})))
    run.pod_runs("a")
    run.edit(nodes=CYCLE["nodes"])
    return run


def test_a_run_that_is_on_waits_and_tells_the_way_out() -> None:
    run = on_and_broken()
    assert (run.result[0], run.started, run.ends) == ("Running", ["a1"], [])
    assert "a → b → a" in ready(run)[2]
    assert ready(run)[2].endswith("twf flow tidegate.dev/cancel=now")


def test_what_was_decided_of_a_run_is_still_carried_out() -> None:
    run = Run(spec(node("a"), node("b"), failurePolicy="FailFast"))
    run.pod_runs("a", "b")
    run.stops_at_once = False
    run.pod_fails("a")
    before = len(run.ends)
    run.edit(nodes=CYCLE["nodes"])
    assert before == len(run.ends) == 1, "its end was asked for, and is asked for once"


@pytest.mark.parametrize("text", ["now", "graceful", "now@again"])
def test_a_run_whose_spec_is_invalid_can_be_cancelled(text: str) -> None:
    run = on_and_broken()
    run.ask(cancel=text)
    assert run.result == ("Cancelled", "CancelRequested")
    assert run.phases == {"a": "Cancelled", "b": "Skipped", "gate": "Skipped"}
    assert run.ended == ["a1"], "what still ran is ended"
    run.edit(nodes=[node("a")])
    run.ask(rerun="all")
    assert run.result[0] == "Running"


def test_what_is_no_cancel_ends_nothing() -> None:
    run = on_and_broken()
    run.ask(cancel="please")
    assert (run.result[0], run.ends) == ("Running", [])


def test_a_great_many_faults_keep_within_bounds() -> None:
    run = Run(CYCLE)
    faults = [Fault(f"spec.nodes[{i}]", "is wrong " * 50) for i in range(500)]
    planned = plan_invalid(run.fact, run.status, faults, run.facts(), run.now)
    assert len(str(planned.status.message)) <= 16_384
    assert all(len(note.message) <= 1024 for note in planned.notes)


def test_it_settles() -> None:
    run = Run(CYCLE)
    planned = run.plan()
    assert (planned.decides, planned.notes, planned.status) == (False, (), run.status)
