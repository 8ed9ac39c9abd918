"""The decisions taken once for a local cluster (addresses, ports) and where its files are."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.files import read_json, write_atomically
from tests.cluster.paths import VOLATILE
from tests.cluster.shell import output

FORMAT = 1
NODE_NAME = "tidegate-node"
ADMIN = "tidegate-admin"
BRIDGE = "tidegate0"
CGROUP = "tidegate"
RANGES = (
    ("10.88.0.0/16", "10.89.0.0/16"),
    ("10.144.0.0/16", "10.145.0.0/16"),
    ("172.28.0.0/16", "172.29.0.0/16"),
)
"""Pods and Services; the first pair that overlaps no route of the machine is taken."""
FIRST_PORTS = {
    "apiserver": 26443,
    "etcd": 26379,
    "etcd-peer": 26380,
    "controller-manager": 26257,
    "scheduler": 26259,
    "kubelet": 26250,
    "kubelet-health": 26248,
    "kube-proxy-health": 26256,
    "kube-proxy-metrics": 26249,
    "containerd-stream": 26010,
}
"""Below the range of outgoing connections and of NodePorts; the next free one is taken."""


@dataclass(frozen=True)
class Layout:
    """All that has to stay the same while a local cluster lives; written to cluster.json."""

    state: str
    """The folder with data, certificates and logs."""
    binaries: str
    """The folder with the Kubernetes programs and etcd."""
    version: str
    node_ip: str
    pod_range: str
    service_range: str
    ports: dict[str, int] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def root(self) -> Path:
        """The state folder as a path."""
        return Path(self.state)

    @property
    def pki(self) -> Path:
        """Certificates, keys and kubeconfigs of the parts."""
        return self.root / "pki"

    @property
    def config(self) -> Path:
        """Configuration files of the parts."""
        return self.root / "config"

    @property
    def logs(self) -> Path:
        """A log a part."""
        return self.root / "logs"

    @property
    def pids(self) -> Path:
        """A pid file a part."""
        return self.root / "pids"

    @property
    def audit_log(self) -> Path:
        """One line for each request the API server answered, at level Metadata."""
        return self.root / "audit" / "audit.log"

    @property
    def kubeconfig(self) -> Path:
        """For people and tests: user tidegate-admin, group system:masters."""
        return self.root / "kubeconfig"

    @property
    def socket(self) -> Path:
        """Containerd's."""
        return VOLATILE / "containerd.sock"

    @property
    def url(self) -> str:
        """The API server as seen from this machine, past any proxy setting."""
        return f"https://127.0.0.1:{self.ports['apiserver']}"

    @property
    def service_ip(self) -> str:
        """The first address of the Service range: ``kubernetes.default``."""
        return str(next(ipaddress.ip_network(self.service_range).hosts()))

    @property
    def dns_ip(self) -> str:
        """Where pods would find a DNS server."""
        return str(ipaddress.ip_network(self.service_range)[10])

    def program(self, name: str) -> str:
        """Return the path of one of the compiled programs."""
        return str(Path(self.binaries) / name)

    def save(self) -> None:
        """Write cluster.json."""
        write_atomically(layout_file(self.root), json.dumps(asdict(self), indent=2) + "\n", 0o644)

    @classmethod
    def load(cls, state: Path) -> Layout | None:
        """Return the layout of the cluster in a state folder; None if none, damaged or older."""
        found = read_json(layout_file(state))
        if found is None or found.get("format") != FORMAT:
            return None
        try:
            return cls(**found)
        except TypeError:
            return None


def layout_file(state: Path) -> Path:
    """Return where a cluster's layout is kept."""
    return state / "cluster.json"


def decide(state: Path, binaries: Path, version: str) -> Layout:
    """Return the layout for a new cluster on this machine as it is now."""
    pods, services = free_ranges(_routes())
    return Layout(
        state=str(state),
        binaries=str(binaries),
        version=version,
        node_ip=node_address(),
        pod_range=pods,
        service_range=services,
        ports=free_ports(),
    )


def node_address() -> str:
    """Return the address that this machine's default route would send from.

    Nothing is sent: connecting a UDP socket only looks up the route.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("203.0.113.1", 9))
            address = str(probe.getsockname()[0])
        except OSError:
            address = "127.0.0.1"
    if ipaddress.ip_address(address).is_loopback:
        raise ClusterError(
            "this machine has no IPv4 address but the loopback's, and a node needs one",
            remedy="ip link add dummy0 type dummy; ip addr add 198.51.100.1/24 dev dummy0; "
            "ip link set dummy0 up; ip route add default dev dummy0",
        )
    return address


def free_ports(first: dict[str, int] = FIRST_PORTS) -> dict[str, int]:
    """Return a port nobody listens on for each purpose."""
    taken: set[int] = set()
    chosen = {}
    for purpose, port in first.items():
        candidate = port
        while candidate in taken or not _free(candidate):
            candidate += 100
        taken.add(candidate)
        chosen[purpose] = candidate
    return chosen


def _free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - asks, serves nothing
        except OSError:
            return False
    return True


def free_ranges(
    routes: Iterable[str], ranges: Sequence[tuple[str, str]] = RANGES
) -> tuple[str, str]:
    """Return the first pair of ranges that overlaps none of the routes."""
    used = [ipaddress.ip_network(route, strict=False) for route in routes]
    for pair in ranges:
        if not any(ipaddress.ip_network(text).overlaps(net) for text in pair for net in used):
            return pair
    raise ClusterError(
        f"none of these ranges is free on this machine: {', '.join(pods for pods, _ in ranges)}",
        remedy="look at `ip route`; the ranges stand in tests/cluster/local/layout.py",
    )


def _routes() -> list[str]:
    listing = json.loads(output(["ip", "-json", "-4", "route"]))
    return [route["dst"] for route in listing if route.get("dst") not in {None, "default"}]
