"""Where things are kept: one cache folder a user, whatever the clone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
REPOSITORY = PACKAGE.parent.parent
GO_MODULES = PACKAGE / "go"

VOLATILE = Path("/run/tidegate-cluster")
"""Sockets, pid files and mounts of the local cluster: short paths, gone after a reboot."""


@dataclass(frozen=True)
class Paths:
    """The folders under the cache."""

    cache: Path
    """``$TIDEGATE_CACHE``, else ``$XDG_CACHE_HOME/tidegate``, else ``~/.cache/tidegate``."""

    @classmethod
    def from_environment(cls, env: Mapping[str, str] | None = None) -> Paths:
        """Return the folders that this environment asks for."""
        env = os.environ if env is None else env
        named = env.get("TIDEGATE_CACHE")
        if named:
            return cls(Path(named).expanduser().resolve())
        home = Path(env.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
        return cls((home / "tidegate").resolve())

    @property
    def binaries(self) -> Path:
        """Compiled programs, a folder for each set of inputs. ``down`` keeps them."""
        return self.cache / "bin"

    @property
    def images(self) -> Path:
        """Image archives, ready to be loaded. ``down`` keeps them."""
        return self.cache / "images"

    @property
    def state(self) -> Path:
        """Data, certificates and logs of the local cluster. ``down`` removes it."""
        return self.cache / "cluster"

    @property
    def logs(self) -> Path:
        """Logs of what this command itself ran: compilers, package managers, image builds."""
        return self.cache / "logs"

    @property
    def current(self) -> Path:
        """Which cluster ``up`` made or was told of last."""
        return self.cache / "current.json"

    @property
    def machine_before(self) -> Path:
        """What the local cluster found on the machine and ``down`` puts back."""
        return self.cache / "machine-before.json"

    @property
    def lock(self) -> Path:
        """Held while a cluster is being changed."""
        return self.cache / "cluster.lock"
