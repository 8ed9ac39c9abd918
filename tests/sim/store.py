"""The API server's storage: objects that are never changed in place, and who wants to hear of it.

Objects are plain JSON; a write stores a new one, so that whoever holds an old one (a watch with its
lag, a view) sees what was true then.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from tests.sim.clock import Time, stamp
from tidegate import constants as c
from tidegate import errors
from tidegate.api.status import LIVE_PHASES

Raw = dict[str, Any]
Listener = Callable[[str, str, Raw, Raw | None], None]
"""Called with kind, type of event, the object and what it was before."""

NAMESPACE = "sim"
WORKFLOW, JOB, POD = "Workflow", "Job", "Pod"
CONFIG_MAP = "ConfigMap"
TRACKING = "batch.kubernetes.io/job-tracking"
FOREGROUND = "foregroundDeletion"
_UNLOCKED = (
    "parallelism",
    "timeout",
    "suspend",
    "ttlSecondsAfterFinished",
    "rerunPolicy",
    "jobRetention",
    "log",
)


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386, without touching ``target``."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def meta(raw: Raw) -> Raw:
    found: Raw = raw["metadata"]
    return found


def is_deleting(raw: Raw) -> bool:
    return "deletionTimestamp" in raw["metadata"]


def with_meta(raw: Raw, **changes: Any) -> Raw:
    """``raw`` with other metadata; None removes a field."""
    merged = {**raw["metadata"], **changes}
    return {**raw, "metadata": {k: v for k, v in merged.items() if v is not None}}


def with_status(raw: Raw, **changes: Any) -> Raw:
    """``raw`` with another status; None removes a field."""
    merged = {**raw.get("status", {}), **changes}
    return {**raw, "status": {k: v for k, v in merged.items() if v is not None}}


def with_spec(raw: Raw, **changes: Any) -> Raw:
    """``raw`` with another spec; None removes a field."""
    merged = {**raw["spec"], **changes}
    return {**raw, "spec": {k: v for k, v in merged.items() if v is not None}}


class Store:
    """Objects by kind and name, in one namespace."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self._objects: dict[str, dict[str, Raw]] = {WORKFLOW: {}, JOB: {}, POD: {}}
        self._objects[CONFIG_MAP] = {}
        self.version = 100
        """The latest resourceVersion that was given."""
        self._uids = 0
        self.events: dict[str, list[Raw]] = {}
        """FailedCreate Events by Job uid."""
        self.listeners: list[Listener] = []

    def get(self, kind: str, name: str) -> Raw | None:
        return self._objects[kind].get(name)

    def find(self, kind: str, name: str) -> Raw:
        found = self._objects[kind].get(name)
        if found is None:
            raise errors.NotFound(f'{kind} "{name}" not found', status=404, reason="NotFound")
        return found

    def live(self, kind: str, name: str, uid: str) -> Raw | None:
        """The object, if it is still the same."""
        found = self._objects[kind].get(name)
        return found if found is not None and found["metadata"]["uid"] == uid else None

    def all(self, kind: str) -> Iterator[Raw]:
        return iter(list(self._objects[kind].values()))

    def new_uid(self) -> str:
        self._uids += 1
        return f"{self._time.seed & 0xFFFFFFFF:08x}-0000-4000-8000-{self._uids:012x}"

    def create(self, kind: str, raw: Raw) -> Raw:
        name = raw["metadata"]["name"]
        if name in self._objects[kind]:
            raise errors.AlreadyExists(
                f'{kind} "{name}" already exists', status=409, reason="AlreadyExists"
            )
        stored = with_meta(
            raw,
            namespace=NAMESPACE,
            uid=self.new_uid(),
            creationTimestamp=self._time.text(),
            generation=1,
        )
        return self._put(kind, "ADDED", stored, None)

    def update(self, kind: str, raw: Raw) -> Raw:
        """Store ``raw``; nothing happens if that changes nothing."""
        old = self._objects[kind].get(raw["metadata"]["name"])
        if old is None or old["metadata"]["uid"] != raw["metadata"]["uid"]:
            raise errors.NotFound("it has gone", status=404, reason="NotFound")
        if old == raw:
            return old
        if kind != POD and old.get("spec") != raw.get("spec"):
            raw = with_meta(raw, generation=old["metadata"]["generation"] + 1)
        if is_deleting(raw) and not raw["metadata"].get("finalizers") and kind != POD:
            return self.remove(kind, raw)
        return self._put(kind, "MODIFIED", raw, old)

    def edit(self, name: str, change: Callable[[Raw], Raw]) -> Raw | None:
        """A user changes a Workflow's spec or annotations; None if the lock forbids it."""
        old = self._objects[WORKFLOW].get(name)
        if old is None:
            return None
        new = change(old)
        if old.get("status", {}).get("phase") in LIVE_PHASES and _locked(old) != _locked(new):
            return None
        return self.update(WORKFLOW, new)

    def remove(self, kind: str, raw: Raw) -> Raw:
        old = self._objects[kind].pop(raw["metadata"]["name"])
        self.version += 1
        gone = with_meta(raw, resourceVersion=str(self.version))
        self._tell(kind, "DELETED", gone, old)
        return gone

    def mark_deleted(self, kind: str, raw: Raw, grace: float = 0.0, **changes: Any) -> Raw:
        """Set the deletionTimestamp, once; a shorter grace period replaces a longer one."""
        at = stamp(self._time.now() + timedelta(seconds=grace))
        present = raw["metadata"].get("deletionTimestamp")
        if present is not None and present <= at:
            return raw
        return self.update(kind, with_meta(raw, deletionTimestamp=at, **changes))

    def failed_create(self, job: Raw, message: str) -> None:
        event = {
            "reason": "FailedCreate",
            "message": f"Error creating: {message}",
            "involvedObject": {"kind": "Job", "uid": job["metadata"]["uid"]},
            "lastTimestamp": self._time.text(),
        }
        self.events.setdefault(job["metadata"]["uid"], []).append(event)

    def _put(self, kind: str, event: str, raw: Raw, old: Raw | None) -> Raw:
        self.version += 1
        stored = with_meta(raw, resourceVersion=str(self.version))
        self._objects[kind][stored["metadata"]["name"]] = stored
        self._tell(kind, event, stored, old)
        return stored

    def _tell(self, kind: str, event: str, raw: Raw, old: Raw | None) -> None:
        for listener in self.listeners:
            listener(kind, event, raw, old)


def _locked(raw: Raw) -> Raw:
    return {key: value for key, value in raw["spec"].items() if key not in _UNLOCKED}


def controller_uid(raw: Raw) -> str:
    """uid of the object that owns ``raw`` by its controller owner reference."""
    for owner in raw["metadata"].get("ownerReferences", ()):
        if owner.get("controller"):
            return str(owner["uid"])
    return ""


def label(raw: Raw, name: str) -> str:
    return str(raw["metadata"].get("labels", {}).get(name, ""))


def executor(raw: Raw) -> str:
    """The node or standby whose program a Job or pod runs."""
    return label(raw, c.LABEL_STANDBY) or label(raw, c.LABEL_NODE)
