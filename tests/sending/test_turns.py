"""Turns of destinations and push jobs: the order in examples, and properties of every sequence of additions and turns."""

from collections import deque
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from clay_push_service.sending.turns import Turns

FIRST, SECOND = UUID(int=1), UUID(int=2)


def job(number: int) -> UUID:
    return UUID(int=100 + number)


def taken(turns: Turns[str], number: int, at: float = 100.0) -> list[str | None]:
    return [turns.take(at + index) for index in range(number)]


def test_push_jobs_take_turns_so_that_a_single_lead_does_not_wait_for_a_large_push() -> None:
    turns: Turns[str] = Turns()
    turns.add(FIRST, job(1), 0.0, [f"large {number}" for number in range(50)])
    assert taken(turns, 3, 10.0) == ["large 0", "large 1", "large 2"]
    turns.add(FIRST, job(2), 11.5, ["single"])
    assert taken(turns, 3, 13.0) == ["single", "large 3", "large 4"]


def test_the_push_that_waited_longest_goes_first_among_small_pushes() -> None:
    turns: Turns[str] = Turns()
    for number in (3, 1, 2):
        turns.add(FIRST, job(number), float(number), [f"of {number}"])
    assert taken(turns, 4) == ["of 1", "of 2", "of 3", None]


def test_destinations_take_turns_independent_of_the_number_of_their_push_jobs() -> None:
    turns: Turns[str] = Turns()
    for number in range(4):
        turns.add(FIRST, job(number), float(number), [f"first {number}"])
    turns.add(SECOND, job(10), 50.0, ["second 0", "second 1"])
    assert taken(turns, 6) == ["first 0", "second 0", "first 1", "second 1", "first 2", "first 3"]


def test_a_push_job_that_had_its_turn_does_not_count_as_waiting_since_its_last_claim() -> None:
    turns: Turns[str] = Turns()
    turns.add(FIRST, job(1), 0.0, ["large 0"])
    assert turns.take(5.0) == "large 0"
    turns.add(FIRST, job(1), 0.0, ["large 1"])
    turns.add(FIRST, job(2), 3.0, ["single"])
    assert taken(turns, 2) == ["single", "large 1"]


def test_removed_leads_are_returned_and_the_others_keep_their_turns() -> None:
    turns: Turns[str] = Turns()
    turns.add(FIRST, job(1), 1.0, ["a1", "b1", "a2"])
    turns.add(SECOND, job(2), 2.0, ["a3"])
    assert turns.remove(lambda item: item.startswith("a")) == ["a1", "a2", "a3"]
    assert len(turns) == 1
    assert taken(turns, 2) == ["b1", None]


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.integers(0, 2), st.integers(0, 3), st.integers(1, 4)
        ),  # add leads: destination, its job, number of leads
        st.just(None),  # take a turn
    ),
    max_size=60,
)


@given(STEPS)
def test_every_lead_is_taken_once_in_the_order_of_its_job_and_no_job_twice_while_another_waits(
    steps: list[tuple[int, int, int] | None],
) -> None:
    """Between two turns of one destination (or job), each other one that had leads all the time gets a turn."""
    turns: Turns[tuple[int, int, int]] = Turns()
    waiting: dict[tuple[int, int], deque[int]] = {}
    passed_over: dict[object, set[object]] = {}
    added = 0
    for now, step in enumerate([*steps, *[None] * 300]):
        if step is not None:
            destination, number, leads = step
            items = [(destination, number, added + each) for each in range(leads)]
            added += leads
            turns.add(UUID(int=destination), job(10 * destination + number), float(now), items)
            waiting.setdefault((destination, number), deque()).extend(item[2] for item in items)
            continue
        before = {key for key, leads_of_job in waiting.items() if leads_of_job}
        assert len(turns) == sum(len(leads_of_job) for leads_of_job in waiting.values())
        item = turns.take(float(now))
        if item is None:
            assert not before
            continue
        destination, number, lead = item
        assert waiting[destination, number].popleft() == lead
        destinations = {each for each, _ in before} - {destination}
        jobs = {key for key in before if key[0] == destination} - {(destination, number)}
        for taken_now, others in ((destination, destinations), ((destination, number), jobs)):
            for other in others:
                assert taken_now not in passed_over.get(other, set()), f"{taken_now} had two turns while {other} waited"
                passed_over.setdefault(other, set()).add(taken_now)
            passed_over[taken_now] = set()
    assert len(turns) == 0
