from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.api.graph import Graph, find_cycles


@dataclass(frozen=True)
class Node:
    name: str
    depends_on: tuple[str, ...] = ()


def graph(**dependencies: str) -> Graph:
    return Graph.build(Node(name, tuple(needed)) for name, needed in dependencies.items())


def test_a_wave_is_one_more_than_the_greatest_of_the_dependencies() -> None:
    diamond = graph(d="bc", b="a", c="ab", a="", e="")
    assert diamond.waves == (("a", "e"), ("b",), ("c",), ("d",))
    assert dict(diamond.wave_of) == {"d": 4, "b": 2, "c": 3, "a": 1, "e": 1}
    assert list(diamond.wave_of) == ["d", "b", "c", "a", "e"]


def test_inside_a_wave_the_order_is_the_lists() -> None:
    assert graph(z="", y="x", x="", w="z").waves == (("z", "x"), ("y", "w"))


def test_who_depends_on_whom() -> None:
    chain = graph(a="", b="a", c="b", d="a")
    assert chain.dependents["a"] == ("b", "d")
    assert chain.dependencies["c"] == ("b",)
    assert chain.descendants(["a"]) == {"b", "c", "d"}
    assert chain.descendants(["b", "c"]) == frozenset()
    assert chain.ancestors(["c"]) == {"a", "b"}
    assert chain.ancestors([]) == frozenset()


def test_a_dependency_named_twice_counts_once() -> None:
    assert graph(a="", b="aa").dependencies["b"] == ("a",)


@pytest.mark.parametrize(
    ("dependencies", "words"), [({"a": "b", "b": "a"}, "cycle"), ({"a": "x"}, "x, which")]
)
def test_no_graph_of_what_is_none(dependencies: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        graph(**dependencies)


@pytest.mark.parametrize(
    ("dependencies", "cycles"),
    [
        ({"a": "", "b": "a"}, ()),
        ({"a": "a"}, ()),
        ({"a": "x"}, ()),
        ({"b": "c", "c": "b"}, (("b", "c", "b"),)),
        ({"a": "b", "b": "c", "c": "a", "d": "a"}, (("a", "b", "c", "a"),)),
        ({"d": "a", "a": "b", "b": "a"}, (("a", "b", "a"),)),
        ({"a": "b", "b": "a", "c": "d", "d": "c"}, (("a", "b", "a"), ("c", "d", "c"))),
        ({"a": "bc", "b": "a", "c": "a"}, (("a", "b", "a"),)),
        ({"a": "b", "b": "ac", "c": "d", "d": "c"}, (("a", "b", "a"), ("c", "d", "c"))),
    ],
)
def test_each_knot_is_told_by_its_shortest_cycle(
    dependencies: dict[str, str], cycles: tuple[tuple[str, ...], ...]
) -> None:
    assert find_cycles({name: tuple(needed) for name, needed in dependencies.items()}) == cycles


EDGES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25)


@given(EDGES)
def test_there_is_either_a_graph_or_a_cycle(edges: list[tuple[int, int]]) -> None:
    needed: dict[str, set[str]] = {str(i): set() for i in range(10)}
    for a, b in edges:
        if a != b:
            needed[str(a)].add(str(b))
    dependencies = {name: tuple(sorted(others)) for name, others in needed.items()}
    cycles = find_cycles(dependencies)
    for cycle in cycles:
        assert cycle[0] == cycle[-1]
        assert len(set(cycle)) == len(cycle) - 1
        assert all(b in dependencies[a] for a, b in pairwise(cycle))
    try:
        built = Graph.build(Node(name, others) for name, others in dependencies.items())
    except ValueError:
        assert cycles
        return
    assert not cycles
    for name, others in dependencies.items():
        assert built.wave_of[name] == 1 + max((built.wave_of[o] for o in others), default=0)
        assert all(name in built.descendants([other]) for other in others)
        assert all(other in built.ancestors([name]) for other in others)
    assert sorted(name for wave in built.waves for name in wave) == sorted(dependencies)


def test_a_long_chain_is_no_burden() -> None:
    names = [f"n{i}" for i in range(500)]
    built = Graph.build(Node(name, tuple(names[max(0, i - 1) : i])) for i, name in enumerate(names))
    assert len(built.waves) == 500
    ring = {name: (names[i - 1],) for i, name in enumerate(names)}
    assert len(find_cycles(ring)[0]) == 501
