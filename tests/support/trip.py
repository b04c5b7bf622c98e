"""Counts the files that a push and a drain enter: `python -m tests.support.trip --write` updates the list in docs/architecture.md.

`--places` also prints the file and line of each entry.

A file is entered when a function in it starts. An entry is a distinct place in another file that calls into it, so a loop over
leads counts once. A coroutine that continues after `await` does not start, not even if an exception is raised there.
`sys.setprofile` sees every call of the thread, and the event loop has one.
"""

import asyncio
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from opcode import opmap
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import clay_push_service
from clay_push_service.host.columns import Vintage
from clay_push_service.migrations import upgrade
from tests.harness.api import run_api_with_leads
from tests.harness.databases import run_server
from tests.harness.runtime import make_runtime_role, runtime_role

PACKAGE = str(Path(clay_push_service.__file__).parent) + os.sep
TRANSPARENT = (
    "database", "logs.py", "errors.py", "problems.py", "audit.py", "settings.py", "session_settings.py",
    "database_url.py", "metrics.py", "repeated_failures.py", "api/", "callers/guarded_route.py",
)  # fmt: skip
"""Files that are not counted. Calls that they make count as calls of their caller."""
LEFT_OUT = ("callers/", "destination_settings/", "__init__.py")
"""Files that are not counted, nor what they call: authentication and settings also read the host's tables."""
MOST_FILES = {"push": 14, "drain": 10}
MOST_ENTRIES = 2
RESUME = opmap["RESUME"]
PAGE = Path(__file__).parents[2] / "docs/architecture.md"


@dataclass
class Trip:
    """The files of one trip, in the order of their first entry, with the places that call into them."""

    entries: dict[str, set[tuple[str, int]]] = field(default_factory=lambda: defaultdict(set))
    _code: dict[CodeType, bytes] = field(default_factory=dict)

    def see(self, frame: FrameType, event: str, _argument: Any) -> None:
        """Record one call. This is the profile function of `sys.setprofile`."""
        if event != "call":
            return
        file = name_of(frame)
        if file is None or file.startswith(TRANSPARENT) or file.startswith(LEFT_OUT) or not self._starts(frame):
            return
        caller = frame.f_back
        while caller is not None:
            calling = name_of(caller)
            if calling is not None and not calling.startswith(TRANSPARENT):
                if calling.startswith(LEFT_OUT) or calling == file:
                    return
                self.entries[file].add((calling, caller.f_lineno))
                return
            caller = caller.f_back
        if file not in self.entries:  # called by the event loop or the framework
            self.entries[file].add(("", 0))

    def _starts(self, frame: FrameType) -> bool:
        """Returns whether the function starts. Python also reports a call when a coroutine continues after `await` or `yield`.

        Then the frame is at RESUME with an argument, or, if an exception is raised there, at the instruction that waited.
        """
        code = self._code.setdefault(frame.f_code, frame.f_code.co_code)
        at = frame.f_lasti
        return code[at] == RESUME and code[at + 1] & 3 == 0

    def lines(self) -> list[str]:
        return [f"| `{file}` | {len(places)} |" for file, places in self.entries.items()]


def name_of(frame: FrameType) -> str | None:
    """Returns the file's path in the package; None for other files and for code that runs during an import."""
    path = frame.f_code.co_filename
    if not path.startswith(PACKAGE) or frame.f_code.co_name in {"<module>", "<lambda>"}:
        return None
    return path.removeprefix(PACKAGE).replace(os.sep, "/")


@contextmanager
def traced() -> Iterator[Trip]:
    trip = Trip()
    before = sys.getprofile()
    sys.setprofile(trip.see)
    try:
        yield trip
    finally:
        sys.setprofile(before)


async def take_trips(database_url: str) -> dict[str, Trip]:
    """Push three leads through the HTTP application and drain the job twice. Trace the second run, which finds warm caches."""
    trips: dict[str, Trip] = {}
    async with (
        run_api_with_leads(database_url, leads=6, vintage=Vintage.TODAY, billing_enabled=False) as pushed,
        pushed.installation.drainer() as drainer,
    ):
        await pushed.queue(pushed.lead_ids[:3])
        await pushed.installation.drain_all(drainer)
        with traced() as trips["push"]:
            job_id = await pushed.queue(pushed.lead_ids[3:])
        with traced() as trips["drain"]:
            await pushed.installation.drain_all(drainer)
        assert (await pushed.job(job_id))["success_count"] == 3
    # background tasks of the other process, which share this thread
    for trip in trips.values():
        trip.entries.pop("push_jobs/live/watch.py", None)
    for file in ("sending/result_writer.py", "clay/connection_pool.py", "clay/connection.py"):
        trips["push"].entries.pop(file, None)
    pacer = ("paced_sends", "sleep", "leases", "look_ahead", "served")
    for file in (*(f"sending/{name}.py" for name in pacer), "destinations/serving.py"):
        for trip in trips.values():
            trip.entries.pop(file, None)  # the loop of the pacer, which has no workspace in this test
    for file in ("clay/resolver.py", "clay/keep_alive.py"):
        trips["drain"].entries.pop(file, None)  # whether this runs depends on how long the connection was idle
    return trips


def listing(trips: dict[str, Trip]) -> str:
    lines = []
    for name, trip in trips.items():
        most = max(len(places) for places in trip.entries.values())
        packages = len({file.partition("/")[0] for file in trip.entries})
        files = f"{len(trip.entries)} files (target {MOST_FILES[name]}) of {packages} packages"
        lines += [
            f"A {name} enters {files}, one of them {most} times (target {MOST_ENTRIES}):",
            "",
            f"| {name} | entries |",
            "|---|---|",
            *trip.lines(),
            "",
        ]
    return "\n".join(lines)


def main() -> None:
    with run_server() as server, make_runtime_role(server):
        url = server.create()
        upgrade(url, runtime_role())
        trips = asyncio.run(take_trips(url))
    sys.stdout.write(listing(trips) + "\n")
    if "--places" in sys.argv:
        for name, trip in trips.items():
            for file, places in trip.entries.items():
                sys.stdout.write(f"{name} {file} {sorted(places)}\n")
    if "--write" in sys.argv:
        before, begin, rest = PAGE.read_text().partition("<!-- trip -->")
        PAGE.write_text(f"{before}{begin}\n{listing(trips)}\n{''.join(rest.partition('<!-- /trip -->')[1:])}")


if __name__ == "__main__":
    main()
