"""Query plans of claim and mark, which update each row three times during a push."""

import re
from typing import Any

import pytest
from sqlalchemy import text

from clay_push_service.database.statement import Statement
from clay_push_service.deliveries.claim import MARK_SENDING, RELEASE
from clay_push_service.deliveries.claim_turns import MARK_TURNS, RELEASE_TURNS
from tests.harness.installation import install_with_drainer

KINDS = {"ids": "uuid[]", "tokens": "uuid[]", "token": "uuid", "lease": "interval"}
VALUES = {"ids": "'{}'", "tokens": "'{}'", "token": "gen_random_uuid()", "lease": "'1 second'"}
STATEMENTS = {"mark": MARK_SENDING, "release": RELEASE, "mark of turns": MARK_TURNS, "release of turns": RELEASE_TURNS}


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS)
async def test_claimed_rows_are_found_by_id_and_not_by_an_index_of_all_claims(
    database_url: str, statement: Statement[Any]
) -> None:
    """Until VACUUM runs, the partial indexes of live deliveries still contain entries of ended ones, which makes scans slow."""
    async with install_with_drainer(database_url, leads=300) as (w, drainer, _):
        await w.push()
        await w.drain_all(drainer)
        async with w.database.transaction() as connection:
            await connection.execute(text("ANALYZE clay.clay_push_log"))
            await connection.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
            kinds, values = (
                ", ".join(KINDS[name] for name in statement.names),
                ", ".join(VALUES[name] for name in statement.names),
            )
            await connection.exec_driver_sql(f"PREPARE looked_at ({kinds}) AS {statement.sql}")
            plan = "\n".join(await connection.scalars(text(f"EXPLAIN EXECUTE looked_at ({values})")))
            await connection.exec_driver_sql("DEALLOCATE looked_at")
        assert set(re.findall(r"clay_push_log_(?!1\b)\w+", plan)) == {"clay_push_log_pk"}, plan
