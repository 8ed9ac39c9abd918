"""The way of a cluster that its user names: looked at, never made, never taken down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.cluster import kubeconfig, toolchain
from tests.cluster.errors import ClusterError
from tests.cluster.kubectl import Kubectl
from tests.cluster.paths import Paths
from tests.cluster.report import Reporter
from tests.cluster.state import Current
from tests.cluster.status import Status


@dataclass(frozen=True)
class UserCluster:
    """A cluster out of somebody's kubeconfig."""

    paths: Paths
    report: Reporter
    source: Path
    context: str
    """Always named: kubectl's current context may be anything, production too."""

    @property
    def _copy(self) -> Path:
        return self.paths.cache / "user" / "kubeconfig"

    def up(self) -> Current:
        """Copy the one context to a kubeconfig of our own and see whether it answers."""
        if not self.context:
            known = ", ".join(kubeconfig.contexts(self.source)) or "none"
            raise ClusterError(
                "say which context of the kubeconfig is meant",
                remedy=f"--context NAME; {self.source} has: {known}",
            )
        kubeconfig.cut_out(self.source, self.context, self._copy)
        with self.report.step("kubectl") as step:
            toolchain.ensure(toolchain.KUBERNETES, self.paths, step, only="kubectl")
        with self.report.step(f"context {self.context}") as step:
            version, user = self._kubectl().version(), self._kubectl().user()
            step.done(f"Kubernetes {version.removeprefix('v')}, user {user}")
        return Current("user", str(self._copy), str(self.source), self.context)

    def down(self) -> None:
        """Drop our copy of the kubeconfig; the cluster is its owner's."""
        self._copy.unlink(missing_ok=True)
        self.report.say(f"  ✓ context {self.context} is yours and stays as it is")

    def status(self) -> Status:
        """Return what the API server says."""
        kubectl = self._kubectl()
        try:
            version, user, trouble = kubectl.version(), kubectl.user(), ""
        except ClusterError as error:
            version, user, trouble = "", "", str(error)
        return Status(
            provider="user",
            running=not trouble,
            kubeconfig=str(self._copy),
            api=kubectl.server(),
            version=version,
            admin=user,
            trouble=trouble,
        )

    def load(self, what: str) -> None:
        """Refuse: only a registry brings an image to somebody's nodes."""
        raise ClusterError(
            f"{what} can't be loaded into a cluster that isn't ours",
            remedy="push it to a registry that the cluster's nodes pull from, and name it there",
        )

    def _kubectl(self) -> Kubectl:
        folder = toolchain.KUBERNETES.destination(self.paths)
        return Kubectl(folder / "kubectl", self._copy)
