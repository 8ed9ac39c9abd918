"""An API server of a few lines, over HTTP: enough for the whole process to start, lead and end."""

import asyncio
import json
import threading
from typing import Any

from aiohttp import web

GROUP = "/apis/tidegate.dev/v1alpha1"
RESOURCE = {
    "name": "workflows",
    "singularName": "workflow",
    "namespaced": True,
    "kind": "Workflow",
    "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
}
NAMESPACES = RESOURCE | {"name": "namespaces", "kind": "Namespace", "namespaced": False}
DISCOVERY: dict[str, dict[str, Any]] = {
    "/api": {"versions": ["v1"]},
    "/api/v1": {"groupVersion": "v1", "resources": [NAMESPACES]},
    "/apis": {
        "groups": [
            {
                "name": "tidegate.dev",
                "versions": [{"version": "v1alpha1"}],
                "preferredVersion": {"version": "v1alpha1"},
            }
        ]
    },
    GROUP: {"groupVersion": "tidegate.dev/v1alpha1", "resources": [RESOURCE]},
}


class ApiServer:
    """Serves in a thread of its own; tests change what it does."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.has_crd = True
        self.hangs = False
        self.rejects_leases = False
        self.requests: list[tuple[str, str]] = []
        self.url = ""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._crd_gone = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        application = web.Application()
        application.router.add_route("*", "/{rest:.*}", self._handle)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        await self._ended.wait()
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs))
        if self.hangs:
            await self._ended.wait()
        if "/leases" in request.path:
            return await self._lease(request)
        if request.path.startswith(GROUP) and not self.has_crd:
            return _failure(404, "NotFound")
        if request.path in DISCOVERY:
            return web.json_response(DISCOVERY[request.path])
        if request.query.get("watch"):
            return await self._watch(request)
        return web.json_response({"metadata": {"resourceVersion": "10"}, "items": []})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await self._crd_gone.wait()
        gone = {"type": "ERROR", "object": {"code": 404, "reason": "NotFound", "message": "gone"}}
        await response.write(json.dumps(gone).encode() + b"\n")
        return response

    async def _lease(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return web.json_response(self.lease) if self.lease else _failure(404, "NotFound")
        if self.rejects_leases:
            return _failure(409, "Conflict")
        lease = await request.json()
        lease["metadata"]["resourceVersion"] = str(len(self.requests))
        self.lease = lease
        return web.json_response(lease)

    def drop_crd(self) -> None:
        """The CustomResourceDefinition is deleted."""
        self.has_crd = False
        self._loop.call_soon_threadsafe(self._crd_gone.set)

    def take_lease(self) -> None:
        """Another replica, of the strange sort that doesn't wait, takes the Lease."""
        assert self.lease is not None
        spec = {**self.lease["spec"], "holderIdentity": "another", "leaseDurationSeconds": 600}
        self.lease = {"metadata": {"resourceVersion": "999999"}, "spec": spec}
        self.rejects_leases = True

    @property
    def holder(self) -> str:
        return str(self.lease["spec"]["holderIdentity"]) if self.lease else ""


def _failure(code: int, reason: str) -> web.Response:
    body = {"kind": "Status", "code": code, "reason": reason, "message": f"told {code}"}
    return web.json_response(body, status=code)
