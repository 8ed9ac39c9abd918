"""The way of kind: a node in a container, where an engine answers. Kept thin on purpose."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.cluster import archives, toolchain
from tests.cluster.engine import Engine
from tests.cluster.errors import ClusterError
from tests.cluster.kubectl import Kubectl
from tests.cluster.paths import PACKAGE, Paths
from tests.cluster.report import Reporter
from tests.cluster.shell import output, run_logged
from tests.cluster.state import Current
from tests.cluster.status import Status

NAME = "tidegate"
CONFIG = PACKAGE / "kind.yaml"
READY_WITHIN = "180s"
ADMIN = "kubernetes-admin"


@dataclass(frozen=True)
class Commands:
    """The command lines of the kind program for our one cluster."""

    kind: str
    kubeconfig: Path

    def create(self) -> list[str]:
        """Make the cluster and write a kubeconfig of our own, never the user's."""
        words = ["create", "cluster", "--name", NAME, "--config", str(CONFIG)]
        return [self.kind, *words, "--kubeconfig", str(self.kubeconfig), "--wait", READY_WITHIN]

    def export(self) -> list[str]:
        """Write the kubeconfig of a cluster that is there already."""
        words = ["export", "kubeconfig", "--name", NAME]
        return [self.kind, *words, "--kubeconfig", str(self.kubeconfig)]

    def delete(self) -> list[str]:
        """Take the cluster away."""
        words = ["delete", "cluster", "--name", NAME]
        return [self.kind, *words, "--kubeconfig", str(self.kubeconfig)]

    def clusters(self) -> list[str]:
        """List kind's clusters on this engine."""
        return [self.kind, "get", "clusters", "--quiet"]

    def load_archive(self, archive: Path) -> list[str]:
        """Load the images of an archive into the node."""
        return [self.kind, "load", "image-archive", str(archive), "--name", NAME]

    def load_image(self, image: str) -> list[str]:
        """Load an image that the engine has into the node."""
        return [self.kind, "load", "docker-image", image, "--name", NAME]


@dataclass(frozen=True)
class KindCluster:
    """Our one cluster of kind's on this machine's engine."""

    paths: Paths
    report: Reporter
    engine: Engine

    @property
    def kubeconfig(self) -> Path:
        """Where kind writes the cluster's kubeconfig to."""
        return self.paths.cache / "kind" / "kubeconfig"

    @property
    def environment(self) -> dict[str, str]:
        """What kind has to be told about the engine."""
        return {"KIND_EXPERIMENTAL_PROVIDER": self.engine.program}

    def up(self) -> Current:
        """Make the cluster, or find the one that is there."""
        commands = self._commands()
        with self.report.step("kubectl") as step:
            toolchain.ensure(toolchain.KUBERNETES, self.paths, step, only="kubectl")
        with self.report.step(f"kind with {self.engine.program}") as step:
            there = NAME in output(commands.clusters(), env=self.environment).split()
            self.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
            run_logged(
                commands.export() if there else commands.create(),
                self.paths.logs / "kind.log",
                env=self.environment,
                on_line=lambda line: step.doing(line.strip()[-60:]),
                remedy="the engine must be able to pull kind's node image, or have it already",
            )
            version = self._kubectl().version().removeprefix("v")
            step.done(f"Kubernetes {version}{', runs already' if there else ''}")
        return Current("kind", str(self.kubeconfig))

    def down(self) -> None:
        """Delete the cluster; kind's own others stay."""
        with self.report.step(f"kind with {self.engine.program}") as step:
            log = self.paths.logs / "kind.log"
            run_logged(self._commands().delete(), log, env=self.environment)
            self.kubeconfig.unlink(missing_ok=True)
            step.done("deleted")

    def status(self) -> Status:
        """Return what the API server says."""
        try:
            version, trouble = self._kubectl().version(), ""
            api = self._kubectl().server()
        except ClusterError as error:
            version, api, trouble = "", "", str(error)
        return Status(
            provider="kind",
            running=not trouble,
            kubeconfig=str(self.kubeconfig),
            api=api,
            version=version,
            admin=ADMIN,
            trouble=trouble,
        )

    def load(self, what: str) -> None:
        """Load an archive, or an image that the engine has."""
        commands = self._commands()
        is_archive = Path(what).is_file()
        argv = commands.load_archive(Path(what)) if is_archive else commands.load_image(what)
        names = ", ".join(archives.names_in(Path(what))) if is_archive else what
        with self.report.step(f"image {names}") as step:
            run_logged(argv, self.paths.logs / "kind.log", env=self.environment)
            step.done("loaded")

    def _commands(self) -> Commands:
        with self.report.step("kind") as step:
            folder = toolchain.ensure(toolchain.KIND, self.paths, step)
        return Commands(str(folder / "kind"), self.kubeconfig)

    def _kubectl(self) -> Kubectl:
        folder = toolchain.KUBERNETES.destination(self.paths)
        return Kubectl(folder / "kubectl", self.kubeconfig)
