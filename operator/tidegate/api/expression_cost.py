"""How much a condition may cost at worst: the size of its largest value, and its steps.

CEL bounds recursion and the number of iterations, not how large values grow:
``["x"].map(s, s + s)`` twenty times over makes megabytes, thirty times over it makes gigabytes. So
the parsed expression is walked. Sizes of inputs are known, and each call makes at most the sum of
its arguments. For a loop, the work on all items is at most the work on one that has the size of all
of them, plus what an empty one costs, times the number of rounds. That looks at a loop's body
twice, at one three loops deep eight times: there may be no more inside each other.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from tidegate.api.pattern_size import READING, pattern_size
from tidegate.api.wire import Message

MAX_SIZE: Final = 1024 * 1024
"""Bytes or items of any value on the way."""
MAX_STEPS: Final = 20_000_000
"""Comparisons and copies of bytes or items: 25 ns at worst, half a second together."""
MAX_LOOPS: Final = 3
"""Loops inside each other."""
ROUNDS: Final = 10_000
"""Of all loops of an evaluation together: the library ends it there."""
OUTPUTS_SIZE: Final = 4096
"""Bytes that the outputs of a node have at most."""
_ITEM: Final = 2
"""Bytes that an item takes at least, as in JSON."""
_BASE: Final = 4
"""Steps of each part of an expression, whatever it works on."""
_SMALL: Final = 256
"""More than a phase, a reason or a name has."""
_NUMBER: Final = 32
"""More bytes than any number, time or duration has as text."""
_MATCHING: Final = 100
"""Steps that matching takes, however short text and pattern are."""
_FINDING: Final = 1 / 1000
"""Steps that looking for one text in another takes, for the product of their sizes."""

_SELECT, _CALL, _LIST, _STRUCT, _LOOP = 5, 6, 7, 8, 9
_CONSTANT, _IDENT = 3, 4
_TEXT: Final = 6
_KEY, _VALUE = 3, 4
_ROOTS: Final = ("nodes", "params", "workflow")
_VERDICTS: Final = frozenset(
    {
        "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_&&_", "_||_", "!_", "@in", "_in_", "in",
        "@not_strictly_false", "size", "contains", "startsWith", "endsWith", "matches", "int",
        "uint", "double", "bool", "timestamp", "duration", "type",
    }
)  # fmt: skip
"""Functions whose result is small whatever their arguments are."""
_JOINING: Final = frozenset({"_+_", "_?_:_", "dyn"})
"""Functions whose result has the items of their arguments, not those of one of their items."""


_SHORTER: Final = "use fewer loops inside each other, and fewer repeats in patterns"


class TooCostlyError(Exception):
    """An expression may take too long, or too much memory; the message says what to do."""


class _Scope(NamedTuple):
    """What is known where a part of the expression stands."""

    sizes: Mapping[str, float]
    """Of variables, by name."""
    loops: int = 0
    """That stand around it."""


class _Cost(NamedTuple):
    """What a part of the expression costs at worst."""

    size: float
    """Bytes or items of its value."""
    items: float
    """Items of its value; those of items aside."""
    steps: float
    spread: float
    """Steps without what each round of the innermost loops costs whatever its item is."""
    each: float = 0
    """That: steps of a round."""


def steps_of(serialized: bytes, sizes: Mapping[str, int]) -> float:
    """Steps that the serialized expression, which is parsed, takes at most; raises TooCostlyError.

    ``sizes``: bytes of the variables whose size is known, by dotted name.
    """
    try:
        parsed = Message(serialized).message(2)
        cost = _cost(parsed.message(2), _Scope(sizes))
    except RecursionError:
        raise TooCostlyError("is nested too deeply") from None
    steps = min(cost.steps, cost.spread + cost.each * ROUNDS)
    if steps > MAX_STEPS:
        raise TooCostlyError(f"may take too long; {_SHORTER}")
    return steps


def _cost(expression: Message, scope: _Scope) -> _Cost:
    cost = _cost_of_kind(expression, scope)
    if cost.size > MAX_SIZE:
        words = "may make values of more than 1 MiB; join fewer texts and lists in loops"
        raise TooCostlyError(words)
    return cost


def _cost_of_kind(expression: Message, scope: _Scope) -> _Cost:
    if expression.has(_CALL):
        return _call(expression.message(_CALL), scope)
    if expression.has(_LOOP):
        return _loop(expression.message(_LOOP), scope)
    if expression.has(_LIST):
        items = expression.message(_LIST).messages(1)
        return _items(items, len(items), scope)
    if expression.has(_STRUCT):
        struct = expression.message(_STRUCT)
        if struct.text(1):
            raise TooCostlyError("a name in front of { } has no meaning in a condition")
        entries = struct.messages(2)
        return _items(list(_parts_of(entries)), len(entries), scope)
    if expression.has(_CONSTANT):
        return _value(len(expression.blob(_CONSTANT)))
    path = _path(expression)
    if len(path) > 1 and (not path[0] or path[0] in scope.sizes):
        operand = _cost(expression.message(_SELECT).message(1), scope)
        return _together([operand], _BASE, operand.size, operand.size / _ITEM)
    return _value(_size_of_name(".".join(path), scope.sizes))


def _parts_of(entries: list[Message]) -> Iterator[Message]:
    """Keys and values of a map.

    A type may grow to twice its size with every key that is worked out, and no size bounds types.
    """
    for entry in entries:
        if not entry.message(_KEY).has(_CONSTANT):
            raise TooCostlyError("a key in { } is a text or number as it stands there")
        yield entry.message(_KEY)
        yield entry.message(_VALUE)


def _value(size: float) -> _Cost:
    return _Cost(size, size / _ITEM, _BASE, _BASE)


def _call(call: Message, scope: _Scope) -> _Cost:
    target = [call.message(1)] if call.has(1) else []
    parts = [*target, *call.messages(3)]
    costs = [_cost(part, scope) for part in parts]
    name = call.text(2)
    work = _BASE + _work(name, parts, costs)
    joined = costs[1:] if name == "_?_:_" else costs
    size = sum(cost.size for cost in joined) + (_NUMBER if name == "string" else 0)
    if name in _VERDICTS:
        return _together(costs, work, 1, 1)
    items = sum(cost.items for cost in joined) if name in _JOINING else size / _ITEM
    return _together(costs, work, size, items)


def _work(name: str, parts: list[Message], costs: list[_Cost]) -> float:
    """The steps of a call itself."""
    sizes = [cost.size for cost in costs]
    if name == "matches":
        pattern = parts[-1].message(_CONSTANT)
        if not pattern.has(_TEXT):
            words = "takes a pattern written there in quotes, as it can be checked only so"
            raise TooCostlyError(f"matches(…) {words}")
        return _MATCHING + pattern_size(pattern.text(_TEXT)) * (READING + sizes[0])
    if name == "contains":
        return sum(sizes) + sizes[0] * sizes[-1] * _FINDING
    return sum(sizes)


def _items(parts: list[Message], count: int, scope: _Scope) -> _Cost:
    """Of a list or map with ``count`` items, made of these parts, each of which takes some room."""
    costs = [_cost(part, scope) for part in parts]
    return _together(costs, _BASE, sum(max(cost.size, _ITEM) for cost in costs), count)


def _together(costs: list[_Cost], work: float, size: float, items: float) -> _Cost:
    """Of a value that is made of others with so much ``work``."""
    return _Cost(
        size,
        items,
        work + sum(cost.steps for cost in costs),
        work + sum(cost.spread for cost in costs),
        max((cost.each for cost in costs), default=0),
    )


def _loop(loop: Message, scope: _Scope) -> _Cost:
    if scope.loops == MAX_LOOPS:
        raise TooCostlyError(
            f"may take too long; at most {MAX_LOOPS} loops can stand in each other"
        )
    if loop.text(1) in _ROOTS:
        raise TooCostlyError(f"a loop's variable can't be called {loop.text(1)}")
    over, start = _cost(loop.message(2), scope), _cost(loop.message(4), scope)
    empty, whole = _round(loop, scope, 0), _round(loop, scope, over.size)
    count = max(over.items, 1)
    rounds = _rounds(empty, whole, count)
    size = items = 1.0
    if loop.message(4).has(_LIST):  # map and filter; the others only count or judge
        size, items = max(whole.size - empty.size, 0) + empty.size * count, count
        copies = count * count  # each round copies what was gathered before
        rounds = rounds._replace(steps=rounds.steps + copies, spread=rounds.spread + copies)
    inner = _Scope({**scope.sizes, loop.text(3): size}, scope.loops)
    result = _cost(loop.message(7), inner)
    return _together([over, start, rounds, result], 0, result.size, items)


def _round(loop: Message, scope: _Scope, size: float) -> _Cost:
    """Of a round with an item of this size."""
    variables = [loop.text(field) for field in (1, 8) if loop.has(field)]
    known = {**scope.sizes, **dict.fromkeys(variables, size), loop.text(3): 0}
    inner = _Scope(known, scope.loops + 1)
    step = _cost(loop.message(6), inner)
    return _together([_cost(loop.message(5), inner), step], 0, step.size, step.items)


def _rounds(empty: _Cost, whole: _Cost, count: float) -> _Cost:
    """Of so many rounds: what an empty item and one of the size of all of them cost."""
    growing = max(whole.steps - empty.steps, 0)
    is_innermost = empty.each == 0
    return _Cost(
        0,
        0,
        growing + empty.steps * count,
        growing + (0 if is_innermost else empty.spread * count),
        empty.steps if is_innermost else empty.each,
    )


def _path(expression: Message) -> list[str]:
    """A variable and the fields that are selected from it; an empty one if it is none."""
    fields: list[str] = []
    while expression.has(_SELECT):
        select = expression.message(_SELECT)
        fields.append(select.text(2))
        expression = select.message(1)
    return [expression.message(_IDENT).text(1), *reversed(fields)]


def _size_of_name(name: str, sizes: Mapping[str, float]) -> float:
    if name in sizes:
        return sizes[name]
    return OUTPUTS_SIZE if ".outputs" in name else _SMALL
