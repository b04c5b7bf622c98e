"""Records every address that this process connects to, with any library, through the interpreter's audit hook."""

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager

_recording: list[list[tuple[str, int]]] = []


def _record(event: str, arguments: tuple[object, ...]) -> None:
    if _recording and event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple):
            for addresses in _recording:
                addresses.append((str(address[0]), int(address[1])))


sys.addaudithook(_record)  # permanent: an audit hook cannot be removed


@contextmanager
def recorded_connections(*, but: Collection[int] = ()) -> Iterator[list[tuple[str, int]]]:
    """Yields host and port of each connection, except those to the ports `but` (of the database or a name server)."""
    addresses: list[tuple[str, int]] = []
    _recording.append(addresses)
    try:
        yield addresses
    finally:
        _recording.remove(addresses)
        addresses[:] = [each for each in addresses if each[1] not in but]
