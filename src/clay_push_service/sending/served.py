"""One workspace that this process serves: its claimed leads, its reserved slots, and what it needs next. Pure; no I/O.

Moments are of `time.monotonic()`, unless they are datetimes: those are of the database's clock.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from clay_push_service.clay.outcome import NO_STREAKS, Outcome, Streaks
from clay_push_service.clay.webhook_client import Target
from clay_push_service.destinations.pace import Reservation
from clay_push_service.destinations.slot_gate import Slot
from clay_push_service.destinations.slots import WorkspaceKey
from clay_push_service.sending.build_payloads import Ready
from clay_push_service.sending.turns import Turns

CLAIM_AHEAD_SECONDS = 3.0
"""Leads are claimed for this time, half of it at once. A dead worker's claims return within seconds, each with one lost claim."""
MOST_LEADS = 200
"""Limit of the leads that are claimed ahead."""
MOST_CLAIMED = 500
"""Leads of one claim of all workspaces: their payloads take 25 ms, in which nothing else is sent."""
CLAIM_BEFORE_SECONDS = 1.0
"""At a slow pace a lead is claimed this long before its slot is reserved: until then it could not be sent anyway."""
UNKNOWN_INTERVAL_SECONDS = 0.2
"""Before the first reservation."""


@dataclass(frozen=True, slots=True)
class ServedJob:
    """A push job of a served workspace. `probe`: its lead shows whether an outage is over."""

    id: UUID
    version_id: UUID
    workspace: WorkspaceKey
    target: Target
    probe: bool = False


class PacedLead(NamedTuple):
    """A claimed lead with its payload."""

    job: ServedJob
    ready: Ready
    claimed_at: float = 0.0


class PlannedSend(NamedTuple):
    """A lead and its slot."""

    lead: PacedLead
    slot: Slot


@dataclass(slots=True)
class ServedWorkspace:
    """`woken_at`: the last wake-up that this worker has read. `is_woken`: it came after the last claim."""

    key: WorkspaceKey
    woken_at: datetime | None
    leads: Turns[PacedLead] = field(default_factory=Turns)
    probes: deque[PacedLead] = field(default_factory=deque)
    """Probes, sent before other leads: the response decides for all leads of the destination."""
    slots: deque[Slot] = field(default_factory=deque)
    late: deque["asyncio.Future[Slot | None]"] = field(default_factory=deque)
    """Futures of marked leads that missed their slot: they get the next slots, and are not marked again."""
    is_dropped: bool = False
    """This process no longer serves the workspace, so its late leads get no slot."""
    interval_seconds: float = UNKNOWN_INTERVAL_SECONDS
    is_woken: bool = True
    is_exhausted: bool = False
    """The last claim found fewer leads than its limit."""
    is_claiming: bool = False
    reserve_at: float = 0.0
    paused_until: float = 0.0
    renewed_at: float = 0.0
    unsent: int = 0
    """Leads that are marked and wait for their slot: they may still be given back."""
    missed: int = 0
    """Slots that passed without a lead or before their lead was marked, and those that were not reserved in time."""
    free_from: float | None = None
    """The moment of the first slot that is not reserved; None before the first reservation."""
    streaks: dict[UUID, Streaks] = field(default_factory=dict)
    """By version, from the responses of this process."""
    halted: set[UUID] = field(default_factory=set)
    """Versions whose responses close them or make them wait; until that is recorded, nothing is claimed."""

    @property
    def ready(self) -> int:
        """Number of leads that have a payload and no slot yet."""
        return len(self.leads) + len(self.probes)

    @property
    def is_idle(self) -> bool:
        """No lead is ready and the last claim found all due leads. False after the service ended, while its leads are released."""
        return self.is_exhausted and not (
            self.is_dropped
            or self.ready
            or self.unsent
            or self.late
            or self.is_woken
            or self.is_claiming
            or self.halted
        )

    def wake(self, woken_at: datetime | None) -> None:
        self.woken_at, self.is_woken = woken_at, True

    @property
    def ready_seconds(self) -> float:
        """How long the ready leads last at the pace."""
        return self.ready * self.interval_seconds

    def wanted_leads(self, now: float, ahead_seconds: float) -> int:
        """How many leads to claim now, for the next `ahead_seconds`; 0: none."""
        if self.is_claiming or self.halted or now < max(self.paused_until, self.reserve_at - CLAIM_BEFORE_SECONDS):
            return 0
        target = min(math.ceil(ahead_seconds / self.interval_seconds), MOST_LEADS)
        if self.is_woken and self.ready < 2 * target:
            # At least one: the lead of a new push job must not wait until a large push needs its next ones.
            return max(target - self.ready, 1)
        if self.ready * 2 > target or (self.is_exhausted and self.ready > 1):
            return 0
        return target - self.ready

    def wanted_slots(self, now: float) -> int:
        """How many slots to reserve now; 0: none."""
        if now < self.reserve_at or now < self.paused_until:
            return 0
        return max(self.ready + len(self.late) - len(self.slots), 0)

    def add_slots(self, reservation: Reservation, next_slot_at: float, ahead_seconds: float) -> None:
        """`next_slot_at`: the moment of the first slot that is not reserved; it is reserved `ahead_seconds` before."""
        self.slots.extend(Slot(at, reservation.interval) for at in reservation.slots)
        self.interval_seconds = max(reservation.interval.total_seconds(), 0.001)
        first = next_slot_at - len(reservation.slots) * self.interval_seconds
        if self.free_from is not None and not self.is_exhausted and self.free_from >= self.paused_until:
            self.missed += max(round((first - self.free_from) / self.interval_seconds), 0)
        self.free_from = next_slot_at
        self.reserve_at = next_slot_at - ahead_seconds

    def plan(self, now: float, until: float, moment_of: Callable[[datetime], float]) -> Sequence[PlannedSend]:
        """Take the slots before `until`, each with the lead whose turn it is. Slots that have passed are missed."""
        planned: list[PlannedSend] = []
        while self.slots and (at := moment_of(self.slots[0].at)) <= until:
            slot = self.slots.popleft()
            if at < now - slot.tolerance.total_seconds():
                self.missed += 1
            elif self._give_to_late(slot):
                pass
            elif self.probes:
                planned.append(PlannedSend(self.probes.popleft(), slot))
            elif (lead := self.leads.take(now)) is not None:
                planned.append(PlannedSend(lead, slot))
            else:
                self.missed += 1
        return planned

    def _give_to_late(self, slot: Slot) -> bool:
        while self.late:
            waiting = self.late.popleft()
            if not waiting.done():
                waiting.set_result(slot)
                return True
        return False

    def drop(self) -> list[PacedLead]:
        """End the service here. Returns the leads; late ones get no other slot."""
        self.is_dropped = True
        self._refuse_late()
        return self.remove(lambda _: True)

    def _refuse_late(self) -> None:
        while self.late:
            waiting = self.late.popleft()
            if not waiting.done():
                waiting.set_result(None)

    def pause(self, until: float, moment_of: Callable[[datetime], float]) -> None:
        """Send nothing before `until`. The slots before it stay unused."""
        self.paused_until = max(self.paused_until, until)
        self._refuse_late()
        while self.slots and moment_of(self.slots[0].at) < self.paused_until:
            self.slots.popleft()
            self.missed += 1

    def count(self, version_id: UUID, outcome: Outcome) -> bool:
        """Count one outcome. True if the version's responses close it or make it wait from now on."""
        if outcome.resets_streaks and version_id not in self.streaks:
            return False
        streaks = self.streaks.get(version_id, NO_STREAKS).after(outcome)
        self.streaks[version_id] = streaks
        if not (streaks.closes or streaks.waits) or version_id in self.halted:
            return False
        self.halted.add(version_id)
        return True

    def resume(self, version_id: UUID) -> None:
        """The responses are recorded: from now on the version's state in the database decides."""
        self.halted.discard(version_id)
        self.streaks.pop(version_id, None)
        self.is_woken = True

    def remove(self, matches: Callable[[PacedLead], bool]) -> list[PacedLead]:
        """Remove and return the leads that match."""
        removed = self.leads.remove(matches) + [lead for lead in self.probes if matches(lead)]
        self.probes = deque(lead for lead in self.probes if not matches(lead))
        return removed

    def remove_version(self, version_id: UUID) -> list[PacedLead]:
        return self.remove(lambda lead: lead.job.version_id == version_id)

    def remove_claimed_before(self, moment: float) -> list[PacedLead]:
        """Remove and return the leads that have waited too long: their lease must not end before they are marked."""
        return self.remove(lambda lead: lead.claimed_at < moment)


def most_urgent(
    workspaces: Iterable[ServedWorkspace], now: float, ahead_seconds: float
) -> Sequence[tuple[ServedWorkspace, int]]:
    """Choose the workspaces to claim for now, and how many leads of each: those first whose leads last the shortest time."""
    claimable = [(each, leads) for each in workspaces if (leads := each.wanted_leads(now, ahead_seconds))]
    claimable.sort(key=lambda entry: 0.0 if entry[0].is_woken else entry[0].ready_seconds)
    chosen: list[tuple[ServedWorkspace, int]] = []
    left = MOST_CLAIMED
    for each, leads in claimable:
        if left <= 0:
            break
        chosen.append((each, min(leads, left)))
        left -= leads
    return chosen
