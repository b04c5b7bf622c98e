"""A served workspace decides what to claim, reserve and plan next, from its leads, its slots and the time. Pure."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clay_push_service.clay.cause import Cause
from clay_push_service.clay.outcome import OUTAGES_TO_WAIT, REFUSALS_TO_CLOSE, Outcome, Streak, Verdict
from clay_push_service.deliveries.claim import Claimed
from clay_push_service.destinations.pace import Reservation
from clay_push_service.destinations.slot_gate import Slot
from clay_push_service.destinations.slots import WorkspaceKey
from clay_push_service.leads.payload import Payload
from clay_push_service.sending.build_payloads import Ready
from clay_push_service.sending.served import (
    MOST_CLAIMED,
    MOST_LEADS,
    PacedLead,
    ServedJob,
    ServedWorkspace,
    most_urgent,
)

KEY = WorkspaceKey(uuid4(), uuid4())
DESTINATION, JOB, VERSION = uuid4(), uuid4(), uuid4()
START = datetime(2026, 11, 30, tzinfo=UTC)
TARGET: Any = None
"""A client that sends nothing."""


def moment_of(at: datetime) -> float:
    return (at - START).total_seconds()


def lead(number: int = 0, version_id: UUID = VERSION) -> PacedLead:
    job = ServedJob(JOB, version_id, KEY, TARGET)
    return PacedLead(job, Ready(Claimed(UUID(int=number), uuid4(), 0, uuid4()), Payload(b"{}", b"")))


def served(leads: int = 0, interval_ms: int = 200, slots: int = 0) -> ServedWorkspace:
    made = ServedWorkspace(KEY, None, interval_seconds=interval_ms / 1000, is_woken=False)
    made.leads.add(DESTINATION, JOB, 0.0, [lead(number) for number in range(leads)])
    interval = timedelta(milliseconds=interval_ms)
    made.slots.extend(Slot(START + (number + 1) * interval, interval) for number in range(slots))
    return made


@pytest.mark.parametrize(
    ("interval_ms", "leads", "wanted"),
    [
        (200, 0, 8),
        (200, 4, 4),
        (200, 5, 0),
        (100, 0, 15),
        (1000, 0, 2),
        (60_000, 0, 1),
        (60_000, 1, 0),
        (1, 0, MOST_LEADS),
    ],
)
def test_leads_of_a_second_and_a_half_are_claimed_when_half_of_them_are_left(
    interval_ms: int, leads: int, wanted: int
) -> None:
    assert served(leads, interval_ms).wanted_leads(0.0, 1.5) == wanted


def test_a_wake_up_claims_at_least_one_lead_until_twice_as_many_are_ready() -> None:
    woken = served(8)
    assert woken.wanted_leads(0.0, 1.5) == 0
    woken.wake(START)
    assert woken.wanted_leads(0.0, 1.5) == 1
    woken.leads.add(DESTINATION, JOB, 0.0, [lead(number) for number in range(100, 108)])
    assert woken.wanted_leads(0.0, 1.5) == 0
    assert woken.is_woken, "the workspace claims again when some of its leads are sent"


def test_nothing_is_claimed_during_a_claim_a_pause_or_while_a_version_is_halted() -> None:
    for each in (
        replace(served(), is_claiming=True),
        replace(served(), paused_until=1.0),
        replace(served(), halted={VERSION}),
    ):
        assert each.wanted_leads(0.5, 1.5) == 0
    assert replace(served(), paused_until=1.0).wanted_leads(1.0, 1.5) == 8


def test_at_a_slow_pace_a_lead_is_claimed_shortly_before_its_slot_is_reserved() -> None:
    made = replace(served(interval_ms=60_000), reserve_at=50.0)
    assert (made.wanted_leads(48.9, 1.5), made.wanted_leads(49.0, 1.5)) == (0, 1)


def test_leads_that_were_claimed_long_ago_are_removed() -> None:
    made = served()
    made.leads.add(DESTINATION, JOB, 0.0, [lead(1)._replace(claimed_at=1.0), lead(2)._replace(claimed_at=2.0)])
    assert [each.ready.claimed.delivery_id.int for each in made.remove_claimed_before(2.0)] == [1]
    assert made.ready == 1


def test_an_exhausted_workspace_claims_again_when_its_last_lead_is_left() -> None:
    assert replace(served(3), is_exhausted=True).wanted_leads(0.0, 1.5) == 0
    assert replace(served(1), is_exhausted=True).wanted_leads(0.0, 1.5) == 7


def test_a_workspace_is_idle_only_without_leads_wake_ups_and_claims() -> None:
    assert replace(served(), is_exhausted=True).is_idle
    assert not served().is_idle
    assert not replace(served(1), is_exhausted=True).is_idle
    for changes in (
        {"is_woken": True},
        {"is_claiming": True},
        {"halted": {VERSION}},
        {"unsent": 1},
        {"is_dropped": True},
    ):
        assert not replace(served(), is_exhausted=True, **changes).is_idle


def test_slots_are_reserved_for_ready_leads_only_and_again_shortly_before_the_first_free_slot() -> None:
    made = served(5)
    assert made.wanted_slots(0.0) == 5
    interval = timedelta(milliseconds=200)
    slots = tuple(START + number * interval for number in range(1, 4))
    made.add_slots(Reservation(slots, timedelta(0), START + 4 * interval, interval=interval), 0.8, 0.35)
    assert made.wanted_slots(0.44) == 0
    assert made.wanted_slots(0.46) == 2
    assert replace(made, paused_until=1.0).wanted_slots(0.46) == 0


def test_leads_are_planned_for_the_slots_until_a_moment_and_passed_slots_are_missed() -> None:
    made = served(leads=3, slots=4)
    assert [each.lead.ready.claimed.delivery_id.int for each in made.plan(0.1, 0.25, moment_of)] == [0]
    planned = made.plan(0.55, 0.7, moment_of)
    assert [moment_of(each.slot.at) for each in planned] == [pytest.approx(0.6)], (
        "the slot at 0.4 is late by half an interval"
    )
    assert made.missed == 1
    assert made.ready == 1


def test_a_slot_without_a_lead_is_missed() -> None:
    made = served(leads=0, slots=1)
    assert made.plan(0.1, 0.3, moment_of) == []
    assert made.missed == 1


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({}, 2),
        ({"is_exhausted": True}, 0),
        ({"paused_until": 0.9}, 0),
        ({"free_from": None}, 0),
        ({"free_from": 1.2}, 0),
    ],
)
def test_slots_that_were_not_reserved_in_time_are_missed_if_leads_waited(changes: dict[str, Any], missed: int) -> None:
    made = replace(served(3), **({"free_from": 0.8} | changes))
    interval = timedelta(milliseconds=200)
    reserved = (START + 6 * interval, START + 7 * interval)
    made.add_slots(Reservation(reserved, timedelta(0), START + 8 * interval, interval=interval), 1.6, 0.35)
    assert made.missed == missed
    assert made.free_from == 1.6


def test_a_probe_gets_the_next_slot() -> None:
    made = served(leads=2, slots=2)
    made.probes.append(lead(77))
    assert [each.lead.ready.claimed.delivery_id.int for each in made.plan(0.0, 0.5, moment_of)] == [77, 0]


async def test_a_late_lead_gets_the_next_slot_and_is_not_planned_again() -> None:
    made = served(leads=1, slots=1)
    late: asyncio.Future[Slot | None] = asyncio.get_running_loop().create_future()
    made.late.append(late)
    assert made.wanted_slots(0.0) == 1, "two leads and one slot: one more slot is needed"
    assert made.plan(0.1, 0.3, moment_of) == []
    slot = late.result()
    assert slot is not None
    assert moment_of(slot.at) == pytest.approx(0.2)
    assert made.ready == 1


async def test_late_leads_get_no_slot_when_the_workspace_pauses_or_is_dropped() -> None:
    for end in (lambda each: each.pause(1.0, moment_of), ServedWorkspace.drop):
        made = served(leads=1)
        late: asyncio.Future[Slot | None] = asyncio.get_running_loop().create_future()
        made.late.append(late)
        end(made)
        assert late.result() is None
        assert not made.late


def test_a_pause_drops_the_slots_before_its_end() -> None:
    made = served(leads=3, slots=4)
    made.pause(0.5, moment_of)
    assert [moment_of(slot.at) for slot in made.slots] == [pytest.approx(0.6), pytest.approx(0.8)]
    assert made.missed == 2
    made.pause(0.3, moment_of)
    assert made.paused_until == 0.5


REFUSED = Outcome(Verdict.FAILED, Cause.UNAUTHORIZED, 401, counts_toward=Streak.REFUSAL)
OUTAGE = Outcome(Verdict.RETRY, Cause.SERVER_ERROR, 503, counts_toward=Streak.OUTAGE)
ACCEPTED = Outcome(Verdict.SUCCESS, status=200, resets_streaks=True)


@pytest.mark.parametrize(("outcome", "number"), [(REFUSED, REFUSALS_TO_CLOSE), (OUTAGE, OUTAGES_TO_WAIT)])
def test_responses_that_close_a_version_halt_it_once_until_they_are_recorded(outcome: Outcome, number: int) -> None:
    made = served(leads=2)
    results = [made.count(VERSION, each) for each in [ACCEPTED, *[outcome] * number, outcome]]
    assert results == [False] * number + [True, False]
    assert made.halted == {VERSION}
    made.resume(VERSION)
    assert not made.halted
    assert made.is_woken
    assert not made.count(VERSION, outcome)


def test_the_leads_of_one_version_are_removed() -> None:
    other = uuid4()
    made = served(leads=1)
    made.leads.add(DESTINATION, uuid4(), 0.0, [lead(5, other)])
    made.probes.append(lead(6, other))
    assert {each.ready.claimed.delivery_id.int for each in made.remove_version(other)} == {5, 6}
    assert made.ready == 1
    assert len(made.drop()) == 1
    assert made.ready == 0


@given(st.lists(st.tuples(st.floats(0.0, 0.3), st.integers(0, 3), st.booleans()), max_size=40), st.integers(1, 20))
def test_no_two_leads_share_a_slot_and_no_lead_is_planned_twice_or_lost(
    steps: list[tuple[float, int, bool]], slots: int
) -> None:
    made = served(slots=slots)
    now, added = 0.0, 0
    used: list[datetime] = []
    planned: list[int] = []
    for seconds, leads, pauses in steps:
        now += seconds
        made.leads.add(DESTINATION, JOB, now, [lead(added + number) for number in range(leads)])
        added += leads
        if pauses:
            made.pause(now + 0.1, moment_of)
        for each in made.plan(now, now + 0.15, moment_of):
            used.append(each.slot.at)
            planned.append(each.lead.ready.claimed.delivery_id.int)
    assert len(set(used)) == len(used)
    assert used == sorted(used)
    assert planned == list(range(len(planned)))
    assert len(planned) + made.ready == added
    assert len(used) + made.missed + len(made.slots) == slots


def test_one_claim_is_for_the_workspaces_whose_leads_last_the_shortest_time() -> None:
    calm, empty, woken = served(3), served(0), served(4)
    woken.wake(START)
    chosen = most_urgent([calm, empty, woken], 0.0, 1.5)
    assert [(each is empty, each is woken, leads) for each, leads in chosen] == [
        (True, False, 8),
        (False, True, 4),
        (False, False, 5),
    ]


def test_one_claim_has_a_limit_of_leads() -> None:
    chosen = most_urgent([served(0, 10) for _ in range(5)], 0.0, 1.5)
    assert [leads for _, leads in chosen] == [150, 150, 150, 50]
    assert sum(leads for _, leads in chosen) == MOST_CLAIMED
