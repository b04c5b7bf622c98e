"""Open file limit: raises it and bounds the number of connections, because `accept` fails when no file is left."""

import resource

from clay_push_service import logs

OTHER_OPEN_FILES = 200
"""Files for other purposes: connections to PostgreSQL and webhooks, log files, and connections that are closing."""
WANTED_OPEN_FILES = 65_536
"""Target of the soft limit; most hard limits allow it, and unused files cost nothing."""

log = logs.get(__name__)


def connections_allowed(wanted: int) -> int:
    """Raise the soft limit up to the hard limit. Returns `wanted`, or less if the hard limit is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED_OPEN_FILES if hard == resource.RLIM_INFINITY else min(WANTED_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    allowed = wanted if soft == resource.RLIM_INFINITY else max(min(wanted, soft - OTHER_OPEN_FILES), 1)
    if allowed < wanted:
        log.warning(
            "web.few_files", wanted=wanted, allowed=allowed, remedy=f"raise `ulimit -n` to {wanted + OTHER_OPEN_FILES}"
        )
    return allowed
