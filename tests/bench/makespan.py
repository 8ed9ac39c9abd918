"""How long a Workflow takes next to a bare loop that creates the same Jobs and watches the pods.

Both run in turns in one session, on the same cluster, so that what the machine does meanwhile hits
both; what counts is the ratio of the medians.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median

from tests.bench.figures import Cost, Figures
from tests.kit.client import Client, Object, Query
from tests.kit.cluster import Cluster
from tests.kit.space import Space, workflow
from tidegate.api.identity import AttemptId, WorkflowKey
from tidegate.api.workflow import validate
from tidegate.build.job import job_manifest
from tidegate.engine.model import Start
from tidegate.facts.model import WorkflowFact

PATIENCE = 300.0


@dataclass(frozen=True)
class Shape:
    """Waves of equal nodes, each of which depends on all nodes of the wave before."""

    title: str
    waves: int
    width: int

    @property
    def nodes(self) -> int:
        """How many there are."""
        return self.waves * self.width

    def spec(self) -> Object:
        """The Workflow's spec."""
        nodes: list[Object] = []
        for wave in range(self.waves):
            former = [f"n{wave - 1}-{i}" for i in range(self.width)] if wave else []
            for i in range(self.width):
                node: Object = {"name": f"n{wave}-{i}", "command": ["/bin/true"]}
                nodes.append({**node, "dependsOn": former} if former else node)
        return {"nodes": nodes}


SHAPES = (Shape("chain of 5", 5, 1), Shape("3 waves of 10", 3, 10))


def measure(cluster: Cluster, rounds: int) -> None:
    """Print makespans, ratios, API writes and CPU of each shape."""
    for shape in SHAPES:
        loops, flows, costs = [], [], []
        for number in range(rounds):
            loops.append(_in_space(cluster, f"bare-{number}", shape, _bare_loop))
            before = Figures.read(cluster)
            flows.append(_in_space(cluster, f"flow-{number}", shape, _workflow))
            costs.append(Cost(before, Figures.read(cluster)).per_node(shape.nodes))
        ratio = median(flows) / median(loops)
        print(
            f"{shape.title}: {_told(flows)} against {_told(loops)} of the loop: {ratio:.2f} times"
        )
        print(f"  {costs[-1]}")


def _told(seconds: Sequence[float]) -> str:
    spread = f" ({min(seconds):.1f}-{max(seconds):.1f})" if len(seconds) > 1 else ""
    return f"{median(seconds):.2f} s{spread}"


def _in_space(cluster: Cluster, title: str, shape: Shape, run: object) -> float:
    space = Space.make(cluster, title)
    try:
        took: float = run(space, shape)  # type: ignore[operator]
        return took
    finally:
        space.discard()
        space.wait_gone(PATIENCE)


def _workflow(space: Space, shape: Shape) -> float:
    """Seconds from the creation of the Workflow until its end is seen."""
    flow = workflow(shape.spec())
    began = time.perf_counter()
    space.add("workflows", flow)
    for seen in space.client.watch(Query("workflows", space.name), PATIENCE):
        status = next(iter(seen.values()), {}).get("status") or {}
        if status.get("phase") == "Failed":
            raise RuntimeError(status["message"])
        if status.get("phase") == "Succeeded":
            return time.perf_counter() - began
    raise TimeoutError("the Workflow didn't end")


def _bare_loop(space: Space, shape: Shape) -> float:
    """Seconds from the first creation until the last pod is seen to have succeeded."""
    waves = _manifests(space.name, shape)
    began = time.perf_counter()
    with ThreadPoolExecutor(shape.width) as pool:
        _create(space.client, pool, space.name, waves[0])
        current = 0
        for pods in space.client.watch(Query("pods", space.name), PATIENCE):
            phases = [(pod.get("status") or {}).get("phase") for pod in pods.values()]
            if phases.count("Succeeded") < shape.width * (current + 1):
                continue
            current += 1
            if current == shape.waves:
                return time.perf_counter() - began
            _create(space.client, pool, space.name, waves[current])
    raise TimeoutError("the loop didn't end")


def _create(
    client: Client, pool: ThreadPoolExecutor, namespace: str, manifests: Sequence[Object]
) -> None:
    list(pool.map(lambda manifest: client.create("jobs", namespace, manifest), manifests))


def _manifests(namespace: str, shape: Shape) -> list[list[Object]]:
    """The Jobs that the operator would create, without the owner and the labels that it follows."""
    flow = workflow(shape.spec())
    fact = WorkflowFact(
        WorkflowKey(namespace, "bare"), "bare", 1, "1", datetime.now(UTC), False, {}, False,
        flow["spec"], {},
    )  # fmt: skip
    valid = validate(fact)
    waves = []
    for wave in valid.graph.waves:
        jobs = [job_manifest(valid, Start(AttemptId(1, name, 1))) for name in wave]
        for job in jobs:
            del job["metadata"]["ownerReferences"]
            job["metadata"]["labels"] = job["spec"]["template"]["metadata"]["labels"] = {}
        waves.append(jobs)
    return waves
