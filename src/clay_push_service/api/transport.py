"""Lingering close (RFC 9112, section 9.6): a client that is still sending a body can read the response."""

import asyncio
from collections.abc import Callable
from typing import Any

LINGER_SECONDS = 2.0
"""Time for a client to read the complete response and stop sending. An immediate close resets the connection, which may
destroy the response before it is read."""


class LingeringTransport(asyncio.Transport):
    """The transport that uvicorn writes to. While the client is still sending, `close` ends only the write side and drops incoming data."""

    def __init__(self, transport: asyncio.Transport, is_client_sending: Callable[[], bool]) -> None:
        super().__init__()
        self._transport = transport
        self._is_client_sending = is_client_sending
        self._is_closing = False

    def close(self) -> None:
        if self.is_closing():
            return
        self._is_closing = True
        if not self._is_client_sending():
            self._transport.close()
            return
        self._transport.write_eof()
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.abort)

    def abort(self) -> None:
        self._is_closing = True
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._is_closing or self._transport.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._transport.write(data)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)
