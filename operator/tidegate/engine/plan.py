"""The plan: the next step of a Workflow, given its status and the facts. A pure function."""

from datetime import datetime

from tidegate.api.status import WorkflowStatus
from tidegate.api.workflow import ValidatedWorkflow
from tidegate.engine.context import Context
from tidegate.engine.idle import plan_excluded, plan_idle
from tidegate.engine.model import Plan
from tidegate.engine.run_begin import has_begun
from tidegate.engine.running import plan_run
from tidegate.facts.model import Facts, WorkflowFact


def plan(
    workflow: ValidatedWorkflow,
    fact: WorkflowFact,
    status: WorkflowStatus,
    facts: Facts,
    now: datetime,
) -> Plan:
    """The next step of ``workflow``.

    Args:
        workflow: the validated spec.
        fact: the Workflow as the view has it (annotations, generation, deletion).
        status: its status as recorded.
        facts: what is known of its attempts, with the answers to this pass's own creations.
        now: the time of this pass.
    """
    context = Context(workflow, fact, status, facts, now)
    if facts.namespace_excluded:
        return plan_excluded(context)
    if not has_begun(status) or status.is_over:
        return plan_idle(context)
    return plan_run(context)
