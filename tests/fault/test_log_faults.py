"""Each request of a log fails, hangs, conflicts or loses its answer: the run never hears of it."""

import asyncio
import itertools
from typing import Any

import pytest

from tests.fault.harness import Cluster
from tests.unit.cluster.logs import FakeLogs, inline
from tests.unit.cluster.objects import KEY, LOST, UID
from tests.unit.cluster.virtual import virtual
from tidegate.api.identity import AttemptId
from tidegate.api.status import Phase
from tidegate.cluster.log_writer import Writer, digest_of
from tidegate.cluster.recorder import Recorder
from tidegate.errors import ServerFault, Throttled, from_status
from tidegate.report.volume import Mark

ATTEMPTS = [AttemptId(1, "a", 1), AttemptId(1, "b", 1)]
PASSING: dict[str, Any] = {
    "throttled": Throttled("slow down", retry_after=1),
    "server fault": ServerFault("etcd", status=500),
    "request lost": LOST,
    "answer lost": ("after", LOST),
    "answer lost by a proxy": ("after", ServerFault("gateway timeout", status=504)),
    "conflict": from_status(409, "Conflict", "the object has been modified"),
    "hang": "hang",
}
LASTING: dict[str, Any] = {
    "forbidden": from_status(403, "Forbidden", "cannot do that"),
    "quota": from_status(403, "Forbidden", "exceeded quota"),
    "too large": from_status(413, "RequestEntityTooLarge", "too large"),
    "denied": from_status(422, "Invalid", "denied by a policy"),
    "hang": "hang",
}
VERBS = ("marks", "get", "create", "patch", "tail")
STARTED = "2026-11-22T12:00:01Z"


class LoggedCluster(Cluster):
    """A cluster in whose seconds the log is kept, too."""

    def __init__(self, logs: FakeLogs, runs_for: float = 1.0) -> None:
        self.logs = logs
        self._recording: list[Any] = []
        super().__init__(runs_for)

    def new_recorder(self) -> Recorder:
        for task, recorder in self._recording:
            task.cancel()
            recorder.stop()
        ports = (self.view, self.quiet, self.quiet, self.clock)
        recorder = Recorder(self.logs, ports, writer=Writer(self.logs, inline))
        self._recording = [(asyncio.get_running_loop().create_task(recorder.run()), recorder)]
        return recorder

    async def rest(self) -> None:
        await asyncio.sleep(1)

    def _tell(self) -> None:
        for one in self.api.pods:
            name, state = one["metadata"]["name"], {"running": {"startedAt": STARTED}}
            if one["status"]["phase"] in ("Succeeded", "Failed"):
                state = {"terminated": {"exitCode": 0, "startedAt": STARTED}}  # type: ignore[dict-item]
            one["status"]["containerStatuses"] = [{"name": "main", "state": state}]
            self.logs.outputs[f"{name}/main"] = b"hello\n"
        super()._tell()

    def log_is_whole(self) -> bool:
        found = self.logs.maps.get(f"{KEY.name}-log")
        if found is None:
            return False
        mark = Mark.parse(found["metadata"]["annotations"]["tidegate.dev/log"])
        stored = self.api.workflows[KEY.name]["status"]
        return mark is not None and (mark.run, mark.status) == (1, digest_of(stored))

    async def settle(self) -> None:
        for _ in range(1000):
            if self.log_is_whole():
                return
            await self.rest()
        raise AssertionError(f"no whole log: {self.logs.maps} {self.logs.calls[-20:]}")


def tails(logs: FakeLogs) -> dict[str, str]:
    data = logs.maps[f"{KEY.name}-log"]["data"]
    return {key: text for key, text in data.items() if key.endswith(".txt")}


def assert_went_well(cluster: LoggedCluster) -> None:
    assert cluster.status.phase is Phase.SUCCEEDED
    assert cluster.created == ATTEMPTS
    assert cluster.errors == []


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize(("verb", "fault"), list(itertools.product(VERBS, PASSING)))
@virtual
async def test_what_passes_costs_the_log_some_time(verb: str, fault: str, step: int) -> None:
    logs = FakeLogs()
    logs.trouble[verb] = [None] * step + [PASSING[fault]]
    cluster = LoggedCluster(logs, runs_for=4)
    await cluster.run()
    assert_went_well(cluster)
    await cluster.settle()
    assert tails(logs) == {"1.a.1.txt": "hello\n", "1.b.1.txt": "hello\n"}
    assert logs.text.count("# demo · run 1") == 1


@pytest.mark.parametrize(("verb", "fault"), list(itertools.product(VERBS, LASTING)))
@virtual
async def test_what_lasts_costs_the_log_and_nothing_else(verb: str, fault: str) -> None:
    logs = FakeLogs()
    logs.trouble[verb] = [LASTING[fault]] * 100_000
    cluster = LoggedCluster(logs, runs_for=4)
    await cluster.run()
    assert_went_well(cluster)
    for _ in range(200):
        await cluster.rest()
    told = [note.message for note in cluster.quiet.notes if note.kind == "LogIncomplete"]
    assert len(told) <= 1
    assert cluster.status.phase is Phase.SUCCEEDED
    logs.trouble[verb] = []
    if verb != "marks":
        await cluster.settle()


@pytest.mark.parametrize("step", range(1, 16))
@virtual
async def test_whenever_it_is_killed_its_heir_finishes_the_log(step: int) -> None:
    logs = FakeLogs()
    cluster = LoggedCluster(logs, runs_for=4)
    for _ in range(step):
        if not cluster.status.phase or not cluster.is_over:
            await cluster.run(until=itertools.chain([False], itertools.repeat(True)).__next__)
        else:
            await asyncio.sleep(0.05)
    cluster.start_operator()
    await cluster.run()
    assert_went_well(cluster)
    await cluster.settle()
    assert tails(logs) == {"1.a.1.txt": "hello\n", "1.b.1.txt": "hello\n"}


@virtual
async def test_between_status_and_log_nothing_is_lost() -> None:
    logs = FakeLogs()
    cluster = LoggedCluster(logs)
    logs.trouble["get"] = ["hang"]
    await cluster.run()
    assert logs.maps == {}
    cluster.start_operator()
    await cluster.settle()
    assert sorted(tails(logs)) == ["1.a.1.txt", "1.b.1.txt"]
    assert logs.maps[f"{KEY.name}-log"]["metadata"]["labels"]["tidegate.dev/workflow-uid"] == UID
