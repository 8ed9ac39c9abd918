"""Requests to the API server: dicts in, dicts out, errors by what they mean.

Bare aiohttp with orjson: the generated classes cost memory, refuse fields that they don't know and
take twice the time.
"""

import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from tidegate import __version__, metrics
from tidegate.cluster.access import Access
from tidegate.errors import ApiError, TryAgain, Unreachable, from_status

MERGE_PATCH = "application/merge-patch+json"
_JSON = "application/json"
_TIMEOUT = 15.0
"""Seconds that a request may take unless its caller says otherwise."""
_CONNECTIONS = 128
_UNAUTHORIZED = 401
_BAD = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request: what it does to which resource, and how long it may take."""

    verb: str
    """GET, LIST, POST, PUT, PATCH, DELETE."""
    resource: str
    """Plural name, for metrics: ``jobs``, ``workflows/status``."""
    path: str
    query: Mapping[str, str] | None = None
    body: Any = None
    content_type: str = _JSON
    accept: str = _JSON
    timeout: float = _TIMEOUT

    @property
    def method(self) -> str:
        """HTTP's verb."""
        return "GET" if self.verb == "LIST" else self.verb


class Client:
    """A pool of connections to the API server, for one event loop."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=self._access.tls or True)
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": f"tidegate/{__version__}", "Accept": _JSON},
            trust_env=False,
            auto_decompress=True,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, request: Request) -> Any:
        """The decoded answer.

        Raises:
            ApiError: the server answered 400 or above, or not at all.
        """
        return _decoded(await self.read(request))

    async def read(self, request: Request) -> bytes:
        """The answer as it came; raises like ``send``."""
        began, code = time.perf_counter(), "none"
        try:
            status, data, headers = await self._exchange(request)
            if status == _UNAUTHORIZED and await self._access.refresh():
                status, data, headers = await self._exchange(request)
            code = str(status)
        finally:
            took = time.perf_counter() - began
            metrics.record_api_request(request.verb, request.resource, code, took)
        if status >= _BAD:
            raise _error(status, data, headers)
        return data

    async def watch(
        self, resource: str, path: str, query: Mapping[str, str], *, silence: float
    ) -> AsyncIterator[Mapping[str, Any]]:
        """The events of a watch until the server ends it.

        Raises:
            ApiError: it could not be opened, broke, or was silent for ``silence`` seconds.
        """
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_TIMEOUT, sock_read=silence)
        buffer = bytearray()
        try:
            async with self._open("GET", path, query=query, timeout=timeout) as response:
                metrics.record_api_request("WATCH", resource, str(response.status), None)
                if response.status == _UNAUTHORIZED:
                    await self._access.refresh()
                if response.status >= _BAD:
                    raise _error(response.status, await response.read(), response.headers)
                async for chunk in response.content.iter_any():
                    buffer += chunk
                    if b"\n" not in chunk:
                        continue
                    lines = buffer.split(b"\n")
                    buffer = lines.pop()
                    for line in lines:
                        if line:
                            yield _decoded(line)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            metrics.record_api_request("WATCH", resource, "none", None)
            raise Unreachable(_words(error)) from error

    async def _exchange(self, request: Request) -> tuple[int, bytes, Mapping[str, str]]:
        body = None if request.body is None else orjson.dumps(request.body)
        headers = {"Content-Type": request.content_type} if body is not None else {}
        if request.accept != _JSON:
            headers["Accept"] = request.accept
        timeout = aiohttp.ClientTimeout(total=request.timeout)
        opened = self._open(
            request.method,
            request.path,
            query=request.query,
            data=body,
            headers=headers,
            timeout=timeout,
        )
        try:
            async with opened as response:
                return response.status, await response.read(), response.headers
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unreachable(_words(error)) from error

    def _open(
        self, method: str, path: str, *, query: Mapping[str, str] | None = None, **options: Any
    ) -> "_Opening":
        if self._session is None:
            raise Unreachable("the connection pool is closed")
        return _Opening(self._session, self._access, method, path, {"params": query, **options})


class _Opening:
    """A request that is sent when it is entered, with the credentials of that moment."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        access: Access,
        method: str,
        path: str,
        options: dict[str, Any],
    ) -> None:
        self._session = session
        self._access = access
        self._method = method
        self._path = path
        self._options = options
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> aiohttp.ClientResponse:
        options = dict(self._options)
        options["headers"] = (options.get("headers") or {}) | await self._access.authorization()
        if self._access.tls_server_name:
            options["server_hostname"] = self._access.tls_server_name
        if self._access.proxy:
            options["proxy"] = self._access.proxy
        url = self._access.server + self._path
        self._response = await self._session.request(self._method, url, **options)
        return self._response

    async def __aexit__(self, *_: object) -> None:
        if self._response is not None:
            # What was read to its end goes back to the pool; the rest of a stream is cut off.
            self._response.release()


def _words(error: BaseException) -> str:
    return f"no answer from the API server: {type(error).__name__}: {error}".rstrip(": ")


def _decoded(data: bytes | bytearray) -> Any:
    try:
        return orjson.loads(data) if data else {}
    except orjson.JSONDecodeError as error:
        raise Unreachable(f"the API server's answer could not be read: {error}") from error


def _error(status: int, data: bytes, headers: Mapping[str, str]) -> ApiError:
    """What a ``metav1.Status``, or whatever a proxy put in its place, means."""
    try:
        answer = orjson.loads(data)
    except orjson.JSONDecodeError:
        answer = {}
    answer = answer if isinstance(answer, dict) else {}
    reason = str(answer.get("reason") or "")
    message = str(answer.get("message") or data[:512].decode(errors="replace") or f"HTTP {status}")
    if status == _UNAUTHORIZED:
        return TryAgain(message, status=status, reason=reason or "Unauthorized")
    if _has_cause(answer, "NamespaceTerminating"):
        reason = "NamespaceTerminating"
    after = headers.get("Retry-After", "")
    return from_status(
        status, reason, message, retry_after=float(after) if after.isdigit() else None
    )


def _has_cause(answer: Mapping[str, Any], wanted: str) -> bool:
    details = answer.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return any(cause.get("reason") == wanted for cause in causes or ())


def error_of_event(status: Mapping[str, Any]) -> ApiError:
    """What an event of type ERROR in a watch means."""
    return from_status(
        int(status.get("code") or 500),
        str(status.get("reason") or ""),
        str(status.get("message") or "the watch failed"),
    )
