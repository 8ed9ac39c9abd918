"""What a node or standby is once defaults are applied: everything that its attempts need."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tidegate.api.checkpoint_spec import Checkpoint
from tidegate.api.sizes import Measured, Sizes
from tidegate.api.spec import Jitter, Trigger


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how often a failed attempt is repeated; nothing is left to default."""

    limit: int
    """Retries after the first attempt; at least 1."""
    base: timedelta
    factor: float
    cap: timedelta
    jitter: Jitter
    max_duration: timedelta | None
    """No retry begins later than this after the first attempt's start."""
    retry_codes: frozenset[int]
    """If not empty, only these exit codes are retried."""
    fail_codes: frozenset[int]
    """Exit codes that are never retried."""
    timeouts: bool
    """Whether Timeout and StartTimeout are retried."""


@dataclass(frozen=True, slots=True)
class Lent:
    """A variable that a node lends to the fallback that runs in its place."""

    entry: Mapping[str, Any]
    """As it stands in ``env``."""
    name: int
    """Bytes of its name, with the ``=``."""
    measured: Measured | None
    """Where it reads of other nodes: how large it becomes. None: it is lent in any case."""

    @property
    def reads(self) -> tuple[str, ...]:
        """Its references to other nodes, each once."""
        return tuple(name for name, _ in self.measured.open) if self.measured else ()


@dataclass(frozen=True, slots=True)
class Task:
    """An effective node or standby; what it inherits has been inherited."""

    name: str
    depends_on: tuple[str, ...]
    trigger: Trigger
    retry: RetryPolicy | None
    """None: never retried."""
    fallback: str | None
    allow_failure: bool
    timeout: timedelta | None
    start_timeout: timedelta
    image: str | None
    """None where the template's container main has the image."""
    command: tuple[str, ...] | None
    """None, never empty, where the author says nothing; the same for ``args``."""
    args: tuple[str, ...] | None
    script: str | None
    shell: tuple[str, ...]
    env: tuple[Mapping[str, Any], ...]
    lent: tuple[Lent, ...]
    """What a fallback gets of the node in whose place it runs, in the order of that node's env."""
    env_from: tuple[Mapping[str, Any], ...]
    working_dir: str | None
    resources: Mapping[str, Any] | None
    volume_mounts: tuple[Mapping[str, Any], ...]
    template: Mapping[str, Any]
    """The default template with the own one merged over it; the short hands aren't applied yet."""
    outputs: Mapping[str, str | None]
    """The outputs that it promises, each with its default as JSON; None: it has none."""
    when: str | None
    """Its condition, in CEL."""
    references: tuple[str, ...]
    """What its texts refer to, each once: ``params.date``, ``nodes.check.outputs.rows`` …

    What it is lent may refer to more nodes, whose values it can do without."""
    sizes: Sizes
    """How large those texts become, with all that it is lent in any case."""
    params: Mapping[str, str]
    """The params that it or its condition names, with their values: part of what it means."""
    checkpoint: Checkpoint | None
    """What it asks people; then it has no pod, and nothing of what pods are made of."""
    definition: str
    """``<format>:<hash>`` over all of this and over the fallback's task."""
