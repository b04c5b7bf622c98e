"""One quota meter per organization and webhook URL, whatever version counts on it; and no pace beyond Clay's limit.

The counters of the versions are added up. Two versions are of one webhook when their masks show the same end of the URL: a
Clay URL ends in random digits, and a migration has no key to read the URL with. Workers and webs of the release before may go
on meanwhile: they write the columns of the version, and two triggers carry that over to the meter.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

# Before anything else is locked: a change of the settings locks the destination first, too.
PACE = """
WITH raised AS (
    UPDATE clay.destinations AS destination SET rate_limit_ms = 100, updated_at = now()
    FROM clay.destination_versions AS version
    WHERE version.org_id = destination.org_id AND version.id = destination.version_id
      AND destination.rate_limit_ms BETWEEN 1 AND 99 AND version.url_mask LIKE 'https://%'
    RETURNING destination.org_id)
INSERT INTO clay.audit_log (org_id, actor, action, details)
SELECT org_id, 'migration:0010', 'config.changed', '{"rate_limit_ms": 100}' FROM raised;
"""

TABLE = """
CREATE TABLE clay.quota_meters (
    id              uuid NOT NULL DEFAULT gen_random_uuid(),
    org_id          uuid NOT NULL,
    url_fingerprint bytea,
    used            integer NOT NULL DEFAULT 0,
    quota_limit     integer DEFAULT 50000,
    created_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT quota_meters_pk PRIMARY KEY (id),
    CONSTRAINT quota_meters_organization_key UNIQUE (org_id, id),
    CONSTRAINT quota_meters_one_per_webhook UNIQUE (org_id, url_fingerprint),
    CONSTRAINT quota_meters_range CHECK (used >= 0 AND (quota_limit IS NULL OR quota_limit >= 0))
);
COMMENT ON TABLE clay.quota_meters IS 'Submissions of a webhook''s lifetime: one row per organization and URL, for all versions of it';
COMMENT ON COLUMN clay.quota_meters.url_fingerprint IS 'A digest of organization and URL; null until a meter of before 0010 is used again';

ALTER TABLE clay.destination_versions ADD COLUMN meter_id uuid;
COMMENT ON COLUMN clay.destination_versions.fuel_used IS 'Written by releases before 0010 only; see quota_meters';
COMMENT ON COLUMN clay.destination_versions.fuel_limit IS 'Written by releases before 0010 only; see quota_meters';
"""

# What was set by hand counts from there on. Otherwise: what the first version had beyond its own leads, and the leads of all.
# A version began with the count of the one before, so the counters themselves overlap; each lead has one version.
COUNT = """
CREATE TEMPORARY TABLE clay_meters ON COMMIT DROP AS
WITH sent AS (
    SELECT destination_version_id AS id, sum(success_count + unknown_count) AS posts FROM clay.push_jobs GROUP BY 1),
tested AS (
    SELECT details ->> 'version_id' AS id, count(*) AS posts FROM clay.audit_log
    WHERE action = 'config.tested' AND (details ->> 'success' = 'true' OR details ->> 'cause' = 'unknown') GROUP BY 1),
version AS (
    SELECT each.id, each.org_id, each.destination_id, each.number, each.created_at, each.fuel_used, each.fuel_limit,
           CASE WHEN each.url_mask LIKE '%••••_%' THEN each.url_mask ELSE each.id::text END AS webhook,
           coalesce(sent.posts, 0) + coalesce(tested.posts, 0) AS posts
    FROM clay.destination_versions AS each
    LEFT JOIN sent ON sent.id = each.id LEFT JOIN tested ON tested.id = each.id::text),
manual AS (
    SELECT DISTINCT ON (at_the_time.org_id, at_the_time.webhook) at_the_time.org_id, at_the_time.webhook, change.at,
           CAST(change.details ->> 'fuel_used' AS bigint) AS used
    FROM clay.audit_log AS change
    JOIN LATERAL (SELECT version.org_id, version.webhook FROM version
                  WHERE version.org_id = change.org_id AND version.created_at <= change.at
                  ORDER BY version.number DESC LIMIT 1) AS at_the_time ON true
    WHERE change.action = 'config.changed' AND change.details ? 'fuel_used'
    ORDER BY at_the_time.org_id, at_the_time.webhook, change.id DESC),
later AS (
    SELECT manual.org_id, manual.webhook, count(*) AS posts
    FROM manual JOIN version ON version.org_id = manual.org_id AND version.webhook = manual.webhook
    JOIN clay.push_jobs AS job ON job.destination_version_id = version.id AND job.updated_at > manual.at
    JOIN clay.clay_push_log AS delivery ON delivery.job_id = job.id AND delivery.finished_at > manual.at
     AND (delivery.status = 'success' OR delivery.cause = 'unknown' AND delivery.status = 'failed')
    GROUP BY 1, 2),
webhook AS (
    SELECT org_id, webhook, sum(posts) AS posts, max(fuel_used) AS highest,
           (array_agg(greatest(fuel_used - posts, 0) ORDER BY number))[1] AS before,
           (array_agg(fuel_used ORDER BY number DESC))[1] AS shown,
           (array_agg(fuel_limit ORDER BY number DESC))[1] AS quota_limit,
           array_agg(id) AS version_ids
    FROM version GROUP BY 1, 2)
SELECT gen_random_uuid() AS id, webhook.org_id, webhook.version_ids, webhook.quota_limit,
       CASE WHEN manual.at IS NULL THEN greatest(webhook.before + webhook.posts, webhook.highest)
            ELSE greatest(manual.used + coalesce(later.posts, 0), webhook.shown) END AS used
FROM webhook
LEFT JOIN manual ON manual.org_id = webhook.org_id AND manual.webhook = webhook.webhook
LEFT JOIN later ON later.org_id = webhook.org_id AND later.webhook = webhook.webhook;

INSERT INTO clay.quota_meters (id, org_id, used, quota_limit)
SELECT id, org_id, least(used, 2000000000), quota_limit FROM clay_meters;
UPDATE clay.destination_versions AS version SET meter_id = meter.id, fuel_used = least(meter.used, 2000000000)
FROM clay_meters AS meter WHERE version.id = ANY(meter.version_ids);
ALTER TABLE clay.destination_versions ALTER COLUMN meter_id SET NOT NULL,
    ADD CONSTRAINT destination_versions_meter_fk FOREIGN KEY (org_id, meter_id) REFERENCES clay.quota_meters (org_id, id);
"""

TRIGGERS = """
CREATE FUNCTION clay.give_meter() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    SELECT version.meter_id INTO NEW.meter_id FROM clay.destination_versions AS version
    WHERE version.destination_id = NEW.destination_id AND version.url_mask = NEW.url_mask AND NEW.url_mask LIKE '%••••_%'
    ORDER BY version.number DESC LIMIT 1;
    IF NEW.meter_id IS NULL THEN
        INSERT INTO clay.quota_meters (org_id, used, quota_limit) VALUES (NEW.org_id, NEW.fuel_used, NEW.fuel_limit)
        RETURNING id INTO NEW.meter_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER give_meter BEFORE INSERT ON clay.destination_versions
    FOR EACH ROW WHEN (NEW.meter_id IS NULL) EXECUTE FUNCTION clay.give_meter();
CREATE FUNCTION clay.count_on_meter() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    UPDATE clay.quota_meters AS meter
    SET used = greatest(meter.used + NEW.fuel_used - OLD.fuel_used, 0),
        quota_limit = CASE WHEN NEW.fuel_limit IS DISTINCT FROM OLD.fuel_limit THEN NEW.fuel_limit ELSE meter.quota_limit END
    WHERE meter.id = NEW.meter_id;
    RETURN NULL;
END $$;
CREATE TRIGGER count_on_meter AFTER UPDATE OF fuel_used, fuel_limit ON clay.destination_versions
    FOR EACH ROW WHEN (NEW.fuel_used <> OLD.fuel_used OR NEW.fuel_limit IS DISTINCT FROM OLD.fuel_limit)
    EXECUTE FUNCTION clay.count_on_meter();
"""


def upgrade() -> None:
    cursor = op.get_bind().connection.driver_connection.cursor()
    for statements in (PACE, TABLE, COUNT, TRIGGERS):
        cursor.execute(statements)
    cursor.close()


def downgrade() -> None:
    op.execute("DROP TRIGGER give_meter ON clay.destination_versions")
    op.execute("DROP TRIGGER count_on_meter ON clay.destination_versions")
    op.execute("DROP FUNCTION clay.give_meter, clay.count_on_meter")
    op.execute("ALTER TABLE clay.destination_versions DROP COLUMN meter_id")
    op.execute("DROP TABLE clay.quota_meters")
    op.execute("COMMENT ON COLUMN clay.destination_versions.fuel_used IS NULL")
    op.execute("COMMENT ON COLUMN clay.destination_versions.fuel_limit IS NULL")
