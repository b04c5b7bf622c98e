"""An async iterator that works one item ahead, so that the database is asked while the last answer is being sent."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

Item = TypeVar("Item")


async def one_ahead(items: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
    """The same items; the next one is being made while this one is used. Close it with `aclosing`."""
    following: asyncio.Task[Item] | None = None

    async def take() -> Item:
        return await anext(items)

    try:
        following = asyncio.create_task(take())
        while True:
            try:
                item = await following
            except StopAsyncIteration:
                return
            following = asyncio.create_task(take())
            yield item
    finally:
        if following is not None and not following.done():
            # Let it finish: cancelled in the middle of a statement it would cost a connection, and what it claimed
            # must be known to be given back.
            await asyncio.wait([following])
        if following is not None and not following.cancelled():
            following.exception()
        await items.aclose()
