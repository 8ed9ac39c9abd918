"""Logs of Workflows and pods in the cluster in memory, and what must be true of them at last."""

from collections.abc import Iterator, Sequence

from tests.sim.api import SimApi
from tests.sim.store import (
    CONFIG_MAP,
    POD,
    WORKFLOW,
    Raw,
    Store,
    is_deleting,
    label,
    merge_patch,
)
from tidegate import constants as c
from tidegate import errors
from tidegate.api.status import WorkflowStatus
from tidegate.cluster import ports
from tidegate.cluster.log_writer import digest_of
from tidegate.report.volume import Mark

FAULTS = ("429", "500", "lost-before", "lost-after")
"""What goes wrong with logs alone; operators die of what goes wrong with the rest."""


class SimLogs(SimApi):
    """The port ``LogStore`` of one operator process."""

    async def get(self, namespace: str, name: str) -> Raw | None:
        return await self._call("get_log", name, lambda: _found(self._store, name))

    async def create(self, namespace: str, body: ports.Raw) -> None:
        await self._call(
            "create_log",
            body["metadata"]["name"],
            lambda: self._store.create(CONFIG_MAP, dict(body)),
        )

    async def patch(self, namespace: str, name: str, patch: ports.Raw) -> None:
        def act() -> None:
            found = self._store.find(CONFIG_MAP, name)
            for key in ("uid", "resourceVersion"):
                if patch["metadata"][key] != found["metadata"][key]:
                    raise errors.Conflict(f"{key} differs", status=409, reason="Conflict")
            self._store.update(CONFIG_MAP, merge_patch(found, dict(patch)))

        await self._call("patch_log", name, act)

    async def marks(self) -> Sequence[Raw]:
        return await self._call("list_logs", "", lambda: list(self._store.all(CONFIG_MAP)))

    async def tail(self, namespace: str, pod: str, container: str, lines: int, limit: int) -> bytes:
        def act() -> bytes:
            self._store.find(POD, pod)
            return f"{pod} was here\n".encode()

        return await self._call("tail", pod, act)


def _found(store: Store, name: str) -> Raw | None:
    """The ConfigMap, unless its Workflow has gone: then it is collected by now."""
    found = store.get(CONFIG_MAP, name)
    owners = found["metadata"].get("ownerReferences", ()) if found else ()
    living = {raw["metadata"]["uid"] for raw in store.all(WORKFLOW)}
    if found is not None and any(owner["uid"] not in living for owner in owners):
        store.remove(CONFIG_MAP, found)
        return None
    return found


def wrong_logs(store: Store) -> Iterator[str]:
    """Every run that has ended is told to its end."""
    for raw in store.all(WORKFLOW):
        status = WorkflowStatus.model_validate(raw.get("status", {}))
        over = status.phase is not None and status.phase.is_final
        if is_deleting(raw) or not over or status.log is None:
            continue
        found = store.get(CONFIG_MAP, status.log.config_map)
        if found is None:
            yield f"there is no log of run {status.run}"
            continue
        mark = Mark.parse(found["metadata"]["annotations"][c.ANNOTATION_LOG])
        if mark is None or (mark.run, mark.status) != (status.run, digest_of(raw["status"])):
            yield f"the log tells of {mark}, not of the end of run {status.run}"
        for pod in store.all(POD):
            number = f"{status.run}.{label(pod, c.LABEL_NODE)}.{label(pod, c.LABEL_ATTEMPT)}"
            node = status.nodes.get(label(pod, c.LABEL_NODE))
            if node is None or not _ran(pod) or label(pod, c.LABEL_RUN) != str(status.run):
                continue
            latest = label(pod, c.LABEL_ATTEMPT) == str(node.attempt)
            latest = latest and node.job is not None and node.job.run == status.run
            ended = node.phase in ("Succeeded", "Failed")
            if latest and ended and f"{number}.txt" not in found["data"]:
                yield f"the log lacks the tail of {number}"


def _ran(pod: Raw) -> bool:
    return pod["status"].get("phase") in ("Succeeded", "Failed") and any(
        one.get("state", {}).get("terminated") for one in pod["status"].get("containerStatuses", ())
    )
