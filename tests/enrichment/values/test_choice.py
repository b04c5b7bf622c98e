"""Which value of a field is the current one: each rule by itself, and independence of the order of arrival."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clay_push_service.enrichment.values.choice import Candidate, Choice, ChoiceReason, ValueSource, choose
from clay_push_service.enrichment.values.confidence import EmailCheck

START = datetime(2026, 1, 1, tzinfo=UTC)


def value(
    number: int,
    key: str | None = "a",
    *,
    day: int = 0,
    source: ValueSource = ValueSource.TABLE,
    confidence: int | None = None,
    status: EmailCheck | None = None,
) -> Candidate:
    at = START + timedelta(days=day)
    return Candidate(UUID(int=number), source, key, at, at, confidence, status)


PERSON, HOST = ValueSource.PERSON, ValueSource.HOST


@pytest.mark.parametrize(
    ("candidates", "pinned", "chosen", "reason"),
    [
        ([], None, None, None),
        ([value(1)], None, 1, ChoiceReason.NEWEST),
        ([value(1), value(2, "b", day=1)], None, 2, ChoiceReason.NEWEST),
        # A pin beats everything, also an edit and an invalid address.
        ([value(1), value(2, "b", day=9), value(3, "c", source=PERSON)], 1, 1, ChoiceReason.PINNED),
        ([value(1, status=EmailCheck.INVALID), value(2, "b")], 1, 1, ChoiceReason.PINNED),
        ([value(2, "b")], 1, 2, ChoiceReason.NEWEST),
        # An edit beats the host and newer results; the last edit counts.
        ([value(1, source=PERSON), value(2, "b", source=HOST), value(3, "c", day=9)], None, 1, ChoiceReason.EDITED),
        ([value(1, source=PERSON), value(2, "b", source=PERSON, day=1)], None, 2, ChoiceReason.EDITED),
        # A withdrawn edit does not count, and neither do those before it.
        ([value(1, source=PERSON), value(2, None, source=PERSON, day=1), value(3, "c")], None, 3, ChoiceReason.NEWEST),
        ([value(1, source=PERSON), value(2, None, source=PERSON, day=1)], None, None, None),
        # The host's own value beats every result.
        ([value(1, "b", day=9, confidence=99), value(2, source=HOST)], None, 2, ChoiceReason.HOST),
        # An empty result never erases, and an invalid address is never chosen.
        ([value(1), value(2, None, day=9)], None, 1, ChoiceReason.NEWEST),
        ([value(1), value(2, "b", day=9, status=EmailCheck.INVALID)], None, 1, ChoiceReason.NEWEST),
        ([value(1, None)], None, None, None),
        ([value(1, status=EmailCheck.INVALID)], None, None, None),
        # A newer value that is much less confident replaces only an old one.
        ([value(1, confidence=90), value(2, "b", day=1, confidence=70)], None, 2, ChoiceReason.NEWEST),
        ([value(1, confidence=90), value(2, "b", day=1, confidence=69)], None, 1, ChoiceReason.MORE_CONFIDENT),
        ([value(1, confidence=90), value(2, "b", day=179, confidence=10)], None, 1, ChoiceReason.MORE_CONFIDENT),
        ([value(1, confidence=90), value(2, "b", day=180, confidence=10)], None, 2, ChoiceReason.NEWEST),
        # A confidence that is not given is not a low one; the same value again is only newer.
        ([value(1, confidence=90), value(2, "b", day=1)], None, 2, ChoiceReason.NEWEST),
        ([value(1), value(2, "b", day=1, confidence=1)], None, 2, ChoiceReason.NEWEST),
        ([value(1, confidence=90), value(2, day=1, confidence=1)], None, 2, ChoiceReason.NEWEST),
        # The kept value keeps its advantage over later ones.
        (
            [value(1, confidence=90), value(2, "b", day=1, confidence=10), value(3, "c", day=2, confidence=20)],
            None, 1, ChoiceReason.MORE_CONFIDENT,
        ),
    ],
)  # fmt: skip
def test_the_first_rule_that_finds_a_value_decides(
    candidates: Sequence[Candidate], pinned: int | None, chosen: int | None, reason: ChoiceReason | None
) -> None:
    expected = None if chosen is None or reason is None else Choice(UUID(int=chosen), reason)
    wanted = None if pinned is None else UUID(int=pinned)
    assert choose(candidates, wanted) == expected
    assert choose(candidates[::-1], wanted) == expected, "the order of arrival decides nothing"


def candidates() -> st.SearchStrategy[list[Candidate]]:
    one = st.builds(
        value,
        st.integers(1, 2**60),
        st.sampled_from(["a", "b", "c", None]),
        day=st.integers(0, 400),
        source=st.sampled_from([ValueSource.TABLE, ValueSource.TABLE, ValueSource.ROUTINE, ValueSource.PERSON]),
        confidence=st.none() | st.integers(0, 100),
        status=st.sampled_from([None, None, EmailCheck.VALID, EmailCheck.INVALID]),
    )
    return st.lists(one, max_size=12, unique_by=lambda each: each.id)


@given(candidates(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(found: list[Candidate], chance: random.Random) -> None:
    expected = choose(found)
    shuffled = list(found)
    chance.shuffle(shuffled)
    assert choose(shuffled) == expected
    assert choose([*found, *found]) == expected, "and neither does a value that is there twice"


@given(candidates(), st.lists(st.integers(0, 400), max_size=5))
def test_empty_results_change_nothing(found: list[Candidate], days: list[int]) -> None:
    empty = [value(2**61 + number, None, day=day) for number, day in enumerate(days)]
    assert choose([*found, *empty]) == choose(found)


@given(candidates())
def test_a_pinned_value_is_not_replaced_by_new_results(found: list[Candidate]) -> None:
    pinned = value(2**62, "pinned", day=-1)
    assert choose([*found, pinned], pinned.id) == Choice(pinned.id, ChoiceReason.PINNED)
