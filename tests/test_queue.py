"""The order of wake-ups: a destination with few live push jobs goes before one with many."""

from tests.harness.installation import install

WEBHOOK = "https://api.clay.com/v3/sources/webhook/x"


async def test_the_first_push_job_of_a_destination_is_woken_before_later_jobs_of_another(database_url: str) -> None:
    async with install(database_url, leads=4) as w:
        await w.configure(WEBHOOK, rate_limit_ms=200)
        await w.configure(WEBHOOK, org_id=w.other_org_id, rate_limit_ms=200)
        many = [await w.push([lead_id]) for lead_id in w.lead_ids]
        project_id = await w.host.project(w.other_org_id)
        first = await w.push([await w.host.lead(project_id)], org_id=w.other_org_id, project_id=project_id)
        rows = await w.fetch("SELECT args ->> 'job_id' AS job_id, priority FROM clay.procrastinate_jobs ORDER BY id")
        assert [row.priority for row in rows] == [0, -1, -2, -3, 0]
        assert [row.job_id for row in rows] == [str(each.job_id) for each in (*many, first)]
