"""Bringing the local cluster up, in whatever state it is found, and taking it down again."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

from tests.cluster import prerequisites, processes, toolchain
from tests.cluster.errors import ClusterError
from tests.cluster.local import api, configs, images, machine, parts, pki, sweep
from tests.cluster.local.layout import ADMIN, NODE_NAME, Layout, decide, node_address
from tests.cluster.local.parts import Part
from tests.cluster.paths import Paths
from tests.cluster.processes import Identity
from tests.cluster.report import Reporter, Step
from tests.cluster.state import Current
from tests.cluster.status import Status

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
NODE = ("kubelet", "kube-proxy")
SECOND_CHANCE = 0.25
"""Of a part's patience, for one that runs already and doesn't answer."""
NODE_PATIENCE = 60.0
PAUSE_BEFORE_ANOTHER_START = 0.5


@dataclass(frozen=True)
class LocalCluster:
    """The one local cluster of this machine."""

    paths: Paths
    report: Reporter

    def up(self) -> Current:
        """Return a sound cluster: the one that runs, a repaired one, or a new one."""
        layout = self._running()
        if layout is not None:
            with self.report.step(f"Kubernetes {layout.version.removeprefix('v')}") as step:
                step.done(f"runs already, {layout.url}")
            return Current("local", str(layout.kubeconfig))
        machine.check()
        machine.refuse_rivals(self.paths.state)
        with self.report.step("prerequisites") as step:
            prerequisites.ensure(prerequisites.CLUSTER_PACKAGES, self.paths, step)
        layout = self._found() or self._new()
        self._prepare(layout)
        with self.report.step("control plane") as step:
            _start(layout, CONTROL_PLANE, step)
            _answer_name_lookups(layout)
            step.done(f"{layout.url}, user {ADMIN}")
        with self.report.step("node ready") as step:
            self._start_node(layout, step)
            step.done(f"1 node, pods {layout.pod_range}, busybox:1.36 loaded")
        return Current("local", str(layout.kubeconfig))

    def down(self) -> None:
        """End what ``up`` started and take away its traces; quiet if there are none."""
        with self.report.step("local cluster") as step:
            if not self.paths.state.exists() and not self.paths.machine_before.exists():
                step.done("none here")
                return
            machine.check()
            machine.refuse_rivals(self.paths.state)
            step.doing("ending its processes, taking away mounts, network and data")
            sweep.everything(self.paths.state)
            machine.put_back(self.paths.machine_before)
            step.done("gone; compiled programs and images are kept")

    def status(self) -> Status:
        """Return how every part is, without changing anything."""
        layout = Layout.load(self.paths.state)
        if layout is None:
            return Status("none", running=False)
        alive = {name: _alive(layout, [name]) for name in parts.NAMES}
        sound = self._running() is not None
        return Status(
            provider="local",
            running=sound,
            kubeconfig=str(layout.kubeconfig),
            api=layout.url,
            version=layout.version,
            admin=ADMIN,
            audit_log=str(layout.audit_log),
            state=str(layout.root),
            parts={
                name: f"running (pid {found[0].pid})" if found else "dead"
                for name, found in alive.items()
            },
            images=tuple(images.loaded(layout)) if alive["containerd"] else (),
            trouble="" if sound else "`up` repairs it",
        )

    def load(self, what: str) -> None:
        """Load an archive, or an image by its name, into the node."""
        layout = self._running()
        if layout is None:
            raise ClusterError("the local cluster doesn't run", remedy="`up` starts it")
        images.load_wanted(layout, self.paths, self.report, what)

    def _running(self) -> Layout | None:
        """Return the layout if every part runs and the node takes pods."""
        layout = Layout.load(self.paths.state)
        if layout is None or len(_alive(layout, parts.NAMES)) < len(parts.NAMES):
            return None
        return layout if api.node_ready(layout) else None

    def _found(self) -> Layout | None:
        """Return the layout of an earlier cluster that can be repaired, else clear it away."""
        layout = Layout.load(self.paths.state)
        problem = "half made" if layout is None else _unusable(layout)
        if layout is not None and not problem:
            return layout
        if self.paths.state.exists() or machine.strays(self.paths.state):
            with self.report.step("an earlier cluster") as step:
                sweep.everything(self.paths.state)
                step.done(f"cleared away: {problem}")
        return None

    def _new(self) -> Layout:
        version = toolchain.KUBERNETES.version
        with self.report.step(f"Kubernetes {version.removeprefix('v')}") as step:
            binaries = toolchain.ensure(toolchain.KUBERNETES, self.paths, step)
        layout = decide(self.paths.state, binaries, version)
        layout.save()
        return layout

    def _prepare(self, layout: Layout) -> None:
        """Make certificates and settings whole; parts with outdated certificates end first."""
        if _from_before_reboot(layout):
            sweep.after_reboot(layout)
        now = dt.datetime.now(tz=dt.UTC)
        if pki.faults(layout, now):
            processes.stop(_alive(layout, parts.NAMES))
            pki.mend(layout, now)
        machine.remember(self.paths.machine_before)
        machine.prepare(layout.root)
        configs.write_all(layout)
        layout.audit_log.parent.mkdir(parents=True, exist_ok=True)

    def _start_node(self, layout: Layout, step: Step) -> None:
        _start(layout, ["containerd"], step)
        step.doing("loading busybox:1.36")
        images.ensure_basics(layout, self.paths)
        _start(layout, NODE, step)
        step.doing("waiting for the node")
        if not processes.wait_until(lambda: api.node_ready(layout), NODE_PATIENCE, pause=0.2):
            raise ClusterError(
                f"the node {NODE_NAME} didn't become ready within {NODE_PATIENCE:.0f} s",
                log=parts.log_file(layout, "kubelet"),
                remedy="`down`, then `up` again",
            )


def _unusable(layout: Layout) -> str:
    """Return why a cluster can't be repaired; an empty text if it can."""
    if not all(os.access(layout.program(name), os.X_OK) for name in (*CONTROL_PLANE, *NODE)):
        return "its programs are gone from the cache"
    if layout.node_ip != node_address():
        return f"this machine's address is no longer {layout.node_ip}"
    return ""


def _identities(layout: Layout, names: Iterable[str]) -> list[Identity]:
    found = [Identity.load(parts.pid_file(layout, name)) for name in names]
    return [identity for identity in found if identity is not None]


def _alive(layout: Layout, names: Iterable[str]) -> list[Identity]:
    return [identity for identity in _identities(layout, names) if identity.alive]


def _from_before_reboot(layout: Layout) -> bool:
    now = processes.boot_id()
    return any(identity.boot != now for identity in _identities(layout, parts.NAMES))


def _start(layout: Layout, names: Iterable[str], step: Step) -> None:
    known = {part.name: part for part in parts.all_parts(layout)}
    for name in names:
        start_part(layout, known[name], step)


def start_part(layout: Layout, part: Part, step: Step) -> None:
    """Start a part unless it runs and answers; one that runs and doesn't is started anew."""
    step.doing(f"starting {part.name}")
    running = _alive(layout, [part.name])
    if running and processes.wait_until(part.well, part.patience * SECOND_CHANCE):
        return
    processes.stop(running)
    persistent_until = time.monotonic() + part.persistence
    while not _launch(layout, part):
        if time.monotonic() >= persistent_until:
            message = f"{part.name} ended right after its start"
            raise ClusterError(message, log=parts.log_file(layout, part.name), remedy=part.hint)
        step.doing(f"starting {part.name} again, as it ended right after its start")
        time.sleep(PAUSE_BEFORE_ANOTHER_START)


def _launch(layout: Layout, part: Part) -> bool:
    """Start a part and wait until it answers; whether it still runs by then."""
    log = parts.log_file(layout, part.name)
    started = processes.start_detached(part.argv, log, parts.environment())
    started.save(parts.pid_file(layout, part.name))
    fine = processes.wait_until(lambda: not started.alive or part.well(), part.patience)
    if started.alive and not fine:
        message = f"{part.name} doesn't answer within {part.patience:.0f} s"
        raise ClusterError(message, log=log, remedy=part.hint)
    return started.alive


def _answer_name_lookups(layout: Layout) -> None:
    """Make the Service that pods ask for names; nobody is behind it.

    With it a look-up is refused at once instead of timing out, and the kubelet doesn't post
    an Event about missing DNS for each pod.
    """
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {"clusterIP": layout.dns_ip, "ports": ports},
    }
    path = "/api/v1/namespaces/kube-system/services"
    if api.get(layout, f"{path}/kube-dns") is None:
        api.create(layout, path, body)
