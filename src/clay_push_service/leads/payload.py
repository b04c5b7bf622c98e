"""What Clay receives of a lead: the feature document's section 3.2, every key always, in its order. Never what JSON cannot carry."""

import functools
import hashlib
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import orjson

from clay_push_service.host.lead_row import GithubStats, LeadRow

MAX_PAYLOAD_BYTES = 100_000
"""Clay's documentation says 100 KB and does not say which; the smaller one is safe."""
SMALLEST, LARGEST = -(2**63), 2**63 - 1
HASH_VERSION = b"\x02"
"""What the hash is made of: another number when that changes. A hash of another version says nothing, so nobody has changed."""
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# PostgreSQL's `infinity` reaches us as these two.
_NO_DAYS = (date.min, date.max)

Value = str | int | float | bool | list[str] | None


class PayloadProblem(StrEnum):
    """Named like the causes of `deliveries.outcome`, which is above this module and turns them into its own."""

    TOO_LARGE = "too_large"
    INVALID_LEAD = "invalid_lead"


class PayloadError(Exception):
    """This lead cannot be sent. `detail` names the field or the size, and never a value: it is logged and shown."""

    def __init__(self, cause: PayloadProblem, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
        self.detail = detail


@dataclass(slots=True)
class Payload:
    body: bytes
    hash: bytes
    """HASH_VERSION and the SHA-256 of what the body says of the lead, without `_meta`: has it changed since?

    What a project or a repository is called is not the lead's: renaming one must not make all its leads look changed.
    """


def _text(value: object) -> str:
    """NUL removed (most readers stop at it), lone surrogates become U+FFFD (they have no UTF-8)."""
    if type(value) is str and value.isascii() and "\0" not in value:  # nearly all of them, and 25 a lead
        return value
    if not isinstance(value, str):
        raise TypeError
    return _LONE_SURROGATE.sub("\ufffd", value.replace("\0", ""))


def _number(value: object) -> float | None:
    """A score or a confidence. NaN and the infinities, which JSON has no word for, are unknown."""
    if type(value) is float:  # what the host's reading makes of nearly all of them
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError
    try:
        number = float(value)
    except (OverflowError, ValueError):  # an int beyond a double; a signalling NaN
        return None
    return number if math.isfinite(number) else None


def _count(value: object) -> int | None:
    """A whole number. Outside 64 bits null, not text: Clay's column is a number, and no count of anything is as large."""
    if type(value) is int and SMALLEST <= value <= LARGEST:
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError
    finite = value.is_finite() if isinstance(value, Decimal) else isinstance(value, int) or math.isfinite(value)
    # Compared before int(): Decimal("1E+900000") is finite, and minutes long when written out.
    return int(value) if finite and SMALLEST <= value <= LARGEST else None


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeError


def _day(value: object) -> str | None:
    """ISO date; PostgreSQL's infinities are unknown."""
    if isinstance(value, datetime):
        try:
            value = (value.astimezone(UTC) if value.tzinfo else value).date()
        except OverflowError:  # within hours of the end of time, west of Greenwich
            return None
    if not isinstance(value, date):
        raise TypeError
    return None if value in _NO_DAYS else value.isoformat()


def _words(value: object) -> list[str]:
    """Skills: without nulls, blanks and repetitions, in the order they came."""
    if type(value) is not list and (isinstance(value, str | bytes) or not isinstance(value, Iterable)):
        raise TypeError
    cleaned = (_text(each).strip() for each in value if each is not None)
    return list(dict.fromkeys(word for word in cleaned if word))


Rule = Callable[[object], Value]
"""How a value is written that is not null. Raises TypeError for what is of the wrong type."""

LEAD_FIELDS: Mapping[str, tuple[str, Rule]] = {
    "github_username": ("username", _text),
    **{name: (name, _text) for name in ("full_name", "email", "github_url", "avatar_url", "company", "location", "bio")},
    **{name: (name, _count) for name in ("public_repos", "followers", "following")},
    **{
        name: (name, _text)
        for name in (
            "linkedin_url", "linkedin_headline", "current_company", "current_position", "position_level", "industry",
        )
    },
    "years_of_experience": ("years_of_experience", _count),
    "skills": ("skills", _words),
    "classification": ("classification", _text),
    "classification_confidence": ("classification_confidence", _number),
    "classification_reasoning": ("classification_reasoning", _text),
    **{
        name: (name, _number)
        for name in ("overall_score", "activity_score", "influence_score", "position_score", "engagement_score")
    },
    "priority": ("priority", _text),
    "is_qualified_lead": ("is_qualified_lead", _flag),
}  # fmt: skip
"""Payload key → the LeadRow's field and how it is written, in the order of section 3.2."""

STATS_FIELDS: Mapping[str, tuple[str, Rule]] = {
    **{
        name: (name, _count)
        for name in (
            "total_commits", "commits_last_3_months", "commits_last_6_months", "commits_last_year", "pull_requests",
            "issues_opened", "issues_closed", "code_reviews",
        )
    },
    **{name: (name, _flag) for name in ("is_maintainer", "is_core_team")},
    **{name: (name, _day) for name in ("first_commit_date", "last_commit_date")},
}  # fmt: skip


def build(row: LeadRow, delivery_id: UUID, pushed_at: datetime) -> Payload:
    """One JSON object. Raises PayloadError for this lead, whatever is wrong with it, so that its neighbours go on."""
    sent_at = _instant(pushed_at)
    meta, lead = _meta(row), _lead(row)
    try:
        # Written once, and put together twice: with the two members that are of this delivery, and without.
        meta_json, lead_json = orjson.dumps(meta)[:-1], orjson.dumps(lead)[1:]
        digest = HASH_VERSION + hashlib.sha256(lead_json).digest()
        sent = f',"pushed_at":"{sent_at}","delivery_id":"{delivery_id}"}},'.encode()
        body = b'{"_meta":' + meta_json + sent + lead_json
    except Exception:  # noqa: BLE001  # the library's message may quote the value
        raise PayloadError(PayloadProblem.INVALID_LEAD, "The lead cannot be written as JSON.") from None
    if len(body) > MAX_PAYLOAD_BYTES:
        raise PayloadError(
            PayloadProblem.TOO_LARGE,
            f"The lead takes {len(body):,} bytes; Clay takes at most {MAX_PAYLOAD_BYTES:,} a row.",
        )
    return Payload(body, digest)


def content_hash(row: LeadRow) -> bytes:
    """`Payload.hash` of the lead as it is now, without a delivery: has it changed since it was pushed?"""
    return build(row, _NIL, _EPOCH).hash


def is_comparable(stored: bytes) -> bool:
    """Whether a stored hash was made of what `content_hash` is made of."""
    return len(stored) == len(HASH_VERSION) + hashlib.sha256().digest_size and stored.startswith(HASH_VERSION)


def _meta(row: LeadRow) -> dict[str, Value | dict[str, Value]]:
    meta: dict[str, Value | dict[str, Value]] = {"source": "nexusleads"}
    meta.update(_META.write(row))
    return meta


def _lead(row: LeadRow) -> dict[str, Value | dict[str, Value]]:
    lead: dict[str, Value | dict[str, Value]] = dict(_LEAD.write(row))
    lead["raw_github_stats"] = None if row.stats is None else _STATS.write(row.stats)
    return lead


class _Fields:
    """Some members of the payload and where they come from; all read at once, because it is done for every lead."""

    def __init__(self, fields: Mapping[str, tuple[str, Rule]], prefix: str = "") -> None:
        self._fields = fields
        self._keys = tuple(fields)
        self._rules = tuple(rule for _, rule in fields.values())
        self._read = operator.attrgetter(*(field for field, _ in fields.values()))
        self._prefix = prefix

    def write(self, source: LeadRow | GithubStats) -> dict[str, Value]:
        try:
            values = self._read(source)
            return {
                key: None if value is None else rule(value)
                for key, rule, value in zip(self._keys, self._rules, values, strict=True)
            }
        except Exception:  # noqa: BLE001  # whatever a host's row holds, it stops this lead and no other
            raise PayloadError(
                PayloadProblem.INVALID_LEAD, f"The lead's {self._wrong(source)} is not what it should be."
            ) from None

    def _wrong(self, source: LeadRow | GithubStats) -> str:
        for key, (field, rule) in self._fields.items():
            try:
                if (value := getattr(source, field)) is not None:
                    rule(value)
            except Exception:  # noqa: BLE001  # this one it was
                return self._prefix + key
        return "row"


def _id(value: object) -> str:
    if isinstance(value, UUID):
        return str(value)
    raise TypeError


_META = _Fields(
    {
        "nexusleads_project": ("project_name", _text),
        "nexusleads_project_id": ("project_id", _id),
        "nexusleads_repository": ("source_name", _text),
        "nexusleads_repository_id": ("source_id", _id),
        "nexusleads_contributor_id": ("lead_id", _id),
    },
    "_meta.",
)
_LEAD = _Fields(LEAD_FIELDS)
_STATS = _Fields(STATS_FIELDS, "raw_github_stats.")


@functools.lru_cache(maxsize=64)
def _instant(moment: datetime) -> str:
    """`2026-02-11T00:00:00Z`. A time without a zone is a mistake of ours, not of the lead's, and says so."""
    if moment.tzinfo is None:
        raise ValueError("pushed_at needs a time zone")
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


_NIL = UUID(int=0)
_EPOCH = datetime.fromtimestamp(0, UTC)
SAMPLE = LeadRow(
    lead_id=_NIL, project_id=_NIL, project_name="NexusLeads connection test", source_id=_NIL,
    source_name="nexusleads/connection-test", username="nexusleads-test",
    full_name="NexusLeads Test (please delete this row)", email="nexusleads-test@example.com",
    github_url="https://github.com/nexusleads-test", avatar_url="https://example.com/nexusleads-test.png",
    company="Example Inc.", location="Nowhere", bio="A test of the connection between NexusLeads and this Clay table.",
    public_repos=1, followers=1, following=1, linkedin_url="https://example.com/in/nexusleads-test",
    linkedin_headline="Connection test", current_company="Example Inc.", current_position="Connection test",
    position_level="Senior", industry="Technology", years_of_experience=1, skills=("Testing",),
    classification="DECISION_MAKER", classification_confidence=Decimal("0.5"),
    classification_reasoning="Not a person: sent by NexusLeads to test the connection.", overall_score=Decimal(50),
    activity_score=Decimal(50), influence_score=Decimal(50), position_score=Decimal(50), engagement_score=Decimal(50),
    priority="low", is_qualified_lead=False,
    stats=GithubStats(1, 1, 1, 1, 1, 1, 1, 1, is_maintainer=False, is_core_team=False,
                      first_commit_date=date(2026, 1, 1), last_commit_date=date(2026, 1, 1)),
)  # fmt: skip
"""Every key filled, so that one test row shows Clay every column with its type."""


def sample(delivery_id: UUID, pushed_at: datetime, project_name: str | None = None) -> Payload:
    """What a connection test sends: a row that anyone can tell from a person's."""
    return build(SAMPLE if project_name is None else replace(SAMPLE, project_name=project_name), delivery_id, pushed_at)
