import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

import pytest
from prometheus_client import REGISTRY

from tests.unit.cluster.objects import KEY, workflow
from tidegate.api.identity import WorkflowKey
from tidegate.app import process as module
from tidegate.app.process import Process
from tidegate.app.sources import Sources
from tidegate.cluster.access import Access
from tidegate.cluster.client import Client
from tidegate.cluster.policies import PolicyWatch
from tidegate.engine.model import Note, NoteKind
from tidegate.facts.workflow import workflow_fact
from tidegate.settings import Settings

HOURS = 3600.0


@pytest.fixture
async def process() -> Process:
    access = Access("http://nowhere", None, None, None, None, 0.0)
    return Process(Settings(), access, Client(access))


async def test_events_that_cannot_be_written_do_not_spoil_the_end(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LAST_EVENTS", 0.01)
    note = Note(NoteKind.WORKFLOW_FAILED, "nobody writes it")
    process._teller.tell(workflow_fact(workflow()), [note], [])
    await process._finish()


@pytest.mark.parametrize(("error", "expected"), [(None, 0), (OSError("port in use"), 1)])
async def test_the_process_ends_at_once_however_it_ends(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception | None,
    expected: int,
) -> None:
    codes: list[int] = []

    async def load() -> Access:
        return Access("http://nowhere", None, None, None, None, 0.0)

    async def run(_: Process) -> int:
        if error is not None:
            raise error
        return 0

    monkeypatch.setattr(Access, "load", load)
    monkeypatch.setattr(Process, "run", run)
    monkeypatch.setattr(os, "_exit", codes.append)
    await module.main(Settings())
    assert codes == [expected]
    assert ("port in use" in caplog.text) == (error is not None)


@contextlib.asynccontextmanager
async def leading(
    process: Process, monkeypatch: pytest.MonkeyPatch, listed: asyncio.Event
) -> AsyncIterator[None]:
    """``process`` holds the Lease and works once everything is listed, on nothing."""

    async def resync(_: Sources, _since: float) -> None:
        await listed.wait()

    async def nothing_to_list(_: PolicyWatch, _since: float) -> None:
        pass

    async def nothing() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Sources, "resync", resync)
    monkeypatch.setattr(PolicyWatch, "resync", nothing_to_list)
    monkeypatch.setattr(process._dispatcher, "run", nothing)
    process._synced.set()
    process._gained.set()
    task = asyncio.create_task(process._lead())
    await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_who_takes_over_is_healthy_while_it_lists(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    process._queue.add(KEY)
    process._queue.last_taken -= HOURS
    assert process._census() is None, "it stands by"
    listed = asyncio.Event()
    async with leading(process, monkeypatch, listed):
        assert process.unhealthy() == []
        listed.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert process.unhealthy() == []
        census = process._census()
        assert census is not None
        assert census.queued == {"hot": 0, "calm": 1}
        process._queue.last_taken -= HOURS
        assert "the queue stands still" in process.unhealthy()[0]


async def test_who_takes_over_counts_the_ends_of_runs_that_others_began_from_zero(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    access = Access("http://nowhere", None, None, None, None, 0.0)
    process = Process(Settings(excluded_namespaces=("left-alone",)), access, Client(access))
    for namespace, phase in (("on", "Waiting"), ("over", "Failed"), ("left-alone", "Running")):
        key = WorkflowKey(namespace, "demo")
        status = {"phase": phase, "run": 1}
        process._view.workflow_seen(workflow(uid=namespace, key=key, status=status))
    listed = asyncio.Event()
    listed.set()
    async with leading(process, monkeypatch, listed):
        found = [finished(namespace) for namespace in ("on", "over", "left-alone")]
    assert found == [0.0, None, None]


def finished(namespace: str) -> float | None:
    labels = {"namespace": namespace, "result": "Failed"}
    return REGISTRY.get_sample_value("tidegate_workflows_finished_total", labels)


async def test_what_is_left_alone_is_not_counted() -> None:
    access = Access("http://nowhere", None, None, None, None, 0.0)
    process = Process(Settings(excluded_namespaces=(KEY.namespace,)), access, Client(access))
    started = {"phase": "Running", "run": 1, "startedAt": "2026-11-22T10:00:00Z"}
    process._view.workflow_seen(workflow(status=started))
    process._works = True
    census = process._census()
    assert census is not None
    assert (census.phases, census.longest_idle) == ({}, 0.0)
