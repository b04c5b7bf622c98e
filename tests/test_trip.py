"""docs/architecture.md lists the files that a push and a drain enter."""

import re

from clay_push_service.near_match import near_match
from tests.support.trip import PAGE, take_trips, traced


def test_a_file_is_entered_once_for_each_place_that_calls_into_it() -> None:
    with traced() as trip:
        near_match("dryrun", ["dry_run"])
    assert list(trip.entries) == ["near_match.py"]


async def test_the_architecture_page_lists_the_files_of_a_push_and_of_a_drain(database_url: str) -> None:
    trips = await take_trips(database_url)
    page = PAGE.read_text().partition("<!-- trip -->")[2].partition("<!-- /trip -->")[0]
    for name, trip in trips.items():
        table = page.partition(f"| {name} | entries |")[2].partition("\n\n")[0]
        listed = set(re.findall(r"`([^`]+)`", table))
        assert set(trip.entries) <= listed, f"run `python -m tests.support.trip --write` ({name})"
