"""References to the operator's own values in texts of a pod: ``$(workflow.name)`` and the like.

Text is read as the kubelet reads it: ``$$`` is a plain ``$`` and opens nothing, and an opened
``$(`` reaches to the next ``)``. What is not ours (``$(VAR)``, ``$(date +%F)``) is Kubernetes' or
the shell's, and isn't even looked at.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

WORKFLOW_NAME: Final = "workflow.name"
WORKFLOW_NAMESPACE: Final = "workflow.namespace"
WORKFLOW_UID: Final = "workflow.uid"
WORKFLOW_RUN: Final = "workflow.run"
NODE_NAME: Final = "node.name"
NODE_ATTEMPT: Final = "node.attempt"

KNOWN_NAMES: Final = frozenset(
    {WORKFLOW_NAME, WORKFLOW_NAMESPACE, WORKFLOW_UID, WORKFLOW_RUN, NODE_NAME, NODE_ATTEMPT}
)
"""Every name that has a value in any Workflow, in ``command``, ``args`` and ``env[].value``."""
NODE_FIELDS: Final = ("phase", "reason", "exitCode", "servedBy")
"""What references and conditions may read of a node besides its outputs."""

_TOKEN: Final = re.compile(r"\$\$|\$\(([^)]*)\)")
"""An escaped ``$``, or a reference with what stands in its parentheses."""
_PARENTHESES: Final = re.compile(r"\(([^)]*)\)")
_OURS: Final = re.compile(r"(?:(?:params|nodes|workflow|node)\.|item(?:$|[.\[])|index$)[^\s(]*")
"""What claims to be ours, known or not; ``node.js --version`` is a command of the shell's."""


_PARAM: Final = re.compile(r"params\.([A-Za-z_][-A-Za-z0-9_]*)")
_NODE: Final = re.compile(
    r"nodes\.([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)\."
    rf"(?:outputs\.([A-Za-z_][-A-Za-z0-9_]*)|({'|'.join(NODE_FIELDS)}))"
)


class NodeValue(NamedTuple):
    """A value of another node that a reference stands for."""

    node: str
    field: str
    """One of ``NODE_FIELDS``, or ``outputs``."""
    output: str = ""
    """The output's key, where the field is ``outputs``."""


class Reference(NamedTuple):
    """One reference in a text that is, or claims to be, ours."""

    expression: str
    """What stands between the parentheses: ``workflow.name``."""
    position: int
    """Where its ``$`` stands in the text."""

    @property
    def end(self) -> int:
        """Where the text goes on after its ``)``."""
        return self.position + len(self.expression) + len("$()")


class Text(NamedTuple):
    """A text of a container in which references may stand."""

    path: str
    """Of its field: ``args[0]``."""
    text: str
    name: int = 0
    """Bytes that stand before it where the program gets it: a variable's name with its ``=``."""


def find_references(text: str) -> list[Reference]:
    """The references in ``text`` that are ours by their form, in order; names may be unknown."""
    if "$(" not in text:
        return []
    # Without a `)` behind it every `$(` would be searched to the end of the text.
    end = text.rfind(")") + 1
    return [
        Reference(token[1], token.start())
        for token in _TOKEN.finditer(text, 0, end)
        if token[1] is not None and _OURS.fullmatch(token[1])
    ]


def spaced_references(text: str) -> list[str]:
    """What in ``text`` would be a reference of ours without the blanks in its parentheses."""
    inside = (token[1] for token in _TOKEN.finditer(text, 0, text.rfind(")") + 1) if token[1])
    return [found for found in inside if found != found.strip() and _has_value(found.strip())]


def _has_value(expression: str) -> bool:
    known = expression in KNOWN_NAMES or param_of(expression) is not None
    return known or node_value(expression) is not None


def replaced(text: str, value_of: Callable[[str], str | None]) -> str:
    """``text`` with each reference that has a value replaced by it, in one pass.

    What was inserted isn't looked at again; a reference whose value is None stays as it is.
    """
    parts, end = [], 0
    for reference in find_references(text):
        value = value_of(reference.expression)
        if value is not None:
            parts += [text[end : reference.position], value]
            end = reference.end
    return "".join([*parts, text[end:]])


def told(text: str, value_of: Callable[[str], str | None], limit: int) -> str:
    """``text`` as people read it, whom no kubelet tells what ``$$`` means.

    ``$$(params.date)`` becomes ``$(params.date)``; any other ``$$`` stays. Values are cut to
    ``limit`` characters.
    """

    def shown(token: re.Match[str]) -> str:
        if token[1] is None:
            literal = _PARENTHESES.match(text, token.end())
            return "$" if literal and _OURS.fullmatch(literal[1]) else token[0]
        value = value_of(token[1]) if _OURS.fullmatch(token[1]) else None
        if value is None:
            return token[0]
        return value if len(value) <= limit else f"{value[:limit]}…"

    return _TOKEN.sub(shown, text)


def param_of(expression: str) -> str | None:
    """The param that ``params.<name>`` stands for; None if the expression is of another kind."""
    match = _PARAM.fullmatch(expression)
    return match[1] if match else None


def node_value(expression: str) -> NodeValue | None:
    """What ``nodes.<node>.…`` stands for; None if the expression is of another kind."""
    match = _NODE.fullmatch(expression)
    if match is None:
        return None
    return NodeValue(match[1], "outputs", match[2]) if match[2] else NodeValue(match[1], match[3])


def texts_of(container: Mapping[str, Any]) -> Iterator[Text]:
    """All texts of a raw container in which references are replaced, its image among them.

    The others are ``command``, ``args`` and ``env[].value``; whatever has another shape than
    Kubernetes' is passed over, as the API server will refuse it.
    """
    if isinstance(image := container.get("image"), str):
        yield Text("image", image)
    for field in ("command", "args"):
        for index, text in enumerate(_items(container.get(field))):
            if isinstance(text, str):
                yield Text(f"{field}[{index}]", text)
    for index, entry in enumerate(_items(container.get("env"))):
        if isinstance(entry, Mapping) and isinstance(entry.get("value"), str):
            name = entry.get("name", index)
            before = len(f"{name}=".encode(errors="replace"))
            yield Text(f"env[{name}].value", entry["value"], before)


def _items(value: object) -> list[Any] | tuple[Any, ...]:
    return value if isinstance(value, list | tuple) else ()
