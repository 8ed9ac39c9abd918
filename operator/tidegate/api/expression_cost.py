"""How much a condition may cost at worst: the size of its largest value, and its steps.

CEL bounds recursion and the number of iterations, not how large values grow:
``["x"].map(s, s + s)`` twenty times over makes megabytes, thirty times over it makes gigabytes. So
the compiled expression is walked once. Sizes of inputs are known, and each call makes at most the
sum of its arguments. For a loop, the work on all items is at most the work on one that has the
size of all of them, plus what an empty one costs, times the number of rounds.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from tidegate.api.wire import Message

MAX_SIZE: Final = 1024 * 1024
"""Bytes or items of any value on the way."""
MAX_STEPS: Final = 100_000_000
"""Comparisons and copies of bytes or items: about a second at worst."""
ROUNDS: Final = 10_000
"""Of all loops of an evaluation together: the library ends it there."""
OUTPUTS_SIZE: Final = 4096
"""What an output has at most; a list of so many bytes has fewer items."""
_SMALL: Final = 256
"""More than a phase, a reason or a name has."""

_SELECT, _CALL, _LIST, _STRUCT, _LOOP = 5, 6, 7, 8, 9
_CONSTANT, _IDENT = 3, 4
_VERDICTS: Final = frozenset(
    {
        "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "_&&_", "_||_", "!_", "@in", "_in_", "in",
        "@not_strictly_false", "size", "contains", "startsWith", "endsWith", "matches", "int",
        "uint", "double", "bool", "timestamp", "duration", "type",
    }
)  # fmt: skip
"""Functions whose result is small whatever their arguments are."""

Sizes = Mapping[str, float]


class _Cost(NamedTuple):
    """What a part of the expression costs at worst."""

    size: float
    """Bytes or items of its value."""
    steps: float
    once: float
    """Steps if every loop in it had one round."""


class _TooLargeError(Exception):
    """A value on the way may grow beyond all bounds."""


def too_costly(serialized: bytes, sizes: Mapping[str, int]) -> str:
    """Why the serialized expression may cost too much; empty where it can't.

    ``sizes``: of the variables whose size is known, by dotted name.
    """
    try:
        checked = Message(serialized).message(2)
        cost = _cost(checked.message(4), dict(sizes))
    except RecursionError:
        return "is nested too deeply"
    except _TooLargeError:
        return "may make values of more than 1 MiB; join fewer texts and lists in loops"
    if cost.steps > MAX_STEPS:
        return "may take too long; use fewer loops inside each other"
    return ""


def _cost(expression: Message, sizes: Sizes) -> _Cost:
    cost = _cost_of_kind(expression, sizes)
    if cost.size > MAX_SIZE:
        raise _TooLargeError
    return cost


def _cost_of_kind(expression: Message, sizes: Sizes) -> _Cost:
    if expression.has(_CALL):
        return _call(expression.message(_CALL), sizes)
    if expression.has(_LOOP):
        return _loop(expression.message(_LOOP), sizes)
    if expression.has(_LIST):
        return _items(expression.message(_LIST).messages(1), sizes)
    if expression.has(_STRUCT):
        return _items(_entries(expression.message(_STRUCT)), sizes)
    if expression.has(_CONSTANT):
        return _Cost(len(expression.blob(_CONSTANT)), 1, 1)
    if expression.has(_SELECT) and _root(expression) in sizes:
        return _select(expression.message(_SELECT), sizes)
    return _Cost(_size_of_name(_path(expression), sizes), 1, 1)


def _call(call: Message, sizes: Sizes) -> _Cost:
    target = [call.message(1)] if call.has(1) else []
    arguments = [_cost(argument, sizes) for argument in (*target, *call.messages(3))]
    work = sum(cost.size for cost in arguments) + 1
    steps, once = (work + sum(cost[part] for cost in arguments) for part in (1, 2))
    name = call.text(2)
    if name in _VERDICTS:
        return _Cost(1, steps, once)
    chosen = arguments[1:] if name == "_?_:_" else arguments
    return _Cost(sum(cost.size for cost in chosen), steps, once)


def _select(select: Message, sizes: Sizes) -> _Cost:
    operand = _cost(select.message(1), sizes)
    return _Cost(operand.size, operand.steps + 1, operand.once + 1)


def _loop(loop: Message, sizes: Sizes) -> _Cost:
    over, start = _cost(loop.message(2), sizes), _cost(loop.message(4), sizes)
    variables = [loop.text(field) for field in (1, 8) if loop.has(field)]
    accumulator = loop.text(3)

    def round_of(size: float) -> _Cost:
        known = {**sizes, **dict.fromkeys(variables, size), accumulator: 0}
        until, step = _cost(loop.message(5), known), _cost(loop.message(6), known)
        return _Cost(step.size, until.steps + step.steps, until.once + step.once)

    empty, whole, count = round_of(0), round_of(over.size), max(over.size, 1)
    gathers = loop.message(4).has(_LIST)  # map and filter; the others only count or judge
    size = max(whole.size - empty.size, 0) + empty.size * count if gathers else 1
    result = _cost(loop.message(7), {**sizes, accumulator: size})
    rounds = max(whole.steps - empty.steps, 0) + min(empty.steps * count, empty.once * ROUNDS)
    others = (over, start, result)
    steps = rounds + sum(cost.steps for cost in others)
    return _Cost(result.size, steps, whole.once + sum(cost.once for cost in others))


def _items(expressions: list[Message], sizes: Sizes) -> _Cost:
    """Of a list or map with these items, each of which takes some room."""
    costs = [_cost(expression, sizes) for expression in expressions]
    steps, once = (1 + sum(cost[part] for cost in costs) for part in (1, 2))
    return _Cost(sum(max(cost.size, 1) for cost in costs), steps, once)


def _entries(struct: Message) -> list[Message]:
    return [
        entry.message(field) for entry in struct.messages(2) for field in (3, 4) if entry.has(field)
    ]


def _path(expression: Message) -> str:
    """``a.b.c`` of selections from a variable; empty where they start from something else."""
    return ".".join(reversed(list(_parts(expression))))


def _root(expression: Message) -> str:
    """The local variable that is selected from, unless all of it is one variable's name."""
    parts = list(_parts(expression))
    return parts[-1] if parts and parts[-1] not in ("nodes", "params", "workflow") else ""


def _parts(expression: Message) -> Iterator[str]:
    while expression.has(_SELECT):
        select = expression.message(_SELECT)
        yield select.text(2)
        expression = select.message(1)
    if expression.has(_IDENT):
        yield expression.message(_IDENT).text(1)


def _size_of_name(path: str, sizes: Sizes) -> float:
    if path in sizes:
        return sizes[path]
    return OUTPUTS_SIZE if not path or ".outputs" in path else _SMALL
