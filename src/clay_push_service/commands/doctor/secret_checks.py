"""Doctor checks of encryption: the key ring is valid and decrypts every stored secret."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.commands.doctor.finding import Finding, Result, sentence
from clay_push_service.database.statement import Statement
from clay_push_service.destinations.secret_box import SecretBox, SecretError
from clay_push_service.settings import PREFIX, Settings


class _Sealed(NamedTuple):
    id: UUID
    org_id: UUID
    sealed_url: bytes | None
    sealed_token: bytes | None


SELECT_SEALED = Statement(
    """
SELECT id, org_id, sealed_url, sealed_token
FROM (SELECT id, org_id, sealed_url, sealed_token FROM clay.destination_versions
      UNION ALL SELECT id, org_id, sealed_url, sealed_token FROM clay.pending_webhooks
      UNION ALL SELECT id, org_id, sealed_api_key, NULL FROM clay.enrichment_settings
      UNION ALL SELECT id, org_id, sealed_api_key, NULL FROM clay.pending_api_keys) AS sealed
WHERE id > :after AND (sealed_url IS NOT NULL OR sealed_token IS NOT NULL) ORDER BY id LIMIT 500
""",
    _Sealed,
)
NIL_ID = UUID(int=0)


def open_key_ring(settings: Settings) -> SecretBox | Finding:
    try:
        return SecretBox(settings.encryption_keys)
    except SecretError as error:
        remedy = f"Set {PREFIX}ENCRYPTION_KEYS. `clay-push secrets new` creates a key."
        return Finding("secrets", Result.BROKEN, sentence(str(error)), remedy)


async def check_stored_secrets(connection: AsyncConnection, box: SecretBox) -> Sequence[Finding]:
    """Decrypts everything that is stored, so that a missing key is found here and not by the next push."""
    opened, failures, other_key, after = 0, Counter[str](), 0, NIL_ID
    while rows := await SELECT_SEALED.rows(connection, {"after": after}):
        for row in rows:
            for sealed in filter(None, (row.sealed_url, row.sealed_token)):
                try:
                    box.open(sealed, row.org_id, row.id)
                    other_key += box.key_id_of(sealed) != box.first_key_id
                    opened += 1
                except SecretError as error:
                    failures[str(error)] += 1
        after = rows[-1].id
    found = [
        Finding(
            "secrets", Result.BROKEN, f"{count:,} stored secrets cannot be decrypted: {message}.",
            f"Add that key to {PREFIX}ENCRYPTION_KEYS again, or save the webhook URLs again.",
        )
        for message, count in failures.items()
    ]  # fmt: skip
    if other_key:
        message = f"{other_key:,} of {opened:,} stored secrets are not encrypted with the first key of the ring."
        found.append(Finding("secrets", Result.WARNING, message, "Run `clay-push secrets rotate`."))
    if not found:
        found.append(Finding("secrets", Result.OK, f"ENCRYPTION_KEYS decrypts all {opened:,} stored secrets."))
    return found
