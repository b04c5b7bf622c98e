"""Idempotency keys in the database: one request at a time, separate for each organization, replaced after a day."""

from uuid import uuid4

import pytest
from sqlalchemy import text

from clay_push_service.database.database import Database
from clay_push_service.errors import ConflictError, InvalidError
from clay_push_service.push_jobs.idempotency import StoredResponse, find_response, store_response

FIRST, SECOND = (
    StoredResponse(202, {"job_id": "first"}, "/api/clay/jobs/first"),
    StoredResponse(202, {"job_id": "second"}, None),
)
HASH, OTHER_HASH = b"\x01" * 32, b"\x02" * 32


async def test_while_the_first_request_runs_a_second_with_its_key_is_refused(database: Database) -> None:
    org_id = uuid4()
    async with database.transaction() as first, database.transaction() as second:
        assert await find_response(first, org_id, "once", HASH) is None
        with pytest.raises(ConflictError) as refused:
            await find_response(second, org_id, "once", HASH)
        assert refused.value.code == "idempotency_key_in_use"
        assert refused.value.headers == {"Retry-After": "1"}
        assert await find_response(second, org_id, "another", HASH) is None
        assert await find_response(second, uuid4(), "once", HASH) is None, (
            "the same key of another organization must not be refused"
        )


async def test_keys_are_separate_for_each_organization(database: Database) -> None:
    mine, theirs = uuid4(), uuid4()
    async with database.transaction() as connection:
        await store_response(connection, mine, "once", HASH, FIRST)
    async with database.transaction() as connection:
        assert await find_response(connection, mine, "once", HASH) == FIRST
        assert await find_response(connection, theirs, "once", OTHER_HASH) is None


async def test_another_request_with_the_same_key_is_refused(database: Database) -> None:
    org_id = uuid4()
    async with database.transaction() as connection:
        await store_response(connection, org_id, "once", HASH, FIRST)
        with pytest.raises(InvalidError) as refused:
            await find_response(connection, org_id, "once", OTHER_HASH)
        assert refused.value.code == "idempotency_key_reused"


async def test_a_key_can_be_used_again_after_a_day(database: Database) -> None:
    org_id = uuid4()
    async with database.transaction() as connection:
        await store_response(connection, org_id, "once", HASH, FIRST)
        await connection.execute(text("UPDATE clay.idempotency_keys SET created_at = now() - interval '25 hours'"))
        assert await find_response(connection, org_id, "once", OTHER_HASH) is None
        await store_response(connection, org_id, "once", OTHER_HASH, SECOND)
        assert await find_response(connection, org_id, "once", OTHER_HASH) == SECOND
