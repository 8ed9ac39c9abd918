import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from tests.unit.cluster.objects import LOST, StillClock
from tidegate.cluster.lease import Elector, Leadership, LeaseTimes
from tidegate.errors import TryAgain, from_status

TIMES = LeaseTimes(duration=15, renew=10, retry=2)


class FakeStore:
    """A Lease in memory, with trouble on demand."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.trouble: list[Any] = []
        self._version = 0

    def _meet(self) -> Any:
        trouble = self.trouble.pop(0) if self.trouble else None
        if isinstance(trouble, Exception):
            raise trouble
        return trouble

    def _write(self, lease: Mapping[str, Any], trouble: Any) -> Mapping[str, Any]:
        self._version += 1
        metadata = {**lease["metadata"], "resourceVersion": str(self._version)}
        self.lease = {**lease, "metadata": metadata}
        if isinstance(trouble, tuple):
            raise trouble[1]
        return self.lease

    async def get(self) -> Mapping[str, Any]:
        self._meet()
        if self.lease is None:
            raise from_status(404, "NotFound", "no such Lease")
        return self.lease

    async def create(self, lease: Mapping[str, Any]) -> Mapping[str, Any]:
        trouble = self._meet()
        if self.lease is not None:
            raise from_status(409, "AlreadyExists", "exists")
        return self._write(lease, trouble)

    async def replace(self, lease: Mapping[str, Any]) -> Mapping[str, Any]:
        trouble = self._meet()
        assert self.lease is not None
        wanted = self.lease["metadata"]["resourceVersion"]
        if lease["metadata"].get("resourceVersion") != wanted:
            raise from_status(409, "Conflict", "modified")
        return self._write(lease, trouble)

    @property
    def holder(self) -> str:
        assert self.lease is not None
        return str(self.lease["spec"]["holderIdentity"])


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


def elector(store: FakeStore, clock: StillClock, name: str = "one") -> Elector:
    return Elector(store, name, TIMES, clock.monotonic)


async def test_a_lease_that_is_not_there_is_made(store: FakeStore, clock: StillClock) -> None:
    one = elector(store, clock)
    assert await one.look()
    assert store.holder == "one"
    assert one.remaining == 10


async def test_others_wait(store: FakeStore, clock: StillClock) -> None:
    one, two = elector(store, clock), elector(store, clock, "two")
    assert await one.look()
    assert not await two.look()
    assert two.remaining == 0


async def test_a_leader_that_renews_stays(store: FakeStore, clock: StillClock) -> None:
    one, two = elector(store, clock), elector(store, clock, "two")
    for _ in range(30):
        assert await one.look()
        assert not await two.look()
        clock.advance(2)
    assert store.lease is not None
    assert store.lease["spec"]["leaseTransitions"] == 1


async def test_a_silent_leader_is_succeeded_only_after_it_gave_up(
    store: FakeStore, clock: StillClock
) -> None:
    one, two = elector(store, clock), elector(store, clock, "two")
    await one.look()
    await two.look()
    while not await two.look():
        clock.advance(0.5)
    assert clock.monotonic() > TIMES.duration
    assert one.remaining == 0


async def test_a_lease_that_is_given_back_is_taken_at_once(
    store: FakeStore, clock: StillClock
) -> None:
    one, two = elector(store, clock), elector(store, clock, "two")
    await one.look()
    await one.release()
    assert one.remaining == 0
    assert await two.look()
    assert store.holder == "two"


async def test_a_restarted_container_takes_its_own_lease_up_at_once(
    store: FakeStore, clock: StillClock
) -> None:
    await elector(store, clock).look()
    assert await elector(store, clock).look()


async def test_a_renewal_whose_answer_was_lost_is_no_loss(
    store: FakeStore, clock: StillClock
) -> None:
    one = elector(store, clock)
    await one.look()
    store.trouble = [("after", LOST)]
    clock.advance(2)
    with pytest.raises(TryAgain):
        await one.look()
    assert one.remaining == 8
    assert await one.look()
    assert one.remaining == 10


async def test_a_leader_without_answers_ends_in_time(store: FakeStore, clock: StillClock) -> None:
    one = elector(store, clock)
    await one.look()
    clock.advance(10)
    store.trouble = [LOST]
    with pytest.raises(TryAgain):
        await one.look()
    assert one.remaining == 0


async def test_time_counts_from_before_the_request_left(clock: StillClock) -> None:
    class SlowStore(FakeStore):
        async def create(self, lease: Mapping[str, Any]) -> Mapping[str, Any]:
            clock.advance(4)
            return await super().create(lease)

    one = elector(SlowStore(), clock)
    assert await one.look()
    assert one.remaining == 6


async def test_a_lease_that_another_took_is_lost(store: FakeStore, clock: StillClock) -> None:
    one, two = elector(store, clock), elector(store, clock, "two")
    await one.look()
    await two.look()
    clock.advance(16)
    assert await two.look()
    assert not await one.look()
    assert one.remaining == 0


async def test_two_who_reach_for_it_at_once(store: FakeStore, clock: StillClock) -> None:
    one, two = elector(store, clock), elector(store, clock, "two")
    took = await asyncio.gather(one.look(), two.look())
    assert sorted(took) == [False, True]


def lead(store: FakeStore, *, lost: list[str], gained: threading.Event) -> Leadership:
    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Elector]:
        yield Elector(store, "one", TIMES)

    return Leadership(opened, TIMES, gained=gained.set, lost=lost.append)


def test_leading_in_a_thread_until_released(store: FakeStore) -> None:
    lost: list[str] = []
    gained = threading.Event()
    leadership = lead(store, lost=lost, gained=gained)
    leadership.release(1.0)
    leadership.start()
    assert gained.wait(5)
    leadership.release(5.0)
    assert not leadership.is_alive
    assert store.holder == ""
    assert lost == []


def test_a_leader_that_was_held_up_too_long_ends_without_another_look(
    store: FakeStore, clock: StillClock
) -> None:
    lost, ended = list[str](), threading.Event()
    times = LeaseTimes(duration=15, renew=10, retry=0.01)

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Elector]:
        yield Elector(store, "one", times, clock.monotonic)

    def note(why: str) -> None:
        lost.append(why)
        ended.set()

    def held_up() -> None:
        clock.advance(60)
        store.trouble = [LOST] * 9

    leadership = Leadership(opened, times, gained=held_up, lost=note)
    leadership.start()
    assert ended.wait(5)
    leadership.release(5)
    assert "was not renewed in time" in lost[0]
    assert len(store.trouble) >= 8  # giving it back was tried, looking at it was not


def test_a_broken_elector_ends_the_process(store: FakeStore) -> None:
    lost: list[str] = []
    ended = threading.Event()

    class Broken(FakeStore):
        async def get(self) -> Mapping[str, Any]:
            raise RuntimeError("a bug")

    def note(why: str) -> None:
        lost.append(why)
        ended.set()

    leadership = lead(Broken(), lost=lost, gained=threading.Event())
    leadership._lost = note
    leadership.start()
    assert ended.wait(5)
    assert "a bug" in lost[0]
