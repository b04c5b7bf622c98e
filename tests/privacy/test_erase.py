"""Erasure: queued leads are not sent, personal data is deleted, the person is not pushed again, and the receipt lists sent deliveries."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from clay_push_service.callers.actor import Actor
from clay_push_service.callers.caller import Scope
from clay_push_service.clay.outcome import Outcome, Verdict
from clay_push_service.deliveries.claim import claim, mark_sending
from clay_push_service.deliveries.invariants import verify
from clay_push_service.deliveries.results import Result, record
from clay_push_service.privacy.erase import ErasedId, erase
from clay_push_service.privacy.receipt import Receipt, SentState, read_receipt
from clay_push_service.push_jobs.retry import retry
from clay_push_service.push_jobs.schemas import RetryBody
from tests.harness.api import Api
from tests.harness.installation import Installation, install, install_with_drainer
from tests.support.dump import dump
from tests.support.receiver import OK, Receiver, Reset, status

WEBHOOK = "https://api.clay.com/v3/sources/webhook/x"


async def erase_leads(installation: Installation, *lead_ids: UUID) -> Receipt:
    async with installation.database.transaction() as connection:
        tables = await installation.host_tables.tables(connection)
        erasure_id, people = await erase(connection, tables, installation.org_id, "user:owner", lead_ids)
        return await read_receipt(
            connection, installation.org_id, erasure_id, {person.reference: person.lead_id for person in people}
        )


async def test_queued_deliveries_of_the_person_end_and_others_continue(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=6) as (installation, drainer, clay):
        accepted = await installation.push()
        receipt = await erase_leads(installation, *installation.lead_ids[:2])
        assert (receipt.lead_count, receipt.stopped_count, receipt.emptied_count) == (2, 2, 2)
        assert [lead.gone_to_clay for lead in receipt.leads] == [[], []]
        await installation.drain_all(drainer)
        job = await installation.job(accepted.job_id)
        assert (job.status, job.success_count, job.skipped_count) == ("completed", 4, 2)
        assert set(clay.leads) == {str(lead) for lead in installation.lead_ids[2:]}
        assert [row.cause for row in await installation.deliveries(accepted.job_id) if row.status == "skipped"] == [
            "erased"
        ] * 2


async def test_a_push_job_with_only_this_person_ends(database_url: str) -> None:
    async with install(database_url, leads=1) as installation:
        await installation.configure(WEBHOOK)
        accepted = await installation.push()
        await erase_leads(installation, *installation.lead_ids)
        assert (await installation.job(accepted.job_id)).status == "completed"


async def test_no_stored_copy_identifies_the_person(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: status(422) if number == 0 else OK)
    async with install_with_drainer(database_url, clay, leads=3) as (installation, drainer, _):
        accepted = await installation.push(installation.lead_ids[:1])
        await installation.drain_all(drainer)
        await installation.push(installation.lead_ids, again=True)
        await installation.drain_all(drainer)
        [row] = await installation.deliveries(accepted.job_id)
        await installation.fetch(
            "UPDATE clay.push_jobs SET filters = jsonb_build_object('search', upper(:name), 'min_score', 3) WHERE id = :id",
            name=row.username, id=accepted.job_id,
        )  # fmt: skip
        await installation.fetch(
            "INSERT INTO clay.inbox (host_job_id, project_id, metadata) VALUES (gen_random_uuid(), :project, CAST(:report AS jsonb))",
            project=installation.project_id, report=f'{{"lead_ids": ["{installation.lead_ids[0]}", "{installation.lead_ids[1]}"]}}',
        )  # fmt: skip
        for value in (
            str(installation.lead_ids[0]),
            row.username,
            row.full_name,
            row.payload_hash.hex() if row.payload_hash else row.username,
        ):
            assert value in await dump(installation.database)
        await erase_leads(installation, installation.lead_ids[0])
        left = await dump(installation.database)
        for value in (
            str(installation.lead_ids[0]),
            row.username,
            row.username.upper(),
            row.full_name,
            installation.lead_ids[0].hex,
        ):
            assert value not in left
        assert str(installation.lead_ids[1]) in left
        assert (await installation.job(accepted.job_id)).filters == {"min_score": 3}
        [emptied] = await installation.deliveries(accepted.job_id)
        assert (emptied.status, emptied.cause, emptied.error_message) == ("failed", "rejected", None)


async def test_a_push_of_the_same_person_by_another_organization_is_unchanged(database_url: str) -> None:
    """The host assigns the ids of people, so two organizations may have the same person. Each erases only its own data."""
    async with install(database_url, leads=2) as installation:
        entry = (
            "INSERT INTO clay.inbox (host_job_id, project_id, metadata) VALUES (:id, :project, CAST(:report AS jsonb))"
        )
        report = {"lead_ids": [str(each) for each in installation.lead_ids]}
        ours, theirs, with_org, others_org = (uuid4() for _ in range(4))
        await installation.fetch(entry, id=ours, project=installation.project_id, report=json.dumps(report))
        await installation.fetch(
            entry, id=theirs, project=uuid4(), report=json.dumps({**report, "org_id": str(installation.org_id)})
        )
        await installation.fetch(
            entry, id=with_org, project=None, report=json.dumps({**report, "org_id": str(installation.org_id)})
        )
        await installation.fetch(
            entry, id=others_org, project=None, report=json.dumps({**report, "org_id": str(uuid4())})
        )
        await erase_leads(installation, installation.lead_ids[0])
        left = {
            row.host_job_id: row.leads
            for row in await installation.fetch(
                "SELECT host_job_id, jsonb_array_length(metadata -> 'lead_ids') AS leads FROM clay.inbox"
            )
        }
        assert left == {ours: 1, theirs: 2, with_org: 1, others_org: 2}


async def test_the_hash_of_a_lead_erased_during_its_send_is_not_stored_again(database_url: str) -> None:
    async with install(database_url, leads=1) as installation:
        version_id = await installation.configure("https://api.clay.com/v3/sources/webhook/x")
        job_id, token = (await installation.push()).job_id, uuid4()
        async with installation.database.driver() as connection:
            [claimed] = await claim(connection, job_id, token, 1, timedelta(seconds=30))
        async with installation.database.driver() as connection:
            await mark_sending(connection, token, [claimed.delivery_id], timedelta(seconds=30))
        await erase_leads(installation, installation.lead_ids[0])
        taken = Outcome(Verdict.SUCCESS, status=200, resets_streaks=True, submissions=1)
        async with installation.database.transaction() as connection:
            result = Result(claimed.delivery_id, job_id, version_id, token, taken, payload_hash=b"x" * 32)
            await record(connection, [result], 30.0)
        [row] = await installation.deliveries(job_id)
        assert (row.status, row.payload_hash) == ("success", None)


async def skipped(installation: Installation, job_id: UUID) -> list[Any]:
    return await installation.fetch(
        "SELECT contributor_id, cause FROM clay.clay_push_log WHERE job_id = :id AND status = 'skipped'", id=job_id
    )


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("by_id", [False, True])
async def test_an_erased_person_is_not_pushed_again(database_url: str, again: bool, by_id: bool) -> None:
    async with install_with_drainer(database_url, leads=3) as (installation, drainer, clay):
        await erase_leads(installation, installation.lead_ids[1], uuid4())
        accepted = await installation.push(installation.lead_ids if by_id else None, again=again)
        assert (accepted.lead_count, accepted.skipped_count) == (3, 1)
        [row] = await skipped(installation, accepted.job_id)
        assert row.cause == "erased"
        assert row.contributor_id not in installation.lead_ids
        [name] = await installation.fetch(
            f"SELECT username, full_name FROM public.{installation.name('leads')} WHERE id = :id",
            id=installation.lead_ids[1],
        )
        stored = await dump(installation.database)
        for value in (str(installation.lead_ids[1]), name.username, name.full_name):
            assert f"{value}," not in stored, "the push job must not contain the person, even as skipped"
        await installation.drain_all(drainer)
        assert str(installation.lead_ids[1]) not in clay.leads
        assert len(clay.posts) == 2


async def test_the_remaining_rows_satisfy_the_invariants(database_url: str) -> None:
    async with install_with_drainer(database_url, leads=4) as (installation, drainer, _):
        await installation.push(installation.lead_ids[:3])
        await installation.drain_all(drainer)
        await installation.push(installation.lead_ids, again=True)
        await erase_leads(installation, *installation.lead_ids)
        await installation.push(again=True)
        await installation.drain_all(drainer)
        async with installation.database.transaction() as connection:
            assert await verify(connection, timedelta(minutes=5)) == []


async def test_rows_of_another_organization_are_unchanged(database_url: str) -> None:
    async with install(database_url, leads=2) as installation:
        await installation.configure(WEBHOOK)
        async with installation.database.transaction() as connection:
            await erase(
                connection,
                await installation.host_tables.tables(connection),
                uuid4(),
                "user:other_owner",
                installation.lead_ids,
            )
        assert (await installation.push()).skipped_count == 0


async def test_a_retry_of_an_old_job_does_not_send_an_erased_person(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: status(422) if number < 2 else OK)
    async with install_with_drainer(database_url, clay, leads=2) as (installation, drainer, _):
        accepted = await installation.push()
        await installation.drain_all(drainer)
        await erase_leads(installation, installation.lead_ids[0])
        async with installation.database.transaction() as connection:
            tables = await installation.host_tables.tables(connection)
            again = await retry(
                connection, tables, Actor(installation.org_id, "user:test"), accepted.job_id, RetryBody()
            )
        assert (again.lead_count, again.skipped_count) == (2, 1)
        await installation.drain_all(drainer)
        assert clay.leads == {str(installation.lead_ids[0]): 1, str(installation.lead_ids[1]): 2}


async def test_an_in_flight_delivery_is_recorded_and_not_retried(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: status(503) if number == 0 else OK, delay_seconds=0.3)
    async with install_with_drainer(database_url, clay, leads=1, retry_delays_seconds=(0.3, 0.3, 0.3)) as (
        installation,
        drainer,
        _,
    ):
        accepted = await installation.push()
        draining_it = asyncio.create_task(installation.drain_all(drainer))
        await clay.until(1)
        receipt = await erase_leads(installation, installation.lead_ids[0])
        [[row]] = [lead.gone_to_clay for lead in receipt.leads]
        assert (row.gone, row.at, str(row.delivery_id)) == (SentState.IN_FLIGHT, None, clay.posts[0].delivery_id)
        await draining_it
        assert len(clay.posts) == 1
        [ended] = await installation.deliveries(accepted.job_id)
        assert (ended.status, ended.cause, ended.username) == ("failed", "lead_gone", None)


async def test_the_receipt_lists_sent_deliveries_and_is_later_shown_without_ids(database_url: str) -> None:
    clay = Receiver(answer=lambda number, _body: Reset() if number == 1 else OK)
    async with install_with_drainer(database_url, clay, leads=1) as (installation, drainer, _):
        await installation.push()
        await installation.drain_all(drainer)
        await installation.push(again=True)
        await installation.drain_all(drainer)
        first = await erase_leads(installation, installation.lead_ids[0])
        [lead] = first.leads
        assert lead.lead_id == installation.lead_ids[0]
        assert [row.gone for row in lead.gone_to_clay] == [SentState.TAKEN, SentState.MAYBE]
        assert [str(row.delivery_id) for row in lead.gone_to_clay] == [post.delivery_id for post in clay.posts]
        assert {row.table_name for row in lead.gone_to_clay} == {"Leads"}
        second = await erase_leads(installation, installation.lead_ids[0])
        assert (second.stopped_count, second.emptied_count) == (0, 0)
        assert [each.gone_to_clay for each in second.leads] == [lead.gone_to_clay]
        async with installation.database.transaction() as connection:
            again = await read_receipt(connection, installation.org_id, first.id)
        assert again.leads[0].lead_id is None
        assert again.leads[0].gone_to_clay == lead.gone_to_clay


async def test_a_push_that_is_accepted_during_the_erasure_queues_nothing_of_the_person(database_url: str) -> None:
    """The erasure waits for the commit of the push, or the push waits for the erasure."""
    async with install(database_url, leads=8) as installation:
        await installation.configure(WEBHOOK)

        async def push() -> None:
            await installation.push()

        for _ in range(5):
            await installation.fetch("DELETE FROM clay.clay_push_log")
            await installation.fetch("DELETE FROM clay.erased_leads")
            await asyncio.gather(push(), erase_leads(installation, *installation.lead_ids[:4]), push())
            live = await installation.fetch("SELECT contributor_id FROM clay.clay_push_log WHERE state <> 'done'")
            assert {row.contributor_id for row in live} == set(installation.lead_ids[4:])


def test_the_reference_of_an_erased_person_requires_the_salt() -> None:
    lead = uuid4()
    one, other = ErasedId.of(b"a" * 32, lead), ErasedId.of(b"b" * 32, lead)
    assert one == ErasedId.of(b"a" * 32, lead)
    assert one.hash != other.hash
    assert one.reference != other.reference != lead


async def test_only_owners_and_keys_with_scope_erase_may_erase(app_client: Api) -> None:
    body = {"lead_ids": [str(uuid4())]}
    path = "/api/clay/erasures"
    for who in ("admin", "member"):
        assert (await app_client.send("POST", path, who, json=body)).json()["code"] == "role_required"
    limited = await app_client.key(Scope.PUSH, Scope.READ, Scope.CONFIG)
    assert (await app_client.send("POST", path, limited, json=body)).json()["code"] == "scope_required"
    for who in ("owner", await app_client.key(Scope.ERASE)):
        answer = await app_client.send("POST", path, who, json=body)
        assert answer.status_code == 201, answer.text
        again = await app_client.get(answer.headers["location"], who)
        assert again.json()["lead_count"] == 1
        other = await app_client.get(answer.headers["location"], "other_owner")
        assert (other.status_code, other.json()["code"]) == (404, "erasure_not_found")


@pytest.mark.parametrize(
    "body", [{}, {"lead_ids": []}, {"lead_id": "x"}, {"lead_ids": [str(uuid4())] * 1001}, {"who": 1}]
)
async def test_invalid_bodies_are_refused(app_client: Api, body: dict[str, object]) -> None:
    assert (await app_client.send("POST", "/api/clay/erasures", "owner", json=body)).status_code == 422
