"""Counts the files that a push and a drain enter: `python -m tests.support.trip --write` updates the list in docs/architecture.md.

`--places` also prints the file and line of each entry.

A file is entered when a function in it starts. An entry is a distinct place in another file that calls into it, so a loop over
leads counts once. Awaiting again is not a start. `sys.setprofile` sees every call of the thread, and the event loop has one.
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
"""Files that do not count. What they call counts as called by their caller."""
LEFT_OUT = ("callers/", "destination_settings/", "__init__.py")
"""Files that do not count, and neither does what they call: authentication and settings read the host's tables, too."""
MOST_FILES = {"push": 14, "drain": 10}
MOST_ENTRIES = 2
RESUME = opmap["RESUME"]
PAGE = Path(__file__).parents[2] / "docs/architecture.md"


@dataclass
class Trip:
    """The files of one trip, in the order in which they were first entered, with the places that call into them."""

    entries: dict[str, set[tuple[str, int]]] = field(default_factory=lambda: defaultdict(set))
    _code: dict[CodeType, bytes] = field(default_factory=dict)

    def see(self, frame: FrameType, event: str, _argument: Any) -> None:
        """The profile function."""
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
        if file not in self.entries:  # by the event loop, or by the framework
            self.entries[file].add(("", 0))

    def _starts(self, frame: FrameType) -> bool:
        """Whether the function begins. A coroutine that goes on after an `await` is called, too."""
        code = self._code.setdefault(frame.f_code, frame.f_code.co_code)
        at = frame.f_lasti
        return code[at] != RESUME or code[at + 1] & 3 == 0

    def lines(self) -> list[str]:
        return [f"| `{file}` | {len(places)} |" for file, places in self.entries.items()]


def name_of(frame: FrameType) -> str | None:
    """The file's path in the package, with slashes; None for other files, and for what runs while a module is imported."""
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
    """Push three leads through the HTTP application and drain the job, twice, and trace the second time: caches are warm then."""
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
    # Background tasks of the other process, which share the thread here.
    for trip in trips.values():
        trip.entries.pop("push_jobs/live/watch.py", None)
    for file in ("sending/result_writer.py", "clay/connection_pool.py", "clay/connection.py"):
        trips["push"].entries.pop(file, None)
    pacer = ("paced_sends", "sleep", "leases", "look_ahead", "served")
    for file in (*(f"sending/{name}.py" for name in pacer), "destinations/serving.py"):
        for trip in trips.values():
            trip.entries.pop(file, None)  # the pacer's loop, which serves no workspace here
    for file in ("clay/resolver.py", "clay/keep_alive.py"):
        trips["drain"].entries.pop(file, None)  # one of them, depending on how long the connection was idle
    return trips


def listing(trips: dict[str, Trip]) -> str:
    lines = []
    for name, trip in trips.items():
        most = max(len(places) for places in trip.entries.values())
        lines += [
            f"A {name} enters {len(trip.entries)} files (target {MOST_FILES[name]}), one of them {most} times (target {MOST_ENTRIES}):",
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
