"""Requests that the sandbox sends, as Clay does: calls of HTTP API columns and webhooks of finished runs."""

import asyncio
from collections import Counter
from collections.abc import Mapping

import aiohttp

SECONDS = 10.0


class Outgoing:
    """Each request is sent once, without a retry."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        """Requests by purpose and response status; `lost` if there was no response."""
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, purpose: str, url: str, body: bytes, headers: Mapping[str, str], delay_seconds: float = 0.0) -> None:
        task = asyncio.create_task(self._send(purpose, url, body, headers, delay_seconds))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _send(
        self, purpose: str, url: str, body: bytes, headers: Mapping[str, str], delay_seconds: float
    ) -> None:
        await asyncio.sleep(delay_seconds)
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(url, data=body, headers={"Content-Type": "application/json", **headers}) as response,
            ):
                self.sent[f"{purpose} {response.status}"] += 1
        except (aiohttp.ClientError, TimeoutError):
            self.sent[f"{purpose} lost"] += 1
