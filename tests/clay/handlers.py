"""Connection handlers for receivers: several ways to write a response and to close a connection or keep it open."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable

from tests.clay.receivers import Handler, read_request


def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


Write = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]


End = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def in_one_packet(writer: asyncio.StreamWriter, answer: bytes) -> None:
    writer.write(answer)
    await writer.drain()


async def stay(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


def answering(answer: bytes, write: Write, end: End) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await write(writer, answer)
        await end(writer)

    return handle
