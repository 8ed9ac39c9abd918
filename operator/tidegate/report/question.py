"""What a checkpoint asked, with the values that people saw in it."""

import json
from typing import Any, Final

from tidegate.api.references import NodeValue, node_value, param_of, told
from tidegate.report.model import Report

_LONGEST: Final = 1024
"""Characters of a value that are shown; no question shows more."""


def question(report: Report, text: str) -> str:
    """``text`` with its references replaced, as far as status tells what they stand for."""
    return told(text, lambda expression: _value(report, expression), _LONGEST)


def outputs_of(text: str | None) -> dict[str, Any]:
    """Recorded outputs; none where they can't be read."""
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def shown(value: Any) -> str:
    """A value of outputs as people read it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _value(report: Report, expression: str) -> str | None:
    key = report.key
    known = {"workflow.name": key.name, "workflow.namespace": key.namespace}
    if (param := param_of(expression)) is not None:
        return report.params.get(param)
    if (value := node_value(expression)) is not None:
        return _of_node(report, value)
    return known.get(expression)


def _of_node(report: Report, value: NodeValue) -> str | None:
    node = report.status.nodes.get(value.node)
    if node is None:
        return None
    if value.field != "outputs":
        fields = {"phase": str(node.phase), "reason": node.reason, "servedBy": node.served_by}
        return fields.get(value.field)
    outputs = outputs_of(node.outputs)
    return shown(outputs[value.output]) if value.output in outputs else None
