"""What somebody asked of the API server, read from its audit log."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.kit.waiting import WaitedError

PAUSE = 0.2
WRITES = ("create", "update", "patch", "delete", "deletecollection")


@dataclass(frozen=True)
class Asked:
    """One request, as far as RBAC sees it."""

    at: datetime
    verb: str
    resource: str
    """With its subresource: ``workflows/status``."""
    namespace: str
    name: str
    code: int
    allowed: bool

    @property
    def is_write(self) -> bool:
        """Whether it changes something."""
        return self.verb in WRITES

    @property
    def right(self) -> tuple[str, str]:
        """What RBAC has to allow."""
        return self.resource, self.verb


@dataclass
class Audit:
    """Requests of one user from a point in time on; reads on where it stopped."""

    log: Path
    user: str
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    _offset: int = 0
    _found: list[Asked] = field(default_factory=list)

    @classmethod
    def from_now(cls, log: Path, user: str) -> Audit:
        """Return one that begins with the next request."""
        return cls(log, user, _offset=log.stat().st_size)

    def requests(self) -> list[Asked]:
        """Return all requests so far."""
        self._found += self._more()
        return self._found

    def wait(
        self, condition: Callable[[list[Asked]], Any], what: str, seconds: float = 30
    ) -> list[Asked]:
        """Read on until ``condition`` holds for all requests so far."""
        deadline, pause = time.monotonic() + seconds, threading.Event()
        while not condition(found := self.requests()):
            if time.monotonic() > deadline:
                raise WaitedError(f"waited {seconds:.0f} s for: {what}; {self.user} asked {found}")
            pause.wait(PAUSE)
        return found

    def _more(self) -> Iterator[Asked]:
        with self.log.open("rb") as lines:
            lines.seek(self._offset)
            for line in lines:
                if not line.endswith(b"\n"):
                    return  # half written
                self._offset += len(line)
                if self.user.encode() not in line:
                    continue
                event: dict[str, Any] = json.loads(line)
                at = datetime.fromisoformat(event["requestReceivedTimestamp"])
                own = event["user"]["username"] == self.user
                if own and "objectRef" in event and at >= self.since:
                    yield _asked(event, at)


def _asked(event: dict[str, Any], at: datetime) -> Asked:
    target = event["objectRef"]
    sub = f"/{target['subresource']}" if "subresource" in target else ""
    decision = event.get("annotations", {}).get("authorization.k8s.io/decision")
    return Asked(
        at,
        event["verb"],
        target["resource"] + sub,
        target.get("namespace", ""),
        target.get("name", ""),
        int(event.get("responseStatus", {}).get("code") or 0),
        decision == "allow",
    )
