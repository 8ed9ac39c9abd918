"""A namespace of a test's own, and what a user does in it with kubectl."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.kit import dump
from tests.kit.client import ApiError, Client, Object, Query
from tests.kit.cluster import Cluster
from tests.kit.run import Run
from tests.kit.waiting import LONG, wait_for_one, wait_gone

LABEL = "tests.tidegate.dev/session"
DEFAULTS: Object = {
    "image": "busybox:1.36",
    # a shell that is process 1 doesn't die of SIGTERM: it would be waited for 30 s
    "template": {"spec": {"terminationGracePeriodSeconds": 1}},
}
NAME = "flow"
GONE = 404
CONFLICT = 409


@dataclass
class Space:
    """One namespace."""

    cluster: Cluster
    name: str
    left_to_others: bool = False
    """Whether the test deletes the namespace itself."""
    runs: list[Run] = field(default_factory=list)

    @classmethod
    def make(cls, cluster: Cluster, title: str, labels: dict[str, str] | None = None) -> Space:
        """Make a namespace whose name tells which test it is of."""
        words = title.removeprefix("test_").lower().replace("_", "-")
        slug = "".join(ch for ch in words if ch.isalnum() or ch == "-")[:44].strip("-")
        space = cls(cluster, f"t-{slug}-{secrets.token_hex(2)}")
        meta = {"name": space.name, "labels": {LABEL: "test", **(labels or {})}}
        cluster.client.create("namespaces", "", {"metadata": meta})
        account = Query("serviceaccounts", space.name, "default")
        wait_for_one(cluster.client, account, bool, "the default account")
        return space

    @property
    def client(self) -> Client:
        """The API server with the admin's rights."""
        return self.cluster.client

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl in this namespace."""
        return self.cluster.kubectl("-n", self.name, *arguments, stdin=stdin)

    def apply(self, *documents: Object) -> None:
        """Apply objects as a user would: ``kubectl apply -f -``."""
        self.kubectl("apply", "-f", "-", stdin=_together(documents))

    def apply_everywhere(self, documents: Iterable[Object]) -> None:
        """Apply objects that name their namespaces themselves, in one go."""
        self.cluster.kubectl("apply", "-f", "-", stdin=_together(documents))

    def flow(self, spec: str | Object, name: str = NAME, **metadata: Any) -> Run:
        """Apply a Workflow with this spec and return its run."""
        self.apply(workflow(spec, name, **metadata))
        return self.run(name)

    def run(self, name: str = NAME) -> Run:
        """Return what there is to ask of the Workflow of this name."""
        run = Run(self.cluster, self.name, name)
        self.runs.append(run)
        return run

    def add(self, resource: str, body: Object) -> Object:
        """Create an object in this namespace."""
        return self.client.create(resource, self.name, body)

    def discard(self) -> None:
        """Delete the namespace and don't wait for it."""
        try:
            self.client.delete("namespaces", "", self.name)
        except ApiError as error:
            if error.status not in (GONE, CONFLICT):
                raise

    def wait_gone(self, seconds: float = LONG) -> None:
        """Wait until the namespace is gone."""
        wait_gone(self.client, Query("namespaces", name=self.name), f"{self.name} gone", seconds)

    def report(self) -> str:
        """Return all that there is to see here, for a test that failed."""
        return dump.of_namespace(self.cluster, self.name)


def workflow(spec: str | Object, name: str = NAME, **metadata: Any) -> Object:
    """Return a Workflow with this spec, YAML or not, on busybox unless it says otherwise."""
    given = yaml.safe_load(spec) if isinstance(spec, str) else deepcopy(spec)
    defaults = {**deepcopy(DEFAULTS), **(given.pop("defaults", None) or {})}
    return {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": name, **metadata},
        "spec": {"defaults": defaults, **given},
    }


def _together(documents: Iterable[Object]) -> str:
    """Return objects as one document; in JSON, as the readers of YAML disagree about `y`."""
    items = list(documents)
    together = {"apiVersion": "v1", "kind": "List", "items": items}
    return json.dumps(items[0] if len(items) == 1 else together)
