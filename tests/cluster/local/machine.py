"""What the local cluster changes on the machine outside its folders, and how it is undone."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.cluster import processes
from tests.cluster.errors import ClusterError
from tests.cluster.local import parts
from tests.cluster.local.layout import BRIDGE, CGROUP, Layout
from tests.cluster.paths import VOLATILE
from tests.cluster.prerequisites import which
from tests.cluster.shell import output, succeeds

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
BRIDGED_CALLS = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
CGROUPS = Path("/sys/fs/cgroup")
SHIM = "containerd-shim-runc-v2"
NETWORK_NAMED = 'name: \\"tidegate\\"'
"""How ``iptables -S`` shows the comment that the CNI plugins put on their rules."""
PROGRAMS = frozenset({*parts.NAMES, SHIM})
PATIENCE = 10.0


def prepare() -> None:
    """Let pods reach beyond the bridge, and give them a cgroup of their own."""
    FORWARDING.write_text("1")
    if not BRIDGED_CALLS.exists():
        succeeds(["modprobe", "br_netfilter"])
    if BRIDGED_CALLS.exists():
        BRIDGED_CALLS.write_text("1")
    for folder in _cgroup_folders():
        folder.mkdir(exist_ok=True)
        _inherit_cpuset(folder)
    VOLATILE.mkdir(parents=True, exist_ok=True)


def is_unified() -> bool:
    """Whether this machine has cgroup v2 alone."""
    return (CGROUPS / "cgroup.controllers").exists()


def _cgroup_folders() -> list[Path]:
    """Return our cgroup in each hierarchy (v1), or the one there is (v2)."""
    if is_unified():
        return [CGROUPS / CGROUP]
    return [entry / CGROUP for entry in CGROUPS.iterdir() if entry.is_dir() and not entry.is_symlink()]


def _inherit_cpuset(folder: Path) -> None:
    """A new cpuset of cgroup v1 starts empty, and nothing runs in it until it is filled."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        setting = folder / name
        if not is_unified() and setting.exists() and not setting.read_text().strip():
            setting.write_text((folder.parent / name).read_text())


def refuse_rivals(state: Path) -> None:
    """End with a clear message if another cluster's parts run on this machine.

    Two kube-proxies would undo each other's rules.
    """
    for entry in processes.find(frozenset({"kubelet", "kube-proxy", "k3s"}), ("",)):
        raise ClusterError(
            f"another Kubernetes node runs on this machine (process {entry.pid}), not from {state}",
            remedy="name that cluster with --kubeconfig and --context, or end it first",
        )


def strays(state: Path) -> list[processes.Identity]:
    """Return processes of ours that no pid file knows of."""
    return processes.find(PROGRAMS, (str(state), str(VOLATILE)))


def sweep(state: Path, layout: Layout | None) -> None:
    """Undo everything, in whatever state a killed shell or a reboot left it.

    Raises:
        ClusterError: something can't be taken away; what is named in the message stays.
    """
    kubelet_first = [i for i in strays(state) if _is(i, "kubelet")]
    processes.stop(kubelet_first)
    _end_pods()
    processes.stop(strays(state))
    _unmount(state)
    _unmount(VOLATILE)
    _remove_cgroups()
    _remove_network()
    if layout is not None and layout.forwarding == "0":
        FORWARDING.write_text("0")
    for folder in (state, VOLATILE):
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            raise ClusterError(f"{folder} could not be removed whole", remedy="look for mounts in it")


def _is(identity: processes.Identity, program: str) -> bool:
    try:
        words = Path(f"/proc/{identity.pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return Path(words.split("\0")[0]).name == program


def _pod_processes() -> set[int]:
    found: set[int] = set()
    for top in _cgroup_folders():
        for listing in top.rglob("cgroup.procs"):
            try:
                found.update(int(text) for text in listing.read_text().split())
            except OSError:
                continue
    return found - {os.getpid()}


def _end_pods() -> None:
    """Kill what runs in our cgroup: containers, and nobody else."""

    def none_left() -> bool:
        left = _pod_processes()
        for pid in left:
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                continue
        return not left

    processes.wait_until(none_left, PATIENCE)


def _mounts_below(folder: Path) -> list[str]:
    prefix = f"{folder}/"
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [line.split()[4].replace("\\040", " ") for line in lines]
    return [point for point in points if point.startswith(prefix)]


def _unmount(folder: Path) -> None:
    """Unmount everything below a folder, the innermost first."""
    for point in sorted(_mounts_below(folder), key=len, reverse=True):
        if not succeeds(["umount", point]):
            succeeds(["umount", "--lazy", point])


def _remove_cgroups() -> None:
    for top in _cgroup_folders():
        if not top.exists():
            continue
        inner = [path for path in top.rglob("*") if path.is_dir()]
        for folder in [*sorted(inner, key=lambda path: len(path.parts), reverse=True), top]:
            _retry(folder.rmdir)


def _retry(action: Callable[[], None], times: int = 20) -> None:
    """Repeat what the kernel refuses for as long as it is still busy with the dead."""
    for _ in range(times):
        try:
            action()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return


def _remove_network() -> None:
    """Take away the bridge and the rules of kube-proxy and the port mapper."""
    if Path(f"/sys/class/net/{BRIDGE}").exists():
        succeeds(["ip", "link", "delete", BRIDGE])
    for program in ("iptables", "ip6tables"):
        for table in ("nat", "filter", "mangle", "raw"):
            _remove_chains(program, table)


def _remove_chains(program: str, table: str) -> None:
    """Remove our chains of a table, and first the rules that jump to them."""
    command = which(program)
    if command is None or not succeeds([command, "-t", table, "-S"]):
        return
    rules = output([command, "-t", table, "-S"]).splitlines()
    own = own_chains(rules)
    if own:
        script = [f"*{table}"]
        script += [rule.replace("-A", "-D", 1) for rule in rules if _leads_into(rule, own)]
        script += [f"-F {chain}" for chain in own] + [f"-X {chain}" for chain in own]
        restore(command, "\n".join([*script, "COMMIT", ""]))


def own_chains(rules: list[str]) -> list[str]:
    """Return the chains that kube-proxy and our pod network made, out of ``iptables -S``.

    Chains of the CNI plugins carry the network's name in the rules that lead to them; the
    port mapper's entry chains serve every network and go only with the last one.
    """
    chains = [line.split()[1] for line in rules if line.startswith("-N")]
    named = [rule for rule in rules if NETWORK_NAMED in rule]
    others = any('name: \\"' in rule and rule not in named for rule in rules)
    led_to = {_target(rule) for rule in named}
    return [
        chain
        for chain in chains
        if chain.startswith("KUBE-")
        or chain in led_to
        or (chain.startswith("CNI-HOSTPORT-") and not others)
    ]


def _target(rule: str) -> str:
    words = rule.split()
    return words[words.index("-j") + 1] if "-j" in words else ""


def _leads_into(rule: str, chains: list[str]) -> bool:
    """Return whether a rule of a chain that stays leads into one of these."""
    words = rule.split()
    return words[0] == "-A" and words[1] not in chains and _target(rule) in chains


def restore(command: str, script: str) -> None:
    """Apply a change of rules at once, without touching the others."""
    subprocess.run(
        [f"{command}-restore", "--noflush"],
        input=script,
        text=True,
        check=False,
        capture_output=True,
    )
