"""The number of concurrent requests per organization is limited. A request that waits too long or behind too many others gets 429."""

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from clay_push_service.callers.turns import MAX_WAITING, Lane, Turns
from clay_push_service.errors import TooManyRequestsError, UnavailableError

ORG, OTHER, THIRD = uuid4(), uuid4(), uuid4()
BOUND = 2
LONG = 60.0
"""A timeout that no test reaches: these tests end with a state."""


def turns(wait_seconds: float = LONG, costly: int = 2 * BOUND) -> Turns:
    return Turns(wait_seconds, dict.fromkeys(Lane, BOUND), asyncio.Semaphore(costly))


async def held(stack: AsyncExitStack, made: Turns, number: int = BOUND, lane: Lane = Lane.COSTLY) -> None:
    for _ in range(number):
        assert await stack.enter_async_context(made.turn(lane, ORG)) is False


async def test_requests_over_the_limit_wait_until_another_ends() -> None:
    made = turns()
    begun = asyncio.Event()

    async def third() -> bool:
        async with made.turn(Lane.COSTLY, ORG) as waited:
            begun.set()
            return waited

    async with AsyncExitStack() as stack:
        await held(stack, made)
        waiting = asyncio.create_task(third())
        await asyncio.sleep(0)
        assert not begun.is_set()
    assert await waiting is True


@pytest.mark.parametrize("lane", Lane)
async def test_a_request_that_waits_too_long_gets_429(lane: Lane) -> None:
    made = turns(wait_seconds=0.01)
    async with AsyncExitStack() as stack:
        await held(stack, made, lane=lane)
        with pytest.raises(TooManyRequestsError) as refused:
            await stack.enter_async_context(made.turn(lane, ORG))
        assert int(refused.value.headers["Retry-After"]) > 0
    async with made.turn(lane, ORG):
        pass  # a refused request holds no turn


async def test_a_request_behind_too_many_others_gets_429_immediately() -> None:
    made = turns()

    async def one() -> None:
        async with made.turn(Lane.COSTLY, ORG):
            pass

    async with AsyncExitStack() as stack:
        await held(stack, made)
        waiting = [asyncio.create_task(one()) for _ in range(MAX_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyRequestsError):
            await one()
    await asyncio.gather(*waiting)


async def test_requests_of_other_organizations_and_lanes_do_not_wait() -> None:
    made = turns()
    async with AsyncExitStack() as stack:
        await held(stack, made)
        async with made.turn(Lane.COSTLY, OTHER) as waited_other, made.turn(Lane.ORDINARY, ORG) as waited_lane:
            assert (waited_other, waited_lane) == (False, False)


async def test_expensive_requests_leave_capacity_for_other_requests() -> None:
    made = turns(wait_seconds=0.01, costly=3)
    async with AsyncExitStack() as stack:
        await held(stack, made)
        await stack.enter_async_context(made.turn(Lane.COSTLY, OTHER))
        with pytest.raises(UnavailableError) as refused:
            await stack.enter_async_context(made.turn(Lane.COSTLY, THIRD))
        assert refused.value.code == "overloaded"
        async with made.turn(Lane.ORDINARY, THIRD) as waited:
            assert not waited
    async with made.turn(Lane.COSTLY, THIRD):
        pass


async def test_a_request_that_is_cancelled_while_it_waits_frees_its_place() -> None:
    made = turns()

    async def one() -> None:
        async with made.turn(Lane.COSTLY, ORG):
            pass

    async with AsyncExitStack() as stack:
        await held(stack, made)
        waiting = asyncio.create_task(one())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
    await one()
