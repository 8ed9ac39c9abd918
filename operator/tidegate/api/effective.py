"""From what an author wrote to what it means: defaults applied, nothing left open.

A node's own value wins whole, ``env`` goes by name and ``template`` by the merge rules. What a node
says of its container main in its *own* template is its own value, too: a default's short hand
doesn't undo it.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final, TypeVar

from tidegate import constants as c
from tidegate.api.checkpoint_spec import Checkpoint
from tidegate.api.definition import definition
from tidegate.api.expressions import Condition
from tidegate.api.faults import item_label
from tidegate.api.json_values import compact
from tidegate.api.merge import merge_env, merge_template
from tidegate.api.references import Text, param_of, texts_of
from tidegate.api.scope import CHECKPOINT_OUTPUTS
from tidegate.api.sizes import Measure, Sizes
from tidegate.api.spec import (
    Defaults,
    NodeSpec,
    Retry,
    TaskSpec,
    Trigger,
    WorkflowSpec,
)
from tidegate.api.task import Lent, RetryPolicy, Task

DEFAULT_SHELL: Final = ("/bin/sh", "-ec")
DEFAULT_START_TIMEOUT: Final = timedelta(minutes=10)
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Tasks:
    """The effective tasks of a Workflow, in the order of their lists."""

    nodes: Mapping[str, Task]
    standbys: Mapping[str, Task]
    stand_ins: Mapping[str, Task]
    """By node: its fallback as it runs in that node's place."""


def effective_tasks(spec: WorkflowSpec, conditions: Mapping[str, Condition]) -> Tasks:
    """The tasks of a spec whose names have been found to fit together, with its conditions."""
    base = merge_template(None, spec.defaults.template)
    retry = _retry_policy(spec.defaults.retry)
    standbys = {s.name: _task(s, spec.defaults, base, None) for s in spec.standbys}
    nodes = {
        n.name: _checkpoint(n, n.checkpoint)
        if n.checkpoint
        else _task(n, spec.defaults, base, retry)
        for n in spec.nodes
    }
    params = {param.name: param.value for param in spec.params}
    measure = Measure(params)
    for task in (*standbys.values(), *nodes.values()):
        _refer(task, params, measure, conditions.get(task.name))
    for task in (*standbys.values(), *nodes.values()):
        _define(task, standbys[task.fallback] if task.fallback else None)
    own_env = {s.name: s.env for s in spec.standbys}
    stand_ins = {
        name: stand_in(task, standbys[task.fallback], own_env[task.fallback], measure)
        for name, task in nodes.items()
        if task.fallback
    }
    return Tasks(*map(MappingProxyType, (nodes, standbys, stand_ins)))


def stand_in(
    primary: Task, standby: Task, own_env: tuple[Mapping[str, Any], ...], measure: Measure
) -> Task:
    """``standby`` in the place of ``primary``: with its literal variables and its definition.

    Entries that the standby has itself win over the primary's, and those over inherited ones. It
    has to write what either of them promises.
    """
    own = {entry["name"] for entry in own_env}
    literal = [entry for entry in primary.env if "valueFrom" not in entry]
    lent = tuple(_lent(entry, measure) for entry in literal if entry["name"] not in own)
    surely = texts_of({"env": [one.entry for one in lent if one.measured is None]})
    references, sizes = measure.texts((*_texts(standby), *surely))
    return dataclasses.replace(
        standby,
        lent=lent,
        outputs={**primary.outputs, **standby.outputs},
        references=references,
        sizes=sizes,
        definition=primary.definition,
    )


def _lent(entry: Mapping[str, Any], measure: Measure) -> Lent:
    text = next(texts_of({"env": [entry]}), Text("", ""))
    measured = measure.text(text.text)
    return Lent(entry, text.name, measured if measured and measured.open else None)


def main_container(template: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The container main of a template; empty where it has none."""
    spec = (template or _NOTHING).get("spec")
    containers = spec.get("containers") if isinstance(spec, Mapping) else None
    for container in containers if isinstance(containers, list | tuple) else ():
        if isinstance(container, Mapping) and container.get("name") == c.MAIN_CONTAINER:
            return container
    return _NOTHING


def _task(
    spec: TaskSpec, defaults: Defaults, base: Mapping[str, Any], retry: RetryPolicy | None
) -> Task:
    """The task without its definition; ``retry`` and the template ``base`` are what it inherits."""
    node = spec if isinstance(spec, NodeSpec) else None
    main = main_container(spec.template)
    return Task(
        name=spec.name,
        depends_on=node.depends_on if node else (),
        trigger=node.trigger if node else Trigger.DEPENDENCIES_SUCCEEDED,
        retry=_retry_policy(spec.retry) if spec.retry else retry,
        fallback=node.fallback if node else None,
        allow_failure=node.allow_failure if node else False,
        timeout=spec.timeout or defaults.timeout,
        start_timeout=spec.start_timeout or defaults.start_timeout or DEFAULT_START_TIMEOUT,
        image=spec.image or (None if main.get("image") else defaults.image),
        command=spec.command or None,
        args=spec.args or None,
        script=spec.script,
        shell=spec.shell or defaults.shell or DEFAULT_SHELL,
        env=merge_env(_unsaid(defaults.env, main), spec.env),
        lent=(),
        env_from=_inherited(spec.env_from, main.get("envFrom"), defaults.env_from) or (),
        working_dir=spec.working_dir,
        resources=_inherited(spec.resources, main.get("resources"), defaults.resources),
        volume_mounts=spec.volume_mounts,
        template=merge_template(base, spec.template) if spec.template else base,
        outputs={o.name: compact(o.default) if o.has_default else None for o in spec.outputs},
        when=node.when if node else None,
        references=(),
        sizes=Sizes(),
        params=_NOTHING,
        checkpoint=None,
        definition="",
    )


def _checkpoint(node: NodeSpec, checkpoint: Checkpoint) -> Task:
    """A checkpoint, which inherits nothing; without its definition."""
    outputs = (*CHECKPOINT_OUTPUTS, *(asked.name for asked in checkpoint.inputs))
    return Task(
        name=node.name,
        depends_on=node.depends_on,
        trigger=node.trigger,
        retry=None,
        fallback=None,
        allow_failure=False,
        timeout=None,
        start_timeout=DEFAULT_START_TIMEOUT,
        image=None,
        command=None,
        args=None,
        script=None,
        shell=(),
        env=(),
        lent=(),
        env_from=(),
        working_dir=None,
        resources=None,
        volume_mounts=(),
        template=_NOTHING,
        outputs=dict.fromkeys(outputs),
        when=node.when,
        references=(),
        sizes=Sizes(),
        params=_NOTHING,
        checkpoint=checkpoint,
        definition="",
    )


def _refer(
    task: Task, params: Mapping[str, str], measure: Measure, condition: Condition | None
) -> None:
    """Adds what a task that nobody has seen yet refers to."""
    references, sizes = measure.texts(_texts(task))
    named = {name for text in references if (name := param_of(text)) is not None}
    named |= condition.params if condition is not None else frozenset()
    object.__setattr__(task, "references", references)
    object.__setattr__(task, "sizes", sizes if task.checkpoint is None else Sizes())
    object.__setattr__(task, "params", {name: params[name] for name in sorted(named)})


def _texts(task: Task) -> Iterator[Text]:
    """The texts in which the task may refer to something: its question, or those of its pod."""
    if task.checkpoint is not None:
        yield Text("checkpoint.message", task.checkpoint.message)
        return
    own = {"image": task.image, "command": task.command, "args": task.args, "env": task.env}
    yield from texts_of(own)
    pod = task.template.get("spec") or _NOTHING
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(pod.get(kind) or ()):
            path = f"template.spec.{kind}[{item_label(container, index)}]"
            yield from (text._replace(path=f"{path}.{text.path}") for text in texts_of(container))


def _define(task: Task, fallback: Task | None) -> None:
    """Completes a task that nobody has seen yet; a copy would cost more than all the rest."""
    object.__setattr__(task, "definition", definition(task, fallback))


def _inherited(own: T | None, in_template: object, default: T | None) -> T | None:
    if own is not None:
        return own
    return None if in_template else default


def _unsaid(
    env: tuple[Mapping[str, Any], ...], main: Mapping[str, Any]
) -> tuple[Mapping[str, Any], ...]:
    """The entries of ``env`` that ``main`` says nothing about."""
    own = main.get("env")
    if not isinstance(own, list | tuple):
        return env
    said = [entry.get("name") for entry in own if isinstance(entry, Mapping)]
    return tuple(entry for entry in env if entry["name"] not in said)


def _retry_policy(retry: Retry | None) -> RetryPolicy | None:
    if retry is None or retry.limit == 0:
        return None
    codes = retry.exit_codes
    return RetryPolicy(
        limit=retry.limit,
        base=retry.backoff.base,
        factor=retry.backoff.factor,
        cap=retry.backoff.cap,
        jitter=retry.backoff.jitter,
        max_duration=retry.max_duration,
        retry_codes=frozenset(codes.retry or ()) if codes else frozenset(),
        fail_codes=frozenset(codes.fail) if codes else frozenset(),
        timeouts=retry.timeouts,
    )
