"""Reads a result: the ids that it names, the values of fields, what was not found, and what was not understood. Pure.

Clay returns keys in another case, numbers as strings, empty strings for missing values, and sometimes a key twice.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from clay_push_service.clay.routines_body import fold
from clay_push_service.enrichment.inbound.body import Json, as_raw, is_empty, read_time
from clay_push_service.enrichment.values.confidence import Confidence, EmailCheck, confidence_of, read_status
from clay_push_service.enrichment.values.fields import Field, FieldNames
from clay_push_service.enrichment.values.normalise import (
    EXPLANATIONS,
    NOT_PICKED,
    Normalised,
    Refusal,
    clean,
    is_absent,
    normalise,
)

MAX_NAMED = 50
"""Most ignored keys and most warnings that a response lists."""
MAX_KEY_CHARACTERS = 60
MAX_PROVIDER_CHARACTERS = 100
DELIVERY_KEYS = ("delivery_id", "clay_push_delivery_id")
ITEM_KEYS = ("item_id", "enrichment_item_id")
LEAD_KEYS = ("nexusleads_contributor_id", "lead_id", "contributor_id", "nexusleads_lead_id", "member_id")
OBSERVED_KEYS = ("observed_at", "last_run", "last_run_at")
META = fold("_meta")
"""The object in which ids and times may stand, besides the top level: `_meta` or `meta`."""
CONTROL = frozenset(
    fold(key)
    for key in (*DELIVERY_KEYS, *ITEM_KEYS, *LEAD_KEYS, *OBSERVED_KEYS, META, "confidence", "confidence_score", "likelihood", "provider",
                "email_status", "email_validation_status")
)  # fmt: skip
CUSTOM_OBJECT = fold("custom")
MOST_EARLY = timedelta(minutes=5)
"""A time up to this far in the future counts as the time of receipt, because clocks differ. A later time is ignored."""
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


class UnusableResult(StrEnum):
    """Why a result cannot be used."""

    NOT_AN_OBJECT = "not_an_object"
    COLUMN_NOT_PICKED = "column_not_picked"
    NO_ID = "no_id"


@dataclass(frozen=True, slots=True)
class FoundValue:
    """A value of a result. `found` None: Clay searched and found nothing."""

    field: str
    found: Normalised | None
    confidence: Confidence
    status: EmailCheck | None
    provider: str | None


@dataclass(frozen=True, slots=True)
class ReadResult:
    delivery_id: UUID | None = None
    item_id: UUID | None = None
    lead_id: UUID | None = None
    observed_at: datetime | None = None
    values: tuple[FoundValue, ...] = ()
    ignored: tuple[str, ...] = ()
    """Keys that belong to no field."""
    warnings: tuple[str, ...] = ()
    problem: UnusableResult | None = None

    @property
    def found(self) -> list[str]:
        return [each.field for each in self.values if each.found is not None]

    @property
    def not_found(self) -> list[str]:
        return [each.field for each in self.values if each.found is None]


def read_result(body: Json, names: FieldNames, now: datetime) -> ReadResult:
    """`now`: the time of receipt."""
    if not isinstance(body, tuple):
        return ReadResult(problem=UnusableResult.NOT_AN_OBJECT)
    reader = _Reader(body, names)
    delivery_id, item_id, lead_id = (reader.identifier(keys) for keys in (DELIVERY_KEYS, ITEM_KEYS, LEAD_KEYS))
    values = tuple(reader.values())
    problem = None
    if delivery_id is None and item_id is None and lead_id is None:
        problem = UnusableResult.COLUMN_NOT_PICKED if reader.id_not_picked else UnusableResult.NO_ID
    return ReadResult(
        delivery_id, item_id, lead_id, reader.observed_at(now), values, tuple(reader.ignored[:MAX_NAMED]),
        tuple(reader.warnings[:MAX_NAMED]), problem,
    )  # fmt: skip


class _Reader:
    """Reads the members of one result, by folded key."""

    def __init__(self, body: tuple[tuple[str, Json], ...], names: FieldNames) -> None:
        self._names = names
        self.warnings: list[str] = []
        self.ignored: list[str] = []
        self.id_not_picked = False
        self._members = self._by_key(body)
        self._keys = {fold(key): key for key, _ in body}
        meta = self._members.get(META)
        self._meta = self._by_key(meta) if isinstance(meta, tuple) else {}

    def _by_key(self, pairs: Iterable[tuple[str, Json]]) -> dict[str, Json]:
        """Returns the value of each key. If a key occurs twice, in any case, the last value that is not empty counts."""
        found: dict[str, Json] = {}
        for key, value in pairs:
            folded = fold(key)
            if folded in found:
                self.warnings.append(
                    f"The key {_shown(key)} occurs more than once; the last value that is not empty is used."
                )
                if is_empty(value):
                    continue
            found[folded] = value
        return found

    def _text(self, keys: Iterable[str]) -> str | None:
        for key in keys:
            for members in (self._members, self._meta):
                value = members.get(fold(key))
                if isinstance(value, str) and not is_absent(value):
                    return clean(value)
        return None

    def identifier(self, keys: Sequence[str]) -> UUID | None:
        written = self._text(keys)
        if written is None:
            return None
        if _UUID.fullmatch(written):
            return UUID(written)
        if NOT_PICKED.fullmatch(written):
            self.id_not_picked = True
            self.warnings.append(f"{keys[0]}: {EXPLANATIONS[Refusal.COLUMN_NOT_PICKED]}")
        else:
            self.warnings.append(f"{keys[0]}: this is not an id (a UUID).")
        return None

    def observed_at(self, now: datetime) -> datetime | None:
        written = self._text(OBSERVED_KEYS)
        found = None if written is None else read_time(written)
        if found is None or found > now + MOST_EARLY:
            if written is not None:
                self.warnings.append(
                    "observed_at: this is not a time in the past (ISO 8601); the time of receipt is used."
                )
            return None
        return min(found, now)

    def values(self) -> Iterator[FoundValue]:
        location = self._location()
        seen: set[str] = set()
        for folded, field, value in self._fields():
            raw = as_raw(value)
            if raw is None:
                self.warnings.append(f"{field}: an object or a mixed list is not a value.")
                continue
            found = normalise(field, raw, location)
            if isinstance(found, Refusal):
                self.warnings.append(f"{field}: {EXPLANATIONS[found]}")
                continue
            if field in seen:
                continue
            seen.add(field)
            yield self._found(folded, field, found)

    def _fields(self) -> list[tuple[str, str, Json]]:
        """Folded key, field and value of each key that belongs to a field; of two keys for one field, those with a value first."""
        found: list[tuple[str, str, Json]] = []
        members = list(self._members.items())
        custom = self._members.get(CUSTOM_OBJECT)
        if isinstance(custom, tuple):
            members += [(f"custom.{key}", value) for key, value in self._by_key(custom).items()]
        for folded, value in members:
            field = self._names.field_of(folded)
            if field is not None:
                found.append((folded, field, value))
            elif folded != CUSTOM_OBJECT and not self._is_control(folded):
                self.ignored.append(_shown(self._keys.get(folded, folded)))
        return sorted(found, key=lambda each: is_empty(each[2]))

    def _is_control(self, folded: str) -> bool:
        endings = ("confidence", "provider")
        return folded in CONTROL or any(self._names.field_before(folded, each) is not None for each in endings)

    def _found(self, folded: str, field: str, found: Normalised | None) -> FoundValue:
        about = [name for name in (folded, fold(field)) if name]
        provider = self._text([*(f"{name}provider" for name in about), "provider"])
        status_text = self._text(("email_status", "email_validation_status")) if field == Field.EMAIL else None
        status = None if status_text is None or found is None else read_status(status_text)
        confidence = confidence_of(
            self._text([*(f"{name}confidence" for name in about), "confidence", "confidence_score"]),
            self._text(("likelihood",)),
            status,
        )
        return FoundValue(
            field, found, Confidence() if found is None else confidence, status,
            None if provider is None else provider[:MAX_PROVIDER_CHARACTERS],
        )  # fmt: skip

    def _location(self) -> str | None:
        return next(
            (value for key, value in self._members.items()
             if self._names.field_of(key) == Field.LOCATION and isinstance(value, str)), None,
        )  # fmt: skip


def _shown(key: str) -> str:
    return clean(key)[:MAX_KEY_CHARACTERS]
