"""The cluster under test: its client, kubectl as a user has it, audit log and processes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.demo.install import NAMESPACE, RELEASE, SELECTOR
from tests.demo.tools import Tools, ask_cluster_json
from tests.kit.audit import Audit
from tests.kit.client import Client, Object, Query
from tests.kit.waiting import LONG, wait_for, wait_for_one, wait_gone

ACCOUNT = f"system:serviceaccount:{NAMESPACE}:{RELEASE}"
LEASE = "tidegate-operator"


class KubectlError(Exception):
    """kubectl ended with an error; its words are the message."""


@dataclass
class Cluster:
    """What ``python -m tests.cluster up`` made or was told of."""

    status: dict[str, Any]
    tools: Tools
    witnesses: dict[str, Callable[[], str]] = field(default_factory=dict)
    """What else tells of a failure: the logs of operators, by a title."""
    audit: Audit | None = None
    """What the operator has asked since the session began; None without an audit log."""

    @classmethod
    def find(cls) -> Cluster:
        """Return the cluster that is up; the command ends the session if there is none."""
        found = cls(ask_cluster_json("status", "--json"), Tools.find())
        found.witnesses["operator (chart)"] = found.operator_log
        found.audit = Audit.from_now(found.audit_log, ACCOUNT) if found.audit_log else None
        return found

    @cached_property
    def client(self) -> Client:
        """The API server with the admin's rights."""
        return Client(self.tools.kubeconfig)

    @property
    def is_local(self) -> bool:
        """Whether its parts are processes of this machine, which tests may stop."""
        return bool(self.status["provider"] == "local")

    @property
    def audit_log(self) -> Path | None:
        """Every request, one JSON object a line; only the local cluster has it."""
        return Path(self.status["audit_log"]) if self.status.get("audit_log") else None

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl and return what it prints; raise KubectlError with its words if it fails."""
        done = subprocess.run(
            [self.tools.kubectl_path, *arguments],
            env=self.tools.environment,
            input=stdin,
            check=False,
            capture_output=True,
            text=True,
            timeout=LONG,
        )
        if done.returncode:
            raise KubectlError((done.stdout + done.stderr).strip())
        return done.stdout

    def operator_pods(self) -> list[Object]:
        """Return the pods of the operator that the chart installed."""
        return self.client.list(Query("pods", NAMESPACE, labels=SELECTOR))

    def operator_log(self) -> str:
        """Return what the operator's pods have logged, former containers included."""
        texts = []
        for pod in self.operator_pods():
            name = pod["metadata"]["name"]
            for previous in ("true", "false"):
                try:
                    arguments = ("logs", "-n", NAMESPACE, name, f"--previous={previous}")
                    texts.append(self.kubectl(*arguments, "--tail=5000"))
                except KubectlError:
                    continue
        return "\n".join(texts)

    def scale_operator(self, replicas: int) -> None:
        """Have so many replicas of the operator, all of them ready, and no others."""
        deployment = self.client.get("deployments", NAMESPACE, RELEASE)
        if deployment["spec"]["replicas"] != replicas:
            self.client.patch("deployments", NAMESPACE, RELEASE, {"spec": {"replicas": replicas}})
        self.operator_settled(replicas)

    def operator_settled(self, replicas: int) -> None:
        """Wait until this number of replicas is ready and nothing else of the operator is left."""
        pods = Query("pods", NAMESPACE, labels=SELECTOR)
        if replicas == 0:
            wait_gone(self.client, pods, "no operator pod")
            return
        wait_for(
            self.client,
            pods,
            lambda found: len(found) == replicas and all(map(is_ready, found.values())),
            f"{replicas} operator pods, all ready",
            LONG,
        )

    def lease_holder(self) -> str:
        """Return who holds the operator's Lease; empty if nobody does."""
        lease = self.client.find("leases", NAMESPACE, LEASE) or {}
        return str(lease.get("spec", {}).get("holderIdentity") or "")

    def wait_for_leader(self, *, other_than: str = "", seconds: float = LONG) -> str:
        """Wait until a replica leads, and return its name."""
        lease = wait_for_one(
            self.client,
            Query("leases", NAMESPACE, LEASE),
            lambda found: found["spec"].get("holderIdentity") not in ("", None, other_than),
            f"a leader other than {other_than or 'nobody'}",
            seconds,
        )
        return str(lease["spec"]["holderIdentity"])


def is_ready(pod: Object) -> bool:
    """Whether a pod is ready and not about to go."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
