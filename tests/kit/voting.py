"""Answering checkpoints as people do: kubectl annotate, under their own names."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from tests.kit.client import Object
from tests.kit.cluster import Cluster, KubectlError
from tests.kit.run import Run
from tests.kit.waiting import LONG

VOTE = "checkpoint.tidegate.dev/"
WAITING = "WaitingForApproval"
_COMMAND = re.compile(r"kubectl annotate .*?(?=; |$)", re.DOTALL)


def admin(cluster: Cluster) -> str:
    """Return the name by which the API server knows the kubeconfig's user."""
    found = json.loads(cluster.kubectl("auth", "whoami", "-o", "json"))
    return str(found["status"]["userInfo"]["username"])


def vote(run: Run, key: str, text: str, by: str = "", groups: tuple[str, ...] = ()) -> None:
    """Write a vote; ``key`` is the node, or node and tag; ``by``: under another name."""
    who = [f"--as={by}", *(f"--as-group={group}" for group in groups)] if by else []
    run.kubectl("annotate", "--overwrite", "twf", run.name, f"{VOTE}{key}={text}", *who)


def approve(run: Run, node: str, comment: str = "") -> None:
    """Approve as the admin."""
    told = f": {comment}" if comment else ""
    vote(run, node, f"approve by {admin(run.cluster)}{told}")


def grant(run: Run, *users: str) -> None:
    """Let these users vote in the namespace of the run."""
    name = "voters"
    rights = ("--verb=get,patch,approve", "--resource=workflows.tidegate.dev")
    run.kubectl("create", "role", name, *rights)
    run.kubectl(
        "create", "rolebinding", name, f"--role={name}", *(f"--user={user}" for user in users)
    )


def opened(run: Run, node: str, seconds: float = LONG) -> Object:
    """Wait until a checkpoint is open; return its status."""
    return run.wait_node(node, "Waiting", WAITING, seconds)


def asked(run: Run) -> Object:
    """Return the condition that tells what people are asked."""
    (found,) = [one for one in run.status["conditions"] if one["type"] == WAITING]
    return dict(found)


def command_in(message: str) -> str:
    """Return the command that a message tells people to paste."""
    found = _COMMAND.search(message)
    assert found is not None, message
    return found[0]


def type_in(cluster: Cluster, namespace: str, command: str) -> str:
    """Run a line as somebody types it into a shell, in a namespace that is their default."""
    shell = 'kubectl() { "$KUBECTL" -n "$NAMESPACE" "$@"; }\n'
    own = {"KUBECTL": str(Path(cluster.tools.kubectl_path)), "NAMESPACE": namespace}
    done = subprocess.run(
        ["bash", "-ec", shell + command],
        env={**os.environ, **cluster.tools.environment, **own},
        check=False,
        capture_output=True,
        text=True,
        timeout=LONG,
    )
    if done.returncode:
        raise KubectlError((done.stdout + done.stderr).strip())
    return done.stdout
