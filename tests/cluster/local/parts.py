"""The seven processes of the local cluster: their command lines, and how each says it is well."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.local import api, pki
from tests.cluster.local.layout import NODE_NAME, Layout
from tests.cluster.prerequisites import which
from tests.cluster.shell import succeeds

NAMES = (
    "containerd",
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
)
"""In the order in which they are started; ended the other way round."""


@dataclass(frozen=True)
class Part:
    """One process of the cluster."""

    name: str
    argv: tuple[str, ...]
    well: Callable[[], bool]
    """Whether it answers now; asked again and again after its start."""
    patience: float = 60.0
    """Seconds within which it must answer after its start."""
    persistence: float = 0.0
    """Seconds within which it is started again if it ends: it can't wait for others itself."""
    hint: str = ""
    """What usually helps if it doesn't."""


def all_parts(layout: Layout) -> tuple[Part, ...]:
    """Return the parts in starting order."""
    return (
        _containerd(layout),
        _etcd(layout),
        _apiserver(layout),
        _controller_manager(layout),
        _scheduler(layout),
        _kubelet(layout),
        _proxy(layout),
    )


def log_file(layout: Layout, name: str) -> Path:
    """Return where a part's output goes."""
    return layout.logs / f"{name}.log"


def pid_file(layout: Layout, name: str) -> Path:
    """Return where a part's pid is kept."""
    return layout.pids / f"{name}.json"


def environment() -> dict[str, str]:
    """Return what the parts need from the environment: the system's folders on PATH."""
    return {"PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"}


def ctr(layout: Layout, *words: str) -> list[str]:
    """Return a command line for containerd's client, in the kubelet's namespace."""
    return [which("ctr") or "ctr", "--address", str(layout.socket), "--namespace", "k8s.io", *words]


def _pair(layout: Layout, name: str) -> tuple[str, str]:
    return str(pki.certificate_file(layout.pki, name)), str(pki.key_file(layout.pki, name))


def _authority(layout: Layout) -> str:
    return str(pki.certificate_file(layout.pki, pki.AUTHORITY))


def _containerd(layout: Layout) -> Part:
    config = str(layout.config / "containerd.toml")
    return Part(
        "containerd",
        (which("containerd") or "containerd", "--config", config),
        well=lambda: succeeds(ctr(layout, "version")),
        hint="overlayfs and cgroups must be usable here: inside a container they often are not",
    )


def _etcd(layout: Layout) -> Part:
    certificate, key = _pair(layout, "etcd")
    client = f"https://127.0.0.1:{layout.ports['etcd']}"
    peer = f"https://127.0.0.1:{layout.ports['etcd-peer']}"
    argv = (
        layout.program("etcd"),
        "--name=tidegate",
        f"--data-dir={layout.root / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=tidegate={peer}",
        f"--cert-file={certificate}",
        f"--key-file={key}",
        f"--trusted-ca-file={_authority(layout)}",
        "--client-cert-auth",
        f"--peer-cert-file={certificate}",
        f"--peer-key-file={key}",
        f"--peer-trusted-ca-file={_authority(layout)}",
        "--peer-client-cert-auth",
    )
    return Part(
        "etcd",
        argv,
        well=lambda: api.answers(layout, "etcd", "/health"),
        hint="a full or very slow disk keeps etcd from starting",
    )


def _apiserver(layout: Layout) -> Part:
    certificate, key = _pair(layout, "apiserver")
    client, client_key = _pair(layout, "apiserver-client")
    argv = (
        layout.program("kube-apiserver"),
        f"--secure-port={layout.ports['apiserver']}",
        f"--advertise-address={layout.node_ip}",
        f"--service-cluster-ip-range={layout.service_range}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--client-ca-file={_authority(layout)}",
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--etcd-servers=https://127.0.0.1:{layout.ports['etcd']}",
        f"--etcd-cafile={_authority(layout)}",
        f"--etcd-certfile={client}",
        f"--etcd-keyfile={client_key}",
        f"--kubelet-certificate-authority={_authority(layout)}",
        f"--kubelet-client-certificate={client}",
        f"--kubelet-client-key={client_key}",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={layout.pki / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={layout.pki / 'service-accounts.key'}",
        f"--audit-policy-file={layout.config / 'audit-policy.yaml'}",
        f"--audit-log-path={layout.audit_log}",
        "--audit-log-maxsize=1000",
        "--audit-log-maxbackup=1",
    )
    return Part(
        "kube-apiserver",
        argv,
        well=lambda: api.answers(layout, "apiserver", "/readyz"),
        patience=120.0,
        hint="its first start on a busy machine takes a while: run `up` again",
    )


def _controller_manager(layout: Layout) -> Part:
    certificate, key = _pair(layout, "controller-manager")
    kubeconfig = layout.config / "controller-manager.kubeconfig"
    argv = (
        layout.program("kube-controller-manager"),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={layout.ports['controller-manager']}",
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--client-ca-file={_authority(layout)}",
        f"--root-ca-file={_authority(layout)}",
        f"--service-account-private-key-file={layout.pki / 'service-accounts.key'}",
        "--use-service-account-credentials",
        "--leader-elect=false",
        f"--flex-volume-plugin-dir={layout.root / 'volume-plugins'}",
    )
    return Part(
        "kube-controller-manager",
        argv,
        well=lambda: api.answers(layout, "controller-manager", "/healthz"),
    )


def _scheduler(layout: Layout) -> Part:
    certificate, key = _pair(layout, "scheduler")
    kubeconfig = layout.config / "scheduler.kubeconfig"
    argv = (
        layout.program("kube-scheduler"),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        f"--secure-port={layout.ports['scheduler']}",
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
    )
    return Part("kube-scheduler", argv, well=lambda: api.answers(layout, "scheduler", "/healthz"))


def _kubelet(layout: Layout) -> Part:
    argv = (
        layout.program("kubelet"),
        f"--config={layout.config / 'kubelet.yaml'}",
        f"--kubeconfig={layout.config / 'kubelet.kubeconfig'}",
        f"--hostname-override={NODE_NAME}",
        f"--node-ip={layout.node_ip}",
        f"--root-dir={layout.root / 'kubelet'}",
        f"--cert-dir={layout.root / 'kubelet' / 'pki'}",
    )
    return Part(
        "kubelet",
        argv,
        well=lambda: api.answers_plainly(layout, "kubelet-health"),
        # containerd answers before its CRI service does ("server is not initialized yet"), long
        # before after a reboot; a kubelet that finds it so ends.
        persistence=60.0,
        hint="it needs root, cgroups it may write and no other kubelet with the same folders",
    )


def _proxy(layout: Layout) -> Part:
    argv = (layout.program("kube-proxy"), f"--config={layout.config / 'kube-proxy.yaml'}")
    return Part(
        "kube-proxy",
        argv,
        well=lambda: api.answers_plainly(layout, "kube-proxy-health"),
        hint="it needs iptables with the kernel's nat table, comment, mark and statistic matches",
    )
