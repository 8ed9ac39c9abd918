"""What is wrong with params, references, outputs and conditions, and where."""

from typing import Any

import pytest

from tests.unit.api.specs import Spec, faults, node, spec

ROWS: Spec = {"outputs": [{"name": "rows"}]}
BIG = "x" * 4090
L = "nodes.a.outputs.l"


def two(first: Spec | None = None, **second: Any) -> Spec:
    """Node b, which comes after node a."""
    return spec(node("a", **(first or {})), node("b", dependsOn=["a"], **second))


def when(text: str, first: Spec | None = None, **fields: Any) -> Spec:
    return two(first, when=text) | fields


def with_params(*params: Any, **fields: Any) -> Spec:
    return spec(node("a", **fields), params=list(params))


DATE = {"name": "date", "value": "2026-11-22"}
FORM = (
    'params can only be read by name: params.<name>, or params["<name>"]…',
    'nodes can only be read by name: nodes.<name>.<field>, or nodes["<name>"]…',
)
KNOWN = "a condition knows params, nodes and workflow; text stands in quotes"
PLACES = "references stand in command, args and env values, and params in image, too"
FIELDS = "phase, reason, exitCode, servedBy, outputs"

TABLE: list[tuple[str, Any, list[str]]] = [
    # params
    ("param", with_params(DATE, args=["$(params.date)"], image="x:$(params.date)"), []),
    ("param twice", with_params(DATE, DATE), ["spec.params[1].name: date is given twice"]),
    ("param without value", with_params({"name": "a"}), ["spec.params[a].value: is required"]),
    ("param of a number", with_params({"name": "a", "value": 3}),
     ["spec.params[a].value: must be text, not a number"]),
    ("param of 64 KiB", with_params({"name": "a", "value": "x" * 65536}),
     ["spec.params[a].value: is too long; at most 32768 characters are possible"]),
    ("param of 32 KiB", with_params({"name": "a", "value": "é" * 16384}), []),
    ("param of more bytes than characters", with_params({"name": "a", "value": "é" * 16385}),
     ["spec.params[a].value: is too long; at most 32768 bytes are possible"]),
    ("param with NUL", with_params({"name": "a", "value": "\0"}),
     [("spec.params[a].value: holds a NUL character, which no argument or variable can hold")]),
    ("param's name", with_params({"name": "a b", "value": ""}),
     [("spec.params[a b].name: a b is no valid name: letters, digits, _ and - only, beginning with"
      " a letter or _")]),
    ("too many params", with_params(*({"name": f"p{i}", "value": ""} for i in range(65))),
     ["spec.params: has too many items; at most 64 are possible"]),
    ("unknown param", with_params(DATE, args=["$(params.dat)"]),
     ["spec.nodes[a].args[0]: $(params.dat): there is no dat in spec.params; did you mean date?"]),
    ("param in a script", with_params(DATE, script="echo $(params.date)"),
     [("spec.nodes[a].script: $(params.date) isn't replaced in a script; pass it through env:"
      " {name: VALUE, value: $(params.date)}, and use $VALUE")]),
    ("param in a shell",
     spec(node("a") | {"script": "x", "shell": ["sh", "$(params.date) $$(params.date)"]}),
     [f"spec.nodes[a].shell[1]: $(params.date) isn't replaced here; {PLACES}"]),
    ("param in the shell of the defaults",
     spec(node("a"), defaults={"image": "x", "shell": ["$(params.zzz)", "$(HOME)"]}),
     [f"spec.defaults.shell[0]: $(params.zzz) isn't replaced here; {PLACES}"]),
    ("references where nothing is replaced",
     with_params(
         DATE,
         workingDir="/data/$(params.date)",
         env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "$(params.date)"}}}],
         envFrom=[{"configMapRef": {"name": "$(params.zzz)"}}],
         resources={"limits": {"cpu": "$(workflow.run)"}},
         volumeMounts=[{"name": "v", "mountPath": "/v", "subPath": "$(node.name)"}],
         template={
             "metadata": {"labels": {"run": "$(workflow.run)"}},
             "spec": {
                 "volumes": [{"name": "v", "configMap": {"name": "$(params.date)"}}],
                 "initContainers": [{"name": "i", "workingDir": "$(nodes.b.phase)"}],
             },
         }),
     [f"spec.nodes[a].{path} isn't replaced here; {PLACES}" for path in (
         "env[A].valueFrom.secretKeyRef.name: $(params.date)",
         "envFrom[0].configMapRef.name: $(params.zzz)",
         "workingDir: $(params.date)",
         "resources.limits.cpu: $(workflow.run)",
         "volumeMounts[v].subPath: $(node.name)",
         "template.metadata.labels.run: $(workflow.run)",
         "template.spec.volumes[v].configMap.name: $(params.date)",
         "template.spec.initContainers[i].workingDir: $(nodes.b.phase)",
     )]),
    ("what Kubernetes or nobody replaces",
     with_params(
         DATE,
         workingDir="$(HOME)/$$(params.date)",
         volumeMounts=[{"name": "v", "mountPath": "/v", "subPathExpr": "$(POD_NAME)"}],
         template={"spec": {"volumes": [{"name": "v", "emptyDir": {}}]}}), []),
    ("a reference with blanks",
     with_params(DATE, args=["$( params.date ) $(workflow.run )", "$( node.js ) $$( node.name )"]),
     ["spec.nodes[a].args[0]: $( params.date ): write it without blanks: $(params.date)",
      "spec.nodes[a].args[0]: $(workflow.run ): write it without blanks: $(workflow.run)"]),
    ("a reference with blanks in a question",
     spec({"name": "a", "checkpoint": {"message": "On $( workflow.name )?"}}),
     [("spec.nodes[a].checkpoint.message: $( workflow.name ): write it without blanks:"
       " $(workflow.name)")]),
    ("param in the defaults",
     spec(params=[DATE], defaults={"image": "x:$(params.date)",
                                   "env": [{"name": "D", "value": "$(params.date)"}]}), []),
    # references to nodes
    ("output of one before", two(ROWS, args=["$(nodes.a.outputs.rows)"]), []),
    ("undeclared outputs", two(args=["$(nodes.a.outputs.anything)"]), []),
    ("fields", two(args=["$(nodes.a.phase) $(nodes.a.reason) $(nodes.a.exitCode)",
                         "$(nodes.a.servedBy)"]), []),
    ("output not declared", two(ROWS, args=["$(nodes.a.outputs.row)"]),
     [("spec.nodes[b].args[0]: $(nodes.a.outputs.row): a declares no output row; did you mean"
      " rows?")]),
    ("own output", two(args=["$(nodes.b.outputs.x)"]),
     [("spec.nodes[b].args[0]: $(nodes.b.outputs.x): b doesn't run before b; only what runs before"
      " has a value")]),
    ("output of a later node", two({"args": ["$(nodes.b.outputs.x)"]}),
     [("spec.nodes[a].args[0]: $(nodes.b.outputs.x): b doesn't run before a; only what runs before"
      " has a value")]),
    ("no such field", two(args=["$(nodes.a.wave)"]),
     [("spec.nodes[b].args[0]: $(nodes.a.wave) is unknown; known are params.<name>,"
      " nodes.<node>.outputs.<key>, nodes.<node>.phase|reason|exitCode|servedBy, node.attempt,"
      " node.name, workflow.name, workflow.namespace, workflow.run, workflow.uid")]),
    ("node in an image", two(image="x:$(nodes.a.outputs.tag)"),
     ["spec.nodes[b].image: $(nodes.a.outputs.tag) can't stand in an image; only params can"]),
    ("node in the defaults",
     spec(node("a"), defaults={"image": "x", "env": [{"name": "A", "value": "$(nodes.a.phase)"}]}),
     [("spec.defaults.env[A].value: $(nodes.a.phase): a doesn't run before every node that inherits"
      " these defaults; only what runs before has a value")]),
    ("output in a script", two(ROWS, script="echo $(nodes.a.outputs.rows)"),
     [("spec.nodes[b].script: $(nodes.a.outputs.rows) isn't replaced in a script; pass it through"
      " env: {name: VALUE, value: $(nodes.a.outputs.rows)}, and use $VALUE")]),
    ("fallback reads what all its primaries may",
     spec(node("a"), node("b", dependsOn=["a"], fallback="s"),
          node("c", dependsOn=["a", "b"], fallback="s"),
          standbys=[node("s", args=["$(nodes.a.phase)", "$(nodes.b.phase)"])]),
     [("spec.standbys[s].args[1]: $(nodes.b.phase): b doesn't run before every node that s serves;"
      " only what runs before has a value")]),
    ("handler reads outputs with a default",
     spec(node("a", outputs=[{"name": "x", "default": None}, {"name": "y"}]),
          standbys=[node("h", args=["$(nodes.a.outputs.x)", "$(nodes.a.outputs.y)",
                                    "$(nodes.a.phase)"])], onExit=["h"]),
     [("spec.standbys[h].args[1]: $(nodes.a.outputs.y): a handler can only read outputs with a"
      " default, as a may have failed; declare it there: outputs: [{name: y, default: …}]")]),
    ("reading a standby",
     spec(node("a", fallback="s", args=["$(nodes.s.phase)"]), standbys=[node("s")]),
     ["spec.nodes[a].args[0]: $(nodes.s.phase): s is a standby; only nodes can be read"]),
    # outputs
    ("outputs twice", spec(node("a", outputs=[{"name": "x"}, {"name": "x"}])),
     ["spec.nodes[a].outputs: x is declared twice"]),
    ("output without name", spec(node("a", outputs=[{"default": 1}])),
     ["spec.nodes[a].outputs[0].name: is required"]),
    ("output with a typo", spec(node("a", outputs=[{"name": "x", "defualt": 1}])),
     ["spec.nodes[a].outputs[x].defualt: is no field; did you mean default?"]),
    ("large defaults", spec(node("a", outputs=[{"name": "x", "default": BIG}])),
     ["spec.nodes[a].outputs: defaults take 4098 bytes together; at most 4096 are possible"]),
    ("odd default", spec(node("a", outputs=[{"name": "x", "default": ["\0"]}])),
     [("spec.nodes[a].outputs[x].default: holds a NUL character, which no argument or variable can"
      " hold")]),
    ("default that is no number", spec(node("a", outputs=[{"name": "x", "default": float("nan")}])),
     ["spec.nodes[a].outputs[x].default: holds a number that is none or has no bound"]),
    ("outputs of a standby", spec(node("a", fallback="s"), standbys=[node("s", **ROWS)]), []),
    # conditions
    ("condition", when('nodes.a.phase == "Succeeded" && nodes["a"].outputs.rows > 3', ROWS), []),
    ("condition on a param", with_params(DATE, when='params["date"] != "" && workflow.run < 3'),
     []),
    ("condition of a standby",
     spec(node("a", fallback="s"), standbys=[node("s", when="true")]),
     [("spec.standbys[s].when: only nodes have it; a standby runs when a fallback or handler calls"
      " for it")]),
    ("no text", two(when=True), ["spec.nodes[b].when: must be text, not true or false"]),
    ("empty", when(""), ["spec.nodes[b].when: must not be empty"]),
    ("too long", when("true" + " " * 4096),
     ["spec.nodes[b].when: is too long; at most 4096 characters are possible"]),
    ("syntax", when("1 +"),
     ["spec.nodes[b].when: line 1, column 4: Syntax error: mismatched input '<EOF>'"]),
    ("position", when("true &&\n  nope"),
     [f"spec.nodes[b].when: line 2, column 3: undeclared reference to 'nope'; {KNOWN}"]),
    ("no bool", when("nodes.a.exitCode"),
     ["spec.nodes[b].when: is int, not true or false"]),
    ("wrong type", when("nodes.a.phase == 1"),
     [("spec.nodes[b].when: line 1, column 15: == can't take (string, int); int(…) makes a number"
      " of text")]),
    ("no number", when("params.n > 3", params=[{"name": "n", "value": "5"}]),
     [("spec.nodes[b].when: line 1, column 10: > can't take (string, int); int(…) makes a number of"
      " text")]),
    ("no number of a list", when("size(3) > workflow.run"),
     ["spec.nodes[b].when: line 1, column 5: size can't take (int)"]),
    ("and", when("true and false"),
     [("spec.nodes[b].when: line 1, column 6: Syntax error: mismatched input 'and' expecting <EOF>;"
      " CEL writes &&")]),
    ("or", when("true or false"),
     [("spec.nodes[b].when: line 1, column 6: Syntax error: mismatched input 'or' expecting <EOF>;"
      " CEL writes ||")]),
    ("another language's reference", when("$(nodes.a.phase) != ''"),
     [("spec.nodes[b].when: line 1, column 1: Syntax error: token recognition error at: '$'; names"
      " stand in a condition as they are, without $(…)")]),
    ("no such phase", when('nodes.a.phase == "succeeded"'),
     [("spec.nodes[b].when: line 1, column 1: a phase is Succeeded, Failed, Skipped or Cancelled,"
      " never succeeded; did you mean Succeeded?")]),
    ("a phase of what runs", when("nodes['a'].phase != 'Running'"),
     [("spec.nodes[b].when: line 1, column 1: a phase is Succeeded, Failed, Skipped or Cancelled,"
      " never Running")]),
    ("a phase", when('nodes.a.phase == "Failed" || nodes.a.phase!=\'Skipped\''), []),
    ("unknown node", when('nodes.x.phase == ""'),
     ["spec.nodes[b].when: line 1, column 1: there is no node x"]),
    ("two faults", when('nodes.x.phase == "" || params.q == 1 || nope'),
     ["spec.nodes[b].when: line 1, column 1: there is no node x",
      "spec.nodes[b].when: line 1, column 24: there is no q in spec.params",
      f"spec.nodes[b].when: line 1, column 41: undeclared reference to 'nope'; {KNOWN}"]),
    ("later node", two({"when": 'nodes.b.phase == ""'}),
     [("spec.nodes[a].when: line 1, column 1: b doesn't run before a; only what runs before has a"
      " value")]),
    ("itself", when('nodes["b"].phase == ""'),
     [("spec.nodes[b].when: line 1, column 1: b doesn't run before b; only what runs before has a"
      " value")]),
    ("no such field of a node", when("nodes.a.wave == 1"),
     [f"spec.nodes[b].when: line 1, column 1: a node has no wave; there are {FIELDS}"]),
    ("undeclared output", when("nodes.a.outputs.row == 1", ROWS),
     [("spec.nodes[b].when: line 1, column 1: a declares no output row; did you mean rows?")]),
    ("undeclared output by index", when('has(nodes.a.outputs.rows) && nodes.a.outputs["x"]', ROWS),
     ["spec.nodes[b].when: line 1, column 30: a declares no output x"]),
    ("all nodes", when("nodes.all(n, true)"),
     [("spec.nodes[b].when: line 1, column 1: there is no node all")]),
    ("nodes as a value", when("size(nodes) > 1"),
     [f"spec.nodes[b].when: line 1, column 6: {FORM[1]}"]),
    ("params as a value", when("size(params) > 1"),
     [f"spec.nodes[b].when: line 1, column 6: {FORM[0]}"]),
    ("no such field of the workflow", when('workflow.phase == ""'),
     [("spec.nodes[b].when: line 1, column 1: of workflow there are workflow.name,"
      " workflow.namespace, workflow.uid, workflow.run")]),
    ("names in strings are no names", when("'nodes.x' != \"params['q']\" // nodes.y"), []),
    ("bomb of texts", when('["xxxxxxxx"]' + ".map(s, s + s)" * 24 + ' != ["x"]'),
     [("spec.nodes[b].when: may make values of more than 1 MiB; join fewer texts and lists in"
      " loops")]),
    ("bomb of lists", when("[dyn(1)]" + ".map(s, dyn([s, s]))" * 24 + " != [dyn(1)]"),
     [("spec.nodes[b].when: may make values of more than 1 MiB; join fewer texts and lists in"
      " loops")]),
    ("bomb of loops",
     when(f"{L}.all(a, {L}.map(b, b) == {L})"),
     [("spec.nodes[b].when: may take too long; use fewer loops inside each other, and fewer"
      " repeats in patterns")]),
    ("deep when it is read", when("'a'" + ".b" * 40 + " == 1"),
     ["spec.nodes[b].when: Exceeded max recursion depth of 32 when parsing."]),
    ("deep", when("(" * 400 + "true" + ")" * 400),
     ["spec.nodes[b].when: Expression recursion limit exceeded. limit: 32"]),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "expected"), [r[1:] for r in TABLE], ids=[r[0] for r in TABLE])
def test_each_fault_has_its_place_and_its_words(raw: Any, expected: list[str]) -> None:
    assert faults(raw) == expected
