"""The checkpoints of a history: which nodes ask people, what they ask, and how people behave.

Chosen by chances of their own, so that a seed's history without them stays the same.
"""

import random
from dataclasses import dataclass, field
from typing import Any

Spec = dict[str, Any]
PEOPLE = ("ann", "bob", "cyd", "dan")
OPS = PEOPLE[:3]
"""The members of the group that some checkpoints name."""
GROUP = "ops"
NO_POLICY, STABLE, CHANGING = "none", "stable", "changing"
_OF_TASKS = (
    "command", "args", "retry", "timeout", "startTimeout", "fallback", "allowFailure", "outputs",
    "env",
)  # fmt: skip
_ROWS = {"name": "rows", "pattern": "[0-9]+"}
_PLACE = {"name": "place", "choices": ["dev", "prod"], "default": "dev"}


@dataclass(slots=True)
class Gates:
    """What people are asked in a history, and what they are like."""

    asked: dict[str, Spec] = field(default_factory=dict)
    """The checkpoints by their nodes."""
    policy: str = NO_POLICY
    """Whether the API server checks votes: never, always, or now and then."""
    required: bool = False
    """The setting ``requireVerifiedVotes``."""
    silent: frozenset[str] = frozenset()
    """Nodes on which nobody votes: the clock decides."""
    chatter: int = 0
    """Votes at any moment, whether anybody asked or not."""
    noise: int = 0
    """Votes beside those that decide, at every opening."""
    patience: tuple[float, ...] = (1.0,)
    """How long people take to answer: one of these, in seconds."""
    rejects: float = 0.0
    """How likely those who decide reject."""
    kills: int = 0
    """How often the operator dies while something is open."""

    def needs_policy(self, name: str) -> bool:
        gate = self.asked[name]
        return bool("approvers" in gate or gate.get("forbidAuthors") or self.required)


def add_gates(seed: int, spec: Spec, *, calm: bool) -> Gates:
    """Turn some nodes of some histories into checkpoints."""
    chance = random.Random(f"{seed}/gates")
    if chance.random() >= 0.4:
        return Gates()
    nodes = spec["nodes"]
    picked = chance.sample(nodes, min(len(nodes), chance.choice((1, 1, 2, 3))))
    found = Gates(policy=chance.choice((NO_POLICY, NO_POLICY, STABLE, CHANGING, CHANGING)))
    if calm and found.policy == CHANGING:
        found.policy = STABLE
    found.required = found.policy != NO_POLICY and chance.random() < 0.3
    silent = set()
    for node in picked:
        gate = _gate(chance, found.policy)
        if calm or chance.random() < 0.2:
            gate.pop("timeout", None)
        if chance.random() < 0.2:
            gate["timeout"] = chance.choice(("5s", "1m"))
            silent.add(node["name"])
        _choose_ending(chance, gate)
        found.asked[node["name"]] = gate
        _convert(node, gate)
    found.silent = frozenset(silent)
    found.kills = chance.choice((0, 0, 1, 2))
    found.patience = chance.choice(((0.0,), (0.5, 3.0), (0.0, 1.0, 20.0), (5.0, 1500.0)))
    found.rejects = chance.choice((0.0, 0.1, 0.5))
    if not calm:
        found.chatter = chance.choice((0, 0, 2, 6))
        found.noise = chance.choice((0, 1, 3))
    elif "failurePolicy" not in spec or spec["failurePolicy"] != "Continue":
        spec["failurePolicy"] = "Continue"
    _mend(spec, found)
    return found


def _gate(chance: random.Random, policy: str) -> Spec:
    gate: Spec = {"message": "Go on with $(workflow.name), run $(workflow.run)?"}
    if chance.random() < 0.4:
        gate["timeout"] = chance.choice(("5s", "30s", "10m"))
    if chance.random() < 0.2:
        gate["choices"] = ["staging", "canary"]
    if chance.random() < 0.4:
        gate["minApprovals"] = chance.choice((2, 2, 3))
    if chance.random() < 0.25:
        gate["requireCode"] = True
    if chance.random() < 0.25:
        gate["inputs"] = chance.choice(([_ROWS], [_PLACE], [_ROWS, _PLACE]))
    if policy != NO_POLICY and chance.random() < 0.4:
        gate["approvers"] = chance.choice(({"users": list(OPS)}, {"groups": [GROUP]}))
    if policy != NO_POLICY and chance.random() < 0.3:
        gate["forbidAuthors"] = True
        gate["minApprovals"] = min(gate.get("minApprovals", 1), 2)
    return gate


def _choose_ending(chance: random.Random, gate: Spec) -> None:
    """What the clock does; a clock can't stand in where somebody in particular must answer."""
    picky = {"approvers", "minApprovals", "forbidAuthors", "requireCode", "inputs"}
    if "timeout" in gate and picky.isdisjoint(gate) and chance.random() < 0.5:
        gate["onTimeout"] = "Approve"


def _convert(node: Spec, gate: Spec) -> None:
    for key in _OF_TASKS:
        node.pop(key, None)
    node["checkpoint"] = gate


def _mend(spec: Spec, gates: Gates) -> None:
    """What referred to a task's output refers to the decision; standbys for nobody go."""
    for node in spec["nodes"]:
        for name in gates.asked:
            numbers = f"nodes.{name}.outputs.n"
            if "args" in node and numbers in node["args"][0]:
                node["args"] = [f"d=$(nodes.{name}.outputs.decision)"]
            for entry in node.get("env", ()):
                if numbers in entry["value"]:
                    entry["value"] = f"$(nodes.{name}.outputs.decision)"
            if numbers in node.get("when", ""):
                node["when"] = f'nodes.{name}.outputs.decision == "approved"'
    used = {node.get("fallback") for node in spec["nodes"]}
    used.update(spec.get("onError", ()), spec.get("onExit", ()))
    spec["standbys"] = [x for x in spec.get("standbys", ()) if x["name"] in used]


def gates_of(spec: Spec) -> dict[str, Spec]:
    """The checkpoints of a spec, by their nodes."""
    return {x["name"]: x["checkpoint"] for x in spec["nodes"] if "checkpoint" in x}


def covered_by(spec: Spec, name: str) -> Spec:
    """The nodes before and behind a checkpoint and itself, as they are written."""
    nodes = {x["name"]: x for x in spec["nodes"]}
    before, behind = {name}, {name}
    while more := {x for y in before for x in nodes[y].get("dependsOn", ())} - before:
        before |= more
    while more := {x for x in nodes if behind & set(nodes[x].get("dependsOn", ()))} - behind:
        behind |= more
    return {x: nodes[x] for x in before | behind}


__all__ = [
    "CHANGING",
    "GROUP",
    "NO_POLICY",
    "OPS",
    "PEOPLE",
    "STABLE",
    "Gates",
    "add_gates",
    "covered_by",
    "gates_of",
]
