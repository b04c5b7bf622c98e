"""An organization whose values of Clay fill empty columns of NexusLeads, and a pass that writes them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clay_push_service.host_integration.attach.attachment import Level
from clay_push_service.host_integration.write_back.write_back import WriteBack
from tests.enrichment.results import Results, results

PATH = "/api/clay/enrichment/write-back"


@asynccontextmanager
async def permitted(database_url: str, leads: int = 2) -> AsyncIterator[Results]:
    """Attach with --write-enrichment, and switch write-back on for the organization."""
    async with results(database_url, leads=leads) as made:
        await made.api.host.attach(Level.READ, write_enrichment=True)
        assert (await made.api.call("PUT", PATH, {"enabled": True})) == {"enabled": True, "permitted": True}
        yield made


async def write(made: Results) -> int:
    """Run a pass as a worker does, with the rights of the running role. Returns the number of written values."""
    return await WriteBack(made.api.database, made.api.installation.host_tables).run_pass()
