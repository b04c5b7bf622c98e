"""The share of the pace: the used slots of the last minute, divided by all slots that passed."""

import pytest

from clay_push_service.sending.pace_share import PaceShare


def test_without_a_slot_the_share_is_one() -> None:
    assert PaceShare().share(0.0) == 1.0


def test_the_share_counts_used_slots() -> None:
    share = PaceShare()
    share.add(0.0, used=6, missed=1)
    share.add(1.0, used=3, missed=2)
    assert share.share(1.0) == pytest.approx(0.75)


def test_counts_older_than_a_minute_do_not_count() -> None:
    share = PaceShare()
    share.add(0.0, used=0, missed=5)
    share.add(30.0, used=4, missed=1)
    assert share.share(59.9) == pytest.approx(0.4)
    assert share.share(60.0) == pytest.approx(0.8)
    assert share.share(90.0) == 1.0
