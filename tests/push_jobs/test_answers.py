"""Responses to a push: the limit of leads, the location of the job, and the lifetime of an idempotency key."""

from uuid import uuid4

import pytest

from tests.harness.api import Api, run_api_with_leads


async def test_more_leads_than_the_webhooks_lifetime_limit_are_refused_with_the_count(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=0) as p:
        big = await p.host.project(p.org_id)
        await p.host.bulk_leads(big, 1)
        await p.host.connection.execute(f"INSERT INTO {p.host.name('leads')} (id, github_id, username) SELECT gen_random_uuid(), -n, 'n-' || n"
                                 " FROM generate_series(1, 50000) AS n")  # fmt: skip
        await p.host.connection.execute(
            f"INSERT INTO lead_scores (project_id, {p.host.name('lead_id')}, overall_score)"
            f" SELECT $1, id, 50 FROM {p.host.name('leads')} WHERE github_id < 0",
            big,
        )
        body = {"project_id": str(big)}
        refused = await p.call("POST", "/api/clay/push-filtered", body, status=422)
        assert (refused["code"], refused["count"], refused["limit"]) == ("too_many_leads", 50_001, 50_000)
        assert "50,001" in refused["detail"]
        assert await p.host.connection.fetchval("SELECT count(*) FROM clay.push_jobs") == 0


async def pushed_with(p: Api, key: str) -> tuple[str, str]:
    """Returns the job of the response and its Location header."""
    body = {"lead_ids": [str(each) for each in p.lead_ids]}
    answer = await p.send("POST", "/api/clay/push", "owner", json=body, headers={"Idempotency-Key": key})
    assert answer.status_code == 202, answer.text
    return answer.json()["job_id"], answer.headers["Location"]


async def test_the_location_header_names_the_job_also_in_a_repeated_response(database_url: str) -> None:
    async with run_api_with_leads(database_url) as p:
        job_id, location = await pushed_with(p, "once")
        assert (await p.call("GET", location))["id"] == job_id
        assert await pushed_with(p, "once") == (job_id, location)


@pytest.mark.parametrize(("hours", "is_new"), [(23, False), (24, True)])
async def test_an_idempotency_key_is_valid_for_24_hours(database_url: str, hours: int, *, is_new: bool) -> None:
    async with run_api_with_leads(database_url) as p:
        first, _ = await pushed_with(p, "once")
        await p.host.connection.execute(
            "UPDATE clay.idempotency_keys SET created_at = created_at - $1 * interval '1 hour'", hours
        )
        second, _ = await pushed_with(p, "once")
        assert (second != first) == is_new
        assert await pushed_with(p, "once") == (second, f"/api/clay/jobs/{second}")


async def test_an_unknown_job_has_no_csv_file(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as p:
        await p.call("GET", f"/api/clay/jobs/{uuid4()}/leads.csv", status=404)
