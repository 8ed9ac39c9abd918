"""Workflows to build Jobs for."""

from datetime import UTC, datetime
from typing import Any

from tidegate.api.identity import AttemptId, WorkflowKey
from tidegate.api.workflow import ValidatedWorkflow, validate
from tidegate.engine.model import Start
from tidegate.facts.model import WorkflowFact

UID = "6f1c1b1e-3c0a-4f5e-9a58-0d3f4a1c2b3d"


def workflow_of(
    spec: dict[str, Any], *, namespace: str = "shop", name: str = "demo", uid: str = UID
) -> ValidatedWorkflow:
    """The Workflow with ``spec``, validated."""
    return validate(
        WorkflowFact(
            key=WorkflowKey(namespace, name),
            uid=uid,
            generation=1,
            resource_version="1",
            created_at=datetime(2026, 11, 22, tzinfo=UTC),
            deleting=False,
            annotations={},
            restored=False,
            spec=spec,
            status={},
        )
    )


def start_of(node: str, number: int = 1, *, run: int = 1, standby: str = "", **more: Any) -> Start:
    """The start of an attempt; ``more`` are fields of Start."""
    return Start(AttemptId(run, node, number, standby), **more)
