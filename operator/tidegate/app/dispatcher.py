"""Takes keys from the queue and works on them, many at a time, none twice at once."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from tidegate import metrics
from tidegate.api.identity import WorkflowKey
from tidegate.cluster.queue import Queue
from tidegate.errors import ApiError, Conflict, TidegateError, TryAgain, UserError

log = logging.getLogger(__name__)


class Dispatcher:
    """Runs ``reconcile`` for each key; whatever it raises ends in a later try."""

    def __init__(
        self,
        queue: Queue,
        reconcile: Callable[[WorkflowKey], Awaitable[None]],
        concurrency: int,
    ) -> None:
        self._queue = queue
        self._reconcile = reconcile
        self._slots = asyncio.Semaphore(concurrency)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._slots.acquire()
            key = await self._queue.get()
            if self._stopping:
                return
            task = asyncio.create_task(self._work(key), name=f"reconcile {key}")
            self._tasks.add(task)
            task.add_done_callback(self._ended)
            # Neither the queue nor the semaphore yields while it has something: probes, watches
            # and answers get their turn between two plans here.
            await asyncio.sleep(0)

    def stop(self) -> None:
        """Begin nothing new."""
        self._stopping = True

    async def finish(self, grace: float) -> None:
        """Give what is being worked on ``grace`` seconds, then cut it off: all of it is repeatable.

        The next leader finds out from the API server how far it came.
        """
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()

    async def _work(self, key: WorkflowKey) -> None:
        began = time.perf_counter()
        try:
            await self._reconcile(key)
        except Conflict as error:
            self._again(key, "again", error, logging.DEBUG)
        except TryAgain as error:
            self._again(key, "again", error, logging.WARNING)
        except ApiError as error:
            self._again(key, "refused", error, logging.WARNING)
        except UserError as error:
            self._again(key, "user", error, logging.WARNING)
        except Exception:
            seconds = self._queue.failed(key)
            metrics.record_reconcile_error("bug")
            log.exception(
                "this is a bug; tried again in %.1f s", seconds, extra={"workflow": str(key)}
            )
        else:
            self._queue.done(key)
        finally:
            metrics.record_reconcile(time.perf_counter() - began)

    def _again(self, key: WorkflowKey, kind: str, error: TidegateError, level: int) -> None:
        seconds = self._queue.failed(key, fresh=isinstance(error, Conflict))
        metrics.record_reconcile_error(kind)
        log.log(level, "%s; tried again in %.1f s", error, seconds, extra={"workflow": str(key)})
