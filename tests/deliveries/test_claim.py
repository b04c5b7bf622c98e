"""Query plans of claim and mark, which update each row three times during a push."""

import re
from typing import Any

import pytest

from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.claim import MARK_SENDING, RELEASE
from clay_push_service.deliveries.claim_turns import CLAIM_TURNS, MARK_TURNS, RELEASE_TURNS
from clay_push_service.destinations.quota import ADD_BY_VERSION
from clay_push_service.destinations.serving import RELEASE_WORKSPACES, RENEW
from clay_push_service.destinations.slots import LOCK_SERVED
from tests.harness.installation import install_with_drainer
from tests.support.plans import generic_plan

STATEMENTS = {"mark": MARK_SENDING, "release": RELEASE, "mark of turns": MARK_TURNS, "release of turns": RELEASE_TURNS}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
async def test_claimed_rows_are_found_by_id_and_not_by_an_index_of_all_claims(
    database_url: str, statement: Statement[Any]
) -> None:
    """Until VACUUM runs, the partial indexes of live deliveries still contain entries of ended ones, which makes scans slow."""
    async with install_with_drainer(database_url, leads=300) as (w, drainer, _):
        await w.push()
        await w.drain_all(drainer)
        async with w.database.driver() as connection:
            await connection.execute("ANALYZE clay.clay_push_log")
            plan = await generic_plan(connection, statement)
        assert set(re.findall(r"clay_push_log_(?!1\b)\w+", plan)) == {"clay_push_log_pk"}, plan


@pytest.mark.parametrize(
    "statement", [CLAIM_TURNS, MARK_TURNS, RELEASE_TURNS, LOCK_SERVED, RENEW, RELEASE_WORKSPACES, ADD_BY_VERSION],
    ids=["claim", "mark", "release", "reserve", "renew", "release", "quota"],
)  # fmt: skip
async def test_no_statement_for_many_workspaces_compares_each_row_with_each(
    database_url: str, statement: Statement[Any]
) -> None:
    """Of 700 workspaces a nested loop without an index compares 490,000 pairs, which takes 50 ms."""
    async with install_with_drainer(database_url) as (w, _, _), w.database.driver() as connection:
        plan = await generic_plan(connection, statement)
        assert "Join Filter" not in plan, plan
