"""A transport that closes in the way of RFC 9112, 9.6: the client can still read the answer to a body it is sending."""

import asyncio
from collections.abc import Callable
from typing import Any

LINGER_SECONDS = 2.0
"""For a client to see that the answer is complete and to stop sending. Closing at once resets the connection, which may
destroy the answer before it is read."""


class LingeringTransport(asyncio.Transport):
    """What uvicorn writes to. Where the client is still sending, `close` ends our side only; what comes is thrown away."""

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
