"""Debian packages that the local cluster and the image builder stand on."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.paths import Paths
from tests.cluster.report import Step
from tests.cluster.shell import run_logged

PATIENTLY = ("-o", "DPkg::Lock::Timeout=120")
"""Wait for another package manager to finish."""
CNI_PLUGINS = Path("/usr/lib/cni")


@dataclass(frozen=True)
class Package:
    """A package and the files by which one sees that its content is there."""

    name: str
    proof: str
    """A command looked up on PATH, or an absolute path."""

    @property
    def there(self) -> bool:
        """Whether what the package brings is on this machine, however it got there."""
        if self.proof.startswith("/"):
            return Path(self.proof).exists()
        return which(self.proof) is not None


CLUSTER_PACKAGES = (
    Package("containerd", "containerd"),
    Package("runc", "runc"),
    Package("containernetworking-plugins", str(CNI_PLUGINS / "bridge")),
    Package("iptables", "iptables"),
    Package("conntrack", "conntrack"),
    Package("busybox-static", "busybox"),
    Package("iproute2", "ip"),
    Package("mount", "umount"),
)
IMAGE_PACKAGES = (
    Package("buildah", "buildah"),
    Package("debootstrap", "debootstrap"),
    Package("ca-certificates", "/etc/ssl/certs/ca-certificates.crt"),
)


def which(program: str) -> str | None:
    """Return where a program is, looking into the system folders that some PATHs lack."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin")


def ensure(packages: Sequence[Package], paths: Paths, step: Step) -> None:
    """Install what is missing, or end with one message that names all of it."""
    missing = [package.name for package in packages if not package.there]
    if not missing:
        step.done("all there")
        return
    names = " ".join(missing)
    if os.geteuid() != 0 or which("apt-get") is None:
        raise ClusterError(
            f"missing on this machine: {names}",
            remedy=f"as root on Debian or Ubuntu: apt-get update && apt-get install {names}",
        )
    log = paths.logs / "apt.log"
    remedy = f"apt-get update && apt-get install {names}, by hand, to see why it fails"
    step.doing("apt-get update")
    with contextlib.suppress(ClusterError):  # one dead source among many; the others may do
        run_logged(["apt-get", *PATIENTLY, "update"], log)
    step.doing(f"installing {names}")
    install = ["apt-get", *PATIENTLY, "install", "-y", "--no-install-recommends", *missing]
    run_logged(install, log, env={"DEBIAN_FRONTEND": "noninteractive"}, remedy=remedy)
    step.done(f"apt: {', '.join(missing)}")
