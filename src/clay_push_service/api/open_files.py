"""How many files this process may have open: each connection is one, and accepting fails for all when there are none left."""

import resource

from clay_push_service import logs

OTHERS = 200
"""Connections to PostgreSQL and to webhooks, log files, and those connections that are being closed."""
WANTED = 65_536
"""As many as the hard limit mostly allows at least; unused ones cost nothing."""

log = logs.get(__name__)


def connections_allowed(wanted: int) -> int:
    """Raises the soft limit as far as it may. Returns `wanted`, or less where the hard limit is too low for it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    allowed = wanted if soft == resource.RLIM_INFINITY else max(min(wanted, soft - OTHERS), 1)
    if allowed < wanted:
        log.warning("web.few_files", wanted=wanted, allowed=allowed, remedy=f"raise `ulimit -n` to {wanted + OTHERS}")
    return allowed
