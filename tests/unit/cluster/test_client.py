import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
import pytest
from aiohttp import web

from tidegate.cluster.access import Access
from tidegate.cluster.api import HttpEventStore, HttpLeaseStore, KubeApi
from tidegate.cluster.client import Client, Request, error_of_event
from tidegate.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    ServerFault,
    Throttled,
    TryAgain,
    Unreachable,
)


class Configuration:
    """As the kubernetes client's, as far as it is used."""

    async def get_api_key_with_prefix(self, _: str) -> str:
        return "Bearer secret"


class Server:
    """Answers in order; keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Any, str]] = []
        self.answers: list[Any] = []
        self.headers: list[Any] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.headers.append(request.headers)
        self.requests.append(
            (
                request.method,
                request.path_qs,
                orjson.loads(body) if body else None,
                request.headers.get("Content-Type", ""),
            )
        )
        answer = self.answers.pop(0) if self.answers else {}
        if callable(answer):
            handler: Callable[[web.Request], Awaitable[web.StreamResponse]] = answer
            return await handler(request)
        status, content, headers = answer if isinstance(answer, tuple) else (200, answer, {})
        data = content if isinstance(content, bytes) else orjson.dumps(content)
        return web.Response(body=data, status=status, headers=headers)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", server.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    access = Access(url, None, None, None, Configuration(), float("inf"))
    async with Client(access) as client:
        yield client
    await runner.cleanup()


GET = Request(verb="GET", resource="jobs", path="/apis/batch/v1/namespaces/x/jobs/y")


def failure(code: int, reason: str = "", **more: Any) -> dict[str, Any]:
    return {"kind": "Status", "code": code, "reason": reason, "message": f"told {code}"} | more


async def test_an_answer_is_decoded(client: Client, server: Server) -> None:
    server.answers = [{"kind": "Job"}]
    assert await client.send(GET) == {"kind": "Job"}
    assert server.headers[0]["Authorization"] == "Bearer secret"
    assert server.headers[0]["User-Agent"].startswith("tidegate/")


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (400, "BadRequest", Invalid),
        (401, "Unauthorized", TryAgain),
        (403, "Forbidden", Forbidden),
        (404, "NotFound", NotFound),
        (409, "AlreadyExists", AlreadyExists),
        (409, "Conflict", Conflict),
        (410, "Expired", Refused),
        (413, "", Refused),
        (422, "Invalid", Invalid),
        (429, "TooManyRequests", Throttled),
        (500, "InternalError", ServerFault),
        (503, "ServiceUnavailable", ServerFault),
    ],
)
async def test_errors_by_what_they_mean(
    client: Client, server: Server, code: int, reason: str, kind: type[Exception]
) -> None:
    server.answers = [(code, failure(code, reason), {"Retry-After": "7"})]
    with pytest.raises(kind, match=f"told {code}") as caught:
        await client.send(GET)
    assert getattr(caught.value, "status", None) == code
    if isinstance(caught.value, Throttled):
        assert caught.value.retry_after == 7


async def test_a_proxys_words_are_kept(client: Client, server: Server) -> None:
    server.answers = [(502, b"<html>bad gateway</html>", {})]
    with pytest.raises(ServerFault, match="bad gateway"):
        await client.send(GET)


async def test_a_terminating_namespace_is_told_by_its_cause(client: Client, server: Server) -> None:
    details = {"causes": [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]}
    server.answers = [(403, failure(403, "Forbidden", details=details), {})]
    with pytest.raises(Forbidden) as caught:
        await client.send(GET)
    assert caught.value.reason == "NamespaceTerminating"


async def _hang(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def _drop(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


@pytest.mark.parametrize("answer", [_hang, _drop, b"{no json"])
async def test_no_proper_answer(client: Client, server: Server, answer: Any) -> None:
    server.answers = [answer]
    request = Request(verb="POST", resource="jobs", path="/x", body={}, timeout=0.2)
    with pytest.raises(Unreachable):
        await client.send(request)
    assert len(server.requests) == 1


async def test_nobody_there() -> None:
    access = Access("http://127.0.0.1:9", None, None, None, Configuration(), float("inf"))
    async with Client(access) as client:
        with pytest.raises(Unreachable):
            await client.send(GET)


async def test_a_client_that_is_closed_says_so() -> None:
    access = Access("http://127.0.0.1:9", None, None, None, Configuration(), float("inf"))
    with pytest.raises(Unreachable):
        await Client(access).send(GET)


async def test_new_credentials_are_fetched_once_after_a_401(
    client: Client, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refresh(_: Access) -> bool:
        return True

    monkeypatch.setattr(Access, "refresh", refresh)
    server.answers = [(401, failure(401), {}), {"kind": "Job"}]
    assert await client.send(GET) == {"kind": "Job"}


def streamed(*chunks: bytes, hang: bool = False) -> Any:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for chunk in chunks:
            await response.write(chunk)
            await asyncio.sleep(0.01)
        if hang:
            await asyncio.sleep(30)
        return response

    return answer


async def test_a_watch_is_read_line_by_line(client: Client, server: Server) -> None:
    big = orjson.dumps({"type": "ADDED", "object": {"x": "y" * 300_000}})
    server.answers = [streamed(b'{"type":"ADD', b'ED"}\n{"type":"DELETED"}\n' + big, b"\n")]
    events = [event async for event in client.watch("jobs", "/x", {"watch": "1"}, silence=5)]
    assert [event["type"] for event in events] == ["ADDED", "DELETED", "ADDED"]


async def test_a_silent_watch_is_given_up(client: Client, server: Server) -> None:
    server.answers = [streamed(b'{"type":"ADDED"}\n', hang=True)]
    events = client.watch("jobs", "/x", {}, silence=0.2)
    assert await anext(events) == {"type": "ADDED"}
    with pytest.raises(Unreachable):
        await anext(events)


async def test_a_watch_that_is_refused(client: Client, server: Server) -> None:
    server.answers = [(410, failure(410, "Expired"), {})]
    with pytest.raises(Refused) as caught:
        async for _ in client.watch("jobs", "/x", {}, silence=1):
            pass
    assert caught.value.status == 410


def test_an_error_event() -> None:
    assert isinstance(error_of_event({"code": 410, "reason": "Expired"}), Refused)
    assert isinstance(error_of_event({}), ServerFault)


async def test_what_is_sent(client: Client, server: Server) -> None:
    api = KubeApi(client)
    server.answers = [{}] * 3 + [{"items": [{"kind": "Pod"}]}] + [{}] * 7
    await api.create_job("ns", {"kind": "Job"})
    await api.get_job("ns", "j")
    await api.patch_job("ns", "j", {"spec": {}})
    assert await api.list_pods("ns", "uid") == [{"kind": "Pod"}]
    await api.delete_job("ns", "j", "u")
    await api.delete_pod("ns", "p", "u")
    await api.list_job_events("ns", "uid")
    await api.get_workflow("ns", "w")
    await api.patch_status("ns", "w", {"status": {}})
    await api.delete_workflow("ns", "w", "u", "7")
    jobs, pods = "/apis/batch/v1/namespaces/ns/jobs", "/api/v1/namespaces/ns/pods"
    workflows = "/apis/tidegate.dev/v1alpha1/namespaces/ns/workflows/w"
    events = "/api/v1/namespaces/ns/events"
    merge = "application/merge-patch+json"
    foreground = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"}
    assert [request[:2] for request in server.requests] == [
        ("POST", f"{jobs}?fieldValidation=Strict"),
        ("GET", f"{jobs}/j"),
        ("PATCH", f"{jobs}/j"),
        ("GET", f"{pods}?labelSelector=batch.kubernetes.io/controller-uid%3Duid"),
        ("DELETE", f"{jobs}/j"),
        ("DELETE", f"{pods}/p"),
        (
            "GET",
            f"{events}?fieldSelector=involvedObject.uid%3Duid,reason%3DFailedCreate",
        ),
        ("GET", workflows),
        ("PATCH", f"{workflows}/status"),
        ("DELETE", workflows),
    ]
    assert [server.requests[at][3] for at in (2, 8)] == [merge, merge]
    assert server.requests[4][2] == foreground | {"preconditions": {"uid": "u"}}
    assert server.requests[9][2] == foreground | {
        "preconditions": {"uid": "u", "resourceVersion": "7"}
    }


@pytest.mark.parametrize("code", [404, 409])
async def test_deleting_what_has_gone_is_fine(client: Client, server: Server, code: int) -> None:
    server.answers = [(code, failure(code, "Conflict"), {})] * 2
    await KubeApi(client).delete_job("ns", "j", "u")
    await KubeApi(client).delete_pod("ns", "p", "u")


async def test_reads_are_repeated_and_creations_never(client: Client, server: Server) -> None:
    server.answers = [(503, failure(503), {}), {"kind": "Job"}]
    assert await KubeApi(client).get_job("ns", "j") == {"kind": "Job"}
    server.answers = [(503, failure(503), {}), {"kind": "Job"}]
    with pytest.raises(ServerFault):
        await KubeApi(client).create_job("ns", {})
    server.answers = [(503, failure(503), {}), {}]
    with pytest.raises(ServerFault):
        await KubeApi(client).patch_status("ns", "w", {})


async def test_lease_and_events(client: Client, server: Server) -> None:
    lease = HttpLeaseStore(client, "ops", "tidegate-operator", 5)
    await lease.create({"metadata": {}})
    await lease.get()
    await lease.replace({"metadata": {"resourceVersion": "1"}})
    events = HttpEventStore(client)
    await events.create("ns", {})
    await events.patch("ns", "e", {"count": 2})
    leases = "/apis/coordination.k8s.io/v1/namespaces/ops/leases"
    assert [request[:2] for request in server.requests] == [
        ("POST", leases),
        ("GET", f"{leases}/tidegate-operator"),
        ("PUT", f"{leases}/tidegate-operator"),
        ("POST", "/api/v1/namespaces/ns/events"),
        ("PATCH", "/api/v1/namespaces/ns/events/e"),
    ]
    assert server.requests[0][2] == {"metadata": {"name": "tidegate-operator"}}


async def test_what_is_no_json_is_read_as_it_comes(client: Client, server: Server) -> None:
    server.answers = [b"hello\n\xff", (404, {"reason": "NotFound", "message": "no pod"}, {})]
    logs = Request(verb="GET", resource="pods/log", path="/log", accept="application/json, */*")
    assert await client.read(logs) == b"hello\n\xff"
    with pytest.raises(NotFound, match="no pod"):
        await client.read(logs)
    await client.send(GET)
    accepted = [headers["Accept"] for headers in server.headers]
    assert accepted == ["application/json, */*", "application/json, */*", "application/json"]
