import pytest

from tidegate.app.sources import Sources
from tidegate.cluster.access import Access
from tidegate.cluster.client import Client
from tidegate.cluster.view import View


@pytest.fixture
async def sources() -> Sources:
    client = Client(Access("http://nowhere", None, None, None, None, 0.0))
    return Sources.of(client, View(), lambda _: None, ("team-a", "team-b"))


async def test_the_silence_of_a_resource_is_that_of_its_worst_watch(sources: Sources) -> None:
    heard = {("jobs", "team-b"): 40.0, ("workflows", "team-a"): 70.0}
    for reflector in sources.reflectors:
        reflector.lister.heard_at = heard.get(
            (reflector.resource, str(reflector.lister.namespace)), 90.0
        )
    for namespace, lister in sources.workflows.items():
        lister.heard_at = heard.get(("workflows", str(namespace)), 90.0)
    assert sources.silence(100.0) == {"jobs": 60.0, "pods": 10.0, "workflows": 30.0}
