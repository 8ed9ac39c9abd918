"""What ``status`` says about a cluster, for people and for programs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True)
class Status:
    """One cluster as it is now."""

    provider: str
    """``local``, ``kind``, ``user``, or ``none``."""
    running: bool
    """Whether its API server answers and, where we made the node, the node takes pods."""
    kubeconfig: str = ""
    api: str = ""
    version: str = ""
    admin: str = ""
    """The user name that requests with this kubeconfig are made under."""
    audit_log: str = ""
    """Requests at level Metadata, one JSON object a line; empty where there is none."""
    state: str = ""
    parts: dict[str, str] = field(default_factory=dict)
    """Each process and how it is: ``running (pid 4711)`` or ``dead``."""
    images: tuple[str, ...] = ()
    trouble: str = ""

    def as_json(self) -> str:
        """Return all of it as one JSON object."""
        return json.dumps(asdict(self), indent=2)

    def as_text(self) -> str:
        """Return what there is to say, a line each."""
        if self.provider == "none":
            return "no cluster; `python -m tests.cluster up` makes one"
        rows = {
            "cluster": f"{self.provider}, {'running' if self.running else 'not running'}",
            "trouble": self.trouble,
            "Kubernetes": self.version,
            "API": self.api,
            "admin": self.admin,
            "kubeconfig": self.kubeconfig,
            "audit log": self.audit_log,
            "state and logs": self.state,
            **self.parts,
            "images": ", ".join(self.images),
        }
        return "\n".join(f"{name:<24}  {value}" for name, value in rows.items() if value)
