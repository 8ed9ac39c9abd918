"""What the logs in the cluster tell of, found out with one list of their metadata."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping

from tidegate import constants as c
from tidegate import metrics
from tidegate.cluster.log_store import LogStore
from tidegate.cluster.log_trouble import trouble_of
from tidegate.cluster.ports import Raw
from tidegate.errors import ApiError, Refused
from tidegate.report.volume import Mark

log = logging.getLogger(__name__)

Marks = Mapping[str, frozenset[tuple[int, str]]]
"""By a Workflow's uid: the runs, and the digests of their statuses, that its logs tell of."""


async def marks(store: LogStore) -> AsyncIterator[Marks | None]:
    """What logs tell of, insisted on; until then None each time that listing them is refused."""
    errors = 0
    while True:
        try:
            found = await store.marks()
        except ApiError as error:
            errors += 1
            trouble = trouble_of(error)
            if trouble.is_counted(errors):
                metrics.record_log_write_error(trouble.kind)
            log.warning(
                "logs can't be listed, those of ended runs wait for the next try: %s", error
            )
            if isinstance(error, Refused):
                yield None
            await asyncio.sleep(trouble.pause(errors))
        else:
            yield _marks_of(found)
            return


def _marks_of(found: Iterable[Raw]) -> Marks:
    known: dict[str, set[tuple[int, str]]] = {}
    for raw in found:
        metadata = raw["metadata"]
        uid = (metadata.get("labels") or {}).get(c.LABEL_WORKFLOW_UID, "")
        mark = Mark.parse((metadata.get("annotations") or {}).get(c.ANNOTATION_LOG, ""))
        if mark is not None and mark.status:
            known.setdefault(uid, set()).add((mark.run, mark.status))
    return {uid: frozenset(told) for uid, told in known.items()}
