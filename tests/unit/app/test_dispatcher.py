import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.unit.cluster.objects import StillClock
from tidegate.api.identity import WorkflowKey
from tidegate.app.dispatcher import Dispatcher
from tidegate.cluster.queue import Queue
from tidegate.errors import Conflict, Forbidden, Unreachable, UserError

A, B = WorkflowKey("ns", "a"), WorkflowKey("ns", "b")

Reconcile = Callable[[WorkflowKey], Awaitable[None]]


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def queue() -> Queue:
    return Queue(StillClock())


@pytest.fixture
async def dispatch(queue: Queue) -> AsyncIterator[Callable[[Reconcile, int], Dispatcher]]:
    tasks: list[asyncio.Task[None]] = []

    def start(reconcile: Reconcile, concurrency: int = 64) -> Dispatcher:
        dispatcher = Dispatcher(queue, reconcile, concurrency)
        tasks.append(asyncio.create_task(dispatcher.run()))
        return dispatcher

    yield start
    for task in tasks:
        task.cancel()


Dispatch = Callable[..., Dispatcher]


async def test_keys_are_worked_on_together(queue: Queue, dispatch: Dispatch) -> None:
    begun, go = [], asyncio.Event()

    async def reconcile(key: WorkflowKey) -> None:
        begun.append(key)
        await go.wait()

    dispatch(reconcile)
    queue.add(A)
    queue.add(B)
    await settle()
    assert begun == [A, B]
    queue.add(A)
    go.set()
    await settle()
    assert begun == [A, B, A]


async def test_no_more_at_once_than_allowed(queue: Queue, dispatch: Dispatch) -> None:
    begun: list[WorkflowKey] = []

    async def reconcile(key: WorkflowKey) -> None:
        begun.append(key)
        await asyncio.Event().wait()

    dispatch(reconcile, 1)
    queue.add(A)
    queue.add(B)
    await settle()
    assert begun == [A]


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (Conflict("modified"), logging.DEBUG),
        (Unreachable("no answer"), logging.WARNING),
        (Forbidden("no RBAC"), logging.WARNING),
        (UserError("status can't be read"), logging.WARNING),
        (KeyError("oops"), logging.ERROR),
    ],
)
async def test_whatever_is_raised_ends_in_a_later_try(
    queue: Queue,
    dispatch: Dispatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    level: int,
) -> None:
    caplog.set_level(logging.DEBUG)
    calls: list[WorkflowKey] = []

    async def reconcile(key: WorkflowKey) -> None:
        calls.append(key)
        raise error

    dispatch(reconcile)
    queue.add(A)
    await settle()
    assert len(calls) == (2 if isinstance(error, Conflict) else 1)
    assert A in queue._due
    record, *_ = [one for one in caplog.records if "tried again" in one.message]
    expected = "bug" if level == logging.ERROR else str(error)
    assert (record.levelno, expected in record.message) == (level, True)
    assert (record.exc_info is not None) == (level == logging.ERROR)


async def test_probes_get_their_turn_between_two_plans(queue: Queue, dispatch: Dispatch) -> None:
    order: list[str] = []

    async def reconcile(key: WorkflowKey) -> None:
        order.append(key.name)

    for number in range(50):
        queue.add(WorkflowKey("ns", f"w{number}"))
    dispatch(reconcile)
    for _ in range(10):
        await asyncio.sleep(0)
        order.append("probe")
    assert len(order) < 40


async def test_work_in_progress_may_finish(queue: Queue, dispatch: Dispatch) -> None:
    ended = []

    async def reconcile(key: WorkflowKey) -> None:
        await asyncio.sleep(0.01)
        ended.append(key)

    dispatcher = dispatch(reconcile)
    queue.add(A)
    await settle()
    dispatcher.stop()
    await dispatcher.finish(5.0)
    assert ended == [A]


async def test_nothing_begins_once_it_is_told_to_stop(queue: Queue, dispatch: Dispatch) -> None:
    begun: list[WorkflowKey] = []

    async def reconcile(key: WorkflowKey) -> None:
        begun.append(key)

    dispatcher = dispatch(reconcile)
    await settle()
    dispatcher.stop()
    queue.add(A)
    await settle()
    assert begun == []


async def test_work_that_hangs_is_cut_off(queue: Queue, dispatch: Dispatch) -> None:
    async def reconcile(_: WorkflowKey) -> None:
        await asyncio.Event().wait()

    dispatcher = dispatch(reconcile)
    queue.add(A)
    await settle()
    dispatcher.stop()
    await dispatcher.finish(0.01)
    await settle()
    assert not dispatcher._tasks
