"""What the local cluster needs from the machine it is on, and may not take from others."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.cluster import processes
from tests.cluster.errors import ClusterError
from tests.cluster.files import read_json, write_atomically
from tests.cluster.local import parts
from tests.cluster.local.layout import CGROUP
from tests.cluster.paths import VOLATILE
from tests.cluster.processes import Identity
from tests.cluster.shell import succeeds

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
BRIDGED_CALLS = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
CGROUPS = Path("/sys/fs/cgroup")
SHIM = "containerd-shim-runc-v2"
PROGRAMS = frozenset({*parts.NAMES, SHIM})
NODES = frozenset({"kubelet", "kube-proxy", "k3s", "k0s"})
FIXED_FOLDERS = ("/run/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log/containers")
"""Where containerd's shims, the CNI library and the kubelet write whatever they are told."""
OWNER = VOLATILE / "owner"
"""Names the state folder of the cluster that this machine runs."""


def check() -> None:
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


def refuse_rivals(state: Path) -> None:
    """End with a clear message if another node's parts run on this machine.

    Two kube-proxies would undo each other's rules.
    """
    owner = OWNER.read_text().strip() if OWNER.exists() else str(state)
    if owner != str(state) and processes.find(PROGRAMS, (owner,)):
        raise ClusterError(
            f"this machine's local cluster runs already, with its state in {owner}",
            remedy=f"use it (TIDEGATE_CACHE={Path(owner).parent}), or end it with `down` there",
        )
    ours = {identity.pid for identity in strays(state)}
    for node in processes.find(NODES, ("",)):
        if node.pid not in ours:
            raise ClusterError(
                f"another Kubernetes node runs on this machine (process {node.pid})",
                remedy="name that cluster with --kubeconfig and --context, or end it first",
            )


def strays(state: Path) -> list[Identity]:
    """Return processes of ours, those that no pid file knows of included."""
    return processes.find(PROGRAMS, (str(state), str(VOLATILE)))


def remember(before: Path) -> None:
    """Note how the machine was before the first cluster; kept until ``put_back``."""
    if read_json(before) is None:
        facts = {
            "forwarding": FORWARDING.read_text().strip(),
            "new_folders": [name for name in FIXED_FOLDERS if not Path(name).exists()],
        }
        write_atomically(before, json.dumps(facts) + "\n", 0o644)


def put_back(before: Path) -> None:
    """Make the machine as it was noted: packet forwarding, and folders nobody else uses."""
    facts = read_json(before) or {}
    if facts.get("forwarding") == "0":
        FORWARDING.write_text("0")
    for name in facts.get("new_folders", []):
        _remove_if_empty(Path(name))
    before.unlink(missing_ok=True)


def _remove_if_empty(folder: Path) -> None:
    """Remove a folder that holds nothing but folders and sockets: others may use it by now."""
    inside = sorted(folder.rglob("*"), key=lambda path: len(path.parts), reverse=True)
    if all(path.is_socket() or (path.is_dir() and not path.is_symlink()) for path in inside):
        for path in inside:
            path.unlink() if path.is_socket() else path.rmdir()
        if folder.is_dir():
            folder.rmdir()


def prepare(state: Path) -> None:
    """Let pods reach beyond the bridge, give them a cgroup, and say whose cluster it is."""
    FORWARDING.write_text("1")
    if not BRIDGED_CALLS.exists():
        succeeds(["modprobe", "br_netfilter"])
    if BRIDGED_CALLS.exists():
        BRIDGED_CALLS.write_text("1")
    for folder in cgroups():
        folder.mkdir(exist_ok=True)
        _inherit_cpuset(folder)
    write_atomically(OWNER, f"{state}\n", 0o644)


def has_one_hierarchy() -> bool:
    """Whether this machine has cgroup v2 alone."""
    return (CGROUPS / "cgroup.controllers").exists()


def cgroups() -> list[Path]:
    """Return our cgroup in each hierarchy (v1), or the one there is (v2)."""
    if has_one_hierarchy():
        return [CGROUPS / CGROUP]
    hierarchies = [entry for entry in CGROUPS.iterdir() if entry.is_dir() and entry.is_mount()]
    return [entry / CGROUP for entry in hierarchies]


def _inherit_cpuset(folder: Path) -> None:
    """Fill a new cpuset of cgroup v1: it starts empty, and nothing could run in it."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        setting = folder / name
        if not has_one_hierarchy() and setting.exists() and not setting.read_text().strip():
            setting.write_text((folder.parent / name).read_text())
