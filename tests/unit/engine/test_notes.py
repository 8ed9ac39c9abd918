from functools import partial

import pytest

from tests.unit.engine.builders import KEY, PATIENT, node, spec
from tests.unit.engine.run import Run
from tidegate.engine import seal
from tidegate.engine.messages import logs
from tidegate.engine.model import NoteKind
from tidegate.engine.notes import observations
from tidegate.engine.size import bounded, size


def events(run: Run) -> list[str]:
    return [f"{note.kind}: {note.message}" for note in run.notes]


def run_with_everything() -> Run:
    run = Run(
        spec(
            node("a", retry=PATIENT | {"limit": 1}, fallback="s"),
            node("b"),
            node("c", "a"),
            node("d", "c"),
            standbys="s x",
            onExit=["x"],
        )
    )
    run.pod_succeeds("b")
    run.pod_fails("a", exit_code=3)
    run.advance(10)
    run.pod_fails("a", exit_code=4)
    run.pod_succeeds("a")
    run.pod_fails("c", exit_code=5)
    run.pod_succeeds("x")
    return run


def test_the_events_of_a_run_with_everything() -> None:
    run = run_with_everything()
    assert events(run) == [
        "WorkflowStarted: 4 nodes in 3 waves",
        "WaveStarted: wave 1 of 3: a and b",
        "NodeRetrying: a: retry 1 of 1 in 10 s after exit code 3",
        "FallbackStarted: a: exit code 4 after 2 attempts; s runs in its place",
        "WaveStarted: wave 2 of 3: c",
        f"NodeFailed: c: exit code 5; {logs(KEY, 'c')}",
        "WorkflowFailed: c: exit code 5",
    ]
    assert [note.kind for note in run.notes if note.warning] == ["NodeFailed", "WorkflowFailed"]


def test_nothing_is_told_twice_however_often_it_is_planned() -> None:
    run = Run(spec(node("a", retry=PATIENT)))
    run.pod_fails("a")
    before = events(run)
    for _ in range(3):
        run.look()
    assert events(run) == before


def test_a_rerun_tells_of_its_waves_again() -> None:
    run = Run(spec(node("a"), node("b", "a")))
    run.pod_succeeds("a")
    run.pod_succeeds("b")
    run.notes.clear()
    run.ask(rerun="all")
    run.pod_succeeds("a")
    assert events(run) == [
        "WorkflowStarted: 2 nodes in 2 waves, run 2",
        "WaveStarted: wave 1 of 2: a",
        "WaveStarted: wave 2 of 2: b",
    ]


def test_a_rerun_tells_only_of_waves_in_which_something_runs() -> None:
    run = Run(spec(node("a"), node("b", "a")))
    run.pod_succeeds("a")
    run.pod_fails("b")
    run.notes.clear()
    run.observations.clear()
    run.ask(rerun="failed")
    assert run.told(NoteKind.WAVE_STARTED) == ["wave 2 of 2: b"]
    run.pod_succeeds("b")
    assert [o.name for o in run.observations].count("wave_finished") == 1
    kept = run.status.waves["1"]
    assert (kept.phase, kept.started_at, kept.finished_at) == ("Succeeded", None, None)


def test_eager_tells_of_no_waves() -> None:
    run = Run(spec(node("a"), node("b", "a"), execution="Eager"))
    run.pod_succeeds("a")
    run.pod_succeeds("b")
    assert run.told(NoteKind.WAVE_STARTED) == []
    assert events(run)[-1] == "WorkflowSucceeded: all 2 nodes succeeded"


def test_a_cancel_is_told_as_a_warning() -> None:
    run = Run(spec(node("a")))
    run.ask(cancel="now")
    assert run.told(NoteKind.WORKFLOW_CANCELLED) == ["cancelled on request (now): a was ended"]
    assert run.notes[-1].warning


def counted(run: Run) -> list[tuple[str, float, tuple[str, ...]]]:
    return [(o.name, o.value, o.labels) for o in run.observations]


def test_the_numbers_of_a_run() -> None:
    run = Run(spec(node("a", retry=PATIENT), node("b", "a", fallback="s"), standbys="s"))
    run.advance(5)
    run.pod_fails("a")
    run.advance(10)
    run.pod_succeeds("a")
    run.pod_fails("b", exit_code=137, reason="OOMKilled")
    run.advance(3)
    run.pod_succeeds("b")
    assert counted(run) == [
        ("workflow_started", 1, ()),
        ("node_attempt_ended", 1, ("failed", "ExitCode")),
        ("node_retried", 1, ()),
        ("node_attempt_ended", 1, ("succeeded", "Succeeded")),
        ("node_finished", 15, ("succeeded",)),
        ("wave_finished", 1, ()),
        ("node_attempt_ended", 1, ("failed", "OOMKilled")),
        ("node_attempt_ended", 1, ("succeeded", "Succeeded")),
        ("node_finished", 3, ("succeeded",)),
        ("fallback_finished", 1, ("succeeded",)),
        ("wave_finished", 1, ()),
        ("workflow_finished", 18, ("Succeeded",)),
    ]


def test_names_of_workflows_and_nodes_are_no_labels() -> None:
    run = Run(spec(node("extract", retry=PATIENT)))
    run.pod_fails("extract")
    assert all("extract" not in label for o in run.observations for label in o.labels)


@pytest.mark.parametrize("limit", [0, 2600, 3000])
def test_however_much_a_status_is_shortened_the_same_is_told_and_counted(
    limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_with_everything()
    monkeypatch.setattr(seal, "bounded", partial(bounded, limit=limit))
    short = run_with_everything()
    assert size(short.status) < size(whole.status)
    assert counted(short) == counted(whole)
    assert [note.kind for note in short.notes] == [note.kind for note in whole.notes]
    node_events = events(whole)[:-1]
    assert events(short)[:-1] == node_events


def test_shortening_alone_is_nothing_to_count() -> None:
    status = run_with_everything().status
    for limit in range(0, size(status), 50):
        assert list(observations(status, bounded(status, limit))) == []


def test_each_of_several_failures_of_one_pass_is_counted() -> None:
    standby = {"name": "s", "env": [{"name": "N", "value": "$(nodes.a.outputs.n)"}]}
    needs = node("b", "a", fallback="s", env=standby["env"])
    run = Run(spec(node("a"), needs, extra=[standby]))
    run.pod_succeeds("a", told='{"m": 1}')
    assert counted(run).count(("node_attempt_ended", 1, ("failed", "MissingOutput"))) == 2
