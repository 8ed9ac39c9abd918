"""``/healthz``, ``/readyz`` and ``/metrics``."""

import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.http import HttpProcessingError
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

log = logging.getLogger(__name__)

_LAST_ANSWERS = 1.0
"""Seconds that answers in the making get when the server ends."""


class _OwnFaults(logging.Filter):
    """Whoever sends what isn't HTTP is told so; that is no error here."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_server_log = logging.getLogger(f"{__name__}.server")
_server_log.addFilter(_OwnFaults())

Complaints = Callable[[], Sequence[str]]
"""What is wrong right now; empty if all is well."""


def _answer(complaints: Complaints) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(_: web.Request) -> web.Response:
        wrong = complaints()
        return web.Response(text="; ".join(wrong) or "ok", status=503 if wrong else 200)

    return handle


async def _metrics(_: web.Request) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def probes(unhealthy: Complaints, unready: Complaints) -> web.Application:
    """The application that kubelets ask."""
    application = web.Application()
    application.router.add_get("/healthz", _answer(unhealthy))
    application.router.add_get("/readyz", _answer(unready))
    return application


def metrics() -> web.Application:
    """The application that Prometheus asks."""
    application = web.Application()
    application.router.add_get("/metrics", _metrics)
    return application


@asynccontextmanager
async def served(
    application: web.Application, port: int, what: str, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve while the context lasts; 0 is any free port, and the real one is given and logged."""
    runner = web.AppRunner(
        application,
        access_log=None,
        logger=_server_log,
        handle_signals=False,
        shutdown_timeout=_LAST_ANSWERS,
    )
    await runner.setup()
    try:
        # Any free port is one for each address family; they would differ.
        host = None if port else "127.0.0.1"
        site = web.TCPSite(runner, host, port, reuse_address=True, ssl_context=tls)
        await site.start()
        real = int(runner.addresses[0][1])
        log.info("%s on port %d", what, real)
        yield real
    finally:
        await runner.cleanup()
