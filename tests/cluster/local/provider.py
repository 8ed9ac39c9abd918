"""Bringing the local cluster up, in whatever state it is found, and taking it down again."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import prerequisites, processes, toolchain
from tests.cluster.errors import ClusterError
from tests.cluster.local import api, configs, images, machine, parts, pki
from tests.cluster.local.layout import ADMIN, NODE_NAME, Layout, decide, node_address
from tests.cluster.local.parts import Part
from tests.cluster.paths import Paths
from tests.cluster.processes import Identity
from tests.cluster.report import Reporter, Step

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
NODE_PATIENCE = 60.0
ENDING_PATIENCE = 10.0
DNS_SERVICE = "kube-dns"


def check_machine() -> None:
    """End with a clear message where plain processes can't make a cluster."""
    if not sys.platform.startswith("linux"):
        raise ClusterError(
            "the local cluster runs on Linux only",
            remedy="start Docker or Podman for a kind cluster, or name one with --kubeconfig",
        )
    if os.geteuid() != 0:
        raise ClusterError(
            "the local cluster needs root: it mounts, makes cgroups, a bridge and iptables rules",
            remedy="sudo -E, or start Docker or Podman for kind, or name one with --kubeconfig",
        )


@dataclass
class LocalCluster:
    """The one local cluster of this machine."""

    paths: Paths
    report: Reporter

    def running(self) -> Layout | None:
        """Return the layout if every part runs and answers."""
        layout = Layout.load(self.paths.state)
        if layout is None or _dead(layout, parts.NAMES) or not api.node_ready(layout):
            return None
        return layout

    def up(self) -> Layout:
        """Return a sound cluster: the one that runs, a repaired one, or a new one."""
        layout = self.running()
        if layout is not None:
            with self.report.step(f"Kubernetes {layout.version.removeprefix('v')}") as step:
                step.done(f"runs already, {layout.url}")
            return layout
        check_machine()
        with self.report.step("prerequisites") as step:
            prerequisites.ensure(prerequisites.CLUSTER_PACKAGES, self.paths, step)
        version = toolchain.KUBERNETES.version
        with self.report.step(f"Kubernetes {version.removeprefix('v')}") as step:
            binaries = toolchain.ensure(toolchain.KUBERNETES, self.paths, step)
        layout = self._found() or self._new(binaries, version)
        self._refresh(layout)
        self._start_all(layout)
        return layout

    def _found(self) -> Layout | None:
        """Return the layout of an earlier cluster that can be repaired, else clear it away."""
        layout = Layout.load(self.paths.state)
        problem = "" if layout is None else _unusable(layout)
        if layout is not None and not problem:
            return layout
        if self.paths.state.exists() or machine.strays(self.paths.state):
            with self.report.step("clearing away") as step:
                machine.sweep(self.paths.state, layout)
                step.done(problem or "what an earlier run left half done")
        return None

    def _new(self, binaries: Path, version: str) -> Layout:
        machine.refuse_rivals(self.paths.state)
        layout = decide(self.paths.state, binaries, version)
        layout.save()
        return layout

    def _refresh(self, layout: Layout) -> None:
        """Make certificates and settings whole; end the parts if their certificates changed."""
        machine.prepare()
        if pki.ensure(layout, datetime.datetime.now(tz=datetime.UTC)):
            processes.stop(_alive(layout, reversed(parts.NAMES)))
        configs.write_all(layout)
        layout.audit_log.parent.mkdir(parents=True, exist_ok=True)

    def _start_all(self, layout: Layout) -> None:
        known = {part.name: part for part in parts.all_parts(layout)}
        with self.report.step("control plane") as step:
            for name in CONTROL_PLANE:
                _ensure_part(layout, known[name], step)
            step.done(f"{layout.url}, user {ADMIN}")
        with self.report.step("node ready") as step:
            for name in ("containerd", "kubelet", "kube-proxy"):
                _ensure_part(layout, known[name], step)
                if name == "containerd":
                    step.doing("loading busybox:1.36")
                    images.ensure_loaded(layout, self.paths)
            _answer_name_lookups(layout)
            step.doing("waiting for the node")
            self._await_node(layout)
            step.done(f"1 node, pods {layout.pod_range}")

    def _await_node(self, layout: Layout) -> None:
        if not processes.wait_until(lambda: api.node_ready(layout), NODE_PATIENCE, pause=0.2):
            raise ClusterError(
                f"the node {NODE_NAME} didn't become ready within {NODE_PATIENCE:.0f} s",
                log=parts.log_file(layout, "kubelet"),
                remedy="run `down`, then `up` again",
            )

    def down(self) -> None:
        """End what ``up`` started and take away its traces; quiet if there are none."""
        layout = Layout.load(self.paths.state)
        with self.report.step("local cluster") as step:
            if layout is None and not self.paths.state.exists():
                step.done("none here")
                return
            check_machine()
            if layout is not None:
                step.doing("ending the processes")
                processes.stop(_alive(layout, reversed(parts.NAMES)), ENDING_PATIENCE)
            step.doing("taking away mounts, network and data")
            machine.sweep(self.paths.state, layout)
            step.done("ended; compiled programs and images are kept")


def _unusable(layout: Layout) -> str:
    """Return why a cluster can't be repaired; an empty text if it can."""
    if not all(os.access(layout.program(name), os.X_OK) for name in CONTROL_PLANE):
        return "its programs are gone from the cache"
    if layout.node_ip != node_address():
        return f"this machine's address is no longer {layout.node_ip}"
    return ""


def _alive(layout: Layout, names: Iterable[str]) -> list[Identity]:
    found = [Identity.load(parts.pid_file(layout, name)) for name in names]
    return [identity for identity in found if identity is not None and identity.alive]


def _dead(layout: Layout, names: Iterable[str]) -> list[str]:
    return [name for name in names if not _alive(layout, [name])]


def _ensure_part(layout: Layout, part: Part, step: Step) -> None:
    """Start a part unless it runs and answers; one that runs and doesn't is started anew."""
    running = _alive(layout, [part.name])
    if running and processes.wait_until(part.well, part.patience / 4):
        return
    processes.stop(running)
    log = parts.log_file(layout, part.name)
    step.doing(f"starting {part.name}")
    started = processes.start_detached(part.argv, log, parts.environment())
    started.save(parts.pid_file(layout, part.name))
    fine = processes.wait_until(lambda: not started.alive or part.well(), part.patience)
    if not started.alive:
        raise ClusterError(f"{part.name} ended right after its start", log=log, remedy=part.hint)
    if not fine:
        message = f"{part.name} doesn't answer within {part.patience:.0f} s"
        raise ClusterError(message, log=log, remedy=part.hint)


def _answer_name_lookups(layout: Layout) -> None:
    """Make the Service that pods ask for names; nobody is behind it.

    With it a look-up is refused at once instead of timing out, and the kubelet doesn't post
    an Event about missing DNS for each pod.
    """
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": DNS_SERVICE, "namespace": "kube-system"},
        "spec": {
            "clusterIP": layout.dns_ip,
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP"},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
            ],
        },
    }
    path = "/api/v1/namespaces/kube-system/services"
    if api.get(layout, f"{path}/{DNS_SERVICE}") is None:
        api.create(layout, path, body)
