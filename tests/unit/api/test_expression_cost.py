"""What a condition may cost, and how much work it is to find that out."""

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.api.specs import faults, node, spec
from tidegate.api import expression_cost
from tidegate.api.expression_cost import MAX_LOOPS, MAX_STEPS
from tidegate.api.expressions import BadExpression, Condition, compile_condition
from tidegate.api.fields import MAX_CONDITION
from tidegate.api.pattern_size import pattern_size

LOOPS = ("all(v, ", "exists(v, ", "exists_one(v, ", "map(v, ", "map(v, true, ", "filter(v, dyn(")
LIST = "nodes.a.outputs.l"
SOME = "[" + "1," * 99 + "1]"
ITEM = st.sampled_from(["v", "1", '"x"', LIST, "[1, 2]", "v == 1", "v + v", "size(v)", "true"])


def compiled(text: str, **params: str) -> Condition:
    return compile_condition(text, params, ["a"])


def refusal(text: str, **params: str) -> str:
    with pytest.raises(BadExpression) as caught:
        compiled(text, **params)
    return str(caught.value)


def nested(loop: str, depth: int, item: str = "true") -> str:
    return f"[true].{loop}" * depth + item + ")" * loop.count("(") * depth


def closed(loop: str, body: str) -> str:
    return f".{loop}{body}{')' * loop.count('(')}"


def visits(text: str) -> int:
    """The parts of an expression that its cost is asked of, one and the same again included."""
    with patch.object(expression_cost, "_cost", wraps=expression_cost._cost) as cost:
        try:
            compiled(text, p="x")
        except BadExpression as error:
            assert str(error)  # noqa: PT017 - either may be
    return cost.call_count


@pytest.mark.parametrize("loop", LOOPS)
def test_loops_too_deep_inside_each_other_are_refused_before_they_are_counted(loop: str) -> None:
    for depth in (MAX_LOOPS + 1, 8, 12):
        text = f"size([{nested(loop, depth)}]) > 0"
        assert "at most 3 loops can stand in each other" in refusal(text)
        assert visits(text) < 100


@pytest.mark.parametrize("loop", LOOPS)
def test_a_few_loops_inside_each_other_are_fine(loop: str) -> None:
    compiled(f"size([{nested(loop, MAX_LOOPS)}]) > 0")


def test_loops_behind_each_other_are_not_inside_each_other() -> None:
    compiled("[1]" + ".map(v, v)" * 6 + ".exists(v, v == 1)")


@pytest.mark.parametrize("depth", range(MAX_LOOPS + 1))
def test_twice_the_text_is_twice_the_work(depth: int) -> None:
    some, more = (nested("all(v, ", depth, " || ".join(["v == v"] * n)) for n in (40, 80))
    assert visits(more) <= 2.1 * visits(some)


@given(
    st.recursive(
        ITEM,
        lambda inner: st.builds(
            lambda over, loop, body, times: f"[{over}]" + closed(loop, body) * times,
            inner, st.sampled_from(LOOPS), inner, st.integers(1, 3),
        ) | st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        max_leaves=30,
    )
)  # fmt: skip
def test_the_work_is_bounded_by_the_text_however_loops_are_nested(text: str) -> None:
    text = f"size([{text}]) > 0"
    assert visits(text) <= 2**MAX_LOOPS * len(text)


def test_a_whole_spec_of_costly_conditions_is_bounded() -> None:
    text = nested("all(v, ", MAX_LOOPS, " || ".join(["v"] * 800))[:MAX_CONDITION]
    others = [node(f"b{i}", dependsOn=["a"], when=text) for i in range(120)]
    with patch.object(expression_cost, "_cost") as cost:
        found = faults(spec(node("a"), *others))
    assert found == [
        "spec.nodes: their conditions have more than 64 KiB together; use shorter ones"
    ]
    assert cost.call_count == 0


def test_what_all_conditions_take_together_is_bounded() -> None:
    others = [node(f"b{i}", when=f"{LIST}.map(v, v) != []", dependsOn=["a"]) for i in range(20)]
    assert faults(spec(node("a"), *others)) == [
        "spec.nodes: their conditions may take too long together; use fewer loops and patterns"
    ]
    assert faults(spec(node("a"), *others[:10])) == []


def test_hundreds_of_ordinary_conditions_are_fine() -> None:
    text = f'{LIST}.exists(v, v == "x") && nodes.a.phase == "Succeeded" && nodes.a.outputs.n > 10'
    others = [node(f"b{i}", when=text, dependsOn=["a"]) for i in range(499)]
    assert faults(spec(node("a"), *others)) == []


@pytest.mark.parametrize("name", ["nodes", "params", "workflow"])
def test_no_loop_hides_how_large_a_param_is(name: str) -> None:
    text = f'[{{"x": "y"}}].map({name}, {{"x": {name}.x + {name}.x}}) != []'
    assert refusal(text, x="z") == f"a loop's variable can't be called {name}"


@pytest.mark.timeout(10)
@pytest.mark.parametrize("key", ["v", "[v]", "{1: v}", "dyn(v)", "true ? v : v", "[v][0]"])
def test_no_type_doubles_by_keys_of_maps(key: str) -> None:
    text = "[1]" + f".map(v, {{{key}: v}})" * 18 + ".size() > 0"
    assert "a key in { } is a text or number as it stands there" in refusal(text)


def test_a_map_with_keys_as_they_stand_there_is_fine() -> None:
    compiled(
        '{"staging": 1, "production": 3}[params.p] > 1 && {-1: "a", true: 2}[true] == 2', p="x"
    )


@pytest.mark.parametrize("part", ["s + s", "[s, s]"])
@pytest.mark.parametrize("field", [".a", ".a.a", "['a']", "['a'].a", ".a['a']"])
def test_what_a_field_is_selected_from_is_counted(part: str, field: str) -> None:
    value = f'{{"a": {part}}}' if field.count("a") == 1 else f'{{"a": {{"a": {part}}}}}'
    text = '["x"]' + f".map(s, {value}{field})" * 24 + ".size() > 0"
    assert "may make values of more than 1 MiB" in refusal(text)
    loops = f"{SOME}.map(i, {SOME}.map(j, {LIST}.map(k, k)))"
    assert "may " in refusal(f'has({{"a": {loops}}}.a)')


@pytest.mark.parametrize("made", ["google.protobuf.Struct{fields: nodes.a.outputs}",
                                  'google.protobuf.StringValue{value: "x"}'])  # fmt: skip
def test_no_messages_are_made(made: str) -> None:
    assert refusal(f"has({made}.x)") == "a name in front of { } has no meaning in a condition"


BOMBS = {
    "repeats inside each other": '"((([ab]?){31}){31})c"',
    "repeats beside each other": '"(((([ab]?[ab]?){30}){30})|(([ab]?c?){30}){30})c"',
    "any characters": '"(?:.?){1000}c"',
    "characters of Unicode": r'"((\\pL?){31}){10}"',
    "a quoted parenthesis": r'"((([ab]?\\Q)\\E){31}){31})c"',
    "a parenthesis in a set": '"(((([ab)]?)){31}){31})c"',
    "open at the end": '"(([ab]?){31,}){31}c"',
}


@pytest.mark.parametrize("pattern", BOMBS.values(), ids=BOMBS)
def test_patterns_that_take_long_are_refused(pattern: str) -> None:
    words = "fewer repeats in patterns"
    assert words in refusal(f"params.p.matches({pattern})", p="ab" * 16384)
    assert words in refusal(f"matches(params.p, {pattern})", p="ab" * 16384)
    assert words in refusal(f"{SOME}.all(i, {SOME}.all(j, string(j).matches({pattern})))")


@pytest.mark.parametrize(
    "text",
    [
        'params.date.matches("^[0-9]{4}-[0-9]{2}-[0-9]{2}$")',
        'nodes.a.outputs.id.matches("^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$")',
        'nodes.a.outputs.name.matches("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")',
        r"params.date.matches(r'^\pL+$')",
        r"nodes.a.outputs.version.matches(r'^v?(\d+)\.(\d+)\.(\d+)(-[\w.]+)?$')",
        'nodes.a.outputs.files.exists(f, f.matches("^part-[0-9]{5}[.]csv$"))',
    ],
)
def test_patterns_as_people_write_them_are_fine(text: str) -> None:
    compiled(text, date="2026-11-22")


@pytest.mark.parametrize("pattern", ["params.p", '"a" + "b"', "dyn(params.p)", "nodes.a.outputs.p"])
def test_a_pattern_stands_there_in_quotes(pattern: str) -> None:
    assert "takes a pattern written there in quotes" in refusal(f'"x".matches({pattern})', p="x")


@pytest.mark.parametrize(
    ("pattern", "least", "most"),
    [
        ("", 0, 0),
        ("abc", 3, 3),
        ("a{3}", 3, 9),
        ("a{2,5}", 5, 15),
        ("a{,5}", 5, 5),
        ("(a{10}){10}", 100, 300),
        ("(a|b)*", 4, 8),
        ("a{10}{10}", 100, 300),
        (r"a\{1000}", 1, 20),
        (r"\Qa{1000}\E", 1, 20),
        ("[a{1000}]", 1, 20),
        ("[]{1000}]", 1, 20),
        ("(((", 3, 3),
        (")))a{9}", 9, 30),
        ("(?i)k{100}", 200, 500),
        ("[[:^alpha:]]{9}", 100, 500),
        ("((((((a{999}){999}){999}){999}){999}){999}){999}", 10**8, 10**10),
    ],
)
def test_the_size_of_a_pattern(pattern: str, least: int, most: int) -> None:
    assert least <= pattern_size(pattern) <= most


@given(st.text("ab(){}[]\\^:123,QEpPL.?*|", max_size=60))
def test_any_text_has_a_size_as_a_pattern(pattern: str) -> None:
    assert pattern_size(f"({pattern}") >= 1


@pytest.mark.timeout(10)
@pytest.mark.parametrize("part", ["[", "(", "\\Q", "[[:", "{1", "\\p{", "[^]", "\\", "1[^\\"])
def test_a_long_pattern_is_read_once(part: str) -> None:
    assert pattern_size(part * 200_000) > 0


def test_gathering_costs_the_square_of_what_is_gathered() -> None:
    """Each round copies what was gathered before: 2000 items take a tenth of a second."""
    some, more = (
        compiled("(" + " + ".join([SOME] * n) + ").map(v, v) != []").steps for n in (3, 6)
    )
    assert more > 3 * some
    assert "may take too long" in refusal("(" + " + ".join([LIST] * 3) + ").map(v, v) != []")


@pytest.mark.parametrize("form", ["[{}][0]", '{{"a": {}}}.a', "[[{}]].map(v, v[0])[0]", "dyn({})"])
def test_items_are_counted_wherever_a_list_comes_from(form: str) -> None:
    value = form.format(" + ".join([LIST] * 3))
    assert "may take too long" in refusal(f"{value}.map(v, v) != []")


def test_looking_for_a_text_costs_the_product_of_both() -> None:
    some, more = (
        compiled("params.p.contains(params.q)", p="a" * n, q="a" * n).steps for n in (10**4, 10**5)
    )
    assert more > 50 * some


def test_the_size_of_a_text_is_counted_in_bytes() -> None:
    plain, wide = (compiled('params.p == ""', p=c * 1000).steps for c in ("a", "😀"))
    assert wide - plain == 3000
    assert wide < MAX_STEPS
