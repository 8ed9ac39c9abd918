"""The operator's settings, read once from the environment (``TIDEGATE_…``)."""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tidegate.errors import SettingsError

_DURATION = Annotated[float, Field(gt=0, le=3600)]
"""Seconds."""
_PORT = Annotated[int, Field(ge=0, le=65535)]
"""0: any free one."""
_NAMES = Annotated[tuple[str, ...], NoDecode]
"""Comma-separated in the environment."""


class Settings(BaseSettings):
    """What a person may choose about the operator."""

    model_config = SettingsConfigDict(env_prefix="TIDEGATE_", frozen=True, extra="ignore")

    namespaces: _NAMES = ()
    """The namespaces to look after; empty for the whole cluster."""
    excluded_namespaces: _NAMES = ("kube-system",)
    """Namespaces whose Workflows are refused; the operator's own is always among them."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """``auto``: text at a terminal, JSON otherwise."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """What is worth a line."""
    pod_namespace: str = "default"
    """Where the operator runs; the Lease is there."""
    pod_name: str = ""
    """The name of its pod; by it the Lease tells who leads."""
    lease_name: str = "tidegate-operator"
    """Replicas with the same Lease take turns."""
    lease_duration: _DURATION = 15.0
    """Seconds after which a silent leader is succeeded."""
    lease_renew_deadline: _DURATION = 10.0
    """Seconds without a renewal after which a leader ends."""
    lease_retry_period: _DURATION = 2.0
    """Seconds between two looks at the Lease."""
    metrics_port: _PORT = 9090
    """Where ``/metrics`` is served."""
    probe_port: _PORT = 8080
    """Where ``/healthz`` and ``/readyz`` are served."""
    webhook_certificates: str = ""
    """The folder with ``tls.crt`` and ``tls.key`` of the validating webhook; empty for none."""
    webhook_port: _PORT = 8443
    """Where the webhook is served, if it is."""
    require_verified_votes: bool = False
    """Whether votes count only if the API server is known to have checked them."""
    job_burst: int = Field(default=50, ge=1, le=1000)
    """Jobs that may be created at once."""
    job_rate: float = Field(default=20.0, gt=0, le=1000)
    """Jobs a second that may be created in the long run."""
    unstarted_jobs: int = Field(default=20, ge=1, le=1000)
    """Jobs that may wait for their pod at the same time."""
    concurrency: int = Field(default=64, ge=1, le=1000)
    """Workflows that may be worked on at the same time."""
    resync_interval: _DURATION = 180.0
    """Seconds between two lists of all Workflows."""
    shutdown_grace: _DURATION = 6.0
    """Seconds that work in progress gets when the operator is told to stop."""

    @field_validator("namespaces", "excluded_namespaces", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _lease_times_fit(self) -> Self:
        if not self.lease_retry_period < self.lease_renew_deadline < self.lease_duration:
            msg = "lease_retry_period < lease_renew_deadline < lease_duration must hold"
            raise ValueError(msg)
        return self

    @classmethod
    def load(cls) -> Self:
        """The settings of this process.

        Raises:
            SettingsError: a variable holds what it can't; the message names each.
        """
        try:
            return cls()
        except ValidationError as error:
            faults = (
                f"{'_'.join(map(str, fault['loc'])).upper() or 'LEASE_…'}: {fault['msg']}"
                for fault in error.errors()
            )
            raise SettingsError("; ".join(f"TIDEGATE_{fault}" for fault in faults)) from error
