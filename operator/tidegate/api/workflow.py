"""A Workflow that may be run: validated, with its graph and its effective tasks.

After validation everything takes this, never the raw spec.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

import orjson
from pydantic import ValidationError

from tidegate import constants as c
from tidegate.api import references
from tidegate.api.checkpoint_checks import checkpoint_faults
from tidegate.api.checks import cross_faults, name_faults
from tidegate.api.conditions import Condition, compile_conditions
from tidegate.api.definition import LATEST_FORMAT, combined, definition, format_of, run_definition
from tidegate.api.effective import Tasks, effective_tasks
from tidegate.api.faults import bounded, faults_of
from tidegate.api.graph import Graph
from tidegate.api.identity import WorkflowKey
from tidegate.api.references import node_value
from tidegate.api.scope import Names
from tidegate.api.spec import WorkflowSpec
from tidegate.api.task import RetryPolicy, Task
from tidegate.api.task_checks import param_faults, task_faults
from tidegate.errors import Fault, InvalidSpec


class StoredWorkflow(Protocol):
    """A Workflow as it is stored, as far as validation needs it."""

    @property
    def key(self) -> WorkflowKey:
        """Namespace and name."""
        ...

    @property
    def uid(self) -> str:
        """``metadata.uid``."""
        ...

    @property
    def generation(self) -> int:
        """``metadata.generation``."""
        ...

    @property
    def spec(self) -> Mapping[str, Any]:
        """As stored."""
        ...


@dataclass(frozen=True, slots=True)
class ValidatedWorkflow:
    """A Workflow without faults."""

    key: WorkflowKey
    uid: str
    generation: int
    spec: WorkflowSpec
    graph: Graph
    tasks: Mapping[str, Task]
    """The effective nodes, in the order of the list."""
    standbys: Mapping[str, Task]
    """The effective standbys, in the order of the list."""
    stand_ins: Mapping[str, Task]
    """By node: its fallback as it runs in that node's place, with the node's literal variables."""
    definition: str
    """``<format>:<hash>`` over all that a run of it would run."""
    conditions: Mapping[str, Condition]
    """By node: its compiled ``when``."""
    read: frozenset[str]
    """The nodes whose outputs something in the spec reads."""

    def values(self, run: int, node: str) -> dict[str, str]:
        """What references of ``node`` stand for in ``run``, by name; other nodes' values aside."""
        return {
            **{f"params.{param.name}": param.value for param in self.spec.params},
            references.WORKFLOW_NAME: self.key.name,
            references.WORKFLOW_NAMESPACE: self.key.namespace,
            references.WORKFLOW_UID: self.uid,
            references.WORKFLOW_RUN: str(run),
            references.NODE_NAME: node,
        }

    def has_definition(self, name: str, recorded: str) -> bool:
        """Whether the node still means what was recorded of it, in whatever format that was.

        A format that this version doesn't know can't be compared: then nothing runs again for it.
        """
        recorded_format = format_of(recorded)
        return recorded_format is None or self._definition(name, recorded_format) == recorded

    def covered_by(self, name: str, recorded: str | None = None) -> str:
        """Hash of what a checkpoint's decision covers: itself, all before it and all behind it.

        In the format of ``recorded``, if it is given and known, else in the latest.
        """
        recorded_format = (format_of(recorded) if recorded else None) or LATEST_FORMAT
        covered = {name, *self.graph.ancestors([name]), *self.graph.descendants([name])}
        return combined({n: self._definition(n, recorded_format) for n in covered}, recorded_format)

    def still_covers(self, name: str, recorded: str) -> bool:
        """Whether all that a decision covered means what it did, in whatever format that was.

        Where that can't be told, as an older version can't of a newer one's format, it doesn't: to
        ask people again is no harm, what they never saw would be.
        """
        return format_of(recorded) is not None and self.covered_by(name, recorded) == recorded

    def _definition(self, name: str, in_format: int) -> str:
        task = self.tasks[name]
        if in_format == LATEST_FORMAT:
            return task.definition
        fallback = self.standbys[task.fallback] if task.fallback else None
        return definition(task, fallback, in_format)


def validate(workflow: StoredWorkflow) -> ValidatedWorkflow:
    """The Workflow that ``workflow`` means; raises InvalidSpec with all of its faults.

    Nothing else is raised, whatever is stored.
    """
    raw = _plain(workflow.spec)
    faults = list(name_faults(workflow.key.name))
    spec: WorkflowSpec | None = None
    try:
        spec = WorkflowSpec.model_validate(raw)
    except ValidationError as error:
        faults += faults_of(error, raw)
    names = Names.of(raw)
    faults += cross_faults(raw)
    faults += param_faults(raw)
    faults += task_faults(raw, names)
    faults += checkpoint_faults(raw, names)
    conditions, wrong = compile_conditions(raw, names)
    faults += wrong
    if faults or spec is None:
        raise InvalidSpec(bounded(faults))
    tasks = effective_tasks(spec, conditions)
    if faults := list(_size_faults(tasks)):
        raise InvalidSpec(bounded(faults))
    graph = Graph.build(spec.nodes)
    return ValidatedWorkflow(
        workflow.key,
        workflow.uid,
        workflow.generation,
        spec,
        graph,
        tasks.nodes,
        tasks.standbys,
        tasks.stand_ins,
        run_definition(spec, (*tasks.nodes.values(), *tasks.standbys.values())),
        MappingProxyType(conditions),
        _read((*tasks.nodes.values(), *tasks.standbys.values()), conditions),
    )


def _size_faults(tasks: Tasks) -> Iterator[Fault]:
    """What becomes too large for a pod, whatever other nodes will say."""
    for field, found in (("nodes", tasks.nodes), ("standbys", tasks.standbys)):
        for name, task in found.items():
            if excess := task.sizes.excess({}):
                path = f"spec.{field}[{name}]"
                yield Fault(f"{path}.{excess.path}" if excess.path else path, excess.message)
    for name, task in tasks.stand_ins.items():
        if not tasks.standbys[task.name].sizes.excess({}) and (excess := task.sizes.excess({})):
            words = f"{task.name} with the variables of {name}: {excess.message}"
            yield Fault(f"spec.nodes[{name}].fallback", words)


def _read(tasks: Iterable[Task], conditions: Mapping[str, Condition]) -> frozenset[str]:
    """The nodes whose outputs references or conditions read."""
    values = (node_value(text) for task in tasks for text in task.references)
    referred = {value.node for value in values if value is not None and value.output}
    asked = (condition.reads_outputs_of for condition in conditions.values())
    return frozenset(referred).union(*asked)


def _plain(spec: object) -> dict[str, Any]:
    """``spec`` if it is JSON of a bearable size, which bounds all work that is done here."""
    if not isinstance(spec, Mapping):
        raise InvalidSpec((Fault("spec", "must be an object"),))
    try:
        text = orjson.dumps(spec if isinstance(spec, dict) else dict(spec))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidSpec((Fault("spec", f"can't be read as JSON: {error}"),)) from error
    if len(text) > c.MAX_SPEC_BYTES:
        size = f"{len(text) / 1024:.0f} KiB"
        limit = f"{c.MAX_SPEC_BYTES // 1024} KiB"
        raise InvalidSpec(
            (Fault("spec", f"has {size}, at most {limit} are possible; move data to ConfigMaps"),)
        )
    return spec if isinstance(spec, dict) else dict(spec)


__all__ = ["RetryPolicy", "StoredWorkflow", "Task", "ValidatedWorkflow", "validate"]
