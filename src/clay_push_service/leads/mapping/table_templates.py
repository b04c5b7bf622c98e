"""The five built-in templates of Clay tables: columns, the column that removes duplicates, and texts to copy into Clay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from clay_push_service.leads.mapping.catalogue import FIELDS
from clay_push_service.leads.mapping.columns import Column
from clay_push_service.leads.mapping.standard import STANDARD
from clay_push_service.leads.mapping.values import ColumnType


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One step in Clay. `copied`: the text to paste there; None: nothing to paste."""

    does: str
    copied: str | None = None


@dataclass(frozen=True, slots=True)
class HttpColumn:
    """The column of type HTTP API that sends each row back. Names in angle brackets are columns to pick in Clay."""

    method: str
    headers: Mapping[str, str]
    body: str
    retry_on: Sequence[int] = (500, 502, 503)


@dataclass(frozen=True, slots=True)
class TableTemplate:
    key: str
    name: str
    about: str
    columns: Sequence[Column]
    dedupe_column: str | None
    returns: Sequence[str]
    """Names of the results that the table sends back; empty: it sends nothing back."""
    notes: Sequence[str] = ()
    clears_itself: bool = False
    """The table deletes its rows by itself, so the webhook has no quota."""

    @property
    def steps(self) -> list[SetupStep]:
        return setup_steps(self.columns, self.dedupe_column, self.returns, self.notes, clears_itself=self.clears_itself)

    @property
    def http_column(self) -> HttpColumn | None:
        return http_column(self.returns)


def _fields(*names: str) -> list[Column]:
    return [Column(name, field=name, type=FIELDS[name].type) for name in names]


LEAN: Sequence[Column] = (
    *_fields("github_username", "full_name"),
    Column("first_name", field="full_name", steps=("first_word",)),
    *_fields("email"),
    Column("company", first_of=("current_company", "company")),
    Column("job_title", first_of=("current_position", "linkedin_headline")),
    *_fields("linkedin_url", "github_url", "location", "classification", "overall_score"),
    Column("why", template='{repository}: {total_commits|"0"} commits, {classification_reasoning:truncate(300)}'),
)
ROUND_TRIP: Sequence[Column] = (
    *_fields("github_username", "full_name", "email"),
    Column("company", first_of=("current_company", "company")),
    *_fields("current_position", "linkedin_url", "location", "overall_score"),
    Column("known_work_email", field="enriched.email", type=ColumnType.EMAIL),
    Column("known_phone", field="enriched.phone"),
    Column("nexusleads_lead_id", field="lead_id"),
)
ACCOUNTS: Sequence[Column] = (
    Column("company", first_of=("current_company", "company", "enriched.company_name")),
    Column("company_domain", first_of=("enriched.company_website:domain_of", "email:email_domain")),
    *_fields("industry"),
    Column("company_size", field="enriched.company_size"),
    *_fields(
        "full_name", "current_position", "position_level", "email", "linkedin_url", "github_username", "overall_score"
    ),
    Column("is_qualified_lead", field="is_qualified_lead", type=ColumnType.BOOLEAN),
)
PASS_THROUGH: Sequence[Column] = (
    *_fields("github_username", "full_name", "email", "linkedin_url"),
    Column("company", first_of=("current_company", "company")),
    *_fields("current_position"),
    Column("nexusleads_lead_id", field="lead_id"),
)
FOUND = (
    "email",
    "email_status",
    "phone",
    "linkedin_url",
    "job_title",
    "company_size",
    "provider",
    "confidence",
    "observed_at",
)
TEMPLATES: Mapping[str, TableTemplate] = MappingProxyType(
    {
        each.key: each
        for each in (
            TableTemplate(
                "standard", "Standard", "All fields of NexusLeads, as a table without a mapping receives them.", STANDARD,
                "github_username", (),
                ("GitHub's statistics are one column of type object, `raw_github_stats`; extract from it what you need.",),
            ),
            TableTemplate(
                "lean_outbound", "Lean outbound", "Twelve flat columns to write to people: who, where, why.", LEAN,
                "github_username", (),
            ),
            TableTemplate(
                "enrichment_round_trip", "Enrichment round trip",
                "What Clay needs to find contact data, with a column that sends the results back.", ROUND_TRIP,
                "nexusleads_lead_id", FOUND,
                ("`known_work_email` and `known_phone` are what Clay found before: let paid columns run only if they are empty.",),
            ),
            TableTemplate(
                "accounts_first", "Accounts first", "The company before the person: enrich each company once.", ACCOUNTS,
                "github_username", ("company_name", "company_website", "company_size", "industry", "technologies"),
                (('Send `company_domain` to a second table with "Send table data", remove duplicates there by it, and enrich'
                 " companies there: each company is then paid once."),),
            ),
            TableTemplate(
                "pass_through", "Pass-through",
                "For tables that delete their rows by themselves (Enterprise): such a webhook has no limit of submissions.",
                PASS_THROUGH, None, FOUND,
                (("Rows disappear after their success column has run: choose the HTTP API column as the success column, so that"
                 " no row disappears before its result has been sent back."),
                 "Set the quota limit of the destination to none. A missing row proves nothing: use the results instead."),
                clears_itself=True,
            ),
        )
    }
)  # fmt: skip
"""Built-in templates by key. An organization's own templates are in `clay.table_templates`."""


def setup_steps(
    columns: Sequence[Column],
    dedupe_column: str | None,
    returns: Sequence[str],
    notes: Sequence[str] = (),
    *,
    clears_itself: bool = False,
) -> list[SetupStep]:
    """Returns what a person does in Clay, in order."""
    listed = "\n".join(f"{each.key}\t{each.type}" for each in columns)
    steps = [
        SetupStep("In Clay, create a table, and add the source “Pull in data from a Webhook”."),
        SetupStep("Copy the webhook's URL into the destination, choose this mapping, and send the test row."),
        SetupStep("In the test row, open `_meta` and add `delivery_id` and `nexusleads_contributor_id` as columns."),
        SetupStep("Add each of these keys as a column of the given type.", listed),
    ]
    if clears_itself:
        steps.append(SetupStep("In the table's settings, switch on auto-delete."))
    if dedupe_column is not None:
        steps.append(
            SetupStep(
                "In the table's settings, switch on auto-dedupe by this column, and choose which row it keeps.",
                dedupe_column,
            )
        )
    column = http_column(returns)
    if column is not None:
        steps += [
            SetupStep("Create a results token, and copy its path and secret."),
            SetupStep(
                "Add a column of type HTTP API with this body. Replace each name in angle brackets: type / and pick the column.",
                column.body,
            ),
            SetupStep(
                "Add 500, 502 and 503 to “retry on”, with 5 retries. Store this header in a header account.",
                "Authorization: Bearer crt_…",
            ),
        ]
    return [*steps, *(SetupStep(each) for each in notes)]


def http_column(returns: Sequence[str]) -> HttpColumn | None:
    if not returns:
        return None
    lines = ['  "delivery_id": "<_meta → delivery_id>"', *(f'  "{name}": "<{_title(name)}>"' for name in returns)]
    return HttpColumn("POST", {"Authorization": "Bearer crt_…"}, "{\n" + ",\n".join(lines) + "\n}")


def _title(name: str) -> str:
    return name.replace("_", " ").title().replace("Linkedin Url", "LinkedIn URL")
