"""Random actions and faults for minutes: no lead is lost, and a lead is sent again only after an uncertain attempt or a 429."""

import random
import time
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from clay_push_service.deliveries.invariants import verify
from tests.faults.chaos import Chaos, rows, settled, web_processes
from tests.faults.customers import Customer, customer
from tests.faults.random_receiver import RandomReceiver, own_thread
from tests.harness.databases import TestServer
from tests.harness.fault_run import REPORTS, FaultReport, FaultRun, run_with_faults
from tests.harness.installation import address_of
from tests.harness.nexusleads import NexusLeads

SEED = 20_261_130
MAX_OVERDUE = timedelta(seconds=30)
FAST_IN_FLIGHT = 8


async def second_project(host: NexusLeads, leads: int) -> tuple[UUID, UUID, list[UUID]]:
    """Create another organization with a project. Returns organization, project and leads."""
    org_id = await host.organization("Second")
    project_id = await host.project(org_id)
    return org_id, project_id, list(await host.bulk_leads(project_id, leads))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seconds", [15.0, pytest.param(300.0, marks=pytest.mark.faults)], ids=["short", "long"])
async def test_chaos(database_url: str, tmp_path: Path, postgres: TestServer, seconds: float) -> None:
    if postgres.embedded is None:
        pytest.skip("needs a PostgreSQL that it may crash")
    chance = random.Random(SEED)
    with (
        own_thread(RandomReceiver(SEED, throttles=(40,), delay_seconds=0.02)) as slow_clay,
        own_thread(RandomReceiver(SEED + 1, throttles=(), delay_seconds=0.2)) as fast_clay,
    ):
        hosts = (address_of(slow_clay), address_of(fast_clay))
        async with (
            run_with_faults(
                database_url, tmp_path, leads=1500, workers=2, other_hosts=hosts, watchdog_seconds=5.0,
                in_flight_per_destination=FAST_IN_FLIGHT, shutdown_grace_seconds=3.0, retry_delays_seconds=(0.1, 0.3, 1.0),
            ) as run,
            web_processes(run, 2) as (webs, urls),
        ):  # fmt: skip
            w = run.installation
            first = (w.org_id, w.project_id, list(w.lead_ids))
            paced = await customer(run, first, slow_clay, (100, 100, 150), most_pending=150, urls=urls, chance=chance)
            unpaced = await customer(
                run,
                await second_project(run.host, 1500),
                fast_clay,
                (0,),
                most_pending=600,
                urls=urls,
                chance=chance,
            )
            for actor in (paced, unpaced):
                await actor.push(size=60)
                assert actor.answers == {202: 1}
            chaos = Chaos(run, webs, (paced, unpaced), postgres.embedded, chance)
            await chaos.run(seconds)
            ended = time.monotonic()
            await settled(run, 300.0)
            await w.database.engine.dispose()  # a crash may have broken its connections
            async with w.database.transaction() as connection:
                assert await verify(connection, MAX_OVERDUE) == []
            for actor in (paced, unpaced):
                await check_deliveries(run, actor, f"chaos for {seconds:.0f} s", time.monotonic() - ended)
            assert slow_clay.most_in_a_second() <= 11, "more than 10 POSTs a second; 1 is allowed for network jitter"


async def check_deliveries(run: FaultRun, actor: Customer, fault: str, recovery_seconds: float) -> None:
    """Compare every delivery of an organization with the POSTs that its receiver got."""
    found = await rows(
        run,
        "SELECT id::text AS id, status, state, cause FROM clay.clay_push_log WHERE org_id = $1",
        actor.org_id,
    )
    posts = actor.clay.by_delivery()
    deliveries = {row["id"]: row for row in found}
    assert set(posts) <= set(deliveries), "a POST belongs to no delivery"
    lost = [row["id"] for row in found if row["state"] != "done"]
    lost += [row["id"] for row in found if row["status"] == "success" and "taken" not in posts.get(row["id"], ())]
    lost += [
        each for each, answers in posts.items()
        if "taken" in answers and not (deliveries[each]["status"] == "success" or deliveries[each]["cause"] == "unknown")
    ]  # fmt: skip
    # A lead may be sent again only after a 5xx, which is retried, and a 429, which means that Clay stored nothing.
    doubled = {each: answers for each, answers in posts.items() if not set(answers[:-1]) <= {"failed", "throttled"}}
    used = sum(row["status"] == "success" or (row["status"], row["cause"]) == ("failed", "unknown") for row in found)
    [meter] = await rows(run, QUOTA_USED, actor.org_id)
    uncertain = sum(row["cause"] == "unknown" for row in found) + sum(
        answers.count("failed") for answers in posts.values()
    )
    repeated = sum(len(answers) - 1 for answers in posts.values())
    REPORTS.append(FaultReport(fault, len(found), len(lost), repeated, uncertain, recovery_seconds))
    assert lost == []
    assert doubled == {}
    assert meter["used"] == used, "the quota meter must count the leads that Clay stored or may have stored"


QUOTA_USED = "SELECT max(used) AS used FROM clay.quota_meters WHERE org_id = $1"
