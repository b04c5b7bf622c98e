"""Provides an event that is set when the HTTP client has read the status line of a response."""

import asyncio

import pytest

from clay_push_service.clay.response_reader import ResponseReader


def watch_status_reading(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Yields an event that is set when any client in this process has read a status line."""
    event, feed = asyncio.Event(), ResponseReader.feed

    def feed_and_set(self: ResponseReader, data: bytes) -> None:
        feed(self, data)
        if self.status is not None:
            event.set()

    monkeypatch.setattr(ResponseReader, "feed", feed_and_set)
    return event
