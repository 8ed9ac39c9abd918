"""The CEL rules of the CRD, by the place they stand at, and their words.

The API server bounds their cost (a rule's estimate, and one million units when it runs), hence the
form of the dependency rule: a map of names is built once and looked into, where a search in the
list would be refused. Cycles can't be found in CEL; the operator does that.
"""

from typing import Any, Final

from tidegate.api.status import LIVE_PHASES

Rule = dict[str, Any]

_LIVE: Final = ", ".join(f"'{phase}'" for phase in LIVE_PHASES)
_LOCKED: Final = (
    "nodes",
    "standbys",
    "params",
    "defaults",
    "execution",
    "failurePolicy",
    "onError",
    "onExit",
)


def _lock(field: str) -> Rule:
    """``field`` can't change while the stored status says that a run is on."""
    return {
        "rule": "!has(oldSelf.status) || !has(oldSelf.status.phase)"
        f" || !(oldSelf.status.phase in [{_LIVE}])"
        f" || (has(self.spec.{field}) == has(oldSelf.spec.{field})"
        f" && (!has(self.spec.{field}) || self.spec.{field} == oldSelf.spec.{field}))",
        "message": f"spec.{field} can't change while a run is on;"
        " cancel it (tidegate.dev/cancel) or wait",
        "fieldPath": f".spec.{field}",
        "reason": "FieldValueForbidden",
    }


def _is_standby(name: str) -> str:
    return f"has(self.standbys) && self.standbys.exists(s, s.name == {name})"


def _handlers_exist(field: str) -> Rule:
    return {
        "rule": f"!has(self.{field}) || self.{field}.all(h, {_is_standby('h')})",
        "message": f"{field} names a standby that doesn't exist in spec.standbys",
        "fieldPath": f".{field}",
    }


ROOT: Final[list[Rule]] = [
    {
        "rule": "size(self.metadata.name) <= 63 && !self.metadata.name.contains('.')",
        "message": "the name of a Workflow must be a DNS label of at most 63 characters:"
        " a-z, 0-9 and -",
    },
    *map(_lock, _LOCKED),
]

SPEC: Final[list[Rule]] = [
    {
        "rule": "[self.nodes.transformMapEntry(i, n, {n.name: true})].all(names,"
        " self.nodes.all(n, !has(n.dependsOn) || n.dependsOn.all(d, d in names)))",
        "message": "a node depends on a node that doesn't exist",
        "fieldPath": ".nodes",
    },
    {
        "rule": "!has(self.standbys) || [self.nodes.transformMapEntry(i, n, {n.name: true})]"
        ".all(names, self.standbys.all(s, !(s.name in names)))",
        "message": "a standby has the name of a node; names are unique among both",
        "fieldPath": ".standbys",
    },
    {
        "rule": f"self.nodes.all(n, !has(n.fallback) || ({_is_standby('n.fallback')}))",
        "message": "a fallback names a standby that doesn't exist in spec.standbys",
        "fieldPath": ".nodes",
    },
    _handlers_exist("onError"),
    _handlers_exist("onExit"),
    {
        "rule": "[(has(self.onError) ? self.onError : []) + (has(self.onExit) ? self.onExit : [])]"
        ".all(names, names.all(h, names.exists_one(other, other == h)))",
        "message": "a handler is named at most once in onError and onExit together",
        "fieldPath": ".onExit",
    },
    {
        "rule": "!has(self.standbys) || self.standbys.all(s,"
        " (has(self.onError) && s.name in self.onError)"
        " || (has(self.onExit) && s.name in self.onExit)"
        " || self.nodes.exists(n, has(n.fallback) && n.fallback == s.name))",
        "message": "nothing names a standby: use it as a fallback, in onError or onExit,"
        " or remove it",
        "fieldPath": ".standbys",
    },
]

TASK: Final[list[Rule]] = [
    {
        "rule": "!has(self.script) || (!has(self.command) && !has(self.args))",
        "message": "script excludes command and args; keep one of them",
        "fieldPath": ".script",
    },
]

NOT_OF_CHECKPOINTS: Final = (
    "image",
    "command",
    "args",
    "script",
    "shell",
    "env",
    "envFrom",
    "workingDir",
    "resources",
    "volumeMounts",
    "template",
    "timeout",
    "startTimeout",
    "retry",
    "outputs",
    "fallback",
    "tailLines",
)
"""Fields of tasks; ``allowFailure`` is none of a checkpoint's either, but has a default."""

NODE: Final[list[Rule]] = [
    *TASK,
    {
        "rule": "!has(self.checkpoint) || ("
        + " && ".join(f"!has(self.{field})" for field in NOT_OF_CHECKPOINTS)
        + " && !self.allowFailure)",
        "message": "a node is a task or a checkpoint, never both; a checkpoint has no image,"
        " command, retry, fallback, allowFailure or the like",
        "fieldPath": ".checkpoint",
    },
    {
        "rule": "!has(self.dependsOn) || !(self.name in self.dependsOn)",
        "message": "a node can't depend on itself",
        "fieldPath": ".dependsOn",
    },
]

BACKOFF: Final[list[Rule]] = [
    {
        "rule": "!has(self.base) || !has(self.cap) || duration(self.base) <= duration(self.cap)",
        "message": "cap must not be less than base",
        "fieldPath": ".cap",
    },
    {
        "rule": "!has(self.cap) || duration(self.cap) <= duration('24h')",
        "message": "cap must be at most 24h",
        "fieldPath": ".cap",
    },
]

EXIT_CODES: Final[list[Rule]] = [
    {
        "rule": "!has(self.retry) || !has(self.fail) || !self.retry.exists(c, c in self.fail)",
        "message": "an exit code stands in retry and in fail; keep one of them",
    },
]
