"""What the logs in the cluster tell of, found out with one list of their metadata."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Final

from tidegate import constants as c
from tidegate import metrics
from tidegate.cluster.log_store import LogStore
from tidegate.cluster.ports import Raw
from tidegate.errors import ApiError, Refused
from tidegate.report.volume import Mark

log = logging.getLogger(__name__)

_LONGEST_PAUSE: Final = 60.0

Marks = Mapping[str, frozenset[tuple[int, str]]]
"""By a Workflow's uid: the runs, and the digests of their statuses, that its logs tell of."""


async def marks(store: LogStore) -> Marks | None:
    """What logs tell of, insisted on; None where the operator has no right to list them."""
    pause = 1.0
    while True:
        try:
            return _marks_of(await store.marks())
        except Refused as error:
            metrics.record_log_write_error("forbidden")
            log.warning("logs can't be listed, those of finished runs stay as they are: %s", error)
            return None
        except ApiError as error:
            metrics.record_log_write_error("unavailable")
            log.warning("logs could not be listed, which is tried again: %s", error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)


def _marks_of(found: Iterable[Raw]) -> Marks:
    known: dict[str, set[tuple[int, str]]] = {}
    for raw in found:
        metadata = raw["metadata"]
        uid = (metadata.get("labels") or {}).get(c.LABEL_WORKFLOW_UID, "")
        mark = Mark.parse((metadata.get("annotations") or {}).get(c.ANNOTATION_LOG, ""))
        if mark is not None and mark.status:
            known.setdefault(uid, set()).add((mark.run, mark.status))
    return {uid: frozenset(told) for uid, told in known.items()}
