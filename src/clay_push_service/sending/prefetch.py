"""Prefetches one item of an async iterator, so that the next database query overlaps with the use of the current item."""

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeVar

Item = TypeVar("Item")


async def prefetch(items: AsyncGenerator[Item, None]) -> AsyncGenerator[Item, None]:
    """Yield the same items; the next one is produced while the caller uses the current one. Close it with `aclosing`."""
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
            # Wait for its end. A cancelled statement costs a connection, and claims of an unknown extent could not be
            # released.
            await asyncio.wait([following])
        if following is not None and not following.cancelled():
            following.exception()
        await items.aclose()
