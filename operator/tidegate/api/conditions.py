"""Compiling the conditions of a spec, with every fault and where it stands."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tidegate.api.checks import objects
from tidegate.api.duration import shorten
from tidegate.api.expression_cost import MAX_STEPS
from tidegate.api.expressions import (
    BadExpression,
    Condition,
    ExpressionFault,
    Use,
    compile_condition,
    is_about_names,
    place,
    uses,
)
from tidegate.api.faults import item_label
from tidegate.api.fields import MAX_CONDITION
from tidegate.api.references import NODE_FIELDS
from tidegate.api.scope import Names, Scope
from tidegate.api.status import NodePhase
from tidegate.errors import Fault

MAX_LENGTH: Final = 64 * 1024
"""Characters of all conditions of a Workflow: compiling them takes about a second at worst."""
MAX_STEPS_TOGETHER: Final = 3 * MAX_STEPS
"""Of all conditions of a Workflow: they may all be asked at once."""
_FIELDS: Final = (*NODE_FIELDS, "outputs")
_PHASES: Final = tuple(str(phase) for phase in NodePhase if phase.has_ended)
"""Whatever a condition reads has ended."""
_OF_WORKFLOW: Final = ("name", "namespace", "uid", "run")


def compile_conditions(
    raw: Mapping[str, Any], names: Names
) -> tuple[dict[str, Condition], list[Fault]]:
    """The conditions of the nodes of the spec ``raw`` by node, and what is wrong with them."""
    conditions: dict[str, Condition] = {}
    if _length(raw) > MAX_LENGTH:
        words = f"their conditions have more than {MAX_LENGTH // 1024} KiB together"
        return conditions, [Fault("spec.nodes", f"{words}; use shorter ones")]
    faults: list[Fault] = []
    for index, node in objects(raw.get("nodes")):
        text, name = node.get("when"), node.get("name")
        if not (isinstance(text, str) and 0 < len(text) <= MAX_CONDITION):
            continue
        path = f"spec.nodes[{item_label(node, index)}].when"
        try:
            conditions[str(name)] = _compiled(text, names, names.scope_of_node(str(name)))
        except BadExpression as error:
            faults += [Fault(path, str(fault)) for fault in error.faults]
    if sum(condition.steps for condition in conditions.values()) > MAX_STEPS_TOGETHER:
        words = "their conditions may take too long together; use fewer loops and patterns"
        faults.append(Fault("spec.nodes", words))
    return conditions, faults


def _length(raw: Mapping[str, Any]) -> int:
    texts = (node.get("when") for _, node in objects(raw.get("nodes")))
    return sum(len(text) for text in texts if isinstance(text, str))


def _compiled(text: str, names: Names, scope: Scope) -> Condition:
    """The condition of a node; raises BadExpression with all of its faults."""
    unknown = list(_name_faults(text, scope))
    try:
        condition = compile_condition(text, names.params, names.nodes)
    except BadExpression as error:
        others = [fault for fault in error.faults if not (unknown and is_about_names(fault))]
        raise BadExpression([*unknown, *others]) from None
    if unknown:
        raise BadExpression(unknown)
    return condition


def _name_faults(text: str, scope: Scope) -> Iterator[ExpressionFault]:
    for use in uses(text):
        if message := _name_fault(use, scope):
            yield ExpressionFault(message, *place(text, use.offset))


def _name_fault(use: Use, scope: Scope) -> str:
    if use.root == "workflow":
        known = ", ".join(f"workflow.{field}" for field in _OF_WORKFLOW)
        return "" if use.name in _OF_WORKFLOW else f"of workflow there are {known}"
    if not use.name:
        form = "nodes.<name>.<field>" if use.root == "nodes" else "params.<name>"
        return f'{use.root} can only be read by name: {form}, or {use.root}["<name>"]…'
    if use.root == "params":
        return scope.param_fault(use.name)
    if fault := scope.node_fault(use.name):
        return fault
    if use.field not in _FIELDS:
        what = f"a node has no {shorten(use.field)}" if use.field else "a node is no value"
        return f"{what}; there are {', '.join(_FIELDS)}"
    if use.field == "phase" and use.compared:
        return _phase_fault(use.compared, scope)
    return scope.output_fault(use.name, use.output)


def _phase_fault(text: str, scope: Scope) -> str:
    """What is wrong with a text that a phase is compared with: it would quietly never match."""
    if text in _PHASES:
        return ""
    hint = scope.names.hints.closest(text.capitalize(), _PHASES)
    return f"a phase is {', '.join(_PHASES[:-1])} or {_PHASES[-1]}, never {shorten(text)}{hint}"


__all__ = ["Condition", "compile_conditions"]
