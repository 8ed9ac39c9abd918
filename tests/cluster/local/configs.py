"""The configuration files of the parts, each the smallest that works."""

from __future__ import annotations

import json
from typing import Any

import yaml

from tests.cluster import kubeconfig
from tests.cluster.files import write_atomically
from tests.cluster.local import pki
from tests.cluster.local.images import PAUSE
from tests.cluster.local.layout import ADMIN, BRIDGE, CGROUP, NODE_NAME, Layout
from tests.cluster.paths import VOLATILE
from tests.cluster.prerequisites import CNI_PLUGINS

MAX_PODS = 250
CLIENTS = ("controller-manager", "scheduler", "kube-proxy", "kubelet")


def write_all(layout: Layout) -> None:
    """Write every configuration file and kubeconfig; unchanged ones come out the same."""
    documents = {
        "containerd.toml": containerd(layout),
        "cni/10-tidegate.conflist": json.dumps(network(layout), indent=2),
        "kubelet.yaml": yaml.safe_dump(kubelet(layout)),
        "kube-proxy.yaml": yaml.safe_dump(proxy(layout)),
        "audit-policy.yaml": yaml.safe_dump(audit_policy()),
        "resolv.conf": "options ndots:1\n",
    }
    for name, text in documents.items():
        write_atomically(layout.config / name, text, 0o644)
    for name in CLIENTS:
        write_atomically(layout.config / f"{name}.kubeconfig", _kubeconfig(layout, name, name))
    write_atomically(layout.kubeconfig, _kubeconfig(layout, "admin", ADMIN))


def _kubeconfig(layout: Layout, certificate: str, user: str) -> str:
    return kubeconfig.for_certificate(
        layout.url,
        pki.certificate_file(layout.pki, pki.AUTHORITY),
        user,
        pki.certificate_file(layout.pki, certificate),
        pki.key_file(layout.pki, certificate),
    )


def containerd(layout: Layout) -> str:
    """Return containerd's settings: own folders, own socket, nothing shared with the machine's.

    Version 2 is read by containerd 1.6 and, converted, by 2.x. ``restrict_oom_score_adj``:
    without CAP_SYS_RESOURCE runc could not lower the score and would die.
    """
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2
root = "{layout.root}/containerd"
state = "{VOLATILE}/containerd"

[grpc]
  address = "{layout.socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{layout.root}/containerd/opt"

[{cri}]
  sandbox_image = "{PAUSE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "{layout.ports["containerd-stream"]}"

[{cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[{cri}.containerd.runtimes.runc.options]
  SystemdCgroup = false
  Root = "{VOLATILE}/runc"

[{cri}.cni]
  bin_dir = "{CNI_PLUGINS}"
  conf_dir = "{layout.config}/cni"
"""


def network(layout: Layout) -> dict[str, Any]:
    """Return the pod network: a bridge, addresses handed out on this node, host ports."""
    ipam = {
        "type": "host-local",
        "dataDir": str(layout.root / "addresses"),
        "ranges": [[{"subnet": layout.pod_range}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": ipam,
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "tidegate", "plugins": [bridge, ports]}


def kubelet(layout: Layout) -> dict[str, Any]:
    """Return the node agent's settings: cgroup v1 or v2, swap or not, never short of disk."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "0.0.0.0",  # noqa: S104 - behind client certificates
        "port": layout.ports["kubelet"],
        "healthzPort": layout.ports["kubelet-health"],
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki.certificate_file(layout.pki, pki.AUTHORITY))},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki.certificate_file(layout.pki, "kubelet-server")),
        "tlsPrivateKeyFile": str(pki.key_file(layout.pki, "kubelet-server")),
        "containerRuntimeEndpoint": f"unix://{layout.socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{CGROUP}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "clusterDNS": [layout.dns_ip],
        "clusterDomain": "cluster.local",
        "resolvConf": str(layout.config / "resolv.conf"),
        "evictionHard": {
            "memory.available": "10Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
        },
        "imageGCHighThresholdPercent": 100,
        "maxPods": MAX_PODS,
        "serializeImagePulls": False,
        "volumePluginDir": str(layout.root / "volume-plugins"),
        "podLogsDir": str(layout.root / "pod-logs"),
    }


def proxy(layout: Layout) -> dict[str, Any]:
    """Return kube-proxy's settings: iptables, and hands off the machine's conntrack sizes."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": NODE_NAME,
        "clusterCIDR": layout.pod_range,
        "clientConnection": {"kubeconfig": str(layout.config / "kube-proxy.kubeconfig")},
        "conntrack": {
            "maxPerCore": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
        "healthzBindAddress": f"127.0.0.1:{layout.ports['kube-proxy-health']}",
        "metricsBindAddress": f"127.0.0.1:{layout.ports['kube-proxy-metrics']}",
    }


def audit_policy() -> dict[str, Any]:
    """Return the policy that logs who did what and when, without contents."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    }
