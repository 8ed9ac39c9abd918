"""Programs out of Debian packages that are unpacked into the cache and never installed.

Installed, a package such as Prometheus' would start a server on the user's machine.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.files import locked
from tests.cluster.paths import Paths
from tests.cluster.prerequisites import PATIENTLY, which
from tests.cluster.report import Step
from tests.cluster.shell import run_logged


@dataclass(frozen=True)
class Unpacked:
    """A package and the programs that are wanted of it."""

    package: str
    programs: tuple[str, ...]

    def destination(self, paths: Paths) -> Path:
        """Return the folder that the programs are in, or will be."""
        return paths.binaries / f"debian-{self.package}"


PROMETHEUS = Unpacked("prometheus", ("prometheus", "promtool"))


def ensure(wanted: Unpacked, paths: Paths, step: Step, only: str = "") -> Path:
    """Return a folder with the programs: one that PATH names, else the unpacked package.

    ``only`` names one program that is enough.
    """
    programs = [only] if only else list(wanted.programs)
    own = {Path(found).parent for found in map(which, programs) if found}
    if len(own) == 1 and all(map(which, programs)):
        step.done("this machine's own")
        return own.pop()
    target = wanted.destination(paths)
    lock = paths.binaries / f"debian-{wanted.package}.lock"
    with locked(lock, lambda: step.doing("another run unpacks it, waiting")):
        if not all((target / name).exists() for name in wanted.programs):
            _unpack(wanted, target, paths, step)
    step.done("out of Debian's package, kept in the cache")
    return target


def _unpack(wanted: Unpacked, target: Path, paths: Paths, step: Step) -> None:
    remedy = f"install {wanted.package} and put {' and '.join(wanted.programs)} on PATH"
    if which("apt-get") is None or which("dpkg-deb") is None:
        names = ", ".join(wanted.programs)
        raise ClusterError(f"missing on this machine: {names}", remedy=remedy)
    log = paths.logs / "apt.log"
    paths.binaries.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=paths.binaries) as scratch:
        folder = Path(scratch)
        step.doing(f"downloading {wanted.package}")
        _download(wanted.package, folder, log, remedy)
        (archive,) = folder.glob("*.deb")
        run_logged(["dpkg-deb", "--extract", str(archive), str(folder / "content")], log)
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in wanted.programs:
            shutil.move(folder / "content" / "usr" / "bin" / name, target / name)


def _download(package: str, folder: Path, log: Path, remedy: str) -> None:
    download = ["apt-get", *PATIENTLY, "download", package]
    try:
        run_logged(download, log, cwd=folder, remedy=remedy)
    except ClusterError:  # the lists may be missing, or older than what the archive holds
        if os.geteuid() != 0:
            raise
        run_logged(["apt-get", *PATIENTLY, "update"], log, remedy=remedy)
        run_logged(download, log, cwd=folder, remedy=remedy)
