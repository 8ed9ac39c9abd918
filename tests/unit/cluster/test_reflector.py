import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from tests.unit.cluster.objects import KEY, LOST, job
from tidegate.cluster import reflector as module
from tidegate.cluster.memory import Listing, Wake
from tidegate.cluster.ports import Raw
from tidegate.cluster.reflector import Lister, Reflector
from tidegate.errors import ApiError, from_status

GONE = from_status(410, "Expired", "too old resource version")
WAKE = Wake(KEY, hot=False)


class FakeTransport:
    """Pages and watches that were written down beforehand."""

    def __init__(self, pages: list[Any], watches: list[list[Any]]) -> None:
        self.pages = pages
        self.watches = watches
        self.queries: list[Mapping[str, str]] = []
        self.exhausted = asyncio.Event()

    async def page(self, query: Mapping[str, str]) -> Mapping[str, Any]:
        self.queries.append(query)
        if not self.pages:
            self.exhausted.set()
            await asyncio.Event().wait()
        answer = self.pages.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return answer  # type: ignore[no-any-return]

    async def watch(self, query: Mapping[str, str], silence: float) -> AsyncIterator[Raw]:
        assert silence > 60
        self.queries.append(query)
        if not self.watches:
            self.exhausted.set()
            await asyncio.Event().wait()
        for event in self.watches.pop(0):
            if isinstance(event, ApiError):
                raise event
            yield event


class FakeSink:
    """Writes down what comes in."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.fails = False

    def seen(self, raw: Raw) -> list[Wake]:
        if self.fails:
            self.fails = False
            raise RuntimeError("a bug")
        self.heard.append(("seen", raw["metadata"]["resourceVersion"]))
        return [WAKE]

    def gone(self, raw: Raw) -> list[Wake]:
        self.heard.append(("gone", raw["metadata"]["resourceVersion"]))
        return [WAKE]

    def settled(self, listing: Listing) -> list[Wake]:
        token, uids, namespace, _version = listing
        self.heard.append(("settled", f"{token} {sorted(uids)} {namespace}"))
        return []

    def token(self) -> int:
        return 42


def page(version: str, *items: Raw, more: str = "") -> Mapping[str, Any]:
    return {"metadata": {"resourceVersion": version, "continue": more}, "items": list(items)}


def event(kind: str, version: int) -> Raw:
    return {"type": kind, "object": job(version)}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BACKOFF", (0.0, 0.0))
    monkeypatch.setattr(module, "_REFUSED", (0.0, 0.0))
    monkeypatch.setattr(module, "_DOUBT", (0.0, 0.0))


Follow = Callable[..., Any]


@pytest.fixture
def follow() -> Follow:
    async def run(
        pages: list[Any], watches: list[list[Any]], sink: FakeSink | None = None
    ) -> tuple[FakeTransport, FakeSink, Reflector]:
        transport, sink = FakeTransport(pages, watches), sink or FakeSink()
        lister = Lister(transport, sink, lambda _: None, selector="tidegate.dev/workflow")
        reflector = Reflector("jobs", lister)
        task = asyncio.create_task(reflector.run())
        async with asyncio.timeout(5):
            await transport.exhausted.wait()
        task.cancel()
        return transport, sink, reflector

    return run


async def test_everything_is_listed_then_followed(follow: Follow) -> None:
    transport, sink, reflector = await follow(
        [page("10", job(1), more="next"), page("10", job(2, uid="job-2"))],
        [[event("ADDED", 11), event("DELETED", 12)]],
    )
    assert sink.heard == [
        ("seen", "1"),
        ("seen", "2"),
        ("settled", "42 ['job-1', 'job-2'] None"),
        ("seen", "11"),
        ("gone", "12"),
    ]
    assert reflector.synced.is_set()
    assert [query.get("continue") for query in transport.queries[:2]] == [None, "next"]
    assert transport.queries[2]["resourceVersion"] == "10"
    assert all(query["labelSelector"] for query in transport.queries)


async def test_a_watch_that_ends_goes_on_where_it_was(follow: Follow) -> None:
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "50"}}}
    transport, sink, _ = await follow([page("10")], [[event("ADDED", 11), bookmark], [LOST], []])
    versions = [query["resourceVersion"] for query in transport.queries if "watch" in query]
    assert versions == ["10", "50", "50", "50"]
    assert sink.heard[1:] == [("seen", "11")]


@pytest.mark.parametrize(
    "trouble", [GONE, {"type": "ERROR", "object": {"code": 410, "reason": "Expired"}}]
)
async def test_where_the_server_forgot_everything_is_listed_anew(
    follow: Follow, trouble: Any
) -> None:
    transport, sink, _ = await follow([page("10"), page("20")], [[trouble]])
    assert [one for one in sink.heard if one[0] == "settled"] == [("settled", "42 [] None")] * 2
    assert transport.queries[-1]["resourceVersion"] == "20"


async def test_watches_that_end_at_once_are_not_opened_in_a_hot_loop(
    follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused: list[ApiError | None] = []

    async def pause(_: Reflector, error: ApiError | None) -> None:
        paused.append(error)

    monkeypatch.setattr(Reflector, "_pause", pause)
    await follow([page("10")], [[], [event("ADDED", 11)], []])
    assert [str(error) for error in paused] == ["the server ended the watch at once"] * 2


async def test_an_error_in_the_stream_is_no_end(follow: Follow) -> None:
    trouble = {"type": "ERROR", "object": {"code": 500, "reason": "InternalError"}}
    transport, _, _ = await follow([page("10")], [[trouble]])
    assert transport.queries[-1]["resourceVersion"] == "10"


async def test_a_list_that_fails_half_way_takes_nothing_for_gone(follow: Follow) -> None:
    _, sink, _ = await follow([page("10", job(1), more="next"), LOST, page("11")], [])
    assert [kind for kind, _ in sink.heard] == ["seen", "settled"]


async def test_a_bug_in_handling_leads_to_a_new_list(follow: Follow) -> None:
    sink = FakeSink()
    sink.fails = True
    _, sink, _ = await follow([page("10", job(1)), page("11", job(1))], [], sink)
    assert sink.heard[-1][0] == "settled"


async def test_what_may_not_be_read_is_told_and_asked_for_from_the_start() -> None:
    forbidden = from_status(403, "Forbidden", "no right")
    missing = from_status(404, "NotFound", "no such API")
    pages = [missing, page("10", job(1)), forbidden, forbidden, page("20")]
    transport = FakeTransport(pages, [[forbidden]])
    told: list[ApiError] = []
    woken: list[Wake] = []

    def refused(error: ApiError) -> list[Wake]:
        told.append(error)
        return [WAKE]

    lister = Lister(transport, FakeSink(), woken.append, fields="metadata.name=a")
    reflector = Reflector("policies", lister, refused)
    task = asyncio.create_task(reflector.run())
    async with asyncio.timeout(5):
        await reflector.synced.wait()
        assert told == [missing], "synced by a refusal, too"
        await transport.exhausted.wait()
    task.cancel()
    assert told == [missing, forbidden]
    assert len(woken) == 3
    assert [query.get("resourceVersion") for query in transport.queries] == [
        None, None, "10", None, None, None, "20",
    ]  # fmt: skip
    assert {query["fieldSelector"] for query in transport.queries} == {"metadata.name=a"}


async def test_a_refusal_of_what_could_be_read_is_doubted_first() -> None:
    """An API server that has just started may refuse what it allows a moment later."""
    forbidden = from_status(403, "Forbidden", "no right")
    transport = FakeTransport(
        [page("10", job(1)), forbidden, page("20"), forbidden, page("30")],
        [[forbidden], [forbidden]],
    )
    told: list[ApiError] = []
    lister = Lister(transport, FakeSink(), lambda _: None)

    def refused(error: ApiError) -> list[Wake]:
        told.append(error)
        return []

    reflector = Reflector("policies", lister, refused)
    task = asyncio.create_task(reflector.run())
    async with asyncio.timeout(5):
        await transport.exhausted.wait()
    task.cancel()
    assert told == []


async def test_a_list_besides_the_watch() -> None:
    transport, sink = FakeTransport([page("10", job(1))], []), FakeSink()
    woken: list[Wake] = []
    lister = Lister(transport, sink, woken.append, namespace="shop")
    assert lister.listed_since == float("-inf")
    await lister.sync()
    assert lister.listed_since > 0
    assert sink.heard == [("seen", "1"), ("settled", "42 ['job-1'] shop")]
    assert woken == [WAKE]


@pytest.mark.parametrize("kind", ["ADDED", "DELETED", "BOOKMARK"])
def test_whatever_a_watch_tells_breaks_its_silence(kind: str) -> None:
    lister = Lister(FakeTransport([], []), FakeSink(), lambda _: None)
    lister.heard_at = float("-inf")
    lister.event(kind, job(3))
    assert lister.heard_at > 0.0


async def test_a_list_breaks_the_silence_and_a_failed_one_does_not() -> None:
    lister = Lister(FakeTransport([LOST, page("5")], []), FakeSink(), lambda _: None)
    lister.heard_at = float("-inf")
    with pytest.raises(ApiError):
        await lister.sync()
    assert lister.heard_at == float("-inf")
    await lister.sync()
    assert lister.heard_at > 0.0
