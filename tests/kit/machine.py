"""Harm done to processes of the local cluster: frozen, killed, brought back. Elsewhere, skipped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.cluster.local import parts
from tests.cluster.local.layout import Layout
from tests.cluster.paths import Paths
from tests.cluster.processes import Identity
from tests.demo.tools import REPOSITORY
from tests.kit.client import Object
from tests.kit.cluster import Cluster

PROC = Path("/proc")


def part(cluster: Cluster, name: str) -> Identity:
    """Return the process of a part of the cluster: ``kube-apiserver``, ``kubelet``, …"""
    layout = Layout.load(Paths.from_environment().state) if cluster.is_local else None
    found = Identity.load(parts.pid_file(layout, name)) if layout is not None else None
    if found is None:
        pytest.skip("only the local cluster's parts are processes of this machine")
    return found


@contextmanager
def frozen(process: Identity, seconds: float) -> Iterator[None]:
    """Stop a process for some seconds: connections stay open and nobody answers."""
    process.signal(signal.SIGSTOP)
    try:
        yield
        threading.Event().wait(seconds)
    finally:
        process.signal(signal.SIGCONT)


def kill_and_repair(process: Identity) -> None:
    """Kill a part of the cluster and let ``up`` start it again."""
    process.signal(signal.SIGKILL)
    subprocess.run(
        [sys.executable, "-m", "tests.cluster", "up"], cwd=REPOSITORY, check=True, timeout=120
    )


def kill_operator(cluster: Cluster, pod: Object) -> None:
    """Kill the operator in this pod as a crash does; on other machines delete the pod by force."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    pids = _pids_of(pod["metadata"]["uid"]) if cluster.is_local else []
    if not pids:
        cluster.kubectl("-n", namespace, "delete", "pod", name, "--force", "--grace-period=0")
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def _pids_of(uid: str) -> list[int]:
    """Return the processes of the operator in the pod with this uid, found by their cgroup."""
    found = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            groups = (entry / "cgroup").read_text().replace("_", "-")
            if uid in groups and b"tidegate" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found
