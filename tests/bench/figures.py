"""What the operator's own metrics say, read through the API server's proxy."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from prometheus_client.parser import text_string_to_metric_families

from tests.demo.install import NAMESPACE
from tests.kit.cluster import Cluster

WRITES = ("POST", "PATCH", "PUT", "DELETE")
MIB = 1024 * 1024


@dataclass(frozen=True)
class Figures:
    """One reading."""

    text: str

    @classmethod
    def read(cls, cluster: Cluster) -> Figures:
        """Ask the replica that leads."""
        pod = cluster.wait_for_leader()
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:9090/proxy/metrics"
        return cls(cluster.client.text(path))

    @cached_property
    def samples(self) -> list[tuple[str, dict[str, str], float]]:
        """Name, labels and value of every sample."""
        families = text_string_to_metric_families(self.text)
        return [(s.name, dict(s.labels), s.value) for f in families for s in f.samples]

    def total(self, name: str, **labels: str) -> float:
        """The sum of all samples of this name that bear these labels."""
        return sum(
            value
            for found, has, value in self.samples
            if found == name and labels.items() <= has.items()
        )

    def writes(self) -> Counter[str]:
        """How many writes there were so far, by verb and resource."""
        counted: Counter[str] = Counter()
        for name, labels, value in self.samples:
            if name == "tidegate_api_requests_total" and labels["verb"] in WRITES:
                counted[f"{labels['verb']} {labels['resource']}"] += int(value)
        return counted

    @property
    def cpu(self) -> float:
        """Seconds of CPU that the process has used."""
        return self.total("process_cpu_seconds_total")

    @property
    def resident(self) -> float:
        """MiB of resident memory."""
        return self.total("process_resident_memory_bytes") / MIB


@dataclass(frozen=True)
class Cost:
    """What happened between two readings."""

    before: Figures
    after: Figures

    def per_node(self, nodes: int) -> str:
        """API writes and CPU for each of ``nodes``, in words."""
        writes = self.after.writes() - self.before.writes()
        writes = Counter({what: n for what, n in writes.items() if "leases" not in what})
        told = ", ".join(f"{count} {what}" for what, count in sorted(writes.items()))
        cpu = (self.after.cpu - self.before.cpu) * 1000 / nodes
        return f"{told}; {cpu:.0f} ms CPU a node"
