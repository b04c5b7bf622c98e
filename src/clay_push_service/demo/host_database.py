"""Creates and fills the demo's NexusLeads tables at the first run, in one transaction; later runs only read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from clay_push_service.demo.home import DemoError, DemoHome
from clay_push_service.demo.sample_leads import load_samples
from clay_push_service.host.columns import Vintage, name_in
from clay_push_service.local_database.nexusleads_tables import create_schema

ORGANIZATION = "acme"
OWNER = "acme-owner"
SEED = 7


@dataclass(frozen=True, slots=True)
class DemoProject:
    org_id: UUID
    project_id: UUID
    organization: str
    name: str
    lead_ids: Sequence[UUID]
    vintage: Vintage
    all_leads: int
    """Number of leads in both projects."""
    is_new: bool


async def prepare(url: str, vintage_option: str | None, home: DemoHome) -> DemoProject:
    """Raises DemoError if the existing database has another vintage than the option."""
    connection = await asyncpg.connect(url)
    try:
        vintage = await _vintage(connection)
        wanted = _parse_vintage(vintage_option) if vintage_option else vintage or Vintage.TODAY
        if vintage is not None and vintage is not wanted:
            raise DemoError(
                f"The demo's database has vintage {vintage}. Use another directory for {wanted} "
                f"(make demo DEMO_ARGS='--vintage {wanted} --directory .data/{wanted}'), or delete this one: rm -rf {home.directory}"
            )
        if vintage is None:
            async with connection.transaction():  # all or nothing
                await create_schema(connection, wanted)
                await load_samples(connection, wanted, SEED)
            await connection.execute("ANALYZE")
        row = await connection.fetchrow(
            "SELECT org.id AS org_id, org.name AS organization, project.id, project.name FROM public.projects AS project "
            "JOIN public.organizations AS org ON org.id = project.org_id WHERE org.slug = $1",
            ORGANIZATION,
        )
        if row is None:
            raise DemoError(
                f"The demo's database contains other data. Delete it and run the demo again: rm -rf {home.directory}"
            )
        lead_id = name_in("lead_id", wanted)
        leads = await connection.fetch(f"SELECT {lead_id} AS lead_id, project_id FROM public.lead_scores")
        ids = [lead["lead_id"] for lead in leads if lead["project_id"] == row["id"]]
        return DemoProject(
            row["org_id"], row["id"], row["organization"], row["name"], ids, wanted, len(leads), is_new=vintage is None
        )
    finally:
        await connection.close()


async def _vintage(connection: asyncpg.Connection) -> Vintage | None:
    for vintage in Vintage:
        if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f"public.{name_in('leads', vintage)}"):
            return vintage
    return None


def _parse_vintage(option: str) -> Vintage:
    try:
        return Vintage(option)
    except ValueError:
        raise DemoError(f"Unknown vintage {option!r}. The vintages are {' and '.join(Vintage)}.") from None
