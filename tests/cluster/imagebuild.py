"""The operator's image: by the engine that answers, else by buildah on a base made here."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import engine, prerequisites
from tests.cluster.archives import archive_file
from tests.cluster.engine import Engine
from tests.cluster.errors import ClusterError
from tests.cluster.files import locked, read_json, write_atomically
from tests.cluster.local.sweep import unmount_below
from tests.cluster.paths import REPOSITORY, Paths
from tests.cluster.report import Reporter, Step
from tests.cluster.shell import output, run_logged

BASE = "localhost/tidegate-base:1"
BASE_SUITE = "trixie"
BASE_PACKAGES = "python3,python3-venv,ca-certificates"
CERTIFICATES = Path("/etc/ssl/certs")
BUNDLE = CERTIFICATES / "ca-certificates.crt"
SINGLE_INPUTS = ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE")
INPUT_TREES = (("requirements", "*.txt"), ("operator", "**/*"))


def inputs(repository: Path) -> Iterator[Path]:
    """Yield the files that decide what is in the image, in a fixed order."""
    for name in SINGLE_INPUTS:
        if (repository / name).is_file():
            yield repository / name
    for folder, pattern in INPUT_TREES:
        for path in sorted((repository / folder).glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def fingerprint(repository: Path, arguments: Mapping[str, str]) -> str:
    """Return a hash over names and contents of the inputs and over the build arguments."""
    digest = hashlib.sha256(json.dumps(sorted(arguments.items())).encode())
    for path in inputs(repository):
        digest.update(str(path.relative_to(repository)).encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


@dataclass(frozen=True)
class ImageBuilder:
    """Builds the Dockerfile of a repository, unless nothing has changed."""

    paths: Paths
    report: Reporter
    repository: Path = REPOSITORY

    def build(self, tag: str) -> None:
        """Make sure that an image of this name holds the present sources."""
        with (
            self.report.step(f"image {tag}") as step,
            locked(self.paths.images / "build.lock", lambda: step.doing("another run builds it")),
        ):
            answering = engine.find()
            if answering is not None:
                self._with_engine(answering, tag, step)
            else:
                self._with_buildah(tag, step)

    def _with_engine(self, answering: Engine, tag: str, step: Step) -> None:
        """The engine has its own cache of layers: building again costs it a second."""
        step.doing(f"{answering.program} build")
        run_logged(
            answering.build(self.repository, tag),
            self._fresh_log(),
            on_line=lambda line: step.doing(line.strip()[-60:]),
        )
        step.done(f"built by {answering.program}")

    def _with_buildah(self, tag: str, step: Step) -> None:
        archive = archive_file(self.paths, tag)
        arguments = _arguments()
        wanted = fingerprint(self.repository, {**arguments, "base": self._base_key})
        stamp = archive.with_suffix(".json")
        if archive.exists() and (read_json(stamp) or {}).get("inputs") == wanted:
            step.done(f"unchanged, {archive}")
            return
        if os.geteuid() != 0:
            raise ClusterError(
                "no container engine answers, and building without one needs root",
                remedy="start Docker or Podman, or run this as root",
            )
        began = time.monotonic()
        prerequisites.ensure(prerequisites.IMAGE_PACKAGES, self.paths, step)
        self._ensure_base(step)
        step.doing("buildah bud")
        self._buildah(_bud(tag, self.repository, arguments), step)
        scratch = archive.with_suffix(".new")
        scratch.unlink(missing_ok=True)
        self._buildah(["push", "--quiet", tag, f"docker-archive:{scratch}:{tag}"], step)
        self._buildah(["rmi", "--prune"], step)
        scratch.replace(archive)
        write_atomically(stamp, json.dumps({"inputs": wanted}), 0o644)
        step.done(f"built in {time.monotonic() - began:.0f} s, {archive}")

    @property
    def _base_key(self) -> str:
        return f"{BASE} {BASE_SUITE} {BASE_PACKAGES}"

    def _ensure_base(self, step: Step) -> None:
        """Make the base image from Debian's packages: no registry, the same Python 3.13."""
        stamp = self.paths.images / "base.json"
        if (read_json(stamp) or {}).get("base") == self._base_key and self._has(BASE):
            return
        rootfs = self.paths.images / "base-rootfs"
        _clear(rootfs)
        packed = self.paths.images / "base-rootfs.tar"
        options = ["--variant=minbase", f"--include={BASE_PACKAGES}"]
        run_logged(
            ["debootstrap", *options, BASE_SUITE, str(rootfs)],
            self._log,
            on_line=lambda line: step.doing(f"base image: {line.strip()[-50:]}"),
            remedy="debootstrap needs Debian's packages and, on other systems, Debian's keyring",
        )
        skipped = ["--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*"]
        words = ["--numeric-owner", *skipped, "-C", str(rootfs), "-cf", str(packed), "."]
        run_logged(["tar", *words], self._log)
        name = self._buildah_output(["from", "scratch"])
        self._buildah(["add", name, str(packed), "/"], step)
        self._buildah(["config", "--cmd", "python3", name], step)
        self._buildah(["commit", "--rm", name, BASE], step)
        packed.unlink()
        _clear(rootfs)
        write_atomically(stamp, json.dumps({"base": self._base_key}), 0o644)

    @property
    def _log(self) -> Path:
        return self.paths.logs / "image.log"

    def _fresh_log(self) -> Path:
        self._log.unlink(missing_ok=True)
        return self._log

    def _command(self, words: list[str]) -> list[str]:
        """Buildah with a store of its own: nobody's other images are touched."""
        store = self.paths.cache / "buildah"
        places = ["--root", str(store / "root"), "--runroot", str(store / "run")]
        return ["buildah", *places, "--storage-driver", "vfs", *words]

    def _buildah(self, words: list[str], step: Step) -> None:
        def tell(line: str) -> None:
            step.doing(line.strip()[-60:])

        run_logged(self._command(words), self._log, on_line=tell)

    def _buildah_output(self, words: list[str]) -> str:
        return output(self._command(words)).strip()

    def _has(self, image: str) -> bool:
        try:
            self._buildah_output(["inspect", "--type", "image", image])
        except ClusterError:
            return False
        return True


def _bud(tag: str, folder: Path, arguments: Mapping[str, str]) -> list[str]:
    """Return buildah's words: no namespaces of its own (chroot), the machine's CAs for pip."""
    words = ["bud", "--isolation", "chroot", "--format", "docker", "--tag", tag]
    for name, value in arguments.items():
        words += ["--build-arg", f"{name}={value}"]
    if "PIP_CERT" in arguments:
        words += ["--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro"]
    return [*words, str(folder)]


def _arguments() -> dict[str, str]:
    """Return the build arguments that this machine needs; none of them stays in the image."""
    arguments = {"BASE_IMAGE": BASE}
    if BUNDLE.exists():
        arguments["PIP_CERT"] = str(BUNDLE)
    index = os.environ.get("PIP_INDEX_URL")
    if index:
        arguments["PIP_INDEX_URL"] = index
    return arguments


def _clear(folder: Path) -> None:
    """Remove a half-made root file system, and first what a killed run left mounted in it."""
    unmount_below(folder)
    shutil.rmtree(folder, ignore_errors=True)
