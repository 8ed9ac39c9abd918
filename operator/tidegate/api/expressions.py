"""Conditions in CEL: the only place that knows the library behind them.

A condition sees variables with dotted names, ``params.<name>``, ``nodes.<node>.phase`` and so on,
each declared with its own type, so that unknown names and wrong types are found when it is
compiled. ``nodes["a-b"]`` is read as ``nodes.a-b``. The library bounds recursion and iterations;
how large a value may grow is bounded here, before anything is evaluated.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from cel_expr_python import cel

from tidegate.api.expression_cost import TooCostlyError, steps_of
from tidegate.api.expression_words import plain
from tidegate.api.pattern_size import READING, pattern_size
from tidegate.api.references import NODE_FIELDS

MAX_PATTERN_SIZE: Final = 10_000
"""Of a pattern by itself: a text of 1 KiB takes a quarter of a second at worst."""
_TYPES: Final = {
    "phase": cel.Type.STRING,
    "reason": cel.Type.STRING,
    "exitCode": cel.Type.INT,
    "servedBy": cel.Type.STRING,
    "outputs": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
}
_WORKFLOW: Final = {
    "workflow.name": cel.Type.STRING,
    "workflow.namespace": cel.Type.STRING,
    "workflow.uid": cel.Type.STRING,
    "workflow.run": cel.Type.INT,
}
_ESCAPE: Final = (
    r"\\(?:[abfnrtv\"'`\\?]|[0-3][0-7][0-7]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})"
)
_STRING: Final = (
    r"(?<!\w)[bB]?[rR](?:\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''"
    r"|\"(?!\"\")[^\"\n\r]*\"|'(?!'')[^'\n\r]*')"
    rf"|\"\"\"(?:[^\\]|{_ESCAPE})*?\"\"\"|'''(?:[^\\]|{_ESCAPE})*?'''"
    rf"|\"(?!\"\")(?:[^\"\\\n\r]|{_ESCAPE})*+\"|'(?!'')(?:[^'\\\n\r]|{_ESCAPE})*+'"
)
_TOKEN: Final = re.compile(
    r"(?P<named>\b(?:nodes|params)[ \t]*\[[ \t]*(?:\"[-A-Za-z0-9_]+\"|'[-A-Za-z0-9_]+')[ \t]*\])"
    rf"|(?P<string>{_STRING})|(?P<comment>//[^\n]*)|(?P<broken>[\"'][\s\S]*)"
)
"""What no name stands in; a broken text ends the search, so that nothing is read twice."""
_INDEX: Final = re.compile(r"(nodes|params)([ \t]*)\[([ \t]*)[\"']([-A-Za-z0-9_]+)[\"']([ \t]*)\]")
_PART: Final = r"\s*\.\s*(`[^`\n]*`|[A-Za-z_][A-Za-z0-9_]*)"
_USE: Final = re.compile(
    rf"(?<![\w.`])(?P<root>nodes|params|workflow)\b(?:{_PART}(?:{_PART}(?:{_PART})?)?)?"
)
_OUTPUT_INDEX: Final = re.compile(r"\s*\[\s*[\"']([^\"'\\\n]*)[\"']\s*\]")
_COMPARED: Final = re.compile(r"\s*[!=]=\s*(?:\"([^\"\\\n]*)\"|'([^'\\\n]*)')")
_ERROR: Final = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]*)")
_MAX_LINE: Final = 2**31
"""CEL tells of more where a fault is nowhere in particular."""
_UNDECLARED: Final = re.compile(r"undeclared reference to '(?:nodes|params|workflow)\b")


_PARSER: Final = cel.NewEnv()
_MATCHES: Final = cel.NewEnv(
    variables={"text": cel.Type.STRING, "pattern": cel.Type.STRING}
).compile("text.matches(pattern)")


class ExpressionFault(NamedTuple):
    """One thing that is wrong with a condition."""

    message: str
    line: int = 0
    """From 1; 0 where the fault is nowhere in particular."""
    column: int = 0

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}: " if self.line else ""
        return f"{where}{self.message}"


class Use(NamedTuple):
    """One place where a condition names something of the Workflow's."""

    root: str
    """nodes, params or workflow."""
    name: str
    """The node or param, or the field of workflow; empty where none follows."""
    field: str
    """The node's field; empty where none follows."""
    output: str
    """The output's key, where one is named."""
    offset: int
    compared: str = ""
    """The text that it is compared with, where one follows."""


class EvaluationError(Exception):
    """A condition has no value; the message says why, in CEL's words."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was compiled and checked."""

    text: str
    params: frozenset[str]
    """The params that it names."""
    nodes: frozenset[str]
    """The nodes that it names."""
    reads_outputs_of: frozenset[str]
    steps: float
    """That asking it takes at most."""
    _program: Any = field(repr=False, compare=False)

    def holds(self, values: Mapping[str, object]) -> bool:
        """Whether it is true of ``values``, which go by their dotted names.

        Raises EvaluationError where that has no answer.
        """
        try:
            found = self._program.eval(data=dict(values))
            kind, value = found.type(), found.value()
        except Exception as error:  # noqa: BLE001 - whatever the library has to say
            raise EvaluationError(plain(str(error))) from None
        if kind == cel.Type.ERROR:
            raise EvaluationError(plain(str(found)))
        if not isinstance(value, bool):
            raise EvaluationError(f"it is {kind.name().lower()}, not true or false")
        return value


class BadExpression(ValueError):
    """A condition can't be compiled."""

    def __init__(self, faults: Iterable[ExpressionFault]) -> None:
        self.faults = tuple(dict.fromkeys(faults))
        super().__init__("; ".join(map(str, self.faults)))


def uses(text: str) -> list[Use]:
    """Every place where the condition ``text`` names nodes, params or workflow."""
    dotted = _dotted(text)
    masked = _TOKEN.sub(lambda token: " " * len(token[0]), dotted)
    return [_use(match, dotted) for match in _USE.finditer(masked)]


def compile_condition(text: str, params: Mapping[str, str], nodes: Collection[str]) -> Condition:
    """The condition ``text`` over these params and nodes; raises BadExpression."""
    if broken := next((token for token in _TOKEN.finditer(text) if token["broken"]), None):
        words = "a text begins here that has no end, or a \\ in it that means nothing"
        raise BadExpression([ExpressionFault(words, *place(text, broken.start()))])
    named = uses(text)
    used_nodes = frozenset(use.name for use in named if use.root == "nodes") & frozenset(nodes)
    used_params = frozenset(use.name for use in named if use.root == "params") & params.keys()
    variables = dict(_WORKFLOW)
    variables |= {f"params.{name}": cel.Type.STRING for name in used_params}
    variables |= {f"nodes.{n}.{key}": kind for n in used_nodes for key, kind in _TYPES.items()}
    sizes = {f"params.{name}": len(params[name].encode()) for name in used_params}
    dotted = _dotted(text)
    steps = _steps(dotted, sizes)
    program = _compiled(cel.NewEnv(variables=variables), dotted)
    kind = program.return_type()
    if kind not in (cel.Type.BOOL, cel.Type.DYN):
        words = f"is {kind.name().lower()}, not true or false"
        raise BadExpression([ExpressionFault(words)])
    reads = {use.name for use in named if use.root == "nodes" and use.field == "outputs"}
    return Condition(text, used_params, used_nodes, used_nodes & reads, steps, program)


def _steps(dotted: str, sizes: Mapping[str, int]) -> float:
    """Steps of an expression, which is only parsed: even finding its types may take too long."""
    try:
        return steps_of(_compiled(_PARSER, dotted, disable_check=True).serialize(), sizes)
    except TooCostlyError as error:
        raise BadExpression([ExpressionFault(str(error))]) from None


def _compiled(environment: cel.Env, dotted: str, *, disable_check: bool = False) -> cel.Expression:
    try:
        return environment.compile(dotted, disable_check=disable_check)
    except Exception as error:  # noqa: BLE001 - whatever the library has to say
        raise BadExpression(_faults(str(error))) from None


def pattern_fault(pattern: str) -> str:
    """What is wrong with a regular expression of RE2; empty where nothing is."""
    if pattern_size(pattern) > MAX_PATTERN_SIZE:
        return "may take too long; use fewer repeats inside each other"
    try:
        _matches(pattern, "")
    except EvaluationError as error:
        return str(error)
    return ""


def matching_steps(pattern: str, texts: Collection[str]) -> int:
    """Steps that it takes at most to judge ``pattern`` and whether it matches each of ``texts``."""
    if (size := pattern_size(pattern)) > MAX_PATTERN_SIZE:
        return 0  # it is refused before it is read
    return size * (READING * (1 + len(texts)) + sum(len(text.encode()) for text in texts))


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of ``text`` matches ``pattern``, which has no fault."""
    return _matches(rf"\A(?:{pattern})\z", text)


def _matches(pattern: str, text: str) -> bool:
    try:
        found = _MATCHES.eval(data={"text": text, "pattern": pattern})
        kind, value = found.type(), found.value()
    except Exception as error:  # noqa: BLE001 - whatever the library has to say
        raise EvaluationError(plain(str(error))) from None
    if kind != cel.Type.BOOL:
        raise EvaluationError(plain(str(found)))
    return bool(value)


def place(text: str, offset: int) -> tuple[int, int]:
    """Line and column of a position in ``text``, from 1."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def is_about_names(fault: ExpressionFault) -> bool:
    """Whether a fault only says that a name of the Workflow's isn't known, or follows from it."""
    return _UNDECLARED.match(fault.message) is not None or "'*error*'" in fault.message


def _dotted(text: str) -> str:
    """``text`` with ``nodes["a-b"]`` written as ``nodes.`a-b```, in as many characters."""
    return _TOKEN.sub(lambda token: _as_selection(token[0]) if token["named"] else token[0], text)


def _as_selection(index: str) -> str:
    match = _INDEX.fullmatch(index)
    if match is None:
        return index
    root, before, within, name, after = match.groups()
    return f"{root}{before}.{within}`{name}`{after} "


def _use(match: re.Match[str], dotted: str) -> Use:
    parts = [part.strip("`") if part else "" for part in match.groups()[1:]]
    output = parts[2]
    if parts[1] == "outputs" and not output:
        index = _OUTPUT_INDEX.match(dotted, match.end())
        output = index[1] if index else ""
    compared = _COMPARED.match(dotted, match.end())
    text = (compared[1] or compared[2] or "") if compared else ""
    return Use(match["root"], parts[0], parts[1], output, match.start(), text)


def _faults(words: str) -> Iterator[ExpressionFault]:
    matches = list(_ERROR.finditer(words))
    for match in matches:
        told = match[3].replace(" (in container '')", "").partition(" expecting {")[0]
        line, column = (int(number) for number in match.groups()[:2])
        is_somewhere = 0 < line <= _MAX_LINE
        yield ExpressionFault(plain(told), *((line, max(column, 0)) if is_somewhere else (0, 0)))
    if not matches:
        yield ExpressionFault(plain(words))


__all__ = [
    "NODE_FIELDS",
    "BadExpression",
    "Condition",
    "EvaluationError",
    "ExpressionFault",
    "Use",
    "compile_condition",
    "is_about_names",
    "matches",
    "matching_steps",
    "pattern_fault",
    "place",
    "uses",
]
