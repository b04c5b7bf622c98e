"""What is not as `attach` left it, for `doctor` and `/status`: triggers, rights, rows that lag behind. Only looks."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.automation.rule import MIN_SCORE
from clay_push_service.host.tables import HostTables, SettingsAccess
from clay_push_service.host_integration.attach.attachment import Level, read_attachment
from clay_push_service.host_integration.attach.grants import missing_grants, needed
from clay_push_service.host_integration.attach.host_schema import JOBS, quoted, read_host_schema
from clay_push_service.host_integration.attach.plan import CONFIG, find_ours
from clay_push_service.host_integration.attach.settings_function import SIGNATURE, table_grants
from clay_push_service.host_integration.attach.triggers import TRIGGERS

BEHIND_SECONDS = 60

ROLE = text("SELECT current_user::text")
BEHIND = text(f"""
SELECT count(*) FROM clay.push_jobs AS job LEFT JOIN clay.mirror ON mirror.job_id = job.id
WHERE job.finished_at < now() - interval '{BEHIND_SECONDS} seconds' AND job.created_at > now() - interval '7 days'
  AND mirror.settled_at IS NULL
""")
UNTAKEN = text(f"""
SELECT count(*) FROM clay.inbox WHERE done_at IS NULL AND taken_at < now() - interval '{BEHIND_SECONDS} seconds'
""")
SCANS_WAITING = text(f"""
SELECT count(*) FROM clay.finished_scans
WHERE done_at IS NULL AND finished_at < now() - interval '{BEHIND_SECONDS} seconds'
""")

# A release before this one wrote fractions there; NexusLeads' API reads an integer and answers 500.
FRACTIONS = "SELECT count(*) FROM {projects} WHERE {column} <> trunc({column})"


async def find_drift(connection: AsyncConnection, tables: HostTables) -> tuple[Level | None, Sequence[str]]:
    """The level, and a sentence for each thing that `clay-push attach` (or a worker) would put right. As the running role."""
    standing = await read_attachment(connection)
    if standing is None:
        return None, ()
    said = []
    found = await find_ours(connection, tables.schema)
    for trigger in TRIGGERS:
        # Without its function it was left out on purpose (--without-trigger), but the inbox is nothing without its own.
        expected = trigger.name in found.functions or trigger.level is standing.level is Level.INBOX
        if expected and not found.triggers.get(trigger.name):
            said.append(f"trigger {trigger.name} on {tables.schema}.{JOBS} is missing or disabled")
        if trigger.name in found.functions and found.functions[trigger.name] != (trigger.body, True, CONFIG):
            said.append(f"function clay.{trigger.name} is not that of this release")
    role = (await connection.execute(ROLE)).scalar_one()
    said += [
        f"role {role} may read every service's keys in {tables.schema}.{grant.table}, which it no longer needs"
        for grant in await table_grants(connection, tables, role)
    ]
    if tables.has("projects", MIN_SCORE):
        name = f"{quoted(tables.schema)}.{quoted(tables.host_name('projects'))}"
        fractions = text(FRACTIONS.format(projects=name, column=quoted(tables.host_name(MIN_SCORE))))
        if found_fractions := (await connection.execute(fractions)).scalar_one():
            said.append(
                f"{found_fractions:,} projects have a fraction in {MIN_SCORE}, which NexusLeads' project pages cannot show:"
                " save their auto-export rule again"
            )
    if standing.level.mirrors and (behind := (await connection.execute(BEHIND)).scalar_one()):
        said.append(f"{behind:,} ended push jobs are not yet shown as ended on NexusLeads' Jobs page")
    if untaken := (await connection.execute(UNTAKEN)).scalar_one():
        said.append(f"{untaken:,} pushes that NexusLeads queued have not been dealt with for over a minute")
    if waiting := (await connection.execute(SCANS_WAITING)).scalar_one():
        said.append(f"{waiting:,} finished scans have not run their auto-export rule for over a minute")
    return standing.level, said


async def find_missing_rights(connection: AsyncConnection, tables: HostTables) -> Sequence[str]:
    """A sentence for each right that the running role needs at the level of the attachment and lacks. As that role."""
    standing = await read_attachment(connection)
    if standing is None:
        return ()
    host_schema = await read_host_schema(connection, tables)
    role = (await connection.execute(ROLE)).scalar_one()
    lacking = await missing_grants(connection, tables.schema, role, needed(tables, host_schema, standing.level))
    sentences = [
        f"role {role} may not {grant.privilege} {', '.join(grant.columns)} of {tables.schema}.{grant.table}"
        for grant in lacking
    ]
    if tables.settings is SettingsAccess.NONE and tables.has("org_settings"):
        sentences.append(f"role {role} may not call function {SIGNATURE}, which reads the settings about Clay")
    return sentences
