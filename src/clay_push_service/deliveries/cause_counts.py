"""Failed and skipped leads of a push job by cause, as the job's row holds them (`push_jobs.cause_counts`).

Every transaction that ends deliveries adds to them, with the job's other counters, so that no page counts deliveries.
A job that a worker of an earlier release has drained lacks some: `read_complete` returns None for it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import orjson

from clay_push_service.clay.cause import Cause
from clay_push_service.database.statement import Connection, Statement
from clay_push_service.states import DeliveryStatus


class EndedAs(NamedTuple):
    """`is_unsure`: Clay may have the lead nevertheless."""

    status: DeliveryStatus
    """`failed` or `skipped`."""
    cause: Cause
    is_unsure: bool = False

    @property
    def key(self) -> str:
        return f"{self.status} {self.cause} {'unsure' if self.is_unsure else 'sure'}"

    @classmethod
    def of(cls, key: str) -> "EndedAs":
        status, cause, unsure = key.split(" ")
        return cls(DeliveryStatus(status), Cause(cause), unsure == "unsure")


class EndedDelivery(NamedTuple):
    """A delivery that has just ended without success."""

    id: UUID
    job_id: UUID
    status: DeliveryStatus
    cause: Cause


class CauseCount(NamedTuple):
    cause: Cause
    leads: int
    unsure: int
    """Of these leads, those that Clay may have."""


# The jobs are locked. Counts that become 0 stay: `read_complete` leaves them out.
ADD = Statement("""
UPDATE clay.push_jobs AS job SET cause_counts = summed.counts
FROM (SELECT id, jsonb_object_agg(key, leads) AS counts
      FROM (SELECT id, key, sum(leads) AS leads
            FROM (SELECT id, key, leads
                  FROM unnest(CAST(:ids AS uuid[]), CAST(:keys AS text[]), CAST(:leads AS integer[])) AS moved (id, key, leads)
                  UNION ALL
                  SELECT job.id, kept.key, CAST(kept.value AS integer)
                  FROM clay.push_jobs AS job, jsonb_each_text(job.cause_counts) AS kept WHERE job.id = ANY(CAST(:ids AS uuid[]))
                 ) AS every
            GROUP BY id, key) AS by_key
      GROUP BY id) AS summed
WHERE job.id = summed.id
""")


WITHOUT_SUCCESS = frozenset({DeliveryStatus.FAILED, DeliveryStatus.SKIPPED})
UNSURE = Statement(
    "SELECT id FROM clay.clay_push_log WHERE id = ANY(CAST(:ids AS uuid[])) AND uncertain_attempts > 0", UUID
)


async def count_by_cause(connection: Connection, ended: Sequence[EndedDelivery]) -> Mapping[UUID, Counter[EndedAs]]:
    """Counts by push job. Without such a delivery, no statement is run: most results are successes."""
    if not ended:
        return {}
    unsure = frozenset(await UNSURE.rows(connection, {"ids": [each.id for each in ended]}))
    counts: defaultdict[UUID, Counter[EndedAs]] = defaultdict(Counter)
    for each in ended:
        counts[each.job_id][EndedAs(each.status, each.cause, each.cause is Cause.UNKNOWN or each.id in unsure)] += 1
    return counts


async def add_causes(connection: Connection, moved: Mapping[UUID, Counter[EndedAs]]) -> None:
    """Add to the counts of locked jobs; leads that leave a cause are negative."""
    rows = [(job_id, ended.key, leads) for job_id, counts in moved.items() for ended, leads in counts.items()]
    if rows:
        ids, keys, leads = zip(*rows, strict=True)
        await ADD.execute(connection, {"ids": ids, "keys": keys, "leads": leads})


class StoredCounts(NamedTuple):
    """What a push job's row holds."""

    job_id: UUID
    cause_counts: str | None
    failed_count: int
    skipped_count: int


class _CountedCause(NamedTuple):
    job_id: UUID
    cause: str
    leads: int
    unsure: int


# Only for jobs whose causes were not counted as their leads ended: a worker of an earlier release drained them. Causes of failed
# leads before causes of skipped ones: the first is shown as the reason why nothing was sent, and nine skipped leads do not
# explain the one that failed.
COUNT = Statement(
    """
SELECT job_id, cause, count(*) AS leads,
       count(*) FILTER (WHERE uncertain_attempts > 0 OR cause = 'unknown') AS unsure
FROM clay.clay_push_log
WHERE job_id = ANY(CAST(:job_ids AS uuid[])) AND status IN ('failed', 'skipped') GROUP BY job_id, cause
ORDER BY bool_or(status = 'failed') DESC, count(*) DESC, cause
""",
    _CountedCause,
)


async def read_causes(connection: Connection, jobs: Iterable[StoredCounts]) -> Mapping[UUID, Sequence[CauseCount]]:
    """The causes of each job, from its own counts; jobs without complete counts are counted by their deliveries."""
    found: defaultdict[UUID, list[CauseCount]] = defaultdict(list)
    uncounted: list[UUID] = []
    for job in jobs:
        stored = read_complete(job.cause_counts, job.failed_count, job.skipped_count)
        if stored is None:
            uncounted.append(job.job_id)
        else:
            found[job.job_id] = stored
    if uncounted:
        for row in await COUNT.rows(connection, {"job_ids": uncounted}):
            found[row.job_id].append(CauseCount(Cause(row.cause), row.leads, row.unsure))
    return found


def read_complete(stored: str | None, failed_count: int, skipped_count: int) -> list[CauseCount] | None:
    """The causes in the order of the API; None: the counts are incomplete, because an earlier release ended some leads."""
    found = {EndedAs.of(key): leads for key, leads in orjson.loads(stored or "{}").items() if leads}
    sums = Counter[DeliveryStatus]()
    for ended, leads in found.items():
        sums[ended.status] += leads
    if (sums[DeliveryStatus.FAILED], sums[DeliveryStatus.SKIPPED]) != (failed_count, skipped_count):
        return None
    failed, total, unsure = set[Cause](), Counter[Cause](), Counter[Cause]()
    for ended, leads in found.items():
        total[ended.cause] += leads
        unsure[ended.cause] += leads if ended.is_unsure else 0
        if ended.status is DeliveryStatus.FAILED:
            failed.add(ended.cause)
    # Causes of failed leads first: the first cause is shown as the reason why nothing was sent.
    order = sorted(total, key=lambda cause: (cause not in failed, -total[cause], cause))
    return [CauseCount(cause, total[cause], unsure[cause]) for cause in order]
