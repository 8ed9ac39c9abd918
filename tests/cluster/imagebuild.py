"""The operator's image, built only when something that goes into it has changed."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import buildah, engine, prerequisites
from tests.cluster.archives import archive_file
from tests.cluster.buildah import Buildah
from tests.cluster.engine import Engine
from tests.cluster.errors import ClusterError
from tests.cluster.files import locked, read_json, write_atomically
from tests.cluster.paths import REPOSITORY, Paths
from tests.cluster.report import Reporter, Step
from tests.cluster.shell import run_logged

BUNDLE = buildah.CERTIFICATES / "ca-certificates.crt"
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

    @property
    def _log(self) -> Path:
        return self.paths.logs / "image.log"

    def _with_engine(self, answering: Engine, tag: str, step: Step) -> None:
        """The engine keeps layers itself: building the same again costs it a second."""
        self._log.unlink(missing_ok=True)
        run_logged(
            answering.build(self.repository, tag),
            self._log,
            on_line=lambda line: step.doing(line.strip()[:60]),
        )
        step.done(f"built by {answering.program}")

    def _with_buildah(self, tag: str, step: Step) -> None:
        archive = archive_file(self.paths, tag)
        stamp = archive.with_suffix(".json")
        arguments = build_arguments(os.environ)
        wanted = fingerprint(self.repository, {**arguments, "base": buildah.BASE_KEY})
        if archive.exists() and (read_json(stamp) or {}).get("inputs") == wanted:
            step.done("unchanged since it was built")
            return
        if os.geteuid() != 0:
            raise ClusterError(
                "no container engine answers, and building without one needs root",
                remedy="start Docker or Podman, or run this as root",
            )
        prerequisites.ensure(prerequisites.IMAGE_PACKAGES, self.paths, step)
        self._log.unlink(missing_ok=True)
        builder = Buildah(self.paths, self._log)
        builder.ensure_base(step)
        began = time.monotonic()
        builder.build(self.repository, tag, arguments, step)
        builder.save(tag, archive, step)
        builder.tidy(step)
        write_atomically(stamp, json.dumps({"inputs": wanted}), 0o644)
        step.done(f"built by buildah in {time.monotonic() - began:.0f} s, {archive}")


def build_arguments(env: Mapping[str, str]) -> dict[str, str]:
    """Return the build arguments that this machine needs; none of them stays in the image."""
    arguments = {"BASE_IMAGE": buildah.BASE}
    if BUNDLE.exists():
        arguments["PIP_CERT"] = str(BUNDLE)
    if env.get("PIP_INDEX_URL"):
        arguments["PIP_INDEX_URL"] = env["PIP_INDEX_URL"]
    return arguments
