"""Building images without an engine: buildah, with a store of its own and a base made here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.files import read_json, write_atomically
from tests.cluster.local.sweep import unmount_below
from tests.cluster.paths import Paths
from tests.cluster.report import Step
from tests.cluster.shell import output, run_logged, succeeds

BASE = "localhost/tidegate-base:1"
SUITE = "trixie"
PACKAGES = "python3,python3-venv,ca-certificates"
BASE_KEY = f"{BASE} {SUITE} {PACKAGES} 2"
"""The number is raised when the base comes to be made in another way."""
LEFT_OUT = (
    "./var/cache/apt/*",
    "./var/lib/apt/lists/*",
    "./var/log/*",
    "./usr/share/doc/*",
    "./usr/share/man/*",
    "./usr/share/locale/*",
)
CERTIFICATES = Path("/etc/ssl/certs")
MOST_LEFTOVERS = 12
"""Images of earlier builds that may pile up as a cache before they are cleared."""


@dataclass(frozen=True)
class Buildah:
    """Buildah on this user's cache folder; nobody's other images are touched."""

    paths: Paths
    log: Path

    @property
    def driver(self) -> str:
        """Overlay where the kernel and the disk allow it: it keeps layers; else vfs."""
        return "overlay" if succeeds(self._command("overlay", ["info"])) else "vfs"

    def ensure_base(self, step: Step) -> None:
        """Make the base image from Debian's packages: no registry, the same Python 3.13."""
        stamp = self.paths.images / "base.json"
        if (read_json(stamp) or {}).get("base") == BASE_KEY and self._has(BASE):
            return
        rootfs = self.paths.images / "base-rootfs"
        packed = self.paths.images / "base-rootfs.tar"
        _clear(rootfs)
        run_logged(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(rootfs)],
            self.log,
            on_line=lambda line: step.doing(f"base image: {line.strip()[-50:]}"),
            remedy="debootstrap needs Debian's packages and, on other systems, Debian's keyring",
        )
        step.doing("base image: packing")
        skipped = [f"--exclude={pattern}" for pattern in LEFT_OUT]
        words = ["--numeric-owner", *skipped, "-C", str(rootfs), "-cf", str(packed), "."]
        run_logged(["tar", *words], self.log)
        container = self._output(["from", "scratch"])
        self._run(["add", container, str(packed), "/"], step)
        self._run(["config", "--cmd", "python3", container], step)
        self._run(["commit", "--rm", container, BASE], step)
        packed.unlink()
        _clear(rootfs)
        write_atomically(stamp, json.dumps({"base": BASE_KEY}), 0o644)

    def build(self, folder: Path, tag: str, arguments: Mapping[str, str], step: Step) -> None:
        """Build the Dockerfile in a folder."""
        self._run(build_words(folder, tag, arguments), step)

    def save(self, tag: str, archive: Path, step: Step) -> None:
        """Write an image to an archive, whole or not at all."""
        step.doing("writing the archive")
        scratch = archive.with_suffix(".new")
        scratch.unlink(missing_ok=True)
        self._run(["push", "--quiet", tag, f"docker-archive:{scratch}:{tag}"], step)
        scratch.replace(archive)

    def tidy(self, step: Step) -> None:
        """Clear what earlier builds left once there is a lot of it."""
        leftovers = self._output(["images", "--quiet", "--filter", "dangling=true"]).split()
        if len(leftovers) > MOST_LEFTOVERS:
            self._run(["rmi", "--prune"], step)

    def _command(self, driver: str, words: list[str]) -> list[str]:
        store = self.paths.cache / "buildah" / driver
        places = ["--root", str(store / "root"), "--runroot", str(store / "run")]
        return ["buildah", *places, "--storage-driver", driver, *words]

    def _run(self, words: list[str], step: Step) -> None:
        def tell(line: str) -> None:
            step.doing(line.strip()[:60])

        run_logged(self._command(self.driver, words), self.log, on_line=tell)

    def _output(self, words: list[str]) -> str:
        return output(self._command(self.driver, words)).strip()

    def _has(self, image: str) -> bool:
        try:
            self._output(["inspect", "--type", "image", image])
        except ClusterError:
            return False
        return True


def build_words(folder: Path, tag: str, arguments: Mapping[str, str]) -> list[str]:
    """Return buildah's words for a build: in a chroot, with the machine's CAs for pip to see.

    The certificates are mounted while it builds and are not in the image.
    """
    words = ["bud", "--layers", "--isolation", "chroot", "--format", "docker", "--tag", tag]
    for name, value in arguments.items():
        words += ["--build-arg", f"{name}={value}"]
    if "PIP_CERT" in arguments:
        words += ["--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro"]
    return [*words, str(folder)]


def _clear(folder: Path) -> None:
    """Remove a half-made root file system, and first what a killed run left mounted in it."""
    unmount_below(folder)
    shutil.rmtree(folder, ignore_errors=True)
