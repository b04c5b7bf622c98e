"""Rewords the comments of tables and columns in plain English. The schema itself is unchanged."""

from alembic import op

revision = "0015"
down_revision = "0014"

COMMENTS = {
    "TABLE clay.attachment": (
        "How closely we are attached to NexusLeads; no row: not at all",
        "The level at which this service is attached to NexusLeads; no row: not attached",
    ),
    "TABLE clay.auto_export_rules": (
        "Rules of projects whose host has no columns for them, or lets us not write them",
        "Rules of projects whose host table has no columns for them, or whose columns this service may not write",
    ),
    "COLUMN clay.auto_export_rules.host_rule": (
        "What the host's columns said when this was written: once they say something else, they rule",
        "The host's columns when this row was written; if they have changed since, the host's rule applies",
    ),
    "TABLE clay.auto_export_runs": (
        "A scan exports once: its first result is answered again",
        "One run per scan; a repeated request returns the stored result",
    ),
    "TABLE clay.clay_push_log": (
        "Deliveries: one lead of one push job. The only record of what Clay took",
        "Deliveries: one lead of one push job. The only record of what Clay accepted",
    ),
    "COLUMN clay.clay_push_log.uncertain_attempts": (
        "Attempts without an answer or with a 5xx: Clay may hold a row of each. Only grows",
        "Attempts without a response or with a 5xx: Clay may have a row for each. Never decreases",
    ),
    "TABLE clay.destination_versions": (
        "A webhook as it was set once, sealed; jobs name a version, never a URL",
        "One saved webhook, encrypted; push jobs refer to a version, never to a URL",
    ),
    "COLUMN clay.destination_versions.url_fingerprint": (
        "A salted hash of the URL; null in versions from before it was kept",
        "A hash of organization and URL (with a random salt before 0010); null in versions of earlier releases",
    ),
    "COLUMN clay.destination_versions.has_odd_form": (
        "Saved although the URL has not the form of a Clay webhook",
        "The URL does not have the form of a Clay webhook URL",
    ),
    "TABLE clay.destinations": (
        "An organization's Clay table: its pace; its webhook is the current version",
        "The Clay table of an organization: its pace and its current webhook version",
    ),
    "COLUMN clay.destinations.table_epoch": (
        'Counts new Clay tables: what is in an earlier one is not "already in Clay"',
        "Number of the Clay table: leads in an earlier table do not count as already in Clay",
    ),
    "COLUMN clay.destinations.next_slot_at": (
        "The pace: no POST before this moment of the database clock",
        "The next free slot of the pace, on the database clock",
    ),
    "COLUMN clay.destinations.url_since_version": (
        "The version that brought the present webhook URL; null: from before it was kept",
        "The version that introduced the current webhook URL; null: saved by an earlier release",
    ),
    "TABLE clay.erased_leads": (
        "sha256(the organization's salt, the lead's id): so that nobody is pushed again who was erased",
        "sha256 of the organization's salt and the id of an erased lead: excludes the lead from later pushes",
    ),
    "COLUMN clay.erasures.lead_references": (
        "What stands for the erased in the log; their ids are forgotten",
        "References that replace the erased leads in the log; their ids are not stored",
    ),
    "TABLE clay.finished_scans": (
        "Scans that the host completed while we were attached at level inbox; each runs the rule once",
        "Scans that the host completed while attached at level inbox; each runs the rule once",
    ),
    "TABLE clay.inbox": (
        "Pushes that the host queued itself, taken by our trigger; never with a webhook URL",
        "Pushes that the host queued, copied by a trigger, without webhook URLs",
    ),
    "COLUMN clay.inbox.end_status": (
        "How the host's row ends where no push job shows in it",
        "Final status of the host's row if no push job is shown in it",
    ),
    "TABLE clay.mirror": (
        "Which row of the host's sourcing_jobs shows which push job",
        "Assigns push jobs to the rows of the host's sourcing_jobs that show them",
    ),
    "COLUMN clay.mirror.settled_at": (
        "When the job's end was written there; null: there is more to write",
        "When the final state of the push job was written to the host's row; null: not yet",
    ),
    "COLUMN clay.mirror.marked_seq": (
        "Deliveries up to this one have ended, and their successes are marked there",
        "Deliveries up to this sequence number have ended and their successes are marked in the host",
    ),
    "COLUMN clay.mirror.marked_count": (
        "The job's successes when all of them were last marked",
        "Number of successes of the push job when all of them were last marked",
    ),
    "TABLE clay.pending_webhooks": (
        "A webhook found in the host's settings that waits for an owner or admin",
        "A webhook change in the host's settings that an owner or admin has to confirm",
    ),
    "COLUMN clay.pending_webhooks.sealed_url": (
        "Bound to this row's id; null: the webhook was removed there",
        "Encrypted, bound to the id of this row; null: the webhook was removed in the host's settings",
    ),
    "COLUMN clay.push_jobs.drained_at": (
        "When a slice last worked on it: the sweep wakes what nobody drains",
        "When a slice last worked on the push job; the sweep wakes push jobs that no worker drains",
    ),
    "COLUMN clay.push_jobs.page_count": (
        "Leads that were answered with 2xx and a web page: successes, perhaps not by a webhook",
        "Leads for which a web page was returned with 2xx: counted as successes, possibly not accepted by a webhook",
    ),
    "TABLE clay.quota_meters": (
        "Submissions of a webhook's lifetime: one row per organization and URL, for all versions of it",
        "Lifetime submissions of a webhook: one row per organization and URL, for all versions of the webhook",
    ),
    "COLUMN clay.quota_meters.url_fingerprint": (
        "A digest of organization and URL; null until a meter of before 0010 is used again",
        "A hash of organization and URL; null until a meter of a release before 0010 is used again",
    ),
}
"""Object → former comment, new comment."""


def _comment(which: int) -> None:
    cursor = op.get_bind().connection.driver_connection.cursor()
    for target, texts in COMMENTS.items():
        quoted = texts[which].replace("'", "''")
        cursor.execute(f"COMMENT ON {target} IS '{quoted}'")
    cursor.close()


def upgrade() -> None:
    _comment(1)


def downgrade() -> None:
    _comment(0)
