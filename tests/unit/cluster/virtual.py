"""Tests in virtual time: what takes minutes is looked at in milliseconds."""

import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec

from tests.sim.clock import VirtualLoop

P = ParamSpec("P")


def virtual(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run an asynchronous test on a loop whose clock jumps to its next timer."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        loop = VirtualLoop(limit=100_000.0)
        try:
            loop.run_until_complete(_awaited(test(*args, **kwargs)))
            assert not loop.faults, loop.faults
        finally:
            loop.close()

    return run


async def _awaited(test: Awaitable[None]) -> None:
    await test
