"""Saves the Workflows of the cluster that is up, for every release to plan again.

    python -m tests.replay [namespace…]      writes tests/replay/<version>/<workflow>-<phase>.json

Run it while the examples run, so that there are runs that are on and runs that are over.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.kit.client import Query
from tests.kit.cluster import Cluster
from tidegate import __version__

_LEFT_OUT = ("managedFields", "selfLink")
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def main(namespaces: list[str]) -> None:
    """Save every Workflow of ``namespaces``, or of all."""
    folder = Path(__file__).parent / __version__
    folder.mkdir(exist_ok=True)
    client = Cluster.find().client
    for namespace in namespaces or [""]:
        for found in client.list(Query("workflows", namespace)):
            metadata = {k: v for k, v in found["metadata"].items() if k not in _LEFT_OUT}
            (metadata.get("annotations") or {}).pop(_APPLIED, None)
            phase = (found.get("status") or {}).get("phase", "new").lower()
            name = f"{metadata['name'][:40]}-{phase}.json"
            text = json.dumps(found | {"metadata": metadata}, indent=1, sort_keys=True)
            (folder / name).write_text(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
