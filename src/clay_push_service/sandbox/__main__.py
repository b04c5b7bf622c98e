"""`python -m clay_push_service.sandbox`: runs a sandbox process. Its first output line is JSON with its URL and port."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from clay_push_service.sandbox.faults import FaultPlan, FaultRule
from clay_push_service.sandbox.limits import BURST, LIFETIME_CAP, MAX_BODY_BYTES, RATE_PER_SECOND, WorkspaceLimits
from clay_push_service.sandbox.server import NOT_GIVEN, Options, Ready, run
from clay_push_service.sandbox.store import DirectoryInUseError

MAX_TOKEN_CHARACTERS = 500


def main(arguments: Sequence[str] | None = None) -> int:
    given = make_parser().parse_args(arguments)
    options = Options(
        sources=given.source or (),
        token=given.token,
        limits=WorkspaceLimits(given.rate, given.burst),
        cap=given.cap,
        max_body_bytes=given.max_body_bytes,
        oversize_status=given.oversize_status,
        faults=FaultPlan(seed=given.seed, rules=tuple(given.fault), idle_close_ms=given.idle_close_ms),
        keep_alive_seconds=given.keep_alive_seconds,
    )
    try:
        run(given.host, given.port, given.directory, options, on_ready=_print_ready)
    except (OSError, DirectoryInUseError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 1
    return 0


def _print_ready(ready: Ready) -> None:
    line = {
        "event": "sandbox.ready",
        "url": ready.url,
        "host": ready.host,
        "port": ready.port,
        "webhook_urls": [ready.webhook_url(source) for source in ready.sources],
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clay-push sandbox", description="A stand-in for Clay with Clay's real limits."
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; 0 uses a free one (default)")
    parser.add_argument("--directory", type=Path, required=True, help="the directory of the stored rows")
    parser.add_argument(
        "--source",
        action="append",
        metavar="ID",
        help="a webhook's id, the end of its URL; created at the start if it does not exist (may be repeated)",
    )
    parser.add_argument(
        "--token",
        type=_token,
        default=NOT_GIVEN,
        help="the required value of the header x-clay-webhook-auth, for the sources of --source, else for all; none: no"
        " token is required. Default: existing sources keep theirs",
    )
    parser.add_argument(
        "--rate",
        type=_rate,
        default=RATE_PER_SECOND,
        help="requests per second of each workspace (%(default)s); none: unlimited",
    )
    parser.add_argument("--burst", type=int, default=BURST, help="requests at once after a pause (%(default)s)")
    parser.add_argument(
        "--cap",
        type=_cap,
        default=NOT_GIVEN,
        help=f"submissions in a source's lifetime ({LIFETIME_CAP}), for the same sources; none: unlimited. Default:"
        " existing sources keep theirs",
    )
    parser.add_argument(
        "--max-body-bytes", type=int, default=MAX_BODY_BYTES, help="larger bodies are refused (%(default)s)"
    )
    parser.add_argument(
        "--oversize-status",
        type=int,
        choices=(400, 413),
        default=413,
        help="the status for a larger body (%(default)s)",
    )
    parser.add_argument(
        "--keep-alive-seconds", type=float, default=75.0, help="close an idle connection after this time (%(default)s)"
    )
    parser.add_argument(
        "--fault",
        type=_fault,
        action="append",
        default=[],
        metavar="KIND[:FIELD=VALUE,…]",
        help="status, slow, reset_before, reset_after or stall, e.g. status:status=503,probability=0.1 (may be repeated)",
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same faults")
    parser.add_argument("--idle-close-ms", type=int, help="a fault: close idle connections after this time")
    return parser


def _rate(text: str) -> float | None:
    if text.lower() == "none":
        return None
    if not 0 < (rate := float(text)) < float("inf"):
        raise argparse.ArgumentTypeError("a number above 0, or none")
    return rate


def _token(text: str) -> str | None:
    if text.lower() == "none":
        return None
    if not (1 <= len(text) <= MAX_TOKEN_CHARACTERS and text.isascii() and text.isprintable()):
        raise argparse.ArgumentTypeError(f"1 to {MAX_TOKEN_CHARACTERS} printable ASCII characters, or none")
    return text


def _cap(text: str) -> int | None:
    if text.lower() == "none":
        return None
    if (cap := int(text)) < 0:
        raise argparse.ArgumentTypeError("0 or more, or none")
    return cap


def _fault(text: str) -> FaultRule:
    try:
        return FaultRule.parse(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise argparse.ArgumentTypeError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


if __name__ == "__main__":
    sys.exit(main())
