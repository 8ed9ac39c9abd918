"""The adapter to CEL: what it finds in a text, and that it neither raises nor hangs."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.api.specs import faults, node, spec
from tidegate.api.expressions import (
    BadExpression,
    Condition,
    EvaluationError,
    compile_condition,
    place,
    uses,
)

NODES = ("a", "a-b", "1st")
PARAMS = {"x": "1", "in": "2"}
PARTS = st.sampled_from(
    ["nodes", "params", "workflow", ".", "a", "x", "outputs", "phase", '["a-b"]', "'", '"', "\\",
     "(", ")", "[", "]", "{", "}", " ", "==", "&&", "||", "!", "+", "1", "0.5", "true", "null",
     ".map(s, s + s)", ".all(x, ", "?", ":", "`", "\n", "//", "matches", "has(", "in", "%", "-"]
)  # fmt: skip
VALUES = {
    **{f"nodes.{n}.{f}": "" for n in NODES for f in ("phase", "reason", "servedBy")},
    **{f"nodes.{n}.exitCode": -1 for n in NODES},
    **{f"nodes.{n}.outputs": {"x": 1, "l": [1, "a", None]} for n in NODES},
    **{f"params.{name}": text for name, text in PARAMS.items()},
    "workflow.run": 1,
    "workflow.name": "w",
    "workflow.namespace": "n",
    "workflow.uid": "u",
}


def compiled(text: str) -> Condition:
    return compile_condition(text, PARAMS, NODES)


def holds(text: str) -> bool:
    condition = compiled(text)
    named = {f"{kind}.{name}" for kind in ("nodes", "params") for name in getattr(condition, kind)}
    return condition.holds(
        {
            key: value
            for key, value in VALUES.items()
            if key.startswith("workflow.") or any(f"{key}.".startswith(f"{n}.") for n in named)
        }
    )


@pytest.mark.parametrize(
    "text",
    [
        'nodes["a-b"].phase == ""',
        "nodes['1st'].outputs.x == 1",
        'nodes [ "a" ] . outputs [ "x" ] == 1',
        "nodes.`a-b`.exitCode == -1",
        'params["in"] == "2" && params.x == "1"',
        '"nodes[\'q\']" != "params.q" // nodes.zzz',
        "nodes.a.outputs.l.exists(v, v == 'a')",
        "nodes.a.outputs.l[2] == null",
        "r'nodes[\"z\"]' != ''",
        "'''nodes.z \" '''.contains('nodes')",
    ],
)
def test_what_is_true(text: str) -> None:
    assert holds(text)


def test_what_is_named() -> None:
    text = 'nodes["a-b"].outputs["k"] == 1 &&\n params.x == "nodes.q" && workflow.run > 1'
    assert [(u.root, u.name, u.field, u.output) for u in uses(text)] == [
        ("nodes", "a-b", "outputs", "k"),
        ("params", "x", "", ""),
        ("workflow", "run", "", ""),
    ]
    assert [place(text, u.offset) for u in uses(text)] == [(1, 1), (2, 2), (2, 27)]
    condition = compiled('nodes["a-b"].outputs["k"] == 1 && nodes.a.phase == ""')
    assert condition.nodes == {"a", "a-b"}
    assert condition.reads_outputs_of == {"a-b"}


@pytest.mark.parametrize(
    "text",
    [
        "nodes.a.outputs.l.exists(x, nodes.a.outputs.l.exists(y, x == y))",
        'nodes.a.outputs.l.filter(x, x != null).map(x, string(x)).exists(x, x == "a")',
        'nodes.a.outputs.l.all(x, x in ["a", "b"]) || params.x + params.x == "11"',
        '{"a": nodes.a.outputs.x}.a == 1 ? true : false',
        "nodes.a.outputs.l.exists_one(x, x == 1)",
        " || ".join(f"nodes.a.exitCode == {i}" for i in range(150)),
    ],
)
def test_what_is_not_too_costly(text: str) -> None:
    compiled(text)


@pytest.mark.parametrize(
    "text",
    [
        '["x"]' + ".map(s, s + s)" * 25 + ' == ["x"]',
        "[dyn(1)]" + ".map(s, dyn([s, s, s, s]))" * 12 + " == [dyn(1)]",
        "nodes.a.outputs.l" + ".map(s, nodes.a.outputs.l)" * 3 + " == []",
        "nodes.a.outputs.l.all(a, nodes.a.outputs.l.map(b, b) == nodes.a.outputs.l)",
        '["x"]' + ".map(s, {'a': s + s, 'b': s + s}['a'])" * 20 + ' == ["x"]',
    ],
)
def test_bombs_are_refused_at_once(text: str) -> None:
    began = time.monotonic()
    with pytest.raises(BadExpression, match="may "):
        compiled(text)
    assert time.monotonic() - began < 2


@given(st.lists(PARTS, max_size=25).map("".join) | st.text(max_size=60))
@settings(deadline=2000)
def test_nothing_else_is_raised_whatever_stands_there(text: str) -> None:
    try:
        assert isinstance(holds(text), bool)
    except (BadExpression, EvaluationError) as error:
        assert str(error)  # noqa: PT017 - either may be raised, or none


@given(st.lists(PARTS, max_size=25).map("".join) | st.text(min_size=1, max_size=60))
@settings(deadline=2000)
def test_validation_tells_of_any_condition(text: str) -> None:
    found = faults(spec(node("a"), node("b", dependsOn=["a"], when=text)))
    assert all(fault.startswith("spec.nodes[b].when: ") for fault in found)


@given(st.lists(st.sampled_from(["$", "$$", "$(", ")", "params.", "nodes.", "a", ".outputs.", "x",
                                 "phase", ".", "workflow.run", " ", "item", "[0]"]),
                max_size=14).map("".join))  # fmt: skip
def test_any_text_is_a_reference_or_is_none(text: str) -> None:
    found = faults(spec(node("a"), node("b", dependsOn=["a"], args=[text])))
    assert all(fault.startswith("spec.nodes[b].args[0]: $(") for fault in found)
    json.dumps(found)
