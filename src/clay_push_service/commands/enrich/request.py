"""Parses what `clay-push enrich` requests, and selects its leads."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from clay_push_service.commands.lookup import Match, find_project
from clay_push_service.enrichment.jobs.eligibility import skipped_leads
from clay_push_service.enrichment.ledger.states import LegalBasis, RequestWay
from clay_push_service.enrichment.settings.kinds import Kind
from clay_push_service.enrichment.settings.leads import require_leads
from clay_push_service.errors import InvalidError
from clay_push_service.host.enrichment_conditions import EnrichedState
from clay_push_service.host.lead_filters import PageStart, read_page
from clay_push_service.host.tables import HostTables
from clay_push_service.leads.filters import LeadFilters

PAGE: Final = 200
Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class EnrichArguments:
    """Leads by their ids, or the leads of a project that match the filters."""

    lead_ids: Sequence[UUID]
    project: str | None
    kind: Kind
    way: RequestWay
    basis: LegalBasis
    filters: LeadFilters
    most: int
    again: bool


def parse(
    leads: Sequence[str],
    project: str | None,
    *,
    kind: str,
    way: str,
    basis: str,
    min_score: float | None = None,
    without_email: bool = False,
    enriched: str | None = None,
    most: int = 50,
    again: bool = False,
) -> EnrichArguments:
    """Raises 422 for a word that is not known, and unless either leads or a project are given."""
    if bool(leads) == (project is not None):
        raise InvalidError("Give --lead or --project, not both.")
    state = None if enriched is None else _word(EnrichedState, "--enriched", enriched)
    filters = LeadFilters(min_score=min_score, without_email=without_email, enrichment=state)
    if leads and not filters.is_empty:
        raise InvalidError("--min-score, --without-email and --enriched need --project.")
    return EnrichArguments(
        [_lead_id(each) for each in dict.fromkeys(leads)], project, _word(Kind, "--kind", kind),
        _word(RequestWay, "--way", way), _word(LegalBasis, "--basis", basis), filters, most, again,
    )  # fmt: skip


async def select_leads(
    connection: AsyncConnection, tables: HostTables, org: Match, arguments: EnrichArguments
) -> tuple[Sequence[UUID], int]:
    """The leads to request, and the number of those that would be skipped. Of a project, leads that would be skipped are left out.

    Raises 404 for an unknown project or lead.
    """
    if arguments.project is None:
        await require_leads(connection, tables, org.id, arguments.lead_ids)
        skipped = await skipped_leads(
            connection, tables, org.id, arguments.lead_ids, arguments.kind, again=arguments.again
        )  # fmt: skip
        return arguments.lead_ids, len(skipped)
    project = await find_project(connection, tables, org, arguments.project)
    chosen: list[UUID] = []
    after: PageStart | None = None
    while len(chosen) < arguments.most:
        page = await read_page(connection, tables, org.id, project.id, arguments.filters.criteria(), after, PAGE)
        ids = [each.lead_id for each in page]
        skipped = await skipped_leads(connection, tables, org.id, ids, arguments.kind, again=arguments.again)
        chosen += [each for each in ids if each not in skipped]
        if len(page) < PAGE:
            break
        after = PageStart(page[-1].overall_score, page[-1].lead_id)
    return chosen[: arguments.most], 0


def _lead_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidError(f"{text!r} is not a lead id (a UUID).") from None


def _word(words: type[Word], option: str, text: str) -> Word:
    try:
        return words(text)
    except ValueError:
        known = " or ".join(words)
        raise InvalidError(f"{option} {text!r} is not known. Use {known}.") from None
