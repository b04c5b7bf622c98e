"""An organization whose enrichments of ten leads have ended with different outcomes, and values of six weeks."""

from tests.harness.api import Api
from tests.support.enrichment_outcomes import request_emails, save_routine

END_ITEMS = """
UPDATE clay.enrichment_items AS item
SET state = 'done', outcome = kind.outcome, cause = kind.cause, found = kind.found, not_found = kind.not_found, credits = 1.5,
    actions = 1, cost_basis = 'estimated', started_at = now(), finished_at = now()
FROM (SELECT id, CASE WHEN number <= 5 THEN 'found' WHEN number <= 7 THEN 'partial' WHEN number <= 9 THEN 'nothing' ELSE 'failed' END
                 AS outcome,
             CASE WHEN number > 9 THEN 'item_failed' WHEN number > 7 THEN 'no_data' END AS cause,
             CASE WHEN number <= 7 THEN ARRAY['email', 'job_title'] ELSE ARRAY[]::text[] END AS found,
             CASE WHEN number > 5 THEN ARRAY['phone'] ELSE ARRAY[]::text[] END AS not_found
      FROM (SELECT id, row_number() OVER (ORDER BY seq) AS number FROM clay.enrichment_items) AS numbered) AS kind
WHERE kind.id = item.id
"""
END_JOB = """
UPDATE clay.enrichment_jobs SET status = 'completed', found_count = 5, partial_count = 2, nothing_count = 2, failed_count = 1,
    credits = 15, actions = 10, started_at = now() - interval '2 minutes', finished_at = now()
"""
VALUES = """
INSERT INTO clay.enriched_values (org_id, lead_id, field, value, value_key, source, confidence, confidence_basis, observed_at, received_at)
SELECT item.org_id, item.lead_id, 'email', '"zoe@example.com"', 'zoe@example.com', 'routine', 60 + 5 * week, 'reported',
       now() - week * interval '7 days', now() - (6 - week) * interval '7 days'
FROM clay.enrichment_items AS item, generate_series(1, 6) AS week
"""


async def fill_quality(api: Api) -> str:
    """Returns the enrichment job."""
    await save_routine(api)
    leads = [await api.host.lead(api.project_id, full_name=f"Lead {number}", company="Acme") for number in range(10)]
    job_id = await request_emails(api, leads)
    for statement in (END_ITEMS, END_JOB, VALUES):
        await api.installation.fetch(statement)
    return job_id
