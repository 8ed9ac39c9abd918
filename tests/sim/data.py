"""What nodes pass on in a history: params, outputs good and bad, references and conditions.

Chosen by chances of their own, so that a seed's history without them stays the same.
"""

import json
import random
from collections.abc import Iterator
from typing import Any

from tests.sim.kubelet import Process
from tests.sim.store import Raw
from tests.sim.truth import Truth
from tidegate.api.identity import AttemptId
from tidegate.api.status import WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow

Spec = dict[str, Any]
_MARK = "n="
_DECISION = "d="
_VARIABLE = "N"
_BAD = ("", "done", "[1]", '{"n":', '{"m": 1}', '{"n": 1, "n": 2}', '{"n": NaN}', "{" + "x" * 4095)


def add_data(seed: int, spec: Spec) -> None:
    """Let the nodes of some histories talk to each other."""
    chance = random.Random(f"{seed}/data")
    if chance.random() < 0.5:
        return
    spec["params"] = [{"name": "mode", "value": chance.choice(("", "full", "$(VAR) $$"))}]
    for task in (*spec["nodes"], *spec.get("standbys", ())):
        if chance.random() < 0.4:
            task["outputs"] = [_output(chance)]
    for node in spec["nodes"]:
        before = node.get("dependsOn", [])
        if chance.random() < 0.2:
            node["args"] = ["p=$(params.mode) r=$(workflow.run)"]
        if before and chance.random() < 0.4:
            node["args"] = [f"{_MARK}$(nodes.{chance.choice(before)}.outputs.n)"]
        if chance.random() < 0.2:
            node["when"] = _condition(chance, before)
    _add_variables(random.Random(f"{seed}/variables"), spec["nodes"])


def _add_variables(chance: random.Random, nodes: list[Spec]) -> None:
    """Let some fallbacks inherit what may have no value."""
    for node in nodes:
        before = node.get("dependsOn", [])
        if before and "fallback" in node and chance.random() < 0.5:
            source = chance.choice(before)
            node["env"] = [{"name": _VARIABLE, "value": f"$(nodes.{source}.outputs.n)"}]


def _output(chance: random.Random) -> Spec:
    return {"name": "n"} | ({"default": -7} if chance.random() < 0.5 else {})


def _condition(chance: random.Random, before: list[str]) -> str:
    plain = ("true", "false", 'params.mode != ""', "workflow.run > 1", "1 / (workflow.run - 1) > 0")
    if not before or chance.random() < 0.4:
        return chance.choice(plain)
    name = chance.choice(before)
    return chance.choice(
        (
            f'nodes["{name}"].phase == "Succeeded"',
            f"nodes.{name}.outputs.n > 500",
            f"has(nodes.{name}.outputs.n) && nodes.{name}.outputs.n > 500",
            f'nodes.{name}.servedBy == "" && nodes.{name}.exitCode <= 0',
        )
    )


def message_of(seed: int, executor: str, run: int, number: int) -> str:
    """What the program of an attempt writes, if it ends well."""
    chance = random.Random(f"{seed}/message/{executor}/{run}/{number}")
    if chance.random() < 0.15:
        return chance.choice(_BAD)
    return json.dumps({"n": chance.randrange(1000), "none": None})


def wrong_values(
    truth: Truth, owner: str, workflow: ValidatedWorkflow, attempt: AttemptId, job: Raw
) -> Iterator[str]:
    """Values in a new Job that nobody wrote."""
    task = workflow.stand_ins[attempt.node] if attempt.standby else None
    task = task or workflow.tasks.get(attempt.node) or workflow.standbys[attempt.node]
    given = job["spec"]["template"]["spec"]["containers"][0].get("args") or [""]
    if not given[0].startswith(_MARK) or not task.args or not task.references:
        return
    source = task.args[0].removeprefix(f"{_MARK}$(nodes.").partition(".")[0]
    value = given[0].removeprefix(_MARK)
    written = {_written(process) for process in truth.processes(owner, source)}
    if value not in written and value != "-7":
        yield f"{attempt} is told {value} of {source}, which wrote {written}"


def wrong_variables(
    truth: Truth, owner: str, workflow: ValidatedWorkflow, attempt: AttemptId, job: Raw
) -> Iterator[str]:
    """A variable in a new Job that nobody wrote, or a node's own attempt without it."""
    task = workflow.tasks.get(attempt.node)
    entry = next((e for e in (task.env if task else ()) if e["name"] == _VARIABLE), None)
    if entry is None:
        return
    source, _, field = entry["value"].removeprefix("$(nodes.").removesuffix(")").partition(".")
    given = job["spec"]["template"]["spec"]["containers"][0]["env"]
    value = next((e["value"] for e in given if e["name"] == _VARIABLE), None)
    if value is None and not attempt.standby:
        yield f"{attempt} isn't told what {source} wrote"
    if value is None or field != "outputs.n":
        return
    written = {_written(process) for process in truth.processes(owner, source)}
    if value not in written and value != "-7":
        yield f"{attempt} has {_VARIABLE}={value} of {source}, which wrote {written}"


def wrong_decisions(
    workflow: ValidatedWorkflow, status: WorkflowStatus, attempt: AttemptId, job: Raw
) -> Iterator[str]:
    """A decision in a new Job that isn't the recorded one."""
    task = workflow.tasks.get(attempt.node)
    given = job["spec"]["template"]["spec"]["containers"][0].get("args") or [""]
    if task is None or not task.args or attempt.standby or not given[0].startswith(_DECISION):
        return
    asked = task.args[0].removeprefix(f"{_DECISION}$(nodes.").partition(".")[0]
    recorded = json.loads(status.nodes[asked].outputs or "{}").get("decision")
    if given[0] != f"{_DECISION}{recorded}":
        yield f"{attempt} is told {given[0]}, but {asked} decided {recorded}"


def wrong_outputs(truth: Truth, owner: str, name: str, outputs: str | None) -> Iterator[str]:
    """Recorded outputs that no program of the node wrote."""
    if outputs is None:
        return
    if "n" not in json.loads(outputs):
        return
    value = str(json.loads(outputs)["n"])
    written = {_written(process) for process in truth.processes(owner, name)}
    if value not in written and value != "-7":
        yield f"{name} has outputs {outputs}, but wrote {written}"


def _written(process: Process) -> str:
    try:
        return str(json.loads(process.program.message)["n"]) if process.exit_code == 0 else ""
    except (ValueError, KeyError, TypeError):
        return ""
