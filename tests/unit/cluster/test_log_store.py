"""What is asked of the API server for logs."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.cluster.logs import FakeLogs, pod
from tests.unit.cluster.objects import KEY, LOST
from tests.unit.cluster.virtual import virtual
from tidegate.cluster import early_tails
from tidegate.cluster.client import Request
from tidegate.cluster.early_tails import EarlyTails
from tidegate.cluster.log_store import HttpLogStore
from tidegate.errors import Refused, TryAgain, from_status
from tidegate.report.model import Tail

PARTIAL = "application/json;as=PartialObjectMetadata"


class FakeClient:
    """Answers in order; keeps what was asked."""

    def __init__(self, *answers: Any) -> None:
        self.asked: list[Request] = []
        self._answers = list(answers)

    async def send(self, request: Request) -> Any:
        self.asked.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    read = send


def store(*answers: Any, namespaces: tuple[str, ...] = ()) -> tuple[HttpLogStore, FakeClient]:
    client = FakeClient(*answers)
    return HttpLogStore(client, namespaces), client  # type: ignore[arg-type]


async def test_a_config_map_that_is_not_there_is_none() -> None:
    logs, client = store(from_status(404, "NotFound", "no"), {"data": {}})
    assert await logs.get("shop", "demo-log") is None
    assert await logs.get("shop", "demo-log") == {"data": {}}
    assert client.asked[0].path == "/api/v1/namespaces/shop/configmaps/demo-log"


async def test_what_was_written_is_not_sent_back() -> None:
    logs, client = store({}, {})
    await logs.create("shop", {"kind": "ConfigMap"})
    await logs.patch("shop", "demo-log", {"data": {}})
    create, patch = client.asked
    assert (create.verb, create.path) == ("POST", "/api/v1/namespaces/shop/configmaps")
    assert (patch.verb, patch.path) == ("PATCH", "/api/v1/namespaces/shop/configmaps/demo-log")
    assert patch.content_type == "application/merge-patch+json"
    assert all(one.accept.startswith(PARTIAL) for one in (create, patch))


def page(*names: str, more: str = "") -> Mapping[str, Any]:
    items = [{"metadata": {"name": name}} for name in names]
    return {"metadata": {"continue": more} if more else {}, "items": items}


async def test_marks_are_listed_without_data_page_by_page_and_namespace_by_namespace() -> None:
    answers = (page("a", "b", more="next"), page("c"), page())
    logs, client = store(*answers, namespaces=("x", "y"))
    assert [one["metadata"]["name"] for one in await logs.marks()] == ["a", "b", "c"]
    assert [one.path for one in client.asked] == [
        "/api/v1/namespaces/x/configmaps",
        "/api/v1/namespaces/x/configmaps",
        "/api/v1/namespaces/y/configmaps",
    ]
    first, second, _ = (dict(one.query or {}) for one in client.asked)
    assert first == {"labelSelector": "tidegate.dev/workflow-uid", "limit": "500"}
    assert second == first | {"continue": "next"}
    assert all(one.accept.startswith(f"{PARTIAL}List") for one in client.asked)


async def test_for_the_whole_cluster_there_is_one_list() -> None:
    logs, client = store({"items": None, "metadata": None})
    assert list(await logs.marks()) == []
    assert client.asked[0].path == "/api/v1/configmaps"


async def test_a_namespace_that_may_not_be_listed_hides_no_other() -> None:
    refused = from_status(403, "Forbidden", "no such namespace, no role")
    logs, _ = store(refused, page("a"), namespaces=("gone", "x"))
    assert [one["metadata"]["name"] for one in await logs.marks()] == ["a"]
    logs, _ = store(refused, refused, namespaces=("gone", "x"))
    with pytest.raises(Refused):
        await logs.marks()


async def test_a_list_that_took_too_long_is_begun_anew() -> None:
    expired = from_status(410, "Expired", "The provided continue parameter is too old")
    logs, _ = store(page("a", more="next"), expired, page("a"), namespaces=("x", "y"))
    with pytest.raises(TryAgain, match="too old"):
        await logs.marks()


async def test_tails_are_bounded_by_the_server() -> None:
    logs, client = store(b"hello\n")
    assert await logs.tail("shop", "pod-1", "main", 21, 65536) == b"hello\n"
    assert client.asked[0].path == "/api/v1/namespaces/shop/pods/pod-1/log"
    assert client.asked[0].resource == "pods/log"
    assert client.asked[0].query == {"container": "main", "tailLines": "21", "limitBytes": "65536"}


# --- tails that are read early


async def settled(early: EarlyTails) -> None:
    await asyncio.gather(*early.tasks)


@virtual
async def test_an_early_tail_is_read_once_and_kept_until_it_is_written() -> None:
    logs = FakeLogs()
    logs.outputs["pod-1/main"] = b"hello\n"
    early = EarlyTails(logs)
    for _ in range(2):
        early.ask(KEY, "uid", "1.a.1", pod(), 5)
    early.ask(KEY, "uid", "1.b.1", pod(), 0)
    await settled(early)
    assert logs.count("tail") == 1
    assert early.of("uid") == {"1.a.1": Tail("hello")}
    early.forget("uid", {"1.a.1", "1.z.1"})
    assert early.of("uid") == {}
    early.forget("uid")


@virtual
async def test_what_can_not_be_read_early_may_be_read_later() -> None:
    logs = FakeLogs()
    logs.trouble["tail"] = [LOST]
    early = EarlyTails(logs)
    early.ask(KEY, "uid", "1.a.1", pod(), 5)
    early.ask(KEY, "uid", "1.b.1", pod("gone"), 5)
    await settled(early)
    assert early.of("uid") == {}


@virtual
async def test_what_is_read_early_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(early_tails, "_BYTES", 4)
    logs = FakeLogs()
    logs.outputs["pod-1/main"] = b"hello\n"
    early = EarlyTails(logs)
    for key in ("1.a.1", "1.b.1"):
        early.ask(KEY, "uid", key, pod(), 5)
        await settled(early)
    assert list(early.of("uid")) == ["1.a.1"]
    early.forget("uid")
    early.ask(KEY, "uid", "1.b.1", pod(), 5)
    await settled(early)
    assert list(early.of("uid")) == ["1.b.1"]
