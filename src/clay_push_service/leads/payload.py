"""Builds the JSON payload that Clay receives of a lead, and its content hash. Never contains what JSON cannot express."""

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import orjson

from clay_push_service.host.lead_row import LeadRow
from clay_push_service.leads.payload_fields import LEAD, META, STATS, PayloadError, PayloadProblem
from clay_push_service.leads.payload_values import Value

MAX_PAYLOAD_BYTES = 100_000
"""Most bytes of a payload. Clay's documentation states 100 KB without defining KB; the smaller meaning is safe."""
HASH_VERSION = b"\x02"
"""The version of the hashed content. Hashes of different versions are not compared, so that no lead looks changed after an update."""
MAPPED_HASH_VERSION = b"\x03"
"""The version for payloads of a mapping. Such hashes are compared under the version of the mapping that was sent."""
NO_JSON = "The lead cannot be serialized as JSON."
NIL = UUID(int=0)
JsonValue = Value | Mapping[str, Value]
EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(slots=True)
class Payload:
    body: bytes
    hash: bytes
    """HASH_VERSION and the SHA-256 of the lead's fields, without `_meta`; shows whether the lead has changed.

    Names of projects and repositories are not fields of the lead: renaming one must not make all its leads look changed.
    """


def build(row: LeadRow, delivery_id: UUID, pushed_at: datetime) -> Payload:
    """One JSON object. Raises PayloadError for any problem of this lead, so that other leads are not affected."""
    lead: dict[str, JsonValue] = dict(LEAD.write(row))
    lead["raw_github_stats"] = stats_of(row)
    return write_payload(row, lead, lead, delivery_id, pushed_at)


def write_payload(
    row: LeadRow,
    lead: Mapping[str, JsonValue],
    hashed: Mapping[str, JsonValue],
    delivery_id: UUID,
    pushed_at: datetime,
    hash_version: bytes = HASH_VERSION,
) -> Payload:
    """Write `_meta` and the columns of a lead. `hashed`: the columns with the values whose change counts."""
    sent_at = _instant(pushed_at)
    meta: dict[str, JsonValue] = {"source": "nexusleads", **META.write(row)}
    try:
        # Serialized once, used twice: with the two keys of this delivery for the body, and without for the hash.
        meta_json, lead_json = orjson.dumps(meta)[:-1], orjson.dumps(lead)[1:]
        hashed_json = lead_json if hashed is lead else orjson.dumps(hashed)[1:]
        digest = _digest(hashed_json, hash_version)
        sent = f',"pushed_at":"{sent_at}","delivery_id":"{delivery_id}"}},'.encode()
        body = b'{"_meta":' + meta_json + sent + lead_json
    except Exception:  # noqa: BLE001  # the library's message may quote the value
        raise PayloadError(PayloadProblem.INVALID_LEAD, NO_JSON) from None
    if len(body) > MAX_PAYLOAD_BYTES:
        raise PayloadError(
            PayloadProblem.TOO_LARGE,
            f"The lead takes {len(body):,} bytes; Clay takes at most {MAX_PAYLOAD_BYTES:,} a row.",
        )
    return Payload(body, digest)


def hash_columns(columns: Mapping[str, JsonValue], hash_version: bytes) -> bytes:
    """Returns `Payload.hash` of these columns, however large they are. Raises PayloadError if JSON cannot hold a value."""
    try:
        return _digest(orjson.dumps(columns)[1:], hash_version)
    except Exception:  # noqa: BLE001  # the library's message may quote the value
        raise PayloadError(PayloadProblem.INVALID_LEAD, NO_JSON) from None


def _digest(columns_json: bytes, hash_version: bytes) -> bytes:
    """`columns_json`: without the opening brace, as it follows `_meta` in the payload."""
    return hash_version + hashlib.sha256(columns_json).digest()


def content_hash(row: LeadRow) -> bytes:
    """Returns `Payload.hash` of the lead as it is now."""
    return build(row, NIL, EPOCH).hash


def is_comparable(stored: bytes, version: bytes = HASH_VERSION) -> bool:
    """Whether a stored hash can be compared with `content_hash` of this version."""
    return len(stored) == len(version) + hashlib.sha256().digest_size and stored.startswith(version)


def stats_of(row: LeadRow) -> dict[str, Value] | None:
    """Returns the column `raw_github_stats`; null for a lead without activity."""
    return STATS.write(row) if row.activity_rows else None


@functools.lru_cache(maxsize=64)
def _instant(moment: datetime) -> str:
    """`2026-02-11T00:00:00Z`. Raises ValueError, and not PayloadError, for a time without a zone: that is our own mistake."""
    if moment.tzinfo is None:
        raise ValueError("pushed_at needs a time zone")
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
