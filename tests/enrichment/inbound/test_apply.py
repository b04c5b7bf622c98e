"""Results become values of the lead that they name, in any order, once; what matches nothing is kept and can be applied later."""

import asyncio
import json
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from clay_push_service.destinations.reseal import reseal
from clay_push_service.destinations.secret_box import SecretBox, generate_key
from clay_push_service.enrichment.inbound import apply
from clay_push_service.enrichment.inbound.read_result import read_result
from tests.enrichment.results import results
from tests.support.dump import dump


async def test_a_result_is_matched_by_its_delivery_and_confirms_it(database_url: str) -> None:
    async with results(database_url) as app:
        job = await app.api.push_and_drain()
        [first, second] = await app.deliveries()
        answer = await app.send({"_meta": {"Delivery-ID": str(first["id"])}, "email": "ada@example.com"})
        assert answer["known"]
        await app.apply()
        page = await app.api.call("GET", f"/api/clay/jobs/{job['id']}/leads")
        confirmed = {each["delivery_id"]: each["confirmed_at"] for each in page["leads"]}
        assert confirmed[str(first["id"])] is not None
        assert confirmed[str(second["id"])] is None
        leads = await app.api.call("GET", f"/api/clay/leads?project_id={app.api.project_id}")
        shown = {each["id"]: each["clay"]["confirmed_at"] for each in leads["leads"]}
        assert shown[str(first["contributor_id"])] == confirmed[str(first["id"])]
        assert shown[str(second["contributor_id"])] is None
        at = (await app.deliveries())[0]["confirmed_at"].isoformat()
        lead = await app.lead(first["contributor_id"])
        assert lead["badge"]["enriched"]
        csv = await app.api.get(f"/api/clay/jobs/{job['id']}/leads.csv", "owner")
        assert csv.text.splitlines()[0].endswith("confirmed_at")
        await app.verify()
        again = await app.send({"delivery_id": str(first["id"]), "phone": "+4930123456"})
        assert again["known"]
        await app.apply()
        assert (await app.deliveries())[0]["confirmed_at"].isoformat() == at
        assert await app.states() == [("applied", None)] * 2


async def test_the_delivery_has_priority_over_the_lead(database_url: str) -> None:
    async with results(database_url) as app:
        await app.api.push_and_drain()
        [first, second] = await app.deliveries()
        body = {"delivery_id": str(first["id"]), "lead_id": str(second["contributor_id"]), "email": "ada@example.com"}
        await app.send(body)
        await app.apply()
        [row] = await app.api.host.connection.fetch("SELECT lead_id FROM clay.enriched_values")
        assert row["lead_id"] == first["contributor_id"]


async def test_unmatched_results_are_kept_and_applied_later(database_url: str) -> None:
    async with results(database_url) as app:
        await app.send({"email": "ada@example.com"})
        later, foreign = uuid4(), uuid4()
        await app.send({"lead_id": str(later), "email": "ada@example.com"})
        await app.send({"delivery_id": str(foreign), "email": "eve@example.com"})
        await app.apply()
        assert await app.states() == [("unmatched", "no_id"), ("unmatched", "unknown_id"), ("unmatched", "unknown_id")]
        page = await app.api.call("GET", "/api/clay/results?state=unmatched&limit=2", who="member")
        rest = await app.api.call("GET", f"/api/clay/results?state=unmatched&limit=2&cursor={page['next_cursor']}")
        found = [*page["results"], *rest["results"]]
        assert [each["cause"] for each in found] == ["unknown_id", "unknown_id", "no_id"]
        assert [each["lead_id"] for each in found] == [None, str(later), None]
        assert found[0]["delivery_id"] == str(foreign)
        assert all(each["fields"] == ["email"] and each["explanation"] for each in found)
        result_id = found[1]["id"]
        path = f"/api/clay/results/{result_id}/apply"
        assert (await app.api.call("POST", path, who="member"))["state"] == "unmatched", "still no such lead"
        await app.api.host.lead(app.api.project_id, lead_id=later)
        applied = await app.api.call("POST", path, who="member")
        assert (applied["state"], applied["lead_id"], applied["cause"]) == ("applied", str(later), None)
        assert (await app.lead(later))["badge"]["enriched"]
        assert (await app.api.call("POST", path, status=409))["code"] == "result_applied"
        missing = await app.api.call("POST", f"/api/clay/results/{uuid4()}/apply", status=404)
        assert missing["code"] == "result_not_found"


async def test_a_result_that_matched_nothing_is_tried_again_when_it_is_sent_again(database_url: str) -> None:
    async with results(database_url) as app:
        body = {"lead_id": str(uuid4()), "email": "ada@example.com"}
        await app.send(body)
        await app.apply()
        assert await app.states() == [("unmatched", "unknown_id")]
        await app.api.host.lead(app.api.project_id, lead_id=UUID(body["lead_id"]))
        await app.send(body)
        assert await app.states() == [("stored", None)]
        await app.apply()
        assert await app.states() == [("applied", None)]


async def test_ids_of_another_organization_match_nothing_and_get_the_same_answer(database_url: str) -> None:
    async with results(database_url) as app:
        host = app.api.host
        theirs = await host.lead(await host.project(app.api.other_org_id))
        await app.api.push_and_drain()
        [first, _] = await app.deliveries()
        token = await app.api.call("POST", "/api/clay/results-tokens", status=201, who="other_owner")
        headers = {"X-Clay-Push-Token": token["token"]}
        bodies = ({"delivery_id": str(first["id"])}, {"delivery_id": str(uuid4())})
        answers = [(await app.post(body, headers, path=token["path"])).json() for body in bodies]
        assert [{**each, "result_id": None} for each in answers] == [{**answers[0], "result_id": None}] * 2
        await app.send({"lead_id": str(theirs), "email": "eve@example.com"})
        await app.apply()
        assert {state for state, _ in await app.states()} == {"unmatched"}
        assert (await app.deliveries())[0]["confirmed_at"] is None
        assert await app.api.host.connection.fetch("SELECT 1 FROM clay.enriched_values") == []
        denied = await app.api.get(f"/api/clay/leads/{theirs}/enrichment", "owner")
        assert denied.json()["code"] == "lead_not_found"


async def test_a_body_without_a_picked_column_is_refused_with_the_explanation(database_url: str) -> None:
    async with results(database_url) as app:
        answer = await app.send({"delivery_id": "/delivery_id", "email": "/Work Email"})
        assert "pick the column" in answer["message"]
        await app.send(["x"])
        await app.apply()
        assert await app.states() == [("refused", "column_not_picked"), ("refused", "not_an_object")]
        [row, _] = await app.api.host.connection.fetch("SELECT sealed_body, id FROM clay.inbound_results ORDER BY seq")
        assert row["sealed_body"] is None
        gone = await app.api.call("POST", f"/api/clay/results/{row['id']}/apply", status=409)
        assert gone["code"] == "result_not_applicable"


async def test_a_result_that_raises_an_error_does_not_stop_others(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with results(database_url) as app:
        for number in range(5):
            await app.send({"lead_id": str(app.lead_id), "industry": f"number {number}"})
        read = read_result

        def failing(body: object, *rest: object) -> object:
            if "number 2" in str(body):
                raise RuntimeError("a defect of this test")
            return read(body, *rest)  # type: ignore[arg-type]  # as it was called

        monkeypatch.setattr(apply, "read_result", failing)
        await app.apply()
        assert await app.states() == [("applied", None)] * 2 + [("unmatched", "error")] + [("applied", None)] * 2
        monkeypatch.undo()
        [row] = await app.api.host.connection.fetch("SELECT id FROM clay.inbound_results WHERE state = 'unmatched'")
        assert (await app.api.call("POST", f"/api/clay/results/{row['id']}/apply"))["state"] == "applied"


async def test_two_workers_apply_each_result_once(database_url: str) -> None:
    async with results(database_url) as app:
        for number in range(40):
            await app.send({"lead_id": str(app.api.lead_ids[number % 2]), "industry": f"number {number}"})
        assert sum(await asyncio.gather(*(app.apply() for _ in range(4)))) == 40
        assert await app.states() == [("applied", None)] * 40
        rows = await app.api.host.connection.fetch("SELECT count(*) AS values FROM clay.enriched_values")
        assert rows[0]["values"] == 40


async def test_custom_fields_are_allowed_by_an_owner(database_url: str) -> None:
    async with results(database_url) as app:
        path = "/api/clay/enrichment/custom-fields"
        assert (await app.api.call("PUT", path, {"names": ["stage"]}, status=403, who="member"))[
            "code"
        ] == "role_required"
        for bad in (["Stage"], ["email"], ["a_b", "ab"], [""], [f"x{number}" for number in range(51)]):
            await app.api.call("PUT", path, {"names": bad}, status=422)
        await app.api.call("PUT", path, {"names": ["stage", *(f"x{number}" for number in range(49))]})
        await app.result(stage="Series A", other="x")
        assert await app.current("custom.stage") == "Series A"
        assert len((await app.lead())["fields"]) == 11 + 50
        assert (await app.api.call("GET", path, who="member"))["names"][0] == "stage"
        assert "custom.stage" in json.dumps(await app.edit({"value": "Series B"}, "custom.stage"))
        assert (await app.edit({"value": "x"}, "custom.other", status=404))["code"] == "field_not_found"


async def test_a_key_that_is_missing_leaves_the_result_in_quarantine(database_url: str) -> None:
    async with results(database_url) as app:
        await app.send({"lead_id": str(app.lead_id), "email": "ada@example.com"})
        await app.api.host.connection.execute(
            "UPDATE clay.inbound_results SET sealed_body = substring(sealed_body FOR 60)"
        )
        await app.apply()
        assert await app.states() == [("unmatched", "secret_unreadable")]
        page = await app.api.call("GET", "/api/clay/results")
        assert page["results"][0]["fields"] is None


async def test_a_result_is_stored_encrypted_except_its_values(database_url: str) -> None:
    async with results(database_url) as app:
        await app.result(email="zorblatt@example.com", foo="zorblatt")
        lines = (await dump(app.api.database)).splitlines()
        assert {line.partition(":")[0] for line in lines if "zorblatt" in line} == {"enriched_values"}


async def test_a_key_rotation_encrypts_stored_results_again(database_url: str) -> None:
    async with results(database_url) as app:
        await app.send({"lead_id": str(app.lead_id), "email": "ada@example.com"})
        new = generate_key()
        both = SecretBox((SecretStr(new), *app.api.app.state.settings.encryption_keys))
        assert (await reseal(app.api.database, both)).resealed >= 1
        app.api.app.state.box = SecretBox((SecretStr(new),))
        await app.apply()
        assert await app.states() == [("applied", None)]


async def test_two_workers_quarantine_only_the_result_that_raises_an_error(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with results(database_url) as app:
        for number in range(40):
            await app.send({"lead_id": str(app.lead_id), "industry": f"number {number}"})
        read = read_result

        def failing(body: object, *rest: object) -> object:
            if any(f"number {each}0'" in str(body) for each in range(1, 4)):
                raise RuntimeError("a defect of this test")
            return read(body, *rest)  # type: ignore[arg-type]  # as it was called

        monkeypatch.setattr(apply, "read_result", failing)
        assert sum(await asyncio.gather(*(app.apply() for _ in range(4)))) == 40
        failed = [place for place, state in enumerate(await app.states()) if state == ("unmatched", "error")]
        assert failed == [10, 20, 30]
        assert (await app.states()).count(("applied", None)) == 37
