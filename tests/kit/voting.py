"""Answering checkpoints as people do: kubectl annotate, under their own names."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.kit.client import Object
from tests.kit.cluster import Cluster, KubectlError
from tests.kit.run import Run
from tests.kit.waiting import LONG

VOTE = "checkpoint.tidegate.dev/"
WAITING = "WaitingForApproval"
GATED = """
nodes:
- {name: check, outputs: [{name: rows}], script: "echo '{\\"rows\\":1200}' > $TIDEGATE_OUTPUT"}
- name: gate
  dependsOn: [check]
  checkpoint: {message: "Publish $(nodes.check.outputs.rows) rows?", timeout: 1h}
- name: publish
  dependsOn: [gate]
  command: [echo, $(nodes.gate.outputs.decision), $(nodes.gate.outputs.by)]
  args: [$(nodes.gate.outputs.comment)]
standbys:
- {name: page, script: 'echo "$TIDEGATE_ERRORS"'}
- {name: tidy, script: 'echo "$TIDEGATE_PHASE"'}
onError: [page]
onExit: [tidy]
"""
"""A gate between two nodes, with handlers that print what they are told."""


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
    command = message.rpartition("answer with: ")[2]
    assert command.startswith("kubectl annotate "), message
    return command


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


def outputs(node: Object) -> Object:
    """Return what a node gives to later ones."""
    return dict(json.loads(node["outputs"]))


def ended(status: Object) -> dict[str, tuple[str, str]]:
    """Return phase and reason of each node."""
    return {name: (n["phase"], n.get("reason", "")) for name, n in status["nodes"].items()}
