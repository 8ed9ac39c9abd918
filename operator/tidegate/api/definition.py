"""The definition hash: whether two tasks mean the same.

Status keeps it as ``<format>:<hash>`` for every node that ran. Whether a node must run again is
found by hashing the present task in the *recorded* format, so that a new version of the operator is
never a reason to run; hash functions of former formats therefore stay in ``_FORMATS`` for good and
never change.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from operator import itemgetter
from typing import Any, Final

import orjson

from tidegate.api.checkpoint_spec import Checkpoint
from tidegate.api.spec import WorkflowSpec
from tidegate.api.task import RetryPolicy, Task

LATEST_FORMAT: Final = 1
_MILLISECOND: Final = timedelta(milliseconds=1)


def definition(task: Task, fallback: Task | None = None, format: int = LATEST_FORMAT) -> str:  # noqa: A002
    """The definition of ``task``, whose effective fallback is ``fallback``, as ``<format>:<hash>``.

    Raises KeyError for a format that this version doesn't know.
    """
    canonical = {"task": _FORMATS[format](task)}
    if fallback is not None:
        canonical["fallback"] = _FORMATS[format](fallback)
    text = orjson.dumps(canonical, option=orjson.OPT_SORT_KEYS)
    return f"{format}:{hashlib.sha256(text).hexdigest()[:32]}"


def run_definition(spec: WorkflowSpec, tasks: Iterable[Task]) -> str:
    """The definition of a whole run: its tasks, whatever their order, its handlers and policies."""
    canonical: dict[str, Any] = {
        "tasks": sorted((task.name, task.definition) for task in tasks),
        "onError": spec.on_error,
        "onExit": spec.on_exit,
        "failurePolicy": spec.failure_policy.value,
        "execution": spec.execution.value,
    }
    if spec.params:
        canonical["params"] = sorted((param.name, param.value) for param in spec.params)
    text = orjson.dumps(canonical, option=orjson.OPT_SORT_KEYS)
    return f"{LATEST_FORMAT}:{hashlib.sha256(text).hexdigest()[:32]}"


def combined(definitions: Mapping[str, str], format: int) -> str:  # noqa: A002
    """One hash of the definitions of several nodes, as ``<format>:<hash>``."""
    text = orjson.dumps(sorted(definitions.items()))
    return f"{format}:{hashlib.sha256(text).hexdigest()[:32]}"


def format_of(recorded: str) -> int | None:
    """The format of a recorded definition; None where this version can't compare with it."""
    prefix = recorded.partition(":")[0]
    return int(prefix) if prefix.isdecimal() and int(prefix) in _FORMATS else None


def _canonical_1(task: Task) -> Mapping[str, Any]:
    fields = {
        "name": task.name,
        "dependsOn": sorted(task.depends_on),
        "trigger": task.trigger,
        "retry": _retry_1(task.retry) if task.retry else None,
        "fallback": task.fallback,
        "allowFailure": task.allow_failure,
        "timeout": _milliseconds(task.timeout),
        "startTimeout": _milliseconds(task.start_timeout),
        "image": task.image,
        "command": task.command,
        "args": task.args,
        "script": task.script,
        "shell": task.shell if task.script is not None else None,
        "env": task.env,
        "envFrom": task.env_from,
        "workingDir": task.working_dir,
        "resources": task.resources,
        "volumeMounts": sorted(task.volume_mounts, key=itemgetter("mountPath")),
        "template": task.template,
        "outputs": task.outputs,
        "when": task.when,
        "params": task.params,
        "checkpoint": _checkpoint_1(task.checkpoint) if task.checkpoint else None,
    }
    return {key: value for key, value in fields.items() if value}


def _retry_1(retry: RetryPolicy) -> Mapping[str, Any]:
    return {
        "limit": retry.limit,
        "base": _milliseconds(retry.base),
        "factor": float(retry.factor),
        "cap": _milliseconds(retry.cap),
        "jitter": retry.jitter,
        "maxDuration": _milliseconds(retry.max_duration),
        "retry": sorted(retry.retry_codes),
        "fail": sorted(retry.fail_codes),
        "timeouts": retry.timeouts,
    }


def _checkpoint_1(checkpoint: Checkpoint) -> Mapping[str, Any]:
    approvers = checkpoint.approvers
    fields = {
        "message": checkpoint.message,
        "timeout": _milliseconds(checkpoint.timeout),
        "onTimeout": checkpoint.on_timeout,
        "choices": checkpoint.choices,
        "minApprovals": checkpoint.min_approvals,
        "users": sorted(approvers.users) if approvers else None,
        "groups": sorted(approvers.groups) if approvers else None,
        "forbidAuthors": checkpoint.forbid_authors,
        "requireCode": checkpoint.require_code,
        "inputs": [
            {"name": i.name, "pattern": i.pattern, "choices": i.choices, "default": i.default}
            for i in checkpoint.inputs
        ],
    }
    return {key: value for key, value in fields.items() if value}


def _milliseconds(duration: timedelta | None) -> int | None:
    return None if duration is None else duration // _MILLISECOND


_FORMATS: Final[Mapping[int, Callable[[Task], Mapping[str, Any]]]] = {1: _canonical_1}
