from collections.abc import Mapping

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tidegate.gauges import Census, Gauges

CENSUS = Census(
    phases={"Running": 2, "Failed": 1},
    queued={"hot": 0, "calm": 3},
    checkpoints=2,
    held_checkpoints=1,
    oldest_checkpoint=40.5,
    longest_idle=7.0,
)


def scraped(census: Census | None, silence: Mapping[str, float]) -> list[str]:
    registry = CollectorRegistry()
    registry.register(Gauges(lambda: census, lambda: silence))
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_a_leader_tells_of_all_workflows() -> None:
    assert scraped(CENSUS, {"pods": 2.5}) == [
        'tidegate_workflows{phase="Failed"} 1.0',
        'tidegate_workflows{phase="Running"} 2.0',
        'tidegate_queue_depth{lane="calm"} 3.0',
        'tidegate_queue_depth{lane="hot"} 0.0',
        "tidegate_checkpoints_waiting 2.0",
        "tidegate_checkpoints_held 1.0",
        "tidegate_checkpoint_oldest_wait_seconds 40.5",
        "tidegate_workflow_longest_idle_seconds 7.0",
        'tidegate_watch_silence_seconds{resource="pods"} 2.5',
    ]


def test_a_replica_that_stands_by_tells_only_of_its_watches() -> None:
    assert scraped(None, {"pods": 2.5}) == ['tidegate_watch_silence_seconds{resource="pods"} 2.5']


@pytest.mark.parametrize("census", [CENSUS, None])
def test_what_is_described_is_what_is_told(census: Census | None) -> None:
    gauges = Gauges(lambda: census, dict)
    described = [(one.name, one.documentation) for one in gauges.describe()]
    assert [(one.name, one.documentation) for one in gauges.collect()] == described
