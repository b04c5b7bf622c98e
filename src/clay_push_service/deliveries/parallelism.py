"""How many workers drain one push job together."""

MAX_SHARES = 4
LEADS_A_SHARE = 1000


def shares(rate_limit_ms: int, waiting_leads: int) -> int:
    """With a pace one is enough. Without, more of them send more; `queue.wake` wakes no more than there are."""
    return 1 if rate_limit_ms > 0 else min(MAX_SHARES, 1 + waiting_leads // LEADS_A_SHARE)
