"""What users write: the spec of a Workflow, field by field.

The docstrings of the fields are the descriptions in the CRD (``kubectl explain twf.spec``). Fields
that nodes inherit from ``defaults`` have no default here: it is applied after the inheritance.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from tidegate.api.checkpoint_spec import TOLD, Checkpoint
from tidegate.api.duration import BackoffDuration, Duration
from tidegate.api.fields import (
    ATOMIC,
    MAX_NODES,
    MAX_OUTPUTS,
    MAX_PARAMS,
    MAX_STANDBYS,
    SET,
    WHOLE,
    Argument,
    Cel,
    Codes,
    Count,
    Env,
    EnvFroms,
    Flag,
    Foreign,
    Handlers,
    Image,
    Key,
    Name,
    ParamValue,
    Shell,
    VolumeMount,
    Words,
    foreign,
    list_map,
)
from tidegate.api.json_values import value_fault
from tidegate.api.log_spec import LogSpec, TailLines
from tidegate.api.model import Model


class Execution(StrEnum):
    """When nodes start."""

    WAVES = "Waves"
    EAGER = "Eager"


class FailurePolicy(StrEnum):
    """What a node that failed finally does to the others."""

    FINISH_WAVE = "FinishWave"
    FAIL_FAST = "FailFast"
    CONTINUE = "Continue"


class Trigger(StrEnum):
    """What must be true of a node's dependencies."""

    DEPENDENCIES_SUCCEEDED = "DependenciesSucceeded"
    DEPENDENCIES_ENDED = "DependenciesEnded"


class RerunPolicy(StrEnum):
    """What a change of a finished Workflow does."""

    MANUAL = "Manual"
    ON_CHANGE = "OnChange"


class JobRetention(StrEnum):
    """Which finished Jobs stay."""

    ALWAYS = "Always"
    ON_FAILURE = "OnFailure"
    NEVER = "Never"


class Jitter(StrEnum):
    """How chance spreads the waits before retries."""

    NONE = "None"
    FULL = "Full"
    EQUAL = "Equal"


class Backoff(Model):
    """How long to wait before each retry."""

    base: Annotated[BackoffDuration, Field(json_schema_extra={"default": "1s"})] = timedelta(
        seconds=1
    )
    """Wait before the first retry, like 500ms or 2s."""
    factor: Annotated[float, Field(strict=True, ge=1, le=10, allow_inf_nan=False)] = 2.0
    """How many times longer each wait is than the one before, from 1 to 10."""
    cap: Annotated[BackoffDuration, Field(json_schema_extra={"default": "32s"})] = timedelta(
        seconds=32
    )
    """The longest wait, at least base and at most 24h."""
    jitter: Jitter = Jitter.FULL
    """How chance spreads the waits: None (the wait d itself), Full (anything from 0 to d), Equal
    (at least half of d)."""


class ExitCodes(Model):
    """Which exit codes of the container main are worth a retry."""

    retry: Annotated[Codes, Field(min_length=1)] | None = None
    """If given, only these exit codes (1-255) are retried."""
    fail: Codes = ()
    """These exit codes (1-255) are never retried."""


class Retry(Model):
    """When and how often a failed attempt is repeated; a field left out has its default."""

    model_config = ConfigDict(json_schema_extra=WHOLE)

    limit: Annotated[Count, Field(ge=0, le=100)] = 3
    """How many times to try again after the first attempt, 0-100; 0 switches an inherited retry
    off."""
    backoff: Backoff = Backoff()
    """How long to wait before each retry, counted from the end of the failed attempt."""
    max_duration: Duration | None = None
    """No retry begins later than this after the first attempt's start. No bound by default."""
    exit_codes: ExitCodes | None = None
    """Which exit codes are retried; all by default."""
    timeouts: Flag = True
    """Whether attempts that ran out of time (timeout, startTimeout) are retried."""


class Param(Model):
    """A text that the Workflow is given from outside."""

    name: Key
    """Name, by which references call it: $(params.<name>). Letters, digits, _ and -."""
    value: ParamValue
    """Its value; at most 32 KiB. It is never expanded, whatever stands in it."""


def _json_value(value: Any) -> Any:
    if fault := value_fault(value):
        raise ValueError(fault)
    return value


class OutputSpec(Model):
    """An output that a node promises to write."""

    name: Key
    """Its key in the JSON object that the node writes."""
    default: Annotated[Any, AfterValidator(_json_value)] = None
    """Any JSON value, which stands where the node didn't write the output."""

    @property
    def has_default(self) -> bool:
        """Whether a default is given, be it null."""
        return "default" in self.model_fields_set


Outputs = Annotated[
    tuple[Annotated[OutputSpec, WithJsonSchema(foreign())], ...],
    Field(max_length=MAX_OUTPUTS, json_schema_extra=ATOMIC),
]
"""Kept as they are in the CRD: its lock sees a change of any default only so."""


class TaskSpec(Model):
    """What nodes and standbys have in common: a pod that runs to its end."""

    model_config = ConfigDict(json_schema_extra=WHOLE)

    name: Name
    """Name, unique among nodes and standbys: a DNS label of at most 40 characters (a-z, 0-9, -)."""
    image: Image | None = None
    """Image of the container main. Inherited from defaults. Only $(params.<name>) is replaced."""
    command: Words | None = None
    """Entrypoint of the container main, in place of the image's own. References are replaced by
    their values, which nothing expands again: $(params.<name>), $(nodes.<node>.outputs.<key>),
    $(nodes.<node>.phase|reason|exitCode|servedBy), $(workflow.name|namespace|uid|run),
    $(node.name|attempt)."""
    args: Words | None = None
    """Arguments of the container main. The same references as in command are replaced."""
    script: Annotated[Argument, StringConstraints(min_length=1)] | None = None
    """Text that is run by the shell, in place of command and args. References aren't replaced in
    it; pass values through env."""
    shell: Shell | None = None
    """What runs the script, as its last argument. Inherited from defaults; /bin/sh -ec by
    default."""
    env: Env = ()
    """Environment variables of the container main, as in a container of Kubernetes. Those of
    defaults are inherited by name. In value the same references as in command are replaced."""
    env_from: EnvFroms | None = None
    """ConfigMaps and Secrets whose keys become environment variables of the container main, as in a
    container of Kubernetes. Inherited from defaults as a whole."""
    working_dir: Annotated[str, StringConstraints(min_length=1, max_length=4096)] | None = None
    """Working directory of the container main; the image's own by default."""
    resources: Foreign | None = None
    """Requests and limits of the container main, as in a container of Kubernetes. Inherited from
    defaults as a whole."""
    volume_mounts: Annotated[
        tuple[VolumeMount, ...], Field(max_length=64, json_schema_extra=list_map("mountPath"))
    ] = ()
    """Volumes that the container main sees, as in a container of Kubernetes. The volumes themselves
    stand in the template."""
    template: Foreign | None = None
    """A pod template (metadata, spec) with anything that Kubernetes has; merged over
    defaults.template by name, then the fields above are laid over its container main. Its labels
    and annotations go to the Job, too. restartPolicy, activeDeadlineSeconds and labels of
    tidegate.dev are refused."""
    timeout: Duration | None = None
    """How long one attempt may take, image pull included, like 90s, 10m or 1h30m. Inherited from
    defaults; none by default, handlers 10m."""
    start_timeout: Duration | None = None
    """How long an attempt may take until its pod runs, counted from the start of its Job. Inherited
    from defaults; 10m by default."""
    retry: Retry | None = None
    """Whether and how a failed attempt is repeated. Nodes inherit it from defaults, standbys don't.
    Without it nothing is retried."""
    outputs: Outputs = ()
    """Outputs that it promises, at most 64, each {name, default}: keys of the JSON object (at most
    4096 bytes) that the container main writes to the file $TIDEGATE_OUTPUT. One that isn't written
    and has no default fails the node."""
    tail_lines: TailLines | None = None
    """How many of the last lines that an attempt printed the log keeps, 0-200; log.tailLines by
    default."""


class NodeSpec(TaskSpec):
    """A step of the Workflow."""

    depends_on: Annotated[tuple[Name, ...], Field(max_length=32, json_schema_extra=SET)] = ()
    """Names of the nodes that must have ended before this one starts."""
    trigger: Trigger = Trigger.DEPENDENCIES_SUCCEEDED
    """DependenciesSucceeded (default): starts if all dependencies succeeded, or failed with
    allowFailure. DependenciesEnded: starts however they ended, for cleaning up."""
    when: Cel | None = None
    """A condition in CEL, asked once a run when the node's turn comes; if it is false, the node is
    Skipped (ConditionFalse), and what depends on it runs. It sees params.<name>,
    nodes.<node>.phase|reason|exitCode|servedBy|outputs of the nodes before it, and
    workflow.name|namespace|uid|run."""
    fallback: Name | None = None
    """Name of the standby that runs in this node's place when it has failed finally."""
    allow_failure: Flag = False
    """Whether the Workflow goes on and may succeed although this node failed."""
    checkpoint: Annotated[Checkpoint | None, TOLD] = None
    """Makes the node a checkpoint: it runs nothing and waits until people approve or reject."""


class StandbySpec(TaskSpec):
    """A step that runs only when it is called for: as a fallback or a handler."""


class Defaults(Model):
    """What nodes and standbys inherit where they say nothing themselves."""

    image: Image | None = None
    """Image of the container main."""
    timeout: Duration | None = None
    """How long one attempt may take, image pull included, like 90s, 10m or 1h30m."""
    start_timeout: Duration | None = None
    """How long an attempt may take until its pod runs; 10m by default."""
    retry: Retry | None = None
    """Whether and how a failed attempt is repeated. Inherited by nodes only."""
    shell: Shell | None = None
    """What runs scripts; /bin/sh -ec by default."""
    resources: Foreign | None = None
    """Requests and limits of the container main."""
    env: Env = ()
    """Environment variables of the container main; inherited by name."""
    env_from: EnvFroms | None = None
    """ConfigMaps and Secrets whose keys become environment variables of the container main."""
    template: Foreign | None = None
    """A pod template over which each node's own is merged."""


class WorkflowSpec(Model):
    """What is to run, in which order, and what happens when something fails."""

    nodes: Annotated[
        tuple[NodeSpec, ...],
        Field(min_length=1, max_length=MAX_NODES, json_schema_extra=list_map("name")),
    ]
    """The steps of the Workflow, 1-500. Nodes of a wave start in the order of this list."""
    params: Annotated[
        tuple[Param, ...], Field(max_length=MAX_PARAMS, json_schema_extra=list_map("name"))
    ] = ()
    """Texts that nodes refer to as $(params.<name>), at most 64."""
    standbys: Annotated[
        tuple[StandbySpec, ...],
        Field(max_length=MAX_STANDBYS, json_schema_extra=list_map("name")),
    ] = ()
    """Steps that run only when called for: as fallback of a node, or as handler in onError or
    onExit. At most 64; each must be named somewhere."""
    execution: Execution = Execution.WAVES
    """Waves (default): a wave starts when all nodes of the one before have ended. Eager: a node
    starts as soon as its own dependencies allow."""
    failure_policy: FailurePolicy = FailurePolicy.FINISH_WAVE
    """What happens when a node has failed finally. FinishWave (default): the rest of its wave still
    runs. FailFast: running nodes are stopped. Continue: all that doesn't need it still runs."""
    parallelism: Annotated[Count, Field(ge=1, le=MAX_NODES)] = 10
    """How many attempts may run at once, 1-500. Handlers don't count; lowering it stops nothing."""
    timeout: Duration | None = None
    """How long one run may take, from its start, like 2h. No bound by default."""
    suspend: Flag = False
    """While true no node starts; what runs, runs on, and all clocks, too."""
    defaults: Defaults = Defaults()
    """What nodes and standbys inherit where they say nothing themselves."""
    on_error: Handlers = ()
    """Names of standbys that run, one after another, when the run is about to end as Failed."""
    on_exit: Handlers = ()
    """Names of standbys that run, one after another, at the end of every run, after those of
    onError; not after a cancel "now"."""
    rerun_policy: RerunPolicy = RerunPolicy.MANUAL
    """What a changed definition of a finished Workflow does. Manual (default): nothing until a
    rerun is asked for. OnChange: everything runs again."""
    ttl_seconds_after_finished: (
        Annotated[Count, Field(ge=0, le=2_147_483_647, json_schema_extra={"format": "int32"})]
        | None
    ) = None
    """Seconds after its end at which the Workflow is deleted. Never by default."""
    job_retention: JobRetention = JobRetention.ALWAYS
    """Which finished Jobs stay until the Workflow goes: Always (default), OnFailure or Never."""
    log: LogSpec = LogSpec()
    """What is kept of each run in the log, a ConfigMap beside the Workflow."""


__all__ = [
    "Backoff",
    "Defaults",
    "Execution",
    "ExitCodes",
    "FailurePolicy",
    "Jitter",
    "JobRetention",
    "NodeSpec",
    "OutputSpec",
    "Param",
    "RerunPolicy",
    "Retry",
    "StandbySpec",
    "TaskSpec",
    "Trigger",
    "WorkflowSpec",
]
