"""Finds drift from what `attach` created: triggers, functions, rights, host rows that lag behind. Read-only."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.automation.rule import MIN_SCORE
from clay_push_service.database.statement import Statement
from clay_push_service.host.missing import ROLE
from clay_push_service.host.tables import HostTables, SettingsAccess
from clay_push_service.host_integration.attach.attachment import Level, read_attachment
from clay_push_service.host_integration.attach.found_triggers import CONFIG, find_triggers
from clay_push_service.host_integration.attach.grants import missing_grants, needed_grants
from clay_push_service.host_integration.attach.host_schema import JOBS, quoted, read_host_schema
from clay_push_service.host_integration.attach.settings_function import SIGNATURE, table_grants
from clay_push_service.host_integration.attach.triggers import TRIGGERS

BEHIND_SECONDS = 60

BEHIND = Statement(
    f"""
SELECT count(*) FROM clay.push_jobs AS job LEFT JOIN clay.mirror ON mirror.job_id = job.id
WHERE job.finished_at < now() - interval '{BEHIND_SECONDS} seconds' AND job.created_at > now() - interval '7 days'
  AND mirror.settled_at IS NULL
""",
    int,
)
COUNT_UNACCEPTED = Statement(
    f"""
SELECT count(*) FROM clay.inbox WHERE done_at IS NULL AND taken_at < now() - interval '{BEHIND_SECONDS} seconds'
""",
    int,
)
SCANS_WAITING = Statement(
    f"""
SELECT count(*) FROM clay.finished_scans
WHERE done_at IS NULL AND finished_at < now() - interval '{BEHIND_SECONDS} seconds'
""",
    int,
)

# Earlier releases wrote fractions there; NexusLeads' API expects an integer and returns 500.
FRACTIONS = "SELECT count(*) FROM {projects} WHERE {column} <> trunc({column})"


async def find_drift(connection: AsyncConnection, tables: HostTables) -> tuple[Level | None, Sequence[str]]:
    """Returns the level, and a sentence for each difference that `clay-push attach` or a worker repairs. Runs as the running role."""
    attachment = await read_attachment(connection)
    if attachment is None:
        return None, ()
    drift = []
    found = await find_triggers(connection, tables.schema)
    for trigger in TRIGGERS:
        # A trigger without its function was omitted on purpose (--without-trigger), but the inbox requires its own.
        expected = trigger.name in found.functions or trigger.level is attachment.level is Level.INBOX
        if expected and not found.triggers.get(trigger.name):
            drift.append(f"trigger {trigger.name} on {tables.schema}.{JOBS} is missing or disabled")
        if trigger.name in found.functions and found.functions[trigger.name] != (trigger.body, True, CONFIG):
            drift.append(f"function clay.{trigger.name} differs from this release")
    role = await ROLE.one(connection)
    drift += [
        f"role {role} may read the keys of all services in {tables.schema}.{grant.table}, a right that it no longer needs"
        for grant in await table_grants(connection, tables, role)
    ]
    if tables.has("projects", MIN_SCORE):
        name = f"{quoted(tables.schema)}.{quoted(tables.host_name('projects'))}"
        fractions = FRACTIONS.format(projects=name, column=quoted(tables.host_name(MIN_SCORE)))
        if found_fractions := await Statement(fractions, int).one(connection):
            drift.append(
                f"{found_fractions:,} projects have a fraction in {MIN_SCORE}, which NexusLeads' project pages cannot show:"
                " save their auto-export rule again"
            )
    if attachment.level.mirrors and (behind := await BEHIND.one(connection)):
        drift.append(f"{behind:,} finished push jobs are not yet shown as finished on NexusLeads' Jobs page")
    if untaken := await COUNT_UNACCEPTED.one(connection):
        drift.append(f"{untaken:,} pushes that NexusLeads queued have not been processed for over a minute")
    if waiting := await SCANS_WAITING.one(connection):
        drift.append(f"{waiting:,} finished scans have not run their auto-export rule for over a minute")
    return attachment.level, drift


async def find_missing_rights(connection: AsyncConnection, tables: HostTables) -> Sequence[str]:
    """Returns a sentence for each right that the running role needs at the attachment's level and lacks. Runs as that role."""
    attachment = await read_attachment(connection)
    if attachment is None:
        return ()
    host_schema = await read_host_schema(connection, tables)
    role = await ROLE.one(connection)
    lacking = await missing_grants(
        connection,
        tables.schema,
        role,
        needed_grants(tables, host_schema, attachment.level, write_enrichment=attachment.writes_enrichment),
    )
    sentences = [
        f"role {role} may not {grant.privilege} {', '.join(grant.columns)} of {tables.schema}.{grant.table}"
        for grant in lacking
    ]
    if tables.settings is SettingsAccess.NONE and tables.has("org_settings"):
        sentences.append(f"role {role} may not call function {SIGNATURE}, which reads the settings for Clay")
    return sentences
