"""What a task reads of others: the values of its references, and its condition."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from tidegate.api.expressions import Condition, EvaluationError
from tidegate.api.json_values import compact
from tidegate.api.references import NodeValue, node_value
from tidegate.api.status import NodePhase, NodeStatus
from tidegate.api.task import Task
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.outputs import outputs_of
from tidegate.engine.reasons import Reason

Nodes = Mapping[str, NodeStatus]
NO_EXIT_CODE: Final = -1
"""What a condition sees where no container of the node ended."""


class MissingValueError(Exception):
    """A reference has no value; the message says which, and why."""


def has_all_sources(workflow: ValidatedWorkflow, task: Task, nodes: Nodes) -> bool:
    """Whether all that the task reads of has ended.

    Its own dependencies have, but one of them may have been skipped while something before it runs.
    """
    condition = workflow.conditions.get(task.name)
    read = condition.nodes if condition is not None else frozenset()
    referred = {value.node for value in _node_values((*task.references, *_lent(task))).values()}
    return all(nodes[name].phase.has_ended for name in read | referred)


def reference_values(
    workflow: ValidatedWorkflow, task: Task, nodes: Nodes
) -> tuple[tuple[str, str], ...]:
    """What the task's references to other nodes stand for; raises MissingValueError.

    What it is lent may be without a value: then it isn't among them.
    """
    values = {
        text: _value(workflow, value, nodes)
        for text, value in _node_values(task.references).items()
    }
    for text, value in _node_values(_lent(task)).items():
        with suppress(MissingValueError):
            values[text] = _value(workflow, value, nodes)
    return tuple(values.items())


def _lent(task: Task) -> Iterable[str]:
    return (text for lent in task.lent for text in lent.reads)


def condition_holds(
    workflow: ValidatedWorkflow, condition: Condition, nodes: Nodes, run: int
) -> bool:
    """Whether the condition is true, given how ``nodes`` ended; raises EvaluationError."""
    params = {param.name: param.value for param in workflow.spec.params}
    values: dict[str, object] = {
        "workflow.name": workflow.key.name,
        "workflow.namespace": workflow.key.namespace,
        "workflow.uid": workflow.uid,
        "workflow.run": run,
    }
    values |= {f"params.{name}": params[name] for name in condition.params}
    for name in condition.nodes:
        fields = _fields(nodes[name], workflow.tasks[name])
        values |= {f"nodes.{name}.{field}": value for field, value in fields.items()}
    return condition.holds(values)


def _fields(node: NodeStatus, task: Task) -> dict[str, Any]:
    return {
        "phase": str(node.phase),
        "reason": node.reason or "",
        "exitCode": NO_EXIT_CODE if node.exit_code is None else node.exit_code,
        "servedBy": node.served_by or "",
        "outputs": outputs_of(node, task),
    }


def _node_values(references: Iterable[str]) -> dict[str, NodeValue]:
    found = ((text, node_value(text)) for text in references)
    return {text: value for text, value in found if value is not None}


def _value(workflow: ValidatedWorkflow, value: NodeValue, nodes: Nodes) -> str:
    node, task = nodes[value.node], workflow.tasks[value.node]
    if value.field != "outputs":
        known = _fields(node, task)[value.field]
        return "" if known == NO_EXIT_CODE else str(known)
    outputs = outputs_of(node, task)
    if value.output not in outputs:
        raise MissingValueError(_missing(value, node, outputs))
    found = outputs[value.output]
    return found if isinstance(found, str) else compact(found)


def _missing(value: NodeValue, node: NodeStatus, outputs: Iterable[str]) -> str:
    if node.phase is NodePhase.SUCCEEDED:
        known = ", ".join(sorted(outputs)) or "none"
        why = f"its outputs are: {known}"
    elif node.phase is NodePhase.SKIPPED and node.reason == Reason.CONDITION_FALSE:
        why = "it was skipped by its condition, and the output has no default"
    else:
        why = f"it is {node.phase} ({node.reason}), and the output has no default"
    return f"{value.node} has no output {value.output}; {why}"


__all__ = [
    "EvaluationError",
    "MissingValueError",
    "condition_holds",
    "has_all_sources",
    "reference_values",
]
