from types import MappingProxyType
from typing import Any

import pytest

from tests.unit.api.specs import Spec, Stored, faults, node, spec, validated
from tidegate.api.faults import MAX_FAULTS
from tidegate.api.workflow import validate
from tidegate.errors import InvalidSpec

KNOWN = (
    "params.<name>, nodes.<node>.outputs.<key>, nodes.<node>.phase|reason|exitCode|servedBy,"
    " node.attempt, node.name, workflow.name, workflow.namespace, workflow.run, workflow.uid"
)


def one(**fields: Any) -> Spec:
    return spec(node("a", **fields))


def template(**fields: Any) -> Spec:
    return one(template={"spec": fields})


def main(**fields: Any) -> Spec:
    return template(containers=[{"name": "main", **fields}])


TABLE: list[tuple[str, Any, list[str]]] = [
    # shape
    ("no object", [], ["spec: must be an object"]),
    ("nothing", {}, ["spec.nodes: is required"]),
    ("null", None, ["spec: must be an object"]),
    ("no nodes", {"nodes": []}, ["spec.nodes: needs at least 1, has 0"]),
    ("nodes no list", {"nodes": "a"}, ["spec.nodes: must be a list, not text"]),
    ("node no object", {"nodes": [3]}, ["spec.nodes[0]: must be an object, not a number"]),
    ("no name", spec({}), ["spec.nodes[0].name: is required"]),
    ("upper case", spec(node("Extract")),
     [("spec.nodes[Extract].name: Extract is no valid name: a-z, 0-9 and - only, beginning and"
      " ending with a letter or digit")]),
    ("long name", spec(node("a" * 41)),
     [f"spec.nodes[{'a' * 40}…].name: is too long; at most 40 characters are possible"]),
    ("unknown field", one(retyr={}), ["spec.nodes[a].retyr: is no field; did you mean retry?"]),
    ("unknown field deep", one(retry={"backoff": {"bse": "1s"}}),
     ["spec.nodes[a].retry.backoff.bse: is no field; did you mean base?"]),
    ("unknown field at the top", spec(paralelism=3),
     ["spec.paralelism: is no field; did you mean parallelism?"]),
    ("a choice", spec(execution="eager"),
     ["spec.execution: eager is none of: Waves, Eager; did you mean Eager?"]),
    ("types", spec(parallelism="3", suspend="yes", nodes=[node("a", command="true")]),
     ["spec.nodes[a].command: must be a list, not text",
      "spec.parallelism: must be a whole number, not text",
      "spec.suspend: must be true or false, not text"]),
    ("bounds", spec(parallelism=0, ttlSecondsAfterFinished=-1),
     ["spec.parallelism: must be at least 1",
      "spec.ttlSecondsAfterFinished: must be at least 0"]),
    ("a bool is no number", spec(parallelism=True),
     ["spec.parallelism: must be a whole number, not true or false"]),
    ("a duration", one(timeout="5 min"),
     ["spec.nodes[a].timeout: 5 min is no duration; write it like 90s, 10m or 1h30m"]),
    ("env", one(env=[{"value": "x"}, {"name": "A", "value": 3}]),
     ["spec.nodes[a].env[0]: needs a name",
      "spec.nodes[a].env[A]: value must be text; put it in quotes"]),
    ("a mount", one(volumeMounts=[{"name": "v"}]),
     ["spec.nodes[a].volumeMounts[v]: needs a name (of a volume) and a mountPath"]),
    # names
    ("the same name", spec(node("a"), node("a")),
     ["spec.nodes[1].name: a is the name of another node, too; choose another"]),
    ("a standby like a node", spec(standbys=[node("a")], onExit=["a"]),
     ["spec.standbys[a].name: a is the name of a node, too; choose another"]),
    # dependencies
    ("unknown dependency", spec(node("extract"), node("e", dependsOn=["extrct"])),
     ["spec.nodes[e].dependsOn: depends on extrct, which doesn't exist; did you mean extract?"]),
    ("unlike any", spec(node("e", dependsOn=["x"])),
     ["spec.nodes[e].dependsOn: depends on x, which doesn't exist"]),
    ("itself", spec(node("a", dependsOn=["a"])), ["spec.nodes[a].dependsOn: a depends on itself"]),
    ("twice", spec(node("a"), node("b", dependsOn=["a", "a"])),
     ["spec.nodes[b].dependsOn: a is named more than once"]),
    ("a standby", spec(node("a", dependsOn=["s"]), standbys=[node("s")], onExit=["s"]),
     ["spec.nodes[a].dependsOn: s is a standby; only nodes can be depended on"]),
    ("a cycle", spec(node("a"), node("b", dependsOn=["c"]), node("c", dependsOn=["b", "a"])),
     ["nodes b → c → b form a cycle"]),
    ("two cycles",
     spec(*(node(a, dependsOn=[b]) for a, b in [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")])),
     ["nodes a → b → a form a cycle", "nodes c → d → c form a cycle"]),
    # standbys
    ("fallback unknown", spec(node("a", fallback="spar"), standbys=[node("spare")]),
     ["spec.nodes[a].fallback: spar doesn't exist in spec.standbys; did you mean spare?",
      ("spec.standbys[spare]: nothing names it: use it as a fallback, in onError or onExit, or"
      " remove it")]),
    ("fallback to a node", spec(node("a", fallback="b"), node("b")),
     [("spec.nodes[a].fallback: b is a node; only a standby can be named, move it to"
      " spec.standbys")]),
    ("handler unknown", spec(onError=["x"]), ["spec.onError: x doesn't exist in spec.standbys"]),
    ("handler a node", spec(onExit=["a"]),
     ["spec.onExit: a is a node; only a standby can be named, move it to spec.standbys"]),
    ("handler in both", spec(standbys=[node("s")], onError=["s"], onExit=["s"]),
     ["spec.onExit: s is named in onError and in onExit; once is enough"]),
    ("handler twice", spec(standbys=[node("s")], onError=["s", "s"]),
     ["spec.onError: s is named twice; once is enough"]),
    ("a standby that depends", spec(standbys=[node("s", dependsOn=["a"])], onExit=["s"]),
     [("spec.standbys[s].dependsOn: only nodes have it; a standby runs when a fallback or handler"
      " calls for it")]),
    # retry
    ("limit", one(retry={"limit": -1}), ["spec.nodes[a].retry.limit: must be at least 0"]),
    ("limit too great", one(retry={"limit": 101}),
     ["spec.nodes[a].retry.limit: must be at most 100"]),
    ("factor", one(retry={"backoff": {"factor": 0.5}}),
     ["spec.nodes[a].retry.backoff.factor: must be at least 1"]),
    ("factor no number", one(retry={"backoff": {"factor": float("nan")}}),
     ["spec.nodes[a].retry.backoff.factor: must be a number"]),
    ("cap < base", one(retry={"backoff": {"base": "10s", "cap": "5s"}}),
     ["spec.nodes[a].retry.backoff.cap: 5s is less than base, 10s"]),
    ("default cap < base", spec(defaults={"image": "x", "retry": {"backoff": {"base": "1m"}}}),
     ["spec.defaults.retry.backoff.cap: 32s (its default) is less than base, 1m"]),
    ("cap", one(retry={"backoff": {"cap": "25h"}}),
     ["spec.nodes[a].retry.backoff.cap: must be at most 24h"]),
    ("exit codes", one(retry={"exitCodes": {"retry": [0, 256]}}),
     ["spec.nodes[a].retry.exitCodes.retry[0]: must be at least 1",
      "spec.nodes[a].retry.exitCodes.retry[1]: must be at most 255"]),
    ("exit codes in both", one(retry={"exitCodes": {"retry": [1, 2], "fail": [2]}}),
     ["spec.nodes[a].retry.exitCodes: 2 in retry and in fail; keep one of them"]),
    ("exit codes of nothing", one(retry={"exitCodes": {"retry": []}}),
     ["spec.nodes[a].retry.exitCodes.retry: needs at least 1, has 0"]),
    # image, script, references
    ("no image", {"nodes": [node("a")]},
     [("spec.nodes[a].image: is missing: set it here, in spec.defaults.image or in the template's"
      " container main")]),
    ("image of another container",
     {"nodes": [node("a", template={"spec": {"containers": [{"name": "b", "image": "x"}]}})]},
     [("spec.nodes[a].image: is missing: set it here, in spec.defaults.image or in the template's"
      " container main")]),
    ("script and command", one(script="x", command=["x"]),
     ["spec.nodes[a].script: excludes command; keep one of them"]),
    ("script, command, args", one(script="x", command=["x"], args=["x"]),
     ["spec.nodes[a].script: excludes command and args; keep one of them"]),
    ("script of bytes", one(script="ä" * 66000),
     ["spec.nodes[a].script: is too long; at most 131071 bytes are possible"]),
    ("reference in a script", one(script="echo $(workflow.name) $(date)"),
     [("spec.nodes[a].script: $(workflow.name) isn't replaced in a script; pass it through env:"
      " {name: VALUE, value: $(workflow.name)}, and use $VALUE")]),
    ("unknown references", one(command=["$(params.x)"], args=["a", "b $(workflow.nam)"],
                               env=[{"name": "A", "value": "$(nodes.b.outputs.x) $(item)"}]),
     ["spec.nodes[a].command[0]: $(params.x): there is no x in spec.params",
      f"spec.nodes[a].args[1]: $(workflow.nam) is unknown; known are {KNOWN}",
      "spec.nodes[a].env[A].value: $(nodes.b.outputs.x): there is no node b",
      f"spec.nodes[a].env[A].value: $(item) is unknown; known are {KNOWN}"]),
    ("reference in an image", one(image="x:$(workflow.run)"),
     ["spec.nodes[a].image: $(workflow.run) can't stand in an image; only params can"]),
    ("reference in the defaults",
     spec(defaults={"image": "x", "env": [{"name": "A", "value": "$(index)"}]}),
     [f"spec.defaults.env[A].value: $(index) is unknown; known are {KNOWN}"]),
    ("reference in a template", main(args=["$(params.x)"]),
     [("spec.nodes[a].template.spec.containers[main].args[0]: $(params.x): there is no x in"
      " spec.params")]),
    # templates
    ("template", one(template=[]), ["spec.nodes[a].template: must be an object, not a list"]),
    ("template's fields", one(template={"spce": {}}),
     ["spec.nodes[a].template.spce: is no field; a template has metadata and spec"]),
    ("template's spec", one(template={"spec": 3}),
     ["spec.nodes[a].template.spec: must be an object"]),
    ("restartPolicy", template(restartPolicy="Never"),
     [("spec.nodes[a].template.spec.restartPolicy: can't be set: it is always Never; use retry to"
      " run a node again")]),
    ("deadline in the defaults",
     spec(defaults={"image": "x", "template": {"spec": {"activeDeadlineSeconds": 3}}}),
     ["spec.defaults.template.spec.activeDeadlineSeconds: can't be set; use timeout"]),
    ("our labels", one(template={"metadata": {"labels": {"tidegate.dev/node": "b"}}}),
     ["spec.nodes[a].template.metadata.labels: tidegate.dev/node can't be set; Tidegate does"]),
    ("our annotations",
     one(template={"metadata": {"annotations": {"checkpoint.tidegate.dev/x": "b"}}}),
     [("spec.nodes[a].template.metadata.annotations: checkpoint.tidegate.dev/x can't be set;"
      " Tidegate does")]),
    ("label no text", one(template={"metadata": {"labels": {"a": 3}}}),
     ["spec.nodes[a].template.metadata.labels: a must be text; put it in quotes"]),
    ("metadata", one(template={"metadata": 3}),
     ["spec.nodes[a].template.metadata: must be an object"]),
    ("labels", one(template={"metadata": {"labels": []}}),
     ["spec.nodes[a].template.metadata.labels: must be an object"]),
    ("containers", template(containers={"main": {}}),
     ["spec.nodes[a].template.spec.containers: must be a list"]),
    ("containers' names", template(containers=[{"image": "x"}, 3], volumes=[{"name": "v"}] * 2),
     ["spec.nodes[a].template.spec.containers[0]: needs a name",
      "spec.nodes[a].template.spec.containers[1]: must be an object",
      "spec.nodes[a].template.spec.volumes[1]: v is named twice"]),
    ("a container's lists", main(env={"A": "x"}),
     ["spec.nodes[a].template.spec.containers[main].env: must be a list"]),
    ("a container's env", main(env=[{"value": "x"}]),
     ["spec.nodes[a].template.spec.containers[main].env[0]: must be an object with a name"]),
    # size
    ("size", spec(*(node(f"n{i}", args=["x" * 60000]) for i in range(9))),
     ["spec: has 528 KiB, at most 512 KiB are possible; move data to ConfigMaps"]),
    ("no JSON", spec(node("a", resources={"x": 2**70})),
     ["spec: can't be read as JSON: Integer exceeds 64-bit range"]),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "expected"), [r[1:] for r in TABLE], ids=[r[0] for r in TABLE])
def test_each_fault_has_its_place_and_its_words(raw: Any, expected: list[str]) -> None:
    assert faults(raw) == expected


@pytest.mark.parametrize(
    "raw",
    [
        one(command=["sh", "-c", "echo $(workflow.name) $(node.attempt) $(VAR) $(date) $$(x)"]),
        one(script="v=$(node --version); echo $$ $(hostname)"),
        one(image="registry:5000/a/b@sha256:0000"),
        {"nodes": [node("a", template={"spec": {"containers": [{"name": "main", "image": "x"}]}})]},
        {"defaults": {"template": {"spec": {"containers": [{"name": "main", "image": "x"}]}}},
         "nodes": [node("a")]},
        template(restartPolicy=None, containers=None),
        one(template={"metadata": {"labels": {"kueue.x-k8s.io/queue-name": "q", "a": None}}}),
        one(retry={"backoff": {"base": "1m", "cap": "1m", "factor": 1, "jitter": "None"}}),
        one(retry=None, timeout=None, env=[{"name": "A", "value": None}]),
        spec(standbys=[node("s"), node("t")], onError=["s"], onExit=["t"],
             nodes=[node("a", fallback="s"), node("b", fallback="s")]),
        MappingProxyType(spec()),
    ],
)  # fmt: skip
def test_has_no_faults(raw: Any) -> None:
    assert faults(raw) == []


@pytest.mark.parametrize("name", ["a", "a" * 63, "0-a"])
def test_names_of_workflows(name: str) -> None:
    assert faults(spec(), name) == []


@pytest.mark.parametrize("name", ["a" * 64, "a.b", "", "-a", "a\n"])
def test_names_that_no_label_can_hold(name: str) -> None:
    assert faults(spec(), name) == [
        "metadata.name: must be a DNS label of at most 63 characters: a-z, 0-9 and -"
    ]


def test_all_faults_are_told_at_once() -> None:
    raw = {
        "nodes": [
            node("a", dependsOn=["b"], timeout="x", image="i"),
            node("b", dependsOn=["a", "c"], image="i"),
        ],
        "onExit": ["z"],
        "execution": "No",
    }
    with pytest.raises(InvalidSpec) as caught:
        validated(raw, "A")
    text = str(caught.value)
    for part in ("metadata.name", "timeout", "execution", "a → b → a", "on c, which", "z doesn't"):
        assert part in text


def test_a_great_many_faults_are_cut_off_and_quick() -> None:
    names = [f"unknown-{i}" for i in range(32)]
    found = faults(spec(*(node(f"n{i}", dependsOn=names) for i in range(500))))
    assert len(found) == MAX_FAULTS + 1
    assert found[-1] == "and 15800 more faults"


def test_a_long_cycle_is_shortened() -> None:
    found = faults(spec(*(node(f"n{i}", dependsOn=[f"n{(i + 1) % 40}"]) for i in range(40))))
    assert found == [
        (
            "nodes n0 → n1 → n2 → n3 → n4 → n5 → n6 → n7 → n8 → n9 → … 29 more … → n39 → n0 form a"
            " cycle"
        )
    ]


def test_what_is_valid_carries_everything() -> None:
    stored = Stored(spec(node("a"), node("b", dependsOn=["a"])), generation=7)
    workflow = validate(stored)
    assert (workflow.key, workflow.uid, workflow.generation) == (stored.key, stored.uid, 7)
    assert workflow.spec.parallelism == 10
    assert workflow.graph.waves == (("a",), ("b",))


def test_only_faults_are_raised_when_it_is_nested_too_deeply() -> None:
    deep: Any = {}
    for _ in range(300):
        deep = {"x": deep}
    assert faults(one(template=deep))[0].startswith("spec: can't be read as JSON")
