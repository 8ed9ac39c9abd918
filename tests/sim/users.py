"""People: they create the Workflow, ask for things while it runs, and for more once it ended."""

import random
from collections.abc import Callable
from typing import Any

from tests.sim.garbage import WAYS, Collector
from tests.sim.scenario import Scenario
from tests.sim.store import WORKFLOW, Raw, with_meta, with_spec
from tests.sim.voters import Voters
from tests.sim.world import World
from tidegate import constants as c

NAME = "flow"
_FINAL = ("Succeeded", "Failed", "Cancelled")
Edit = Callable[[Raw], Raw]


class User:
    """One person with a Workflow, and not much patience."""

    def __init__(
        self,
        world: World,
        collector: Collector,
        scenario: Scenario,
        voters: Voters,
        chance: random.Random,
    ) -> None:
        self._world = world
        self._store = world.store
        self._collector = collector
        self._scenario = scenario
        self._voters = voters
        self._chance = chance
        self._left = scenario.requests
        self._count = 0
        self._seen_runs: set[tuple[str, int]] = set()
        self.cancelled = False
        self.deleted = False
        world.store.listeners.append(self._on_event)

    def begin(self) -> None:
        self._create(self._scenario.spec)
        for _ in range(self._left // 2):
            self._world.time.after(self._chance.uniform(0.1, 40.0), self._ask_while_running)

    def _create(self, spec: dict[str, Any]) -> None:
        manifest = {
            "apiVersion": c.API_VERSION,
            "kind": c.KIND,
            "metadata": {"name": NAME, "annotations": self._voters.standing()},
            "spec": spec,
            "status": {"observedGeneration": -1},
        }
        self._store.create(WORKFLOW, manifest)
        if spec.get("suspend"):
            self._world.time.after(self._chance.uniform(1, 30), self._resume)

    def _edit(self, what: str, edit: Edit) -> None:
        done = self._store.edit(NAME, lambda raw: self._voters.signed(edit(raw))) is not None
        self._world.trace.add("user", what, "" if done else "(refused)")

    def _annotate(self, key: str, text: str) -> None:
        self._count += 1
        value = f"{text}@{self._count}"

        def edit(raw: Raw) -> Raw:
            annotations = {**raw["metadata"].get("annotations", {}), key: value}
            return with_meta(raw, annotations=annotations)

        self._edit(f"asks {key} {value}", edit)

    def _resume(self) -> None:
        self._edit("resumes", lambda raw: with_spec(raw, suspend=False))

    def _ask_while_running(self) -> None:
        deed = self._chance.randrange(9)
        if deed <= 1:
            self._edit("suspends", lambda raw: with_spec(raw, suspend=True))
            self._world.time.after(self._chance.uniform(1, 60), self._resume)
        elif deed == 2:
            self.cancelled = True
            self._annotate(c.ANNOTATION_CANCEL, "graceful")
        elif deed == 3:
            self.cancelled = True
            self._annotate(c.ANNOTATION_CANCEL, "now")
        elif deed == 4:
            self._annotate(c.ANNOTATION_CANCEL, "please")
        elif deed == 5:
            self._annotate(c.ANNOTATION_RERUN, self._chance.choice(("failed", "all", "nonsense")))
        elif deed == 6:
            timeout = self._chance.choice(("10s", "1m", "1h"))
            self._edit(f"timeout {timeout}", lambda raw: with_spec(raw, timeout=timeout))
        elif deed == 7:
            self._delete_workflow()
        else:
            number = self._chance.choice((1, 2, 5))
            self._edit(f"parallelism {number}", lambda raw: with_spec(raw, parallelism=number))

    def _delete_workflow(self) -> None:
        workflow = self._store.get(WORKFLOW, NAME)
        if workflow is None or self._chance.random() < 0.5:
            return
        self.deleted = True
        way = self._chance.choice(WAYS[:2])
        self._world.trace.add("user", "deletes", way)
        self._collector.delete_workflow(workflow, way)
        if self._chance.random() < 0.5:
            self._world.time.after(self._chance.uniform(0.05, 20.0), self._create_again)

    def _create_again(self) -> None:
        if self._store.get(WORKFLOW, NAME) is None:
            self._world.trace.add("user", "creates again")
            self._create(self._scenario.spec)

    def _on_event(self, kind: str, event: str, raw: Raw, _old: Raw | None) -> None:
        status = raw.get("status", {})
        if kind != WORKFLOW or event == "DELETED" or status.get("phase") not in _FINAL:
            return
        run = (raw["metadata"]["uid"], status.get("run", 0))
        if run not in self._seen_runs:
            self._seen_runs.add(run)
            if self._left > 0:
                self._left -= 1
                self._world.time.after(self._chance.uniform(0.1, 60.0), self._after_run)

    def _after_run(self) -> None:
        gates = self._scenario.gates.asked
        if gates and self._chance.random() < 0.3:
            self._edit("moves a node", self._change_the_graph)
        deed = self._chance.random()
        if deed < 0.4:
            self._edit("changes a node", self._change_a_node)
        elif deed < 0.5:
            self._edit("writes nonsense", lambda raw: with_spec(raw, onExit=["nobody"]))
            self._annotate(c.ANNOTATION_RERUN, "all")
            self._world.time.after(5.0, self._mend)
        self._world.time.after(self._chance.choice((0.0, 0.0, 10.0)), self._rerun)

    def _mend(self) -> None:
        on_exit = self._scenario.spec.get("onExit")
        self._edit("mends it", lambda raw: with_spec(raw, onExit=on_exit))

    def _rerun(self) -> None:
        nodes = [x["name"] for x in self._scenario.spec["nodes"]]
        how = self._chance.choice(("failed", "failed", "all", f"from={self._chance.choice(nodes)}"))
        self._annotate(c.ANNOTATION_RERUN, how)

    def _change_the_graph(self, raw: Raw) -> Raw:
        """A node before or behind a checkpoint comes, or goes again."""
        nodes = [dict(node) for node in raw["spec"]["nodes"]]
        if any(node["name"] == "extra" for node in nodes):
            nodes = [node for node in nodes if node["name"] != "extra"]
            for node in nodes:
                if "extra" in node.get("dependsOn", ()):
                    node["dependsOn"] = [x for x in node["dependsOn"] if x != "extra"]
            return with_spec(raw, nodes=nodes)
        extra: Raw = {"name": "extra", "command": ["/bin/work"]}
        gate = self._chance.choice([node for node in nodes if "checkpoint" in node])
        if self._chance.random() < 0.5:
            extra["dependsOn"] = [gate["name"]]
        else:
            gate["dependsOn"] = [*gate.get("dependsOn", ()), "extra"]
        return with_spec(raw, nodes=[*nodes, extra])

    def _change_a_node(self, raw: Raw) -> Raw:
        nodes = list(raw["spec"]["nodes"])
        index, new = self._chance.randrange(len(nodes)), f"v{self._chance.randrange(1000)}"
        if "checkpoint" in nodes[index]:
            nodes[index] = {
                **nodes[index],
                "checkpoint": {**nodes[index]["checkpoint"], "message": new},
            }
            return with_spec(raw, nodes=nodes)
        nodes[index] = {**nodes[index], "args": [new]}
        return with_spec(raw, nodes=nodes)
