import pytest

from tests.unit.engine.builders import at, node, rows, spec, workflow
from tests.unit.engine.run import Run
from tidegate.api.status import NodePhase, NodeStatus
from tidegate.engine.waves import current_wave, wave_statuses

DIAMOND = (node("a"), node("b"), node("c", "a"), node("d", "a b"), node("e", "c d"))


def test_a_wave_starts_when_every_node_of_the_one_before_has_ended() -> None:
    run = Run(spec(*DIAMOND))
    assert run.started == ["a1", "b1"]
    run.pod_succeeds("a")
    assert run.started == ["a1", "b1"]
    run.pod_succeeds("b")
    assert run.started == ["a1", "b1", "c1", "d1"]
    run.pod_succeeds("d")
    assert run.started == ["a1", "b1", "c1", "d1"]
    run.pod_succeeds("c")
    assert run.started[4:] == ["e1"]


def test_eager_starts_a_node_as_soon_as_its_own_dependencies_allow() -> None:
    run = Run(spec(*DIAMOND, execution="Eager"))
    run.pod_succeeds("a")
    assert run.started == ["a1", "b1", "c1"]
    run.pod_succeeds("b")
    run.pod_succeeds("d")
    assert run.started == ["a1", "b1", "c1", "d1"]
    run.pod_succeeds("c")
    assert run.started[4:] == ["e1"]
    assert run.status.wave is None


def test_the_next_wave_starts_in_the_pass_that_sees_the_last_pod_end() -> None:
    run = Run(spec(*DIAMOND))
    run.pod_succeeds("a", "b", look=False)
    planned = run.plan()
    assert not planned.decides
    assert [s.attempt.node for s in planned.starts] == ["c", "d"]


def test_the_waves_in_status() -> None:
    run = Run(spec(*DIAMOND))
    run.advance(5)
    run.pod_succeeds("a")
    assert run.status.waves["1"].phase == "Running"
    assert run.status.waves["2"].phase == "Pending"
    run.advance(5)
    run.pod_succeeds("b")
    first, second = run.status.waves["1"], run.status.waves["2"]
    assert (first.phase, first.started_at, first.finished_at) == ("Succeeded", at(0), at(10))
    assert (second.phase, second.started_at, second.finished_at) == ("Running", at(10), None)
    assert (run.status.wave, run.status.progress) == (2, "2/5")


@pytest.mark.parametrize(
    ("phases", "expected"),
    rows({
        "all well": ("Succeeded Succeeded", "Succeeded"),
        "a failure counts most": ("Cancelled Failed", "Failed"),
        "a cancel counts more than a success": ("Succeeded Cancelled", "Cancelled"),
        "one success of skipped ones": ("Skipped Succeeded", "Succeeded"),
        "all skipped": ("Skipped Skipped", "Skipped"),
        "not all have ended": ("Failed Pending", "Pending"),
    }),
)  # fmt: skip
def test_the_phase_of_a_wave(phases: str, expected: str) -> None:
    found = workflow(node("a"), node("b"))
    one, other = (NodeStatus(phase=NodePhase(p)) for p in phases.split())
    assert wave_statuses(found, {"a": one, "b": other}, 1)["1"].phase == expected


def test_the_wave_in_which_the_run_ended_stands_at_the_end() -> None:
    run = Run(spec(*DIAMOND))
    run.ask(cancel="now")
    assert run.status.wave == 1
    assert current_wave(run.workflow, run.status.nodes) is None


# --- parallelism


def test_no_more_than_parallelism_run_at_once() -> None:
    run = Run(spec(*(node(f"n{i}") for i in range(5)), parallelism=2))
    assert run.started == ["n01", "n11"]
    assert "others wait for room (2 of 2 attempts run: parallelism)" in str(run.status.message)
    run.pod_succeeds("n1")
    assert run.started[2:] == ["n21"]
    run.pod_succeeds("n0", "n2")
    assert run.started[3:] == ["n31", "n41"]


def test_lowering_parallelism_ends_nothing() -> None:
    run = Run(spec(*(node(f"n{i}") for i in range(4)), parallelism=3))
    run.edit(parallelism=1)
    assert run.ends == []
    run.pod_succeeds("n0", "n1")
    assert run.started == ["n01", "n11", "n21"]
    run.pod_succeeds("n2")
    assert run.started[3:] == ["n31"]


def test_raising_parallelism_starts_more_at_once() -> None:
    run = Run(spec(*(node(f"n{i}") for i in range(4)), parallelism=1))
    run.edit(parallelism=3)
    assert run.started == ["n01", "n11", "n21"]


def test_a_node_that_waits_for_its_retry_leaves_its_room() -> None:
    run = Run(spec(node("a", retry={"backoff": {"base": "1m", "jitter": "None", "cap": "1m"}}),
                   node("b"), parallelism=1))  # fmt: skip
    run.pod_fails("a")
    assert run.started == ["a1", "b1"]
    run.advance(60)
    assert run.started == ["a1", "b1"]
    run.pod_succeeds("b")
    assert run.started == ["a1", "b1", "a2"]


def test_what_is_being_ended_holds_its_room_until_it_has_stopped() -> None:
    run = Run(spec(node("a", startTimeout="1m", retry={"limit": 1}), node("b"), parallelism=1))
    run.stops_at_once = False
    run.tell_pod("a", blocked="Unschedulable: no room")
    run.advance(60)
    assert (run.ended, run.started) == (["a1"], ["a1"])
    run.stop("a")
    assert run.started == ["a1", "b1"]


def test_what_nothing_is_known_of_holds_its_room() -> None:
    run = Run(spec(node("a"), node("b"), parallelism=1))
    run.attempts.clear()
    planned = run.plan()
    assert planned.starts == ()
    assert [a.node for a in planned.prove] == ["a"]
