from typing import Any

import pytest

from tests.unit.cluster.objects import KEY, StillClock, job, pod, workflow
from tidegate.api.identity import AttemptId, WorkflowKey
from tidegate.cluster.gate import Gate, Pace
from tidegate.cluster.view import View

A1, A2, B1 = (WorkflowKey(*name.split("/")) for name in ("a/1", "a/2", "b/1"))


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def view() -> View:
    view = View()
    view.workflow_seen(workflow())
    return view


def gate_of(view: View, clock: StillClock, **pace: float) -> Gate:
    chosen = {"burst": 50, "rate": 1.0, "unstarted": 20} | pace
    return Gate(view, clock, Pace(**chosen))  # type: ignore[arg-type]


def create_jobs(view: View, count: int, first: int = 1, **more: Any) -> None:
    for number in range(first, first + count):
        attempt = AttemptId(1, "a", number)
        view.job_seen(job(number + 1, attempt=attempt, uid=f"job-{number}", **more))


def test_a_wide_wave_leaves_at_once(view: View, clock: StillClock) -> None:
    assert gate_of(view, clock).admit(KEY, 10) == 10


def test_jobs_in_flight_count_until_they_are_answered(view: View, clock: StillClock) -> None:
    gate = gate_of(view, clock, unstarted=3)
    assert gate.admit(KEY, 5) == 3
    assert gate.turns() == ()
    gate.answered()
    assert gate.turns() == (KEY,)
    assert gate.admit(KEY, 2) == 1


def test_jobs_without_a_pod_hold_the_gate(view: View, clock: StillClock) -> None:
    gate = gate_of(view, clock, unstarted=3)
    create_jobs(view, 3)
    assert gate.admit(KEY, 1) == 0
    view.pod_seen(pod(30, job_uid="job-1"))
    assert gate.turns() == (KEY,)


@pytest.mark.parametrize("trouble", ["suspended", "refused", "old"])
def test_jobs_with_a_trouble_of_their_own_do_not(
    view: View, clock: StillClock, trouble: str
) -> None:
    gate = gate_of(view, clock, unstarted=3)
    create_jobs(view, 3, spec={"suspend": trouble == "suspended"})
    if trouble == "refused":
        for number in (1, 2, 3):
            view.learn_refusal(f"job-{number}", "exceeded quota")
    if trouble == "old":
        clock.advance(31)
    assert gate.admit(KEY, 2) == 2


def test_the_bucket_refills(view: View, clock: StillClock) -> None:
    gate = gate_of(view, clock, burst=2, rate=0.5)
    assert gate.admit(KEY, 3) == 2
    clock.advance(1.9)
    assert gate.turns() == ()
    clock.advance(0.2)
    assert gate.turns() == (KEY,)
    assert gate.admit(KEY, 1) == 1


def test_turns_go_round_namespaces_first(view: View, clock: StillClock) -> None:
    gate = gate_of(view, clock, burst=1, rate=1.0)
    assert gate.admit(KEY, 1) == 1
    for key in (A1, A2, B1):
        assert gate.admit(key, 5) == 0
    order = []
    for _ in range(4):
        clock.advance(1)
        (key,) = gate.turns()
        assert gate.admit(key, 5) == 1
        order.append(key)
    assert order == [A1, B1, A2, B1]


def test_nobody_overtakes_those_who_wait(view: View, clock: StillClock) -> None:
    gate = gate_of(view, clock, burst=1, rate=1.0)
    gate.admit(KEY, 1)
    assert gate.admit(A1, 1) == 0
    clock.advance(1)
    assert gate.admit(B1, 1) == 0
    assert gate.turns() == (A1,)


def test_room_is_shared_evenly(view: View, clock: StillClock) -> None:
    gate = gate_of(view, clock, unstarted=4)
    gate.admit(KEY, 4)
    gate.admit(A1, 10)
    gate.admit(B1, 10)
    for _ in range(4):
        gate.answered()
    assert set(gate.turns()) == {A1, B1}
    assert (gate.admit(A1, 10), gate.admit(B1, 10)) == (2, 2)


def test_a_grant_that_nobody_fetches_is_given_to_others(view: View, clock: StillClock) -> None:
    gate = gate_of(view, clock, burst=1, rate=0.001)
    gate.admit(KEY, 1)
    gate.admit(A1, 1)
    gate.admit(B1, 1)
    clock.advance(1000)
    assert gate.turns() == (A1,)
    assert gate.turns() == ()
    clock.advance(6)
    assert gate.turns() == (B1,)


def test_a_key_that_wants_less_by_now_leaves_the_rest(view: View, clock: StillClock) -> None:
    gate = gate_of(view, clock, unstarted=2)
    gate.admit(KEY, 2)
    gate.admit(A1, 2)
    gate.answered()
    gate.answered()
    assert gate.turns() == (A1,)
    assert gate.admit(A1, 0) == 0
    assert not gate.is_awaited
    assert gate.admit(B1, 2) == 2


@pytest.mark.parametrize("how", ["forgotten", "wants nothing"])
def test_who_stops_wanting_holds_nobody_up(view: View, clock: StillClock, how: str) -> None:
    gate = gate_of(view, clock, unstarted=2)
    gate.admit(KEY, 2)
    assert gate.admit(A1, 480) == 0
    gate.answered()
    gate.answered()
    assert gate.turns() == (A1,)
    assert gate.admit(B1, 2) == 0
    if how == "forgotten":
        gate.forget(A1)
    else:
        assert gate.admit(A1, 0) == 0
    assert gate.turns() == (B1,)
    assert gate.admit(B1, 2) == 2
    assert not gate.is_awaited


def test_who_never_comes_for_its_room_loses_its_place(view: View, clock: StillClock) -> None:
    gate = gate_of(view, clock, unstarted=2)
    gate.admit(KEY, 2)
    gate.admit(A1, 480)
    gate.answered()
    gate.answered()
    assert gate.turns() == (A1,)
    clock.advance(6)
    assert gate.turns() == ()
    assert not gate.is_awaited
    assert gate.admit(B1, 2) == 2
    assert gate.admit(A1, 480) == 0
    assert gate.is_awaited


def test_room_that_is_kept_for_nobody_is_free_though_nobody_waits(
    view: View, clock: StillClock
) -> None:
    gate = gate_of(view, clock, unstarted=1)
    gate.admit(KEY, 1)
    gate.admit(A1, 1)
    gate.answered()
    assert gate.turns() == (A1,)
    clock.advance(6)
    assert gate.admit(B1, 1) == 1


def test_a_creation_that_is_never_answered_is_given_up(view: View, clock: StillClock) -> None:
    gate = gate_of(view, clock, unstarted=1, burst=5)
    assert gate.admit(KEY, 1) == 1
    assert gate.admit(KEY, 1) == 0
    clock.advance(61)
    assert gate.turns() == (KEY,)
