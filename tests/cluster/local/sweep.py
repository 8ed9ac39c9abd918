"""Undoing all that a local cluster did to the machine, whatever state it was left in."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster import processes
from tests.cluster.errors import ClusterError
from tests.cluster.local import machine, rules
from tests.cluster.local.layout import BRIDGE, Layout
from tests.cluster.paths import VOLATILE
from tests.cluster.shell import succeeds

PATIENCE = 10.0
POD_LOG_LINKS = Path("/var/log/containers")


def everything(state: Path) -> None:
    """End what is left of a cluster and remove its traces, data included.

    Raises:
        ClusterError: a folder can't be removed whole.
    """
    end_processes(state)
    for folder in (state, VOLATILE):
        unmount_below(folder)
    _remove_cgroups()
    if Path(f"/sys/class/net/{BRIDGE}").exists():
        succeeds(["ip", "link", "delete", BRIDGE])
    rules.remove_all()
    _remove_log_links(state)
    for folder in (VOLATILE, state):
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            raise ClusterError(
                f"{folder} could not be removed whole",
                remedy="look into /proc/mounts for what is mounted in it",
            )


def after_reboot(layout: Layout) -> None:
    """Remove what means nothing since the machine was started anew: sockets, address leases."""
    unmount_below(layout.root)
    unmount_below(VOLATILE)
    for folder in (VOLATILE, layout.root / "addresses"):
        shutil.rmtree(folder, ignore_errors=True)


def end_processes(state: Path) -> None:
    """End the parts, the pods and their shims.

    Their data goes, too, so nothing has to end in order; but the kubelet and containerd end
    before the pods, or they would start them again.
    """
    processes.kill(each for each in machine.strays(state) if each.program != machine.SHIM)
    _end_pods()
    processes.kill(machine.strays(state))


def _pod_processes() -> set[int]:
    found: set[int] = set()
    for top in machine.cgroups():
        for listing in top.rglob("cgroup.procs"):
            try:
                found.update(int(text) for text in listing.read_text().split())
            except OSError:
                continue
    return found - {0, os.getpid()}


def _end_pods() -> None:
    """Kill what runs in our cgroup: containers, and nobody else."""

    def none_left() -> bool:
        left = _pod_processes()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return not left

    processes.wait_until(none_left, PATIENCE)


def mounts_below(folder: Path, table: str) -> list[str]:
    """Return the mount points below a folder, innermost first, out of /proc/self/mountinfo."""
    points = [line.split()[4].replace("\\040", " ") for line in table.splitlines()]
    inside = [point for point in points if point.startswith(f"{folder}/")]
    return sorted(inside, key=len, reverse=True)


def unmount_below(folder: Path) -> None:
    """Unmount everything below a folder."""
    for point in mounts_below(folder, Path("/proc/self/mountinfo").read_text()):
        if not succeeds(["umount", point]):
            succeeds(["umount", "--lazy", point])


def _remove_cgroups() -> None:
    for top in machine.cgroups():
        if top.exists():
            inner = [path for path in top.rglob("*") if path.is_dir()]
            for folder in sorted([*inner, top], key=lambda path: len(path.parts), reverse=True):
                _persist(folder.rmdir)


def _persist(action: Callable[[], None], times: int = 20) -> None:
    """Repeat what the kernel refuses while it is still busy with the dead."""
    for _ in range(times):
        try:
            action()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(processes.POLL)
        else:
            return


def _remove_log_links(state: Path) -> None:
    for link in POD_LOG_LINKS.iterdir() if POD_LOG_LINKS.is_dir() else ():
        if link.is_symlink() and str(link.readlink()).startswith(f"{state}/"):
            link.unlink()
