"""Starting a part of the local cluster, whatever it needs to come up."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster import processes
from tests.cluster.errors import ClusterError
from tests.cluster.local import parts, provider
from tests.cluster.local.layout import Layout
from tests.cluster.local.parts import Part
from tests.cluster.processes import Identity
from tests.cluster.report import Step

ENDS_TWICE = """
import pathlib, sys, time
starts = pathlib.Path(sys.argv[1])
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
if len(starts.read_text()) < 3:
    sys.exit("server is not initialized yet")
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "PAUSE_BEFORE_ANOTHER_START", 0.01)


def part(starts: Path, well: Callable[[], bool], persistence: float) -> Part:
    argv = (sys.executable, "-c", ENDS_TWICE, str(starts))
    return Part("kubelet", argv, well, patience=20.0, persistence=persistence, hint="none")


def test_a_kubelet_that_comes_before_containerd_is_ready_is_started_again(
    layout: Layout, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    step = Step("node", time.monotonic)

    def well() -> bool:
        return starts.exists() and len(starts.read_text()) == 3

    provider.start_part(layout, part(starts, well, persistence=30.0), step)
    running = Identity.load(parts.pid_file(layout, "kubelet"))
    assert running is not None
    assert running.alive
    assert "again" in step.activity
    processes.kill([running])
    os.waitpid(running.pid, 0)


def test_a_part_that_nothing_keeps_waiting_is_given_up_at_once(
    layout: Layout, tmp_path: Path
) -> None:
    starts = tmp_path / "starts"
    step = Step("node", time.monotonic)
    with pytest.raises(ClusterError, match="kubelet ended right after its start"):
        provider.start_part(layout, part(starts, lambda: False, persistence=0.0), step)
    assert starts.read_text() == "x"


def test_it_is_the_kubelet_that_is_started_again(layout: Layout) -> None:
    persistent = {each.name for each in parts.all_parts(layout) if each.persistence}
    assert persistent == {"kubelet"}
