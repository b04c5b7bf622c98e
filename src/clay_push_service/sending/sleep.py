"""Sleeps until a moment of the process's monotonic clock."""

import asyncio
import time


async def sleep_until(moment: float) -> None:
    """`moment`: on `time.monotonic()`."""
    seconds = moment - time.monotonic()
    if seconds > 0:
        await asyncio.sleep(seconds)
