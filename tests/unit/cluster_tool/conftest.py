from pathlib import Path

import pytest

from tests.cluster.local.layout import FIRST_PORTS, Layout
from tests.cluster.paths import Paths


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "cache")


@pytest.fixture
def layout(paths: Paths) -> Layout:
    return Layout(
        state=str(paths.state),
        binaries=str(paths.binaries / "kubernetes"),
        version="v1.35.4",
        node_ip="192.0.2.7",
        pod_range="10.88.0.0/16",
        service_range="10.89.0.0/16",
        ports=dict(FIRST_PORTS),
    )
