"""An erasure and the retention reach results and enriched values: a dump of the schema has neither address nor name."""

from datetime import timedelta
from uuid import UUID

from clay_push_service.privacy.retention import empty_old_jobs
from tests.enrichment.results import Results, results
from tests.support.dump import dump

EMAIL, NAME = "zoe@zorblatt.example", "Zorblatt"


async def erase(r: Results, lead_id: UUID) -> None:
    await r.api.call("POST", "/api/clay/erasures", {"lead_ids": [str(lead_id)]}, status=201)


async def traces(r: Results, lead_id: UUID) -> list[str]:
    stored = (await dump(r.api.database)).casefold()
    return [each for each in (EMAIL, NAME.casefold(), str(lead_id)) if each in stored]


async def bodies(r: Results) -> list[bool]:
    rows = await r.api.host.connection.fetch(
        "SELECT sealed_body IS NOT NULL AS kept FROM clay.inbound_results ORDER BY seq"
    )
    return [row["kept"] for row in rows]


async def test_an_erasure_leaves_no_value_no_result_and_no_body_of_the_person(database_url: str) -> None:
    async with results(database_url) as r:
        await r.api.push_and_drain()
        [first, second] = await r.deliveries()
        lead_id = first["contributor_id"]
        await r.send({"delivery_id": str(first["id"]), "email": EMAIL, "job_title": NAME})
        await r.send({"lead_id": str(lead_id), "phone": "+49301234567"})
        await r.send({"delivery_id": str(second["id"]), "company_name": NAME})
        await r.send({"email": EMAIL})
        await r.apply()
        await r.api.call("PUT", f"/api/clay/leads/{lead_id}/enrichment/email", {"value": EMAIL, "pinned": True})
        late = {"lead_id": str(lead_id), "email": EMAIL}
        await r.send({"delivery_id": str(first["id"]), "email": EMAIL, "row": "late"})
        await erase(r, lead_id)
        assert await bodies(r) == [False, False, True], "the last one waits to be applied"
        await r.send(late)
        await r.apply()
        assert await r.states() == [
            ("applied", None), ("unmatched", "no_id"), ("refused", "erased"), ("refused", "erased"),
        ]  # fmt: skip
        assert True not in await bodies(r)
        values = await r.api.host.connection.fetch("SELECT lead_id FROM clay.enriched_values")
        assert {row["lead_id"] for row in values} == {second["contributor_id"]}
        assert await traces(r, lead_id) == [NAME.casefold()], "the other lead's company, which is that lead's value"
        await erase(r, second["contributor_id"])
        assert await traces(r, lead_id) == []


async def test_retention_empties_bodies_after_30_days_and_deletes_replaced_values(database_url: str) -> None:
    async with results(database_url) as r:
        await r.result(email="old@example.com")
        await r.result(email="new@example.com", phone="")
        await r.send({"email": EMAIL})
        await r.apply()
        await r.send({"lead_id": str(r.lead_id), "industry": "x"})
        for days, kept in ((29, [True, True, True, True]), (31, [False, False, False, True])):
            await r.api.host.connection.execute(
                "UPDATE clay.inbound_results SET received_at = now() - $1::interval", timedelta(days)
            )
            await empty_old_jobs(r.api.database, 180)
            assert await bodies(r) == kept, "what is not applied is kept"
        await r.apply()
        await r.api.host.connection.execute("UPDATE clay.inbound_results SET received_at = now() - interval '181 days'")
        await r.api.host.connection.execute("UPDATE clay.enriched_values SET received_at = now() - interval '181 days'")
        await empty_old_jobs(r.api.database, 180)
        assert await r.states() == []
        rows = await r.api.host.connection.fetch("SELECT field, value FROM clay.enriched_values ORDER BY seq")
        assert [(row["field"], row["value"]) for row in rows] == [
            ("email", '"new@example.com"'),
            ("phone", None),
            ("industry", '"x"'),
        ]
        assert await r.current() == "new@example.com"
        assert (await r.field("phone"))["state"] == "not_found", "the last search stays"


async def test_a_withdrawn_edit_does_not_return_when_old_rows_go(database_url: str) -> None:
    async with results(database_url) as r:
        await r.edit({"value": "typed@example.com"})
        await r.edit({"value": None})
        await r.result(email="found@example.com")
        await r.api.host.connection.execute("UPDATE clay.enriched_values SET received_at = now() - interval '400 days'")
        await empty_old_jobs(r.api.database, 180)
        await r.result(industry="x")
        assert await r.current() == "found@example.com"
        assert (await r.field())["history_count"] == 1
