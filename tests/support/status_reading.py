"""An event for the moment at which a client of webhooks has read the status of a response."""

import asyncio

import pytest

from clay_push_service.clay.response_reader import ResponseReader


def watch_status_reading(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """The event is set when any client of this process has read a status."""
    event, feed = asyncio.Event(), ResponseReader.feed

    def feed_and_set(self: ResponseReader, data: bytes) -> None:
        feed(self, data)
        if self.status is not None:
            event.set()

    monkeypatch.setattr(ResponseReader, "feed", feed_and_set)
    return event
