"""The adapter to CEL: what it finds in a text, and that it neither raises nor hangs."""

import json

import pytest
from cel_expr_python import cel
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
    **{f"nodes.{n}.outputs": {"x": 1, "t": "text", "l": [1, "a", None]} for n in NODES},
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
        r"""r"\d" != '' && nodes.a.exitCode == -1""",
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
def test_bombs_are_refused(text: str) -> None:
    with pytest.raises(BadExpression, match="may "):
        compiled(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("!nodes.a.outputs.t", "! can't take a value that is neither true nor false"),
        ("nodes.a.outputs.t && true", "&& can't take a value that is neither true nor false"),
        ("nodes.a.outputs.t || false", "|| can't take a value that is neither true nor false"),
        ("nodes.a.outputs.t ? true : false",
         "? : can't take a value that is neither true nor false"),
        ("1 in nodes.a.outputs.t", "in can't take a value that is neither a list nor a map"),
        ("nodes.a.outputs.t.all(x, true)",
         "a loop can't take a value that is neither a list nor a map"),
        ("nodes.a.outputs.x.contains('a')",
         "contains can't take (int, string)"),
        ("nodes.a.outputs.t < 1", "< can't take (string, int); int(…) makes a number of text"),
    ],
)  # fmt: skip
def test_what_has_no_answer_is_told_in_words(text: str, words: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        holds(text)
    assert str(caught.value) == words


@pytest.mark.timeout(10)
@pytest.mark.parametrize("quote", ['"', "'", '"""', "'''", 'r"', "rb'''", "`"])
@pytest.mark.parametrize(
    "part", ['\\"', "\\'", "\\\n", "\\q", "\\x", "\n'", '\n"', 'nodes["', "nodes.`", "nodes . a"]
)
def test_a_text_without_an_end_is_read_once(quote: str, part: str) -> None:
    assert len(uses(f"{quote}{part * 100_000}")) <= 100_000


@pytest.mark.parametrize("text", ['"abc', "x == 'a\nb'", '"a" + """b', '"\\d"', "'\\x1'"])
def test_a_text_without_an_end_is_told_of(text: str) -> None:
    with pytest.raises(BadExpression) as caught:
        compiled(text)
    (fault,) = caught.value.faults
    assert fault.message == "a text begins here that has no end, or a \\ in it that means nothing"
    assert text[fault.column - 1] in "\"'"


QUOTED = st.lists(
    st.sampled_from(
        ['"', "'", '"""', "'''", "\\", '\\"', "\\'", "\\`", "\\?", "\\n", "\\077", "\\477",
         "\\x4", "\\XaF", "\\u00e", "\\u00e9", "\\U0001f600", "r", "R", "b", "a", " ", "+", "\n",
         "\r", "\t", "//", "`", "\0", "é"]
    ),
    max_size=9,
).map("".join)  # fmt: skip


@given(QUOTED | QUOTED.map(lambda text: f'"{text}" == ""') | QUOTED.map(lambda t: f"r'{t}' == ''"))
@settings(max_examples=500)
def test_what_is_refused_for_a_text_without_an_end_cel_refuses(text: str) -> None:
    try:
        cel.NewEnv().compile(text)
    except Exception:  # noqa: BLE001 - whatever the library has to say
        return
    try:
        compiled(text)
    except BadExpression as error:
        assert "no end" not in str(error)  # noqa: PT017 - there may be other faults


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
