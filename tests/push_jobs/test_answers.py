"""Responses to a push: the limit of leads, the location of the job, and the lifetime of an idempotency key."""

from uuid import uuid4

import pytest

from tests.harness.api import Api, run_api_with_leads


async def test_more_leads_than_the_webhooks_lifetime_limit_are_refused_with_the_count(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=0) as api:
        big = await api.host.project(api.org_id)
        await api.host.bulk_leads(big, 1)
        await api.host.connection.execute(f"INSERT INTO {api.host.name('leads')} (id, github_id, username) SELECT gen_random_uuid(), -n, 'n-' || n"
                                 " FROM generate_series(1, 50000) AS n")  # fmt: skip
        await api.host.connection.execute(
            f"INSERT INTO lead_scores (project_id, {api.host.name('lead_id')}, overall_score)"
            f" SELECT $1, id, 50 FROM {api.host.name('leads')} WHERE github_id < 0",
            big,
        )
        body = {"project_id": str(big)}
        refused = await api.call("POST", "/api/clay/push-filtered", body, status=422)
        assert (refused["code"], refused["count"], refused["limit"]) == ("too_many_leads", 50_001, 50_000)
        assert "50,001" in refused["detail"]
        assert await api.host.connection.fetchval("SELECT count(*) FROM clay.push_jobs") == 0


async def pushed_with(api: Api, key: str) -> tuple[str, str]:
    """Push and return the job of the response and its Location header."""
    body = {"lead_ids": [str(each) for each in api.lead_ids]}
    answer = await api.send("POST", "/api/clay/push", "owner", json=body, headers={"Idempotency-Key": key})
    assert answer.status_code == 202, answer.text
    return answer.json()["job_id"], answer.headers["Location"]


async def test_the_location_header_names_the_job_also_in_a_repeated_response(database_url: str) -> None:
    async with run_api_with_leads(database_url) as api:
        job_id, location = await pushed_with(api, "once")
        assert (await api.call("GET", location))["id"] == job_id
        assert await pushed_with(api, "once") == (job_id, location)


@pytest.mark.parametrize(("hours", "is_new"), [(23, False), (24, True)])
async def test_an_idempotency_key_is_valid_for_24_hours(database_url: str, hours: int, *, is_new: bool) -> None:
    async with run_api_with_leads(database_url) as api:
        first, _ = await pushed_with(api, "once")
        await api.host.connection.execute(
            "UPDATE clay.idempotency_keys SET created_at = created_at - $1 * interval '1 hour'", hours
        )
        second, _ = await pushed_with(api, "once")
        assert (second != first) == is_new
        assert await pushed_with(api, "once") == (second, f"/api/clay/jobs/{second}")


async def test_an_unknown_job_has_no_csv_file(database_url: str) -> None:
    async with run_api_with_leads(database_url, leads=1) as api:
        await api.call("GET", f"/api/clay/jobs/{uuid4()}/leads.csv", status=404)
