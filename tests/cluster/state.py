"""What ``up`` remembers for the other commands: which cluster it made or was told of."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cluster.files import read_json, write_atomically
from tests.cluster.paths import Paths


@dataclass(frozen=True)
class Current:
    """The cluster that this user's commands and tests talk to."""

    provider: str
    """``local``, ``kind`` or ``user``."""
    kubeconfig: str
    source: str = ""
    """The user's own kubeconfig, where the provider is ``user``."""
    context: str = ""

    @classmethod
    def load(cls, paths: Paths) -> Current | None:
        """Return what ``up`` remembered; None after ``down``, or if the file is gone."""
        found = read_json(paths.current)
        try:
            current = cls(**found) if found is not None else None
        except TypeError:
            return None
        return current if current is not None and Path(current.kubeconfig).exists() else None

    def save(self, paths: Paths) -> None:
        """Remember it."""
        write_atomically(paths.current, json.dumps(asdict(self), indent=2) + "\n", 0o644)


def forget(paths: Paths) -> None:
    """Remember no cluster any more."""
    paths.current.unlink(missing_ok=True)
