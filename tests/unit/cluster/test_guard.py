import asyncio

import pytest

from tests.unit.cluster.objects import LOST
from tidegate.cluster.guard import patiently
from tidegate.errors import ApiError, Conflict, NotFound, ServerFault, Throttled, Unreachable


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    naps = list[float]()

    async def sleep(seconds: float) -> None:
        naps.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    return naps


class Request:
    """Raises what it is given, then answers."""

    def __init__(self, *trouble: ApiError) -> None:
        self.trouble = list(trouble)
        self.sent = 0

    async def __call__(self) -> str:
        self.sent += 1
        if self.trouble:
            raise self.trouble.pop(0)
        return "answer"


async def test_passing_trouble_is_sat_out() -> None:
    request = Request(LOST, ServerFault("etcd", status=500))
    assert await patiently(request) == "answer"
    assert request.sent == 3


async def test_a_server_that_asks_for_patience_gets_it(slept: list[float]) -> None:
    assert await patiently(Request(Throttled("slow", retry_after=3))) == "answer"
    assert slept == [3]


@pytest.mark.parametrize("error", [Conflict("modified"), NotFound("gone")])
async def test_what_another_try_will_not_mend_is_raised_at_once(error: ApiError) -> None:
    request = Request(error)
    with pytest.raises(type(error)):
        await patiently(request)
    assert request.sent == 1


async def test_it_gives_up() -> None:
    request = Request(*[LOST] * 9)
    with pytest.raises(Unreachable):
        await patiently(request)
    assert request.sent == 4
