"""The validating webhook's server: optional, on every replica, without any right in the cluster.

Whoever reaches its port may ask it, so what it does for them is bounded: in size, in number, and in
the share of the event loop that it takes from the runs. The operator validates anyway, so a request
that gets no answer is no harm (``failurePolicy: Ignore``).
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from tidegate import metrics
from tidegate.app.probes import served
from tidegate.app.webhook_review import MalformedReview, Serves, answer
from tidegate.app.webhook_tls import Certificates

log = logging.getLogger(__name__)

PATH: Final = "/validate"
MAX_BYTES: Final = 4 * 1024 * 1024
"""Two objects of the 1.5 MiB that etcd takes, and what is around them."""
_MAX_AT_ONCE: Final = 8
"""Requests that are read or wait for their turn; with their bodies, 32 MiB."""
_READ_WITHIN: Final = 5.0
"""Seconds; API servers have the body ready and wait no longer themselves."""
_JSON: Final = "application/json"


class Webhook:
    """Answers AdmissionReviews, one after another."""

    def __init__(self, serves: Serves) -> None:
        self._serves = serves
        self._turn = asyncio.Lock()
        self._present = 0
        self._rests_until = 0.0

    def application(self) -> web.Application:
        """The application that API servers ask."""
        application = web.Application(client_max_size=MAX_BYTES)
        application.router.add_post(PATH, self._handle)
        return application

    async def _handle(self, request: web.Request) -> web.Response:
        if self._present >= _MAX_AT_ONCE:
            metrics.record_webhook("overload")
            return web.Response(status=503, text="too many requests at once")
        self._present += 1
        try:
            async with asyncio.timeout(_READ_WITHIN):
                body = await request.read()
                async with self._turn:
                    await self._rest()
                    return self._answer(body)
        except web.HTTPRequestEntityTooLarge:
            metrics.record_webhook("malformed")
            raise
        except TimeoutError:
            metrics.record_webhook("overload")
            return web.Response(status=503, text="the request took too long to be read")
        finally:
            self._present -= 1

    async def _rest(self) -> None:
        """Leave the loop to the runs for as long as the last answer took it from them."""
        await asyncio.sleep(max(0.0, self._rests_until - time.monotonic()))

    def _answer(self, body: bytes) -> web.Response:
        began = time.monotonic()
        try:
            result, review = answer(orjson.loads(body), self._serves)
        except (orjson.JSONDecodeError, MalformedReview) as error:
            metrics.record_webhook("malformed")
            log.debug("webhook: malformed request: %s", error)
            return web.Response(status=400, text=f"{error}")
        except Exception:
            metrics.record_webhook("bug")
            log.exception("webhook: this is a bug; the Workflow gets no answer")
            return web.Response(status=500, text="this is a bug of Tidegate's; its log says more")
        finally:
            now = time.monotonic()
            self._rests_until = now + (now - began)
        metrics.record_webhook(result)
        return web.Response(body=orjson.dumps(review), content_type=_JSON)


@asynccontextmanager
async def webhook(folder: str, port: int, serves: Serves) -> AsyncIterator[Certificates | None]:
    """Serve while the context lasts, with the certificate in ``folder``; without one not at all."""
    if not folder:
        yield None
        return
    certificates = Certificates(Path(folder))
    certificates.refresh()
    look = asyncio.create_task(certificates.refresh_forever())
    try:
        application = Webhook(serves).application()
        async with served(application, port, "webhook", tls=certificates.entrance):
            yield certificates
    finally:
        look.cancel()
