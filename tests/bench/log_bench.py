"""What logs cost, by hand: ``python -m tests.bench.log_bench``.

A run of 500 nodes in ten waves, over an API server in memory: first how many writes of its log
there are and how large, with 20 lines of output a node at the pace of a real Job controller; then
how long a hand-off takes (the last pod of a wave has ended, the next wave's Jobs are created) with
its log written without pause, the worst there can be, and without any log.
"""

import asyncio
import sys
import time
from collections.abc import Iterator, Mapping
from statistics import quantiles
from typing import Any

import orjson

from tests.fault.test_log_faults import LoggedCluster
from tests.unit.cluster.logs import FakeLogs
from tests.unit.cluster.objects import KEY, workflow
from tests.unit.cluster.virtual import virtual
from tidegate.cluster.log_entry import Pace
from tidegate.cluster.recorder import Recorder

WAVES, WIDTH = 10, 50
SECONDS_A_NODE = 500 / 3.4 / WAVES
"""So long a wave of 50 takes a kube-controller-manager at its defaults."""
OUTPUT = b"".join(b"2026-11-22T12:00:%02d INFO did this and that, %d of 30\n" % (i, i)
                  for i in range(30))  # fmt: skip
ROUNDS = 5


def spec() -> dict[str, Any]:
    def nodes() -> Iterator[dict[str, Any]]:
        for wave in range(WAVES):
            for place in range(WIDTH):
                after = [f"n{wave - 1}-{(place + k) % WIDTH}" for k in (0, 1)] if wave else []
                yield {"name": f"n{wave}-{place}", "command": ["true"], "dependsOn": after}

    return {"defaults": {"image": "busybox"}, "parallelism": 500, "nodes": list(nodes())}


class Counted(FakeLogs):
    """Logs whose writes are counted in bytes."""

    def __init__(self) -> None:
        FakeLogs.__init__(self)
        self.sizes: list[int] = []

    async def create(self, namespace: str, body: Mapping[str, Any]) -> None:
        self.sizes.append(len(orjson.dumps(body)))
        await FakeLogs.create(self, namespace, body)

    async def patch(self, namespace: str, name: str, patch: Mapping[str, Any]) -> None:
        self.sizes.append(len(orjson.dumps(patch)))
        await FakeLogs.patch(self, namespace, name, patch)


class Large(LoggedCluster):
    """The run, its passes timed."""

    def __init__(self, logs: FakeLogs, runs_for: float, *, logged: bool = True) -> None:
        self._logged = logged
        self.taken: list[float] = []
        super().__init__(logs, runs_for)
        self.api.workflows[KEY.name] = workflow(2, spec=spec())
        super()._tell()

    def new_recorder(self) -> Any:
        if not self._logged:
            return self.quiet
        if not self.taken and self._runs_for.total_seconds() > 1:
            return super().new_recorder()
        ports = (self.view, self.quiet, self.quiet, self.clock)
        recorder = Recorder(self.logs, ports, Pace(0.0, 0.0))
        task = asyncio.get_running_loop().create_task(recorder.run())
        self._recording = [(task, recorder)]
        return recorder

    async def one_pass(self) -> None:
        before, began = len(self.api.jobs), time.perf_counter()
        await super().one_pass()
        if len(self.api.jobs) > before:
            self.taken.append(time.perf_counter() - began)

    def _tell(self) -> None:
        super()._tell()
        for one in self.api.pods:
            self.logs.outputs[f"{one['metadata']['name']}/main"] = OUTPUT


@virtual
async def writes() -> None:
    logs = Counted()
    cluster = Large(logs, SECONDS_A_NODE)
    await cluster.run(seconds=400)
    await cluster.settle()
    data = logs.maps[f"{KEY.name}-log"]["data"]
    tails = sum(key.endswith(".txt") for key in data)
    told = (
        f"500 nodes in {WAVES * SECONDS_A_NODE:.0f} s: {len(logs.sizes)} writes",
        f"{sum(logs.sizes) / 1024:.0f} KiB in all",
        f"at last {len(orjson.dumps(data)) / 1024:.0f} KiB",
        f"log.md {len(data['log.md'].encode()) / 1024:.0f} KiB, {tails} tails",
        f"read: {logs.count('get')} ConfigMaps, {logs.count('tail')} ends of logs",
    )
    sys.stdout.write("; ".join(told) + "\n")


async def handoffs(*, logged: bool) -> list[float]:
    cluster = Large(FakeLogs(), 1.0, logged=logged)
    cluster.rest = _breathe  # type: ignore[method-assign]
    await cluster.run(seconds=400)
    return cluster.taken[1:]


async def _breathe() -> None:
    """Whatever the log does in threads goes on while the next pass is made."""
    await asyncio.sleep(0.02)


def main() -> None:
    """Print both."""
    writes()
    for logged in (False, True) * ROUNDS:
        taken = asyncio.run(handoffs(logged=logged))
        cuts = quantiles(taken, n=20)
        sys.stdout.write(f"hand-off of 50 {'with a log   ' if logged else 'without a log'}: median "
                         f"{cuts[9] * 1000:.1f} ms, 95 % {cuts[18] * 1000:.1f} ms\n")  # fmt: skip


if __name__ == "__main__":
    main()
