import asyncio
from datetime import timedelta

import pytest

from tests.unit.cluster.objects import StillClock
from tidegate import metrics
from tidegate.api.identity import WorkflowKey
from tidegate.cluster.queue import Queue

A, B, C = (WorkflowKey("ns", name) for name in "abc")


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
async def queue(clock: StillClock) -> Queue:
    return Queue(clock)


async def nothing_comes(queue: Queue) -> bool:
    task = asyncio.ensure_future(queue.get())
    for _ in range(5):
        await asyncio.sleep(0)
    came = task.done()
    task.cancel()
    return not came


async def test_first_come_first_served(queue: Queue) -> None:
    for key in (A, B, A):
        queue.add(key)
    assert [await queue.get(), await queue.get()] == [A, B]
    assert await nothing_comes(queue)


async def test_ends_go_before_all_else(queue: Queue) -> None:
    queue.add(A)
    queue.add(B)
    queue.add(C, hot=True)
    queue.add(B, hot=True)
    assert [await queue.get() for _ in range(3)] == [C, B, A]
    assert len(queue) == 0


async def test_no_key_is_worked_on_twice_at_once(queue: Queue) -> None:
    queue.add(A)
    key = await queue.get()
    queue.add(A)
    assert await nothing_comes(queue)
    queue.done(key)
    assert await queue.get() == A


async def test_urgency_survives_the_wait_for_work_in_progress(queue: Queue) -> None:
    queue.add(A)
    await queue.get()
    queue.add(A, hot=True)
    queue.add(A)
    queue.add(B)
    queue.done(A)
    assert await queue.get() == A


async def test_whoever_waits_for_a_key_gets_it(queue: Queue) -> None:
    task = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    queue.add(A)
    assert await task == A


async def test_timers_fire_in_their_time(queue: Queue, clock: StillClock) -> None:
    queue.wake_at(A, clock.at + timedelta(seconds=5))
    queue.wake_at(A, clock.at + timedelta(seconds=9))
    queue.wake_at(B, clock.at + timedelta(seconds=2))
    assert await nothing_comes(queue)
    clock.advance(2)
    assert await queue.get() == B
    clock.advance(3)
    assert await queue.get() == A
    queue.done(A)
    clock.advance(60)
    assert await nothing_comes(queue)


async def test_timers_that_were_brought_forward_do_not_pile_up(
    queue: Queue, clock: StillClock
) -> None:
    far = clock.at + timedelta(hours=24)
    for _ in range(500):
        queue.wake_at(A, far)
        queue.wake_at(A, clock.at + timedelta(seconds=0.2))
        clock.advance(0.3)
        queue.done(await queue.get())
    assert len(queue._timers) < 100
    queue.wake_at(A, far)
    queue.wake_at(B, far)
    clock.at = far
    assert {await queue.get(), await queue.get()} == {A, B}


async def test_a_timer_of_the_past_fires_at_once(queue: Queue, clock: StillClock) -> None:
    queue.wake_at(A, clock.at - timedelta(seconds=1))
    assert await queue.get() == A


async def test_a_key_that_fails_comes_again_later_and_later(
    queue: Queue, clock: StillClock
) -> None:
    pauses = []
    queue.add(A)
    for _ in range(12):
        await queue.get()
        pauses.append(queue.failed(A))
        assert await nothing_comes(queue)
        clock.advance(pauses[-1])
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.1, 60.0)


async def test_events_wake_a_failed_key_but_not_in_a_hot_loop(
    queue: Queue, clock: StillClock
) -> None:
    queue.add(A)
    for _ in range(5):
        await queue.get()
        pause = queue.failed(A)
        clock.advance(pause)
    await queue.get()
    assert queue.failed(A) > 3
    queue.add(A, hot=True)
    assert await nothing_comes(queue)
    clock.advance(0.6)
    assert await queue.get() == A


async def test_a_failure_that_is_explained_by_now_is_tried_again_at_once(
    queue: Queue, clock: StillClock
) -> None:
    queue.add(A)
    await queue.get()
    assert queue.failed(A, fresh=True) == 0.0
    await queue.get()
    assert queue.failed(A, fresh=True) > 0.0


async def test_success_forgets_failures(queue: Queue, clock: StillClock) -> None:
    queue.add(A)
    await queue.get()
    queue.failed(A)
    clock.advance(1)
    queue.done(await queue.get())
    queue.add(A)
    await queue.get()
    assert queue.failed(A) == 0.1


async def test_events_during_a_failing_pass_are_not_lost(queue: Queue, clock: StillClock) -> None:
    queue.add(A)
    await queue.get()
    queue.add(A, hot=True)
    queue.failed(A)
    clock.advance(0.1)
    assert await queue.get() == A


async def test_the_queue_stands_still_only_if_somebody_waits(queue: Queue) -> None:
    assert queue.silent_for() == 0.0
    queue.last_taken -= 100
    queue.add(A)
    assert queue.silent_for() >= 100
    await queue.get()
    assert queue.silent_for() == 0.0


async def test_time_before_anybody_took_keys_is_no_waiting(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(metrics, "record_queue_wait", lambda _, seconds: waits.append(seconds))
    queue.add(A)
    queue._waiting[A] = ("calm", float("-inf"))
    queue.begin()
    assert await queue.get() == A
    assert 0.0 <= waits[0] < 60.0


async def test_depths_follow_what_waits(queue: Queue) -> None:
    queue.add(A)
    queue.add(B, hot=True)
    queue.add(A, hot=True)
    assert queue.depths == {"hot": 2, "calm": 0}
    await queue.get()
    assert queue.depths == {"hot": 1, "calm": 0}
