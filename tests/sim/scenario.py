"""What a history is about: a random Workflow, what its programs do, and what happens to them."""

import dataclasses
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from tests.sim.data import add_data, message_of
from tests.sim.gates import Gates, add_gates
from tests.sim.store import JOB, POD, WORKFLOW
from tests.sim.watch import Weather
from tests.sim.world import FOREVER, Climate, Program

Spec = dict[str, Any]
_THEMES = ("", "", "", "clear", "machines", "ends")
_SIZES = (1, 2, 2, 3, 3, 4, 5, 6, 8, 12)


@dataclass(slots=True)
class Scenario:
    """Everything that chance decides before the history begins."""

    seed: int
    spec: Spec
    theme: str
    """What it is rich in: nothing in particular, clear weather, machines that go, ends."""
    calm: bool
    """Whether nothing in it depends on when things happen: its end is known by its programs."""
    climate: Climate = field(default_factory=Climate)
    weather: Weather = field(default_factory=Weather)
    programs: Callable[[str, int, int], Program] = lambda _who, _run, _number: Program(1.0)
    forbidden: frozenset[str] = frozenset()
    unroomed: dict[str, float] = field(default_factory=dict)
    invalid: frozenset[str] = frozenset()
    quota_until: float = 0.0
    queued: float = 0.0
    faults: int = 0
    """How many requests go wrong."""
    slow: float = 0.0
    troubles: int = 0
    """How often something happens to Jobs, pods and machines."""
    takeovers: int = 0
    """How often a paused leader is replaced."""
    relists: int = 0
    requests: int = 0
    """How often the user changes their mind."""
    gates: Gates = field(default_factory=Gates)
    """What people are asked."""


def scenario(seed: int) -> Scenario:
    """The scenario of a seed."""
    chance = random.Random(f"{seed}/scenario")
    calm = chance.random() < 0.25
    spec = _spec(chance, calm=calm)
    add_data(seed, spec)
    gates = add_gates(seed, spec, calm=calm)
    names = [x["name"] for x in spec["nodes"] + spec.get("standbys", [])]
    theme = "" if calm else chance.choice(_THEMES)
    found = Scenario(seed, spec, theme, calm, gates=gates)
    found.climate = _climate(chance)
    found.weather = Weather(
        lag=chance.choice((0.01, 0.05, 0.5, 2.0)),
        slow_kind=chance.choice(("", "", WORKFLOW, JOB, POD)),
        slow_lag=chance.choice((1.0, 6.0)),
        repeat=chance.choice((0.0, 0.05)),
        swallow=chance.choice((0.0, 0.5)),
    )
    found.programs = _programs(seed, spec, chance, calm=calm)
    found.faults = chance.choice((0, 0, 1, 3, 8))
    found.slow = chance.choice((0.0, 0.0, 0.03, 0.2))
    found.relists = chance.choice((0, 0, 1, 3))
    if chance.random() < 0.1:
        found.invalid = frozenset({chance.choice(names)})
    if chance.random() < 0.1:
        found.forbidden = frozenset({chance.choice(names)})
    if calm:
        return found
    found.takeovers = chance.choice((0, 0, 0, 1, 2))
    found.troubles = chance.choice((0, 0, 1, 2, 5))
    found.requests = chance.choice((0, 1, 2, 4))
    found.queued = chance.choice((0.0, 0.0, 0.0, 0.4))
    if chance.random() < 0.15:
        found.unroomed = {chance.choice(names): chance.choice((5.0, 60.0, FOREVER))}
    if chance.random() < 0.15:
        found.quota_until = chance.choice((5.0, 60.0, 400.0))
    _thematic(found, chance)
    return found


def _thematic(found: Scenario, chance: random.Random) -> None:
    if found.theme == "clear":
        found.faults = found.takeovers = found.relists = 0
        found.slow = found.queued = 0.0
        found.weather = Weather(lag=0.01)
        found.climate = replace(found.climate, report=0.02)
        found.troubles = max(found.troubles, 2)
    elif found.theme == "machines":
        found.spec["timeout"] = chance.choice(("15s", "60s"))
        found.requests, found.troubles = 4, 4
    elif found.theme == "ends":
        found.spec["timeout"] = chance.choice(("5s", "15s"))
        found.climate = replace(found.climate, grace=30)
        found.requests = 6


def _climate(chance: random.Random) -> Climate:
    return Climate(
        job_lag=chance.choice((0.05, 0.3, 2.0)),
        batch=1.0,
        burst=chance.choice((0.05, 0.5, 8.0)),
        start=chance.choice((0.3, 1.5)),
        report=chance.choice((0.02, 0.5)),
        grace=chance.choice((1, 5, 30)),
    )


def _spec(chance: random.Random, *, calm: bool) -> Spec:
    count = chance.choice(_SIZES)
    nodes = [_node(chance, number, calm=calm) for number in range(count)]
    standbys = _standbys(chance, nodes, calm=calm)
    chance.shuffle(nodes)
    spec: Spec = {"nodes": nodes, "defaults": {"image": "busybox:1.36"}}
    spec |= _policies(chance, calm=calm)
    if not calm:
        spec |= _clocks(chance)
    if chance.random() < 0.2:
        spec["defaults"]["retry"] = _retry(chance, calm=calm)
    if standbys:
        spec["standbys"] = standbys
        for name, kind in [(x["name"], x.pop("_for")) for x in standbys]:
            if kind in ("onError", "onExit"):
                spec.setdefault(kind, []).append(name)
    return spec


def _policies(chance: random.Random, *, calm: bool) -> Spec:
    spec: Spec = {}
    if chance.random() < 0.3:
        spec["execution"] = "Eager"
    policy = chance.choice((None, "FinishWave", "FailFast", "Continue"))
    if calm and ("execution" in spec or policy == "FailFast"):
        policy = "Continue"
    if policy:
        spec["failurePolicy"] = policy
    if chance.random() < 0.5:
        spec["parallelism"] = chance.choice((1, 2, 3))
    if chance.random() < 0.3:
        spec["jobRetention"] = chance.choice(("OnFailure", "Never"))
    return spec


def _clocks(chance: random.Random) -> Spec:
    """What makes the end depend on when things happen."""
    spec: Spec = {}
    if chance.random() < 0.25:
        spec["timeout"] = chance.choice(("3s", "15s", "60s", "5m"))
    if chance.random() < 0.1:
        spec["suspend"] = True
    if chance.random() < 0.2:
        spec["rerunPolicy"] = "OnChange"
    if chance.random() < 0.05:
        spec["ttlSecondsAfterFinished"] = chance.choice((0, 30))
    return spec


def _node(chance: random.Random, number: int, *, calm: bool) -> Spec:
    node: Spec = {"name": f"n{number}", "command": ["/bin/work"]}
    if number:
        width = min(number, chance.choice((0, 1, 1, 2, 3)))
        picked = chance.sample(range(number), width)
        node["dependsOn"] = [f"n{x}" for x in sorted(picked)]
        if not picked:
            del node["dependsOn"]
    if node.get("dependsOn") and chance.random() < 0.15:
        node["trigger"] = "DependenciesEnded"
    if chance.random() < 0.15:
        node["allowFailure"] = True
    _limits(chance, node, calm=calm)
    return node


def _limits(chance: random.Random, task: Spec, *, calm: bool) -> None:
    if chance.random() < 0.4:
        task["retry"] = _retry(chance, calm=calm)
    if not calm and chance.random() < 0.3:
        task["timeout"] = chance.choice(("5s", "20s", "2m"))
    if not calm and chance.random() < 0.2:
        task["startTimeout"] = chance.choice(("5s", "30s"))


def _retry(chance: random.Random, *, calm: bool) -> Spec:
    retry: Spec = {"limit": chance.choice((0, 1, 2, 3))}
    if chance.random() < 0.8:
        retry["backoff"] = {
            "base": chance.choice(("500ms", "1s", "3s")),
            "factor": chance.choice((1, 2, 1.5)),
            "cap": chance.choice(("3s", "10s")),
            "jitter": chance.choice(("None", "Full", "Equal")),
        }
    if not calm and chance.random() < 0.15:
        retry["maxDuration"] = chance.choice(("5s", "30s"))
    if chance.random() < 0.2:
        retry["exitCodes"] = chance.choice(({"fail": [3]}, {"retry": [1, 2]}, {"fail": [1]}))
    if chance.random() < 0.1:
        retry["timeouts"] = False
    return retry


def _standbys(chance: random.Random, nodes: list[Spec], *, calm: bool) -> list[Spec]:
    standbys: list[Spec] = []
    kinds = [x for x in ("fallback", "fallback", "onError", "onExit") if chance.random() < 0.25]
    for number, kind in enumerate(kinds):
        standby: Spec = {"name": f"s{number}", "command": ["/bin/help"], "_for": kind}
        _limits(chance, standby, calm=calm)
        if kind == "fallback":
            for node in chance.sample(nodes, min(len(nodes), chance.choice((1, 1, 2)))):
                node.setdefault("fallback", standby["name"])
            if not any(x.get("fallback") == standby["name"] for x in nodes):
                continue
        standbys.append(standby)
    return standbys


def _programs(
    seed: int, spec: Spec, chance: random.Random, *, calm: bool
) -> Callable[[str, int, int], Program]:
    """What each attempt does: fixed by executor, run and number, whoever asks and whenever."""
    bad = chance.choice((0.0, 0.1, 0.3, 0.6))
    timed = {x["name"] for x in spec["nodes"] + spec.get("standbys", []) if "timeout" in x}
    handlers = {*spec.get("onError", ()), *spec.get("onExit", ())}
    may_hang = set() if calm else timed | handlers

    def program(executor: str, run: int, number: int) -> Program:
        found = silent(executor, run, number)
        if "params" not in spec:
            return found
        return dataclasses.replace(found, message=message_of(seed, executor, run, number))

    def silent(executor: str, run: int, number: int) -> Program:
        own = random.Random(f"{seed}/program/{executor}/{run}/{number}")
        seconds = own.choice((0.1, 0.5, 1.0, 3.0, 8.0))
        term = own.choice(("dies", "dies", "succeeds", "ignores"))
        if own.random() >= bad:
            return Program(seconds, 0, term=term)
        if executor in may_hang and own.random() < 0.3:
            return Program(FOREVER, 0, term=term)
        if not calm and own.random() < 0.1:
            blocked = own.choice((3.0, 60.0, FOREVER))
            return Program(seconds, own.choice((0, 1)), term=term, pull_blocked=blocked)
        if own.random() < 0.1:
            return Program(seconds, 1, oom=True, term=term)
        return Program(seconds, own.choice((1, 2, 3)), term=term)

    return program
