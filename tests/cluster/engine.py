"""Container engines: which one answers on this machine, and how it is spoken to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.cluster.shell import output, succeeds

ANSWER_WITHIN = 10.0


@dataclass(frozen=True)
class Engine:
    """Docker or Podman, running."""

    program: str

    def build(self, folder: Path, tag: str) -> list[str]:
        """Return the command that builds the Dockerfile in a folder."""
        return [self.program, "build", "--tag", tag, str(folder)]

    def save(self, name: str, target: Path) -> list[str]:
        """Return the command that writes an image to an archive."""
        chosen = ["--format", "docker-archive"] if self.program == "podman" else []
        return [self.program, "save", *chosen, "--output", str(target), name]

    def has(self, name: str) -> bool:
        """Return whether the engine has an image of this name."""
        return succeeds([self.program, "image", "inspect", name])

    def image_id(self, name: str) -> str:
        """Return what identifies an image's content."""
        return output([self.program, "image", "inspect", "--format", "{{.Id}}", name]).strip()


def find() -> Engine | None:
    """Return the engine that answers; a client without a server doesn't count."""
    for program in ("docker", "podman"):
        if succeeds([program, "info"], timeout=ANSWER_WITHIN):
            return Engine(program)
    return None
