"""The few words with a cluster that isn't ours, through kubectl and a kubeconfig of our own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.shell import output

PATIENCE = "15s"


@dataclass(frozen=True)
class Kubectl:
    """Kubectl bound to one kubeconfig."""

    program: Path
    kubeconfig: Path

    def version(self) -> str:
        """Return the version of the API server; raise ClusterError if it doesn't answer."""
        found = json.loads(self._run("version", "--output=json"))
        return str(found.get("serverVersion", {}).get("gitVersion", ""))

    def user(self) -> str:
        """Return the name that the API server knows the kubeconfig's user by."""
        found = json.loads(self._run("auth", "whoami", "--output=json"))
        return str(found.get("status", {}).get("userInfo", {}).get("username", ""))

    def server(self) -> str:
        """Return the API server's URL as the kubeconfig has it."""
        path = "jsonpath={.clusters[0].cluster.server}"
        return self._run("config", "view", "--minify", f"--output={path}")

    def _run(self, *words: str) -> str:
        flags = [f"--kubeconfig={self.kubeconfig}", f"--request-timeout={PATIENCE}"]
        return output([str(self.program), *flags, *words])
