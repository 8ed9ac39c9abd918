"""Records status: only what changed, under resourceVersion, and never twice by mistake."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import orjson
from pydantic import ValidationError

from tidegate import metrics
from tidegate.api.status import WorkflowStatus
from tidegate.cluster.ports import Api, Raw
from tidegate.cluster.view import View, Wake
from tidegate.errors import ApiError, Conflict, Invalid, NotFound, Refused, TryAgain
from tidegate.facts.model import WorkflowFact

_TOO_LARGE = ("request is too large", "trying to send message larger than max")
"""What etcd, or the way to it, says of an object that it can't take: as HTTP 500, but for good."""


class Book:
    """The port ``Book``."""

    def __init__(self, api: Api, view: View, wake: Callable[[Wake], None]) -> None:
        self._api = api
        self._view = view
        self._wake = wake

    async def record(
        self, workflow: WorkflowFact, before: WorkflowStatus, after: WorkflowStatus
    ) -> None:
        """Write the difference under resourceVersion; the answer enters the view."""
        wanted = as_stored(after)
        change = difference(as_stored(before), wanted)
        if not change:
            return
        metadata = {"uid": workflow.uid, "resourceVersion": workflow.resource_version}
        key = workflow.key
        try:
            raw = await self._api.patch_status(
                key.namespace, key.name, {"metadata": metadata, "status": change}
            )
        except (Conflict, NotFound) as error:
            await self.reread(workflow)
            raise Conflict(error.message, status=error.status, reason=error.reason) from error
        except TryAgain as error:
            if any(words in error.message for words in _TOO_LARGE):
                message = f"request is too large: {error.message}"
                raise Refused(message, status=error.status, reason=error.reason) from error
            if not await self._was_recorded(workflow, wanted):
                raise
        except Invalid as error:
            stored = await self.reread(workflow)
            if stored is None or stored["metadata"]["uid"] != workflow.uid:
                raise Conflict(error.message, status=error.status) from error
            raise
        else:
            self._view.learn_workflow(raw)
            metrics.record_status_bytes(len(orjson.dumps(raw.get("status"))))
            _check(raw, wanted)

    async def reread(self, workflow: WorkflowFact) -> Raw | None:
        """GET the Workflow into the view; None if there is none any more.

        Whatever changed meanwhile is news to the view: the event that tells of it comes too late to
        wake anybody.
        """
        key, token = workflow.key, self._view.token()
        try:
            raw = await self._api.get_workflow(key.namespace, key.name)
        except NotFound:
            self._wake_all(self._view.learn_workflow_gone(key, token))
            return None
        self._wake_all(self._view.learn_workflow(raw))
        return raw

    async def _was_recorded(self, workflow: WorkflowFact, wanted: dict[str, Any]) -> bool:
        """Whether a write whose answer was lost was carried out nevertheless."""
        try:
            raw = await self.reread(workflow)
        except ApiError:
            return False
        if raw is None or raw["metadata"]["resourceVersion"] == workflow.resource_version:
            return False
        return not _lacks(raw, wanted)

    def _wake_all(self, wakes: list[Wake]) -> None:
        for wake in wakes:
            self._wake(wake)


def _check(raw: Raw, wanted: dict[str, Any]) -> None:
    """What the server has stored must be what it was sent; a CRD drops what it doesn't know."""
    if lacks := _lacks(raw, wanted):
        msg = (
            f"the CRD in this cluster is older than the operator: the API server doesn't keep "
            f"{', '.join(lacks[:5])} as it was written; install this release's CRDs"
        )
        raise Refused(msg, reason="StatusNotKept")


def _lacks(raw: Raw, wanted: dict[str, Any]) -> list[str]:
    """The fields of the stored status that aren't as ``wanted``."""
    status = raw.get("status") or {}
    if _without_empty(status) == wanted:
        return []
    try:
        stored = as_stored(WorkflowStatus.model_validate(status))
    except ValidationError:
        return ["status"]
    return sorted(_paths(difference(stored, wanted), wanted, "status"))


def _paths(change: dict[str, Any], wanted: dict[str, Any], where: str) -> Iterator[str]:
    for key, value in change.items():
        inner = wanted.get(key)
        if isinstance(value, dict) and isinstance(inner, dict) and value != inner:
            yield from _paths(value, inner, f"{where}.{key}")
        else:
            yield f"{where}.{key}"


def as_stored(status: WorkflowStatus) -> dict[str, Any]:
    """The status as the API server shall hold it: nothing that is absent or empty."""
    dump = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    return cast("dict[str, Any]", _without_empty(dump))


def _without_empty(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    kept = {key: _without_empty(item) for key, item in value.items()}
    return {key: item for key, item in kept.items() if item not in ({}, [])}


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The merge patch (RFC 7386) that makes ``after`` of ``before``."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            if inner := difference(old, value):
                patch[key] = inner
        elif old != value:
            patch[key] = value
    return patch
