"""One or two Workflows, their recorder, and all that it asks and tells."""

import asyncio
from datetime import datetime
from typing import Any

from prometheus_client import REGISTRY

from tests.unit.cluster.logs import (
    FakeLogs,
    facts,
    inline,
    pod,
    valid,
)
from tests.unit.cluster.logs import (
    fact as workflow_fact,
)
from tests.unit.cluster.objects import KEY, StillClock
from tidegate.api.identity import AttemptId, WorkflowKey
from tidegate.api.status import WorkflowStatus
from tidegate.cluster.log_writer import Writer
from tidegate.cluster.recorder import Recorder
from tidegate.errors import from_status
from tidegate.facts.model import Facts, WorkflowFact

A1 = AttemptId(1, "a", 1)
OTHER = WorkflowKey("shop", "other")
FORBIDDEN = from_status(403, "Forbidden", "exceeded quota: count/configmaps")


class World:
    """One or two Workflows, their recorder, and all that it asks and tells."""

    def __init__(self) -> None:
        self.logs = FakeLogs()
        self.logs.outputs["pod-1/main"] = b"hello\n"
        self.present: dict[WorkflowKey, WorkflowFact] = {KEY: workflow_fact()}
        self.attempts = facts(pod())
        self.warnings: list[str] = []
        self.woken: list[WorkflowKey] = []
        self.recorder = Recorder(
            self.logs, (self, self, self, StillClock()), writer=Writer(self.logs, inline)
        )
        self._running: asyncio.Task[None] | None = None

    # View, Agenda, Teller

    def workflow(self, key: WorkflowKey) -> WorkflowFact | None:
        return self.present.get(key)

    def facts(self, _workflow: WorkflowFact) -> Facts:
        return self.attempts

    def keys(self) -> list[WorkflowKey]:
        return list(self.present)

    def wake_at(self, key: WorkflowKey, _at: datetime) -> None:
        self.woken.append(key)

    def tell(self, _workflow: WorkflowFact, notes: Any, _observations: Any) -> None:
        assert all(one.kind == "LogIncomplete" and one.warning for one in notes)
        self.warnings += [one.message for one in notes]

    # The loop

    async def begin(self) -> None:
        self._running = asyncio.create_task(self.recorder.run())
        await pass_by(0)

    def note(self, state: WorkflowStatus, key: WorkflowKey = KEY) -> None:
        found = self.present[key]
        self.recorder.note(found, valid(), state)

    def has_logged(self, attempt: AttemptId | None = None) -> bool:
        return self.recorder.has_logged(self.present[KEY], attempt)

    @property
    def writes(self) -> int:
        return self.logs.count("create", "patch")


async def pass_by(seconds: float) -> None:
    await asyncio.sleep(seconds)
    for _ in range(20):
        await asyncio.sleep(0)


def now() -> float:
    return asyncio.get_running_loop().time()


def errors(kind: str) -> float:
    labels = {"kind": kind}
    return REGISTRY.get_sample_value("tidegate_log_write_errors_total", labels) or 0.0
