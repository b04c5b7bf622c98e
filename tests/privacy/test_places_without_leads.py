"""Audit log, queue, mirror and idempotency keys never contain values of a lead."""

import unicodedata

from clay_push_service.host_integration.attach.attachment import Level
from clay_push_service.host_integration.mirror.mirror import Mirror
from tests.harness.api import run_api_with_leads
from tests.harness.attached import install_attached
from tests.support.dump import dump

EMAIL, NAME, COMPANY = "zoe@zorblatt.example", "Zoë Zorblatt", "Zorblatt Labs"
KEY = f"push-of-{EMAIL}"
PLACES = ("audit_log", "procrastinate_jobs", "procrastinate_events", "idempotency_keys")


def contained(stored: str, *values: str) -> list[str]:
    plain = unicodedata.normalize("NFC", stored).casefold()
    return [value for value in values if value.casefold() in plain]


def places(stored: str) -> str:
    return "\n".join(line for line in stored.splitlines() if line.startswith(PLACES))


async def test_names_in_requests_are_not_stored_in_audit_log_queue_or_idempotency_keys(
    database_url: str,
) -> None:
    async with run_api_with_leads(database_url, leads=2) as api:
        await api.host.connection.execute(
            f"UPDATE {api.host.name('leads')} SET full_name = $1, email = $2, company = $3 WHERE id = $4",
            NAME, EMAIL, COMPANY, api.lead_ids[0],
        )  # fmt: skip
        body = {"project_id": str(api.project_id), "filters": {"search": EMAIL, "companies": [COMPANY]}}

        async def pushed() -> str:
            answer = await api.send(
                "POST", "/api/clay/push-filtered", "owner", json=body, headers={"Idempotency-Key": KEY}
            )
            assert answer.status_code == 202, answer.text
            return str(answer.json()["job_id"])

        job_id = await pushed()
        queued = await dump(api.database)
        assert contained(queued, EMAIL, COMPANY) == [EMAIL, COMPANY], "the push job keeps its filters until the erasure"
        assert contained(places(queued), NAME, COMPANY, str(api.lead_ids[0])) == []
        await api.drain()
        await api.call("POST", "/api/clay/preview", body)
        await api.queue(api.lead_ids, push_again=True)
        await api.call("POST", f"/api/clay/jobs/{job_id}/retry", {"lead_ids": [str(api.lead_ids[0])]}, status=404)
        await api.call("POST", "/api/clay/erasures", {"lead_ids": [str(api.lead_ids[0])]})
        assert contained(await dump(api.database), EMAIL, NAME, COMPANY, str(api.lead_ids[0])) == []
        assert await pushed() == job_id, "the idempotency key must still return the first response"


async def test_rows_of_the_mirror_contain_no_names_of_leads(database_url: str) -> None:
    async with install_attached(database_url, Level.MIRROR, leads=3) as attached:
        lead_id = attached.installation.lead_ids[0]
        await attached.host.connection.execute(
            f"UPDATE {attached.installation.name('leads')} SET full_name = $1, email = $2, company = $3 WHERE id = $4",
            NAME, EMAIL, COMPANY, lead_id,
        )  # fmt: skip
        job_id = await attached.push_all([lead_id])
        await attached.installation.fetch(
            "UPDATE clay.push_jobs SET filters = jsonb_build_object('search', CAST(:report AS text)) WHERE id = :id",
            report=EMAIL, id=job_id,
        )  # fmt: skip
        await Mirror(attached.installation.database, attached.installation.host_tables).run_pass()
        rows = await attached.host.connection.fetch(
            "SELECT CAST(j AS text) FROM sourcing_jobs AS j UNION ALL SELECT CAST(p AS text) FROM job_progress AS p"
        )
        assert len(rows) == 4
        assert contained(str(rows), EMAIL, NAME, COMPANY, str(lead_id)) == []
