"""Params, outputs, references and conditions, through the real kubelet."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.kit.cluster import KubectlError
from tests.kit.run import Run
from tests.kit.space import Space

pytestmark = pytest.mark.e2e

TEXTS = [
    "",
    "plain",
    "$(HOME) ${HOME} $HOME $$ $$(HOME) $",
    "$(params.t1) $$(params.t1) $(nodes.a.outputs.t1)",
    'it\'s "quoted" `whoami` $(whoami); exit 1 && | > <',
    "two\nlines\n\n and\ttabs \r\n",
    "\u00e9\u4e2d\U0001f30a \u202e \u200b \x1b[31m \x07",
    "\\ \\n \\u0041 %s %d {{x}} {% y %}",
    " leading and trailing ",
    "-n",
    "x" * 30_000,
]
PRINT_HEX = 'for text; do printf %s "$text" | od -An -v -tx1 | tr -d " \\n"; echo; done'
SHORT = [text for text in TEXTS if len(text) < 1000]
ALL = " ".join(f'"$T{i}"' for i in range(len(TEXTS)))
PAYLOAD = json.dumps({f"t{i}": text for i, text in enumerate(SHORT)})


def hex_of(texts: list[str]) -> list[str]:
    return [text.encode().hex() for text in texts]


def hexes(run: Run, node: str) -> list[str]:
    return run.log(node).split("\n")[:-1]


THROUGH = {
    "params": [
        *({"name": f"t{i}", "value": text} for i, text in enumerate(TEXTS)),
        {"name": "payload", "value": PAYLOAD},
    ],
    "nodes": [
        {
            "name": "args",
            "command": ["sh", "-c", PRINT_HEX, "sh"],
            "args": [f"$(params.t{i})" for i in range(len(TEXTS))],
        },
        {
            "name": "env",
            "env": [{"name": f"T{i}", "value": f"$(params.t{i})"} for i in range(len(TEXTS))],
            "script": f"set -- {ALL}; {PRINT_HEX}",
        },
        {
            "name": "a",
            "env": [{"name": "PAYLOAD", "value": "$(params.payload)"}],
            "script": 'printf %s "$PAYLOAD" > "$TIDEGATE_OUTPUT"',
        },
        {
            "name": "outputs",
            "dependsOn": ["a"],
            "command": ["sh", "-c", PRINT_HEX, "sh"],
            "args": [f"$(nodes.a.outputs.t{i})" for i in range(len(SHORT))],
        },
        {
            "name": "literal",
            "command": ["echo"],
            "args": ["$$(params.t1) $(params.t1)"],
        },
    ],
}


@pytest.mark.runs(THROUGH)
def test_any_text_arrives_byte_for_byte(run: Run) -> None:
    run.finished("Succeeded")
    assert hexes(run, "args") == hex_of(TEXTS)
    assert hexes(run, "env") == hex_of(TEXTS)
    assert hexes(run, "outputs") == hex_of(SHORT)
    assert run.log("literal") == "$(params.t1) plain\n"


@pytest.mark.runs(r"""
nodes:
- name: a
  fallback: s
  script: |
    printf '%s' 'no $(TOKEN) $$ for "you"' > "$TIDEGATE_OUTPUT"
    exit 3
standbys:
- name: s
  env: [{name: TOKEN, value: secret}]
  script: printf '%s' "$TIDEGATE_PRIMARY_ERROR"
""")
def test_a_message_of_a_failure_is_never_expanded(run: Run) -> None:
    run.finished("Succeeded")
    told = json.loads(run.log("a").splitlines()[-1])
    assert 'no $(TOKEN) $$ for "you"' in told["message"]
    assert "secret" not in told["message"]


@pytest.mark.runs(r"""
nodes:
- name: count
  outputs: [{name: rows}, {name: unit, default: {of: [lines, null]}}]
  script: |
    echo '{"rows": 1200, "none": null, "more": [1, "a"]}' > "$TIDEGATE_OUTPUT"
- name: show
  dependsOn: [count]
  command: [echo]
  args: ["$(nodes.count.outputs.rows) $(nodes.count.outputs.unit) $(nodes.count.phase)"]
- {name: fails, outputs: [{name: x, default: 7}], allowFailure: true, script: exit 4}
- name: after
  dependsOn: [fails]
  command: [echo]
  args: ["$(nodes.fails.outputs.x) $(nodes.fails.reason) $(nodes.fails.exitCode)"]
- {name: served, fallback: s, outputs: [{name: who}], script: exit 1}
- name: by
  dependsOn: [served]
  command: [echo]
  args: ["$(nodes.served.outputs.who) $(nodes.served.servedBy)"]
standbys:
- {name: s, script: "echo '{\"who\": \"standby\"}' > $TIDEGATE_OUTPUT"}
- name: last
  command: [echo]
  args: ["$(nodes.fails.outputs.x) $(nodes.count.phase)"]
onExit: [last]
""")
def test_outputs_defaults_fallbacks_and_handlers(run: Run) -> None:
    status = run.finished("Succeeded")
    assert json.loads(status["nodes"]["count"]["outputs"]) == {
        "rows": 1200, "none": None, "more": [1, "a"], "unit": {"of": ["lines", None]},
    }  # fmt: skip
    assert run.log("show") == '1200 {"of":["lines",null]} Succeeded\n'
    assert run.log("after") == "7 ExitCode 4\n"
    assert run.log("by") == "standby s\n"
    assert run.log("last") == "7 Succeeded\n"


@pytest.mark.runs(r"""
nodes:
- name: a
  template:
    spec:
      containers:
      - {name: main, terminationMessagePath: /tmp/elsewhere}
  script: |
    echo words of its own > /tmp/other
    echo '{"where": "'$TIDEGATE_OUTPUT'"}' > "$TIDEGATE_OUTPUT"
""")
def test_another_path_for_the_termination_message(run: Run) -> None:
    status = run.finished("Succeeded")
    assert json.loads(status["nodes"]["a"]["outputs"]) == {"where": "/tmp/elsewhere"}  # noqa: S108


DEEP = (
    "printf '{\"a\":'; head -c 100 /dev/zero | tr '\\0' '[';"
    " head -c 100 /dev/zero | tr '\\0' ']'; printf '}'"
)
WRITES: dict[str, tuple[str, str, str]] = {
    "no-json": ("echo done", "InvalidOutput", "is no JSON"),
    "a-list": ("echo '[1]'", "InvalidOutput", "is a list"),
    "five-kib": ("head -c 5120 /dev/zero | tr '\\0' x", "OutputTooLarge", "4096 bytes"),
    "long-json": (
        "printf '{\"a\":\"'; head -c 5120 /dev/zero | tr '\\0' x; printf '\"}'",
        "OutputTooLarge",
        "4096 bytes",
    ),
    "deep": (DEEP, "InvalidOutput", "32 levels"),
    "twice": ('echo \'{"a": 1, "a": 2}\'', "InvalidOutput", "twice"),
    "nan": ("echo '{\"a\": NaN}'", "InvalidOutput", "NaN"),
    "huge": ("echo '{\"a\": 1e999}'", "InvalidOutput", "64 bits"),
    "no-utf-8": ('printf \'{"a": "\\377"}\'', "InvalidOutput", "UTF-8"),
    "missing": ("echo '{}'", "InvalidOutput", "no output rows"),
}
BAD = {
    "failurePolicy": "Continue",
    "nodes": [
        *(
            {"name": name, "outputs": [{"name": "rows"}] if name == "missing" else [],
             "script": f"{{ {command}; }} > $TIDEGATE_OUTPUT"}
            for name, (command, _, _) in WRITES.items()
        ),
        {"name": "but-fails", "script": "echo '{\"a\": 1}' > $TIDEGATE_OUTPUT; exit 1"},
        {"name": "writes", "script": "echo '{\"a\": 1}' > $TIDEGATE_OUTPUT"},
        {"name": "reads", "dependsOn": ["writes"], "command": ["echo"],
         "args": ["$(nodes.writes.outputs.b)"]},
    ],
}  # fmt: skip


@pytest.mark.runs(BAD)
def test_bad_outputs_say_what_is_wrong(run: Run) -> None:
    nodes = run.finished("Failed")["nodes"]
    for name, (_, reason, words) in WRITES.items():
        assert (nodes[name]["phase"], nodes[name]["reason"]) == ("Failed", reason), name
        assert words in nodes[name]["message"], name
        assert "outputs" not in nodes[name]
    assert nodes["but-fails"]["reason"] == "ExitCode"
    assert "outputs" not in nodes["but-fails"]
    assert nodes["reads"]["reason"] == "MissingOutput"
    assert run.jobs("reads") == []


@pytest.mark.runs(r"""
params: [{name: mode, value: quick}]
failurePolicy: Continue
nodes:
- {name: a, script: "echo '{\"n\": 5, \"l\": [1, 2.5], \"z\": null}' > $TIDEGATE_OUTPUT"}
- name: runs
  dependsOn: [a]
  when: nodes.a.outputs.n > 4.5 && nodes.a.outputs.z == null
  script: "true"
- {name: skips, dependsOn: [a], when: 'params["mode"] == "full"', script: "true"}
- {name: behind, dependsOn: [skips], script: "true"}
- {name: divides, dependsOn: [a], when: '1 / nodes.a.exitCode > 0', script: "true"}
- {name: misses, dependsOn: [a], when: 'nodes.a.outputs.zz > 0', script: "true"}
- {name: no-bool, dependsOn: [a], when: 'nodes.a.outputs.n', script: "true"}
""")
def test_conditions(run: Run) -> None:
    status = run.finished("Failed")
    nodes = status["nodes"]
    assert {name: (node["phase"], node.get("reason")) for name, node in nodes.items()} == {
        "a": ("Succeeded", None),
        "runs": ("Succeeded", None),
        "skips": ("Skipped", "ConditionFalse"),
        "behind": ("Succeeded", None),
        "divides": ("Failed", "ConditionError"),
        "misses": ("Failed", "ConditionError"),
        "no-bool": ("Failed", "ConditionError"),
    }
    assert (nodes["runs"]["when"], nodes["skips"]["when"]) == (True, False)
    assert "divide by zero" in nodes["divides"]["message"]
    assert "zz" in nodes["misses"]["message"]
    assert status["progress"] == "4/7"
    assert run.jobs("skips") == run.jobs("divides") == []


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown-param": ({"args": ["$(params.x)"]}, "spec.nodes[b].args[0]: $(params.x)"),
    "outputs-twice": ({"outputs": [{"name": "y"}, {"name": "y"}]}, "y is declared twice"),
    "output-with-a-typo": ({"outputs": [{"name": "y", "defualt": 1}]}, "did you mean default?"),
    "unknown-node": ({"args": ["$(nodes.x.outputs.y)"]}, "there is no node x"),
    "later-node": ({"args": ["$(nodes.c.phase)"]}, "c doesn't run before b"),
    "not-declared": ({"args": ["$(nodes.a.outputs.y)"]}, "a declares no output y"),
    "in-a-script": ({"script": "echo $(nodes.a.outputs.x)"}, "isn't replaced in a script"),
    "when-unknown": ({"when": 'nodes.x.phase == ""'}, "line 1, column 1: there is no node x"),
    "when-later": ({"when": 'nodes.c.phase == ""'}, "c doesn't run before b"),
    "when-type": ({"when": "nodes.a.phase == 1"}, "line 1, column 15"),
    "when-text-as-number": ({"when": "nodes.a.phase > 3"}, "int(…) makes a number of text"),
    "when-no-such-phase": ({"when": 'nodes.a.phase == "succeeded"'}, "did you mean Succeeded?"),
    "when-no-bool": ({"when": "workflow.run"}, "is int, not true or false"),
    "when-bomb": ({"when": '["x"]' + ".map(s, s + s)" * 25 + ' != ["x"]'}, "1 MiB"),
}


@pytest.fixture
def refused(space: Space) -> dict[str, Run]:
    """All Workflows that must be refused, applied at once."""
    return {
        name: space.flow(
            {"nodes": [
                {"name": "a", "outputs": [{"name": "x"}], "script": "true"},
                {"name": "b", "dependsOn": ["a"], **own},
                {"name": "c", "dependsOn": ["b"], "script": "true"},
            ]},
            name,
        )
        for name, (own, _) in REFUSED.items()
    }  # fmt: skip


def test_faults_are_told_before_anything_runs(refused: dict[str, Run]) -> None:
    for name, run in refused.items():
        status = run.wait_phase("Failed", "InvalidSpec")
        assert REFUSED[name][1] in status["message"], name
        assert run.jobs() == []


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ([{"name": "a", "value": "1"}, {"name": "a", "value": "2"}], "Duplicate value"),
        ([{"name": "a", "value": "x" * 65536}], "Too long"),
        ([{"name": "a"}], "Required value"),
        ([{"name": "a b", "value": ""}], "should match"),
    ],
)
def test_what_the_crd_refuses_of_params(space: Space, params: list[Any], words: str) -> None:
    with pytest.raises(KubectlError, match=words):
        space.flow({"params": params, "nodes": [{"name": "a", "script": "true"}]})


LOCKED = """
params: [{name: date, value: "1"}]
nodes:
- {name: slow, script: sleep 8}
- {name: a, outputs: [{name: x, default: 1}], command: [echo, $(params.date)]}
"""


def test_params_and_defaults_are_locked_and_a_changed_param_runs_again_what_names_it(
    space: Space,
) -> None:
    run = space.flow(LOCKED)
    run.wait_running("slow")
    with pytest.raises(KubectlError, match="can't change while a run is on"):
        run.patch_spec({"params": [{"name": "date", "value": "2"}]})
    nodes = run.object["spec"]["nodes"]
    nodes[1]["outputs"] = [{"name": "x", "default": 2}]
    with pytest.raises(KubectlError, match="can't change while a run is on"):
        run.patch_spec({"nodes": nodes})
    run.finished("Succeeded")
    run.patch_spec({"params": [{"name": "date", "value": "2"}]})
    run.annotate("rerun", "failed@1")
    run.finished("Succeeded", run=2)
    assert (len(run.jobs("slow")), len(run.jobs("a"))) == (1, 2)
    assert run.log("a") == "1\n2\n"
