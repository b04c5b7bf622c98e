"""A worker that trusts one more authority: `python -m tests.faults.trusting CA_FILE`, never imported."""

import ssl
import sys
from typing import Any

import httpx

from clay_push_service import settings, worker


def main(ca_file: str) -> None:
    def create_ssl_context(**_: Any) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=ca_file)

    setattr(httpx, "create_ssl_context", create_ssl_context)  # noqa: B010 - in this process alone
    worker.run(settings.load())


if __name__ == "__main__":
    main(sys.argv[1])
