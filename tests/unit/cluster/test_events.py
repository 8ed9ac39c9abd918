import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.unit.cluster.objects import LOST, StillClock, workflow
from tidegate.cluster.events import Teller
from tidegate.engine.model import Note, NoteKind, Observation
from tidegate.errors import from_status
from tidegate.facts.workflow import workflow_fact

WORKFLOW = workflow_fact(workflow())
FAILED = Note(NoteKind.NODE_FAILED, "a failed: exit code 3", node="a", warning=True)


class FakeStore:
    """Events in memory."""

    def __init__(self) -> None:
        self.created: list[Mapping[str, Any]] = []
        self.patched: list[Mapping[str, Any]] = []
        self.standing: set[str] = set()
        self.trouble: list[Exception] = []

    def forget(self) -> None:
        """The TTL of all of them is over."""
        self.standing.clear()

    async def create(self, namespace: str, event: Mapping[str, Any]) -> None:
        assert namespace == event["metadata"]["namespace"]
        if self.trouble:
            raise self.trouble.pop(0)
        name = event["metadata"]["name"]
        if name in self.standing:
            raise from_status(409, "AlreadyExists", "exists")
        self.standing.add(name)
        self.created.append(event)

    async def patch(self, namespace: str, name: str, patch: Mapping[str, Any]) -> None:
        assert namespace
        if name not in self.standing:
            raise from_status(404, "NotFound", "no such event")
        self.patched.append(patch)


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    real, naps = asyncio.sleep, list[float]()

    async def sleep(seconds: float) -> None:
        naps.append(seconds)
        await real(0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return naps


@pytest.fixture
async def teller(store: FakeStore, slept: list[float]) -> AsyncIterator[Teller]:
    teller = Teller(store, "operator-1", StillClock().monotonic)
    task = asyncio.create_task(teller.run())
    yield teller
    task.cancel()


def errors() -> float:
    return REGISTRY.get_sample_value("tidegate_event_write_errors_total") or 0.0


async def test_a_note_becomes_an_event(teller: Teller, store: FakeStore) -> None:
    teller.tell(WORKFLOW, [FAILED], [])
    await teller.drain()
    (event,) = store.created
    assert event["reason"] == "NodeFailed"
    assert event["type"] == "Warning"
    assert event["message"] == FAILED.message
    assert event["count"] == 1
    assert event["involvedObject"]["uid"] == WORKFLOW.uid
    assert event["metadata"]["namespace"] == "shop"


async def test_a_note_is_a_line_of_the_log(
    teller: Teller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    teller.tell(WORKFLOW, [replace(FAILED, attempt=2), Note(NoteKind.WAVE_STARTED, "wave 1")], [])
    of_node, of_wave = (vars(record) for record in caplog.records)
    assert (of_node["node"], of_node["attempt"]) == ("a", "2")
    assert of_node["workflow"] == str(WORKFLOW.key)
    assert not {"node", "attempt"} & of_wave.keys()


async def test_the_same_again_is_counted(teller: Teller, store: FakeStore) -> None:
    for _ in range(3):
        teller.tell(WORKFLOW, [FAILED], [])
    await teller.drain()
    assert len(store.created) == 1
    assert [patch["count"] for patch in store.patched] == [2, 3]


async def test_an_event_of_an_earlier_process_is_counted(
    teller: Teller, store: FakeStore, slept: list[float]
) -> None:
    teller.tell(WORKFLOW, [FAILED], [])
    await teller.drain()
    assert not slept
    later = Teller(store, "operator-2", StillClock().monotonic)
    later.tell(WORKFLOW, [FAILED], [])
    task = asyncio.create_task(later.run())
    await later.drain()
    task.cancel()
    assert [patch["count"] for patch in store.patched] == [2]


async def test_what_happens_again_after_the_api_server_has_forgotten_it_is_told_anew(
    teller: Teller, store: FakeStore
) -> None:
    before = errors()
    for _ in range(2):
        teller.tell(WORKFLOW, [FAILED], [])
    await teller.drain()
    store.forget()
    for _ in range(2):
        teller.tell(WORKFLOW, [FAILED], [])
    await teller.drain()
    assert [event["count"] for event in store.created] == [1, 1]
    assert [patch["count"] for patch in store.patched] == [2, 2]
    assert errors() == before


async def test_what_could_not_be_created_is_created_when_it_happens_again(
    teller: Teller, store: FakeStore
) -> None:
    store.trouble = [LOST, LOST, LOST]
    for _ in range(2):
        teller.tell(WORKFLOW, [FAILED], [])
    await teller.drain()
    assert [event["count"] for event in store.created] == [1]
    assert store.patched == []


async def test_what_could_not_be_counted_up_is_in_the_next_count(
    teller: Teller, store: FakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    teller.tell(WORKFLOW, [FAILED], [])
    await teller.drain()

    async def lost(*_: object) -> None:
        raise LOST

    with monkeypatch.context() as patched:
        patched.setattr(store, "patch", lost)
        teller.tell(WORKFLOW, [FAILED], [])
        await teller.drain()
    teller.tell(WORKFLOW, [FAILED], [])
    await teller.drain()
    assert [patch["count"] for patch in store.patched] == [3]


async def test_the_same_words_in_another_run_are_another_event(
    teller: Teller, store: FakeStore
) -> None:
    for run in (1, 2, 2):
        teller.tell(replace(WORKFLOW, status={"run": run}), [FAILED], [])
    await teller.drain()
    assert len({event["metadata"]["name"] for event in store.created}) == 2
    assert [patch["count"] for patch in store.patched] == [2]


async def test_long_words_are_cut(teller: Teller, store: FakeStore) -> None:
    teller.tell(WORKFLOW, [Note(NoteKind.NODE_FAILED, "ä" * 2000)], [])
    await teller.drain()
    message = store.created[0]["message"]
    assert len(message.encode()) <= 1024
    assert message.endswith("ä…")


QUESTION = 'waiting for approval of ok: "{}"; rejected@efew9 rejects'
COMMAND = "; answer with: kubectl annotate twf x approved@efew9"
CROWD = "11 more (ok, a, b and 8 more); the last: "


@pytest.mark.parametrize(
    "words",
    [
        QUESTION.format("why? " * 195),
        QUESTION.format("出荷 " * 140),
        CROWD + QUESTION.format("é" * 440),
    ],
    ids=["ASCII", "not ASCII", "the last of a crowd"],
)
async def test_an_event_has_a_command_whole_or_says_where_it_stands(
    teller: Teller, store: FakeStore, words: str
) -> None:
    teller.tell(WORKFLOW, [Note(NoteKind.CHECKPOINT_WAITING, f"{words}{COMMAND}")], [])
    await teller.drain()
    message = store.created[0]["message"]
    assert 1019 < len(message.encode()) <= 1024, "of the question there is what there is room for"
    assert message.endswith(
        '…"; rejected@efew9 rejects; '
        "the command that answers stands in condition WaitingForApproval"
    )


async def test_long_words_leave_room_for_the_command_that_shows_the_logs(
    teller: Teller, store: FakeStore
) -> None:
    command = "; logs: kubectl logs -n shop -l tidegate.dev/workflow=demo --tail=-1"
    words = f"a: exit code 1 ({'Ausnahme für alles' * 60})"
    teller.tell(WORKFLOW, [replace(FAILED, message=f"{words}{command}")], [])
    await teller.drain()
    message = store.created[0]["message"]
    assert 1019 < len(message.encode()) <= 1024
    assert message.endswith(f"…{command}")


async def test_trouble_passes_or_is_counted(
    teller: Teller, store: FakeStore, slept: list[float]
) -> None:
    before = errors()
    store.trouble = [LOST, LOST]
    teller.tell(WORKFLOW, [FAILED], [])
    await teller.drain()
    assert len(store.created) == 1
    assert slept[:2] == [0.5, 1.0]
    store.trouble = [from_status(403, "Forbidden", "no")]
    teller.tell(WORKFLOW, [Note(NoteKind.NODE_FAILED, "other")], [])
    store.trouble += [LOST, LOST, LOST]
    teller.tell(WORKFLOW, [Note(NoteKind.NODE_FAILED, "third")], [])
    await teller.drain()
    assert errors() == before + 2
    assert len(store.created) == 1


async def test_the_rate_is_bounded(teller: Teller, store: FakeStore, slept: list[float]) -> None:
    for number in range(102):
        teller.tell(replace(WORKFLOW, uid=f"wf-{number}"), [FAILED], [])
    await teller.drain()
    assert len(store.created) == 102
    assert slept == [pytest.approx(0.1), pytest.approx(0.2)]


def a_run_that_fails(nodes: int) -> Iterator[Note]:
    """What is told of a run all of whose nodes are tried four times in vain, wave by wave."""
    yield Note(NoteKind.WORKFLOW_STARTED, f"{nodes} nodes in {nodes} waves")
    for number in range(nodes):
        node = f"node-{number}"
        yield Note(NoteKind.WAVE_STARTED, f"wave {number} of {nodes}: {node}")
        for attempt in range(1, 4):
            yield Note(NoteKind.NODE_RETRYING, f"{node}: retry {attempt} of 3", node, attempt)
        yield Note(NoteKind.FALLBACK_STARTED, f"{node}: falls back to spare", node)
        yield Note(NoteKind.NODE_FAILED, f"{node}: exit code 3", node, 4, warning=True)
    yield Note(NoteKind.WORKFLOW_FAILED, "all of them", warning=True)


async def test_a_run_of_500_nodes_is_told_of_in_a_few_events(
    teller: Teller, store: FakeStore
) -> None:
    for note in a_run_that_fails(500):
        teller.tell(WORKFLOW, [note], [])
    await teller.drain()
    reasons = [event["reason"] for event in store.created]
    assert len(reasons) + len(store.patched) == 2 + 4 * (10 + 1)
    assert reasons[-1] == "WorkflowFailed", "what was held back comes before the end"
    messages = [event["message"] for event in store.created]
    assert "1490 more (node-3, node-4, " in next(m for m in messages if "1490" in m)
    assert all(len(message.encode()) <= 1024 for message in messages)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_was_held_back_is_told_in_time(
    store: FakeStore, slept: list[float], teller: Teller
) -> None:
    for number in range(12):
        teller.tell(WORKFLOW, [Note(NoteKind.WAVE_STARTED, f"wave {number}")], [])
    clock = teller._monotonic.__self__  # type: ignore[attr-defined]
    await turns(10)
    clock.advance(10.0)
    await turns(100)
    assert store.created[-1]["message"] == "2 more; the last: wave 11"


async def test_a_full_queue_drops_and_never_raises(store: FakeStore) -> None:
    teller, before = Teller(store, "operator-1"), errors()
    for number in range(2001):
        teller.tell(replace(WORKFLOW, uid=f"wf-{number}"), [FAILED], [])
    assert errors() == before + 1


async def test_observations_reach_the_metrics(teller: Teller) -> None:
    labels = {"namespace": "shop", "result": "Failed"}
    name = "tidegate_workflows_finished_total"
    before = REGISTRY.get_sample_value(name, labels) or 0.0
    teller.tell(WORKFLOW, [], [Observation("workflow_finished", 3.0, ("Failed",))])
    assert REGISTRY.get_sample_value(name, labels) == before + 1


async def test_a_decision_is_told_to_whoever_measures(store: FakeStore) -> None:
    decided: list[str] = []
    teller = Teller(store, "operator-1", decided=decided.append)
    teller.tell(WORKFLOW, [], [Observation("node_retried")])
    teller.tell(WORKFLOW, [], [Observation("checkpoint_decided", 3.0, ("approved",))])
    assert decided == [WORKFLOW.uid]


@pytest.mark.parametrize(
    "observation", [Observation("no-such-metric"), Observation("node_retried", 1.0, ("odd",))]
)
async def test_an_observation_that_fits_no_metric_is_only_logged(
    teller: Teller, observation: Observation, caplog: pytest.LogCaptureFixture
) -> None:
    teller.tell(WORKFLOW, [], [observation])
    assert "no metric takes" in caplog.text
