"""Decides which ready lead of a workspace gets the next slot: destinations take turns, and so do the push jobs of each. Pure.

What has waited longest goes first. Times are seconds on one clock, of the caller's choice.
"""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID

REMEMBERED_JOBS = 1000
"""Push jobs without a ready lead whose last turn is remembered: their next lead must not count as having waited since then."""

Item = TypeVar("Item")


@dataclass(slots=True)
class _Job(Generic[Item]):
    waiting_since: float
    items: deque[Item] = field(default_factory=deque)


@dataclass(slots=True)
class _Destination(Generic[Item]):
    waiting_since: float
    jobs: dict[UUID, _Job[Item]] = field(default_factory=dict)


class Turns(Generic[Item]):
    """The ready leads of one workspace. The first of equals is the one that was added first."""

    def __init__(self) -> None:
        self._destinations: dict[UUID, _Destination[Item]] = {}
        self._served: dict[UUID, float] = {}
        """When a destination or push job had its last turn, oldest first."""
        self._number = 0

    def __len__(self) -> int:
        return self._number

    def add(self, destination_id: UUID, job_id: UUID, waiting_since: float, items: Iterable[Item]) -> None:
        """Add leads of one push job behind those that it has. `waiting_since`: its last turn, or its creation."""
        added = deque(items)
        if not added:
            return
        since = max(waiting_since, self._served.get(job_id, waiting_since))
        destination = self._destinations.get(destination_id)
        if destination is None:
            destination = _Destination(max(since, self._served.get(destination_id, since)))
            self._destinations[destination_id] = destination
        job = destination.jobs.get(job_id)
        if job is None:
            job = destination.jobs[job_id] = _Job(since)
        job.items.extend(added)
        self._number += len(added)

    def take(self, now: float) -> Item | None:
        """Take the next lead; None when there is none."""
        if not self._number:
            return None
        destination_id, destination = min(self._destinations.items(), key=lambda entry: entry[1].waiting_since)
        job_id, job = min(destination.jobs.items(), key=lambda entry: entry[1].waiting_since)
        item = job.items.popleft()
        self._number -= 1
        # Moved to the end: among equal times the one that was served earlier goes first.
        del destination.jobs[job_id]
        del self._destinations[destination_id]
        self._remember(destination_id, now)
        self._remember(job_id, now)
        if job.items:
            job.waiting_since = now
            destination.jobs[job_id] = job
        if destination.jobs:
            destination.waiting_since = now
            self._destinations[destination_id] = destination
        return item

    def remove(self, matches: Callable[[Item], bool]) -> list[Item]:
        """Remove and return the leads that match."""
        removed: list[Item] = []
        for destination_id, destination in list(self._destinations.items()):
            for job_id, job in list(destination.jobs.items()):
                kept = deque(item for item in job.items if not matches(item))
                removed += [item for item in job.items if matches(item)]
                job.items = kept
                if not kept:
                    del destination.jobs[job_id]
            if not destination.jobs:
                del self._destinations[destination_id]
        self._number -= len(removed)
        return removed

    def _remember(self, served_id: UUID, now: float) -> None:
        self._served.pop(served_id, None)
        self._served[served_id] = now
        if len(self._served) > REMEMBERED_JOBS:
            del self._served[next(iter(self._served))]
