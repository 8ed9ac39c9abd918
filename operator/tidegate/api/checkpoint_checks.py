"""Checks of each checkpoint by itself: what excludes what, its inputs, patterns and references.

As with the checks of tasks, what has the wrong type is passed over.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tidegate.api.checks import objects, texts
from tidegate.api.duration import shorten
from tidegate.api.expression_cost import MAX_STEPS
from tidegate.api.expressions import EvaluationError, matches, matching_steps, pattern_fault
from tidegate.api.faults import item_label
from tidegate.api.references import NODE_ATTEMPT, find_references
from tidegate.api.rules import NOT_OF_CHECKPOINTS
from tidegate.api.scope import CHECKPOINT_OUTPUTS, Names, Scope
from tidegate.api.template_checks import blank_faults
from tidegate.errors import Fault

_IS_NULL: Final = "is empty (null): say what is meant"
_NEVER_BOTH: Final = "a checkpoint has none; a node is a task or a checkpoint, never both"


def checkpoint_faults(raw: Mapping[str, Any], names: Names) -> Iterator[Fault]:
    """What is wrong with any checkpoint of the spec ``raw``."""
    if sum(_matching_steps(node) for _, node in objects(raw.get("nodes"))) > MAX_STEPS:
        words = "their patterns may take too long together; use fewer and shorter ones"
        yield Fault("spec.nodes", words)
        return
    for index, node in objects(raw.get("nodes")):
        if "checkpoint" not in node:
            continue
        path = f"spec.nodes[{item_label(node, index)}]"
        if node["checkpoint"] is None:
            yield Fault(f"{path}.checkpoint", f"{_IS_NULL}, or remove the field")
        for field in (*NOT_OF_CHECKPOINTS, "allowFailure"):
            if node.get(field) not in (None, False):
                yield Fault(f"{path}.{field}", _NEVER_BOTH)
        if isinstance(checkpoint := node["checkpoint"], Mapping):
            scope = names.scope_of_node(str(node.get("name")))
            yield from _faults(checkpoint, f"{path}.checkpoint", scope)


def _faults(checkpoint: Mapping[str, Any], path: str, scope: Scope) -> Iterator[Fault]:
    given = checkpoint.get("message")
    message = given if isinstance(given, str) else ""
    yield from blank_faults(message, f"{path}.message")
    for reference in find_references(message):
        fault = scope.fault(reference.expression)
        if reference.expression == NODE_ATTEMPT:
            fault = f"$({NODE_ATTEMPT}): a checkpoint has no attempts"
        if fault:
            yield Fault(f"{path}.message", fault)
    for field in ("approvers", "timeout"):
        if field in checkpoint and checkpoint[field] is None:
            yield Fault(f"{path}.{field}", f"{_IS_NULL}, or remove the field")
    yield from _timeout_faults(checkpoint, path)
    yield from _approver_faults(checkpoint, path)
    yield from _twice(texts(checkpoint.get("choices")), f"{path}.choices")
    yield from _input_faults(checkpoint, path)


def _twice(choices: list[str], path: str) -> Iterator[Fault]:
    for choice in dict.fromkeys(choices):
        if choices.count(choice) > 1:
            yield Fault(path, f"{shorten(choice)} stands there more than once")


def _timeout_faults(checkpoint: Mapping[str, Any], path: str) -> Iterator[Fault]:
    if checkpoint.get("onTimeout") != "Approve":
        return
    path = f"{path}.onTimeout"
    if checkpoint.get("timeout") is None:
        yield Fault(path, "Approve needs a timeout")
    others = [field for field in ("approvers", "forbidAuthors") if checkpoint.get(field)]
    if _count(checkpoint) > 1:
        others.append("minApprovals over 1")
    if others:
        yield Fault(path, f"Approve can't be had together with {' and '.join(others)}")
    for _, item in objects(checkpoint.get("inputs")):
        if item.get("default") is None:
            name = shorten(item.get("name"))
            yield Fault(path, f"Approve needs a default for the input {name}: nobody gives it then")


def _count(checkpoint: Mapping[str, Any]) -> int:
    count = checkpoint.get("minApprovals", 1)
    return count if isinstance(count, int) else 1


def _approver_faults(checkpoint: Mapping[str, Any], path: str) -> Iterator[Fault]:
    approvers = checkpoint.get("approvers")
    if not isinstance(approvers, Mapping):
        return
    users, groups = texts(approvers.get("users")), texts(approvers.get("groups"))
    yield from _name_faults(users, groups, f"{path}.approvers")
    if not users and not groups:
        yield Fault(f"{path}.approvers", "names nobody; give users or groups, or leave it out")
    elif not groups and len(set(users)) < _count(checkpoint):
        words = f"{_count(checkpoint)} are more than the approvers, who are {len(set(users))}"
        yield Fault(f"{path}.minApprovals", words)


def _name_faults(users: list[str], groups: list[str], path: str) -> Iterator[Fault]:
    for user in users:
        if ": " in user:
            words = "can't vote: in a vote a name ends at the first colon and blank"
            yield Fault(f"{path}.users", f"{shorten(user)} {words}")
    for field, who in (("users", users), ("groups", groups)):
        for name in who:
            if name != name.strip():
                yield Fault(f"{path}.{field}", f'"{shorten(name)}" begins or ends with a blank')


def _input_faults(checkpoint: Mapping[str, Any], path: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, item in objects(checkpoint.get("inputs")):
        name, where = item.get("name"), f"{path}.inputs[{item_label(item, index)}]"
        if isinstance(name, str):
            if name in seen:
                yield Fault(f"{where}.name", f"{shorten(name)} is asked for twice")
            if name in CHECKPOINT_OUTPUTS:
                yield Fault(f"{where}.name", f"{name} is an output of every checkpoint")
            seen.add(name)
        yield from _value_faults(item, where)


def _value_faults(item: Mapping[str, Any], path: str) -> Iterator[Fault]:
    pattern, choices, default = item.get("pattern"), texts(item.get("choices")), item.get("default")
    yield from _twice(choices, f"{path}.choices")
    if isinstance(default, str) and choices and default not in choices:
        yield Fault(f"{path}.default", f"{shorten(default)} is none of the choices")
    if not isinstance(pattern, str):
        return
    if fault := pattern_fault(pattern):
        yield Fault(f"{path}.pattern", fault)
        return
    for field, value in _values(item):
        try:
            fits = matches(pattern, value)
        except EvaluationError:
            fits = False
        if not fits:
            yield Fault(f"{path}.{field}", f"{shorten(value)} doesn't match the pattern")


def _values(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The values of an input that stand in the spec, with their fields."""
    values = [("choices", choice) for choice in texts(item.get("choices"))]
    default = item.get("default")
    return [*values, ("default", default)] if isinstance(default, str) else values


def _matching_steps(node: Mapping[str, Any]) -> int:
    """Steps that the patterns of a node's inputs take at most."""
    checkpoint = node.get("checkpoint")
    inputs = checkpoint.get("inputs") if isinstance(checkpoint, Mapping) else None
    return sum(
        matching_steps(pattern, [value for _, value in _values(item)])
        for _, item in objects(inputs)
        if isinstance(pattern := item.get("pattern"), str)
    )
