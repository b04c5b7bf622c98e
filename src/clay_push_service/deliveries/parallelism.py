"""How many workers drain one push job at the same time."""

MAX_WORKERS = 4
LEADS_PER_WORKER = 1000


def workers_per_job(rate_limit_ms: int, waiting_leads: int) -> int:
    """One with a pace. Without a pace more workers send faster; `queue.wake` wakes no more than are alive."""
    return 1 if rate_limit_ms > 0 else min(MAX_WORKERS, 1 + waiting_leads // LEADS_PER_WORKER)
