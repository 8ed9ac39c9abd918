"""The commands with which one looks deeper."""

import shlex

from tidegate import constants as c
from tidegate.api.identity import WorkflowKey
from tidegate.api.plain import one_line


def logs(key: WorkflowKey, node: str, run: int) -> str:
    """What the node's attempts wrote, all of it, as long as their pods stand."""
    return (
        f"kubectl logs -n {quoted(key.namespace)} -l {selector(key, run, node)} --tail=-1 --prefix"
    )


def selector(key: WorkflowKey, run: int, node: str = "") -> str:
    """The labels of a run's Jobs and pods, or of those of one node."""
    of_node = f",{c.LABEL_NODE}={node}" if node else ""
    return quoted(f"{c.LABEL_WORKFLOW}={key.name}{of_node},{c.LABEL_RUN}={run}")


def tail(key: WorkflowKey, config_map: str, attempt: str) -> str:
    """The last lines of an attempt, as the log keeps them; they outlive its pod."""
    field = f"{attempt}.txt".replace(".", r"\.")
    where = f"-n {quoted(key.namespace)} {quoted(config_map)}"
    return f"kubectl get cm {where} -o jsonpath={quoted(f'{{.data.{field}}}')}"


def rerun(key: WorkflowKey, what: str) -> str:
    """Ask for another run; the time makes the text a new one each time."""
    return (
        f"kubectl annotate --overwrite -n {quoted(key.namespace)} {c.SHORT_NAME} "
        f"{quoted(key.name)} {c.ANNOTATION_RERUN}={what}@$(date +%s)"
    )


def cancel(key: WorkflowKey) -> str:
    """End the run; handlers still run."""
    return (
        f"kubectl annotate --overwrite -n {quoted(key.namespace)} {c.SHORT_NAME} "
        f"{quoted(key.name)} {c.ANNOTATION_CANCEL}=graceful@$(date +%s)"
    )


def describe(key: WorkflowKey) -> str:
    """The Workflow with its Events."""
    return f"kubectl describe -n {quoted(key.namespace)} {c.SHORT_NAME} {quoted(key.name)}"


def jobs(key: WorkflowKey, run: int) -> str:
    """The Jobs and pods of a run."""
    return f"kubectl get jobs,pods -n {quoted(key.namespace)} -l {selector(key, run)}"


def quoted(text: str) -> str:
    """``text`` as one word of a shell."""
    return shlex.quote(one_line(text))
