"""Generates 250 fictional sample leads, repeatable by seed. All e-mail addresses are at example.com."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg

from clay_push_service.demo.sample_people import (
    BIOS,
    CITIES,
    COMPANIES,
    HEADLINES,
    INDUSTRIES,
    LEVELS,
    NAMES,
    POSITIONS,
    REASONS,
    SKILLS,
    username_of_name,
)
from clay_push_service.host.columns import Vintage, name_in

Cell = str | int | bool | Decimal | UUID | date | Sequence[str] | None
Row = tuple[Cell, ...]

LATEST = date(2026, 2, 10)
"""Date of the newest commit: the day before the feature document's example. Fixed, so that a seed always gives the same data."""


@dataclass(frozen=True, slots=True)
class SampleProject:
    org_id: UUID
    project_id: UUID
    name: str
    lead_ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class SampleData:
    """Two organizations with a project each; `users` maps a username to (user id, organization, role)."""

    orgs: tuple[UUID, ...]
    projects: tuple[SampleProject, ...]
    users: Mapping[str, tuple[UUID, UUID, str]]


_ORGANIZATIONS = (
    (
        "Acme",
        "acme",
        "Acme Platform Leads",
        200,
        ("acme/platform", "acme/cli", "acme/docs", "acme/charts", "acme/sdk-py"),
    ),
    ("Globex", "globex", "Globex Data Leads", 50, ("globex/warehouse", "globex/streams", "globex/ui")),
)
ENTERPRISE_SLUG = "acme"
_USERS = (
    ("acme-owner", "acme", "owner"), ("acme-admin", "acme", "admin"), ("acme-member", "acme", "member"),
    ("globex-owner", "globex", "owner"), ("globex-member", "globex", "member"),
)  # fmt: skip
SOURCES_WITH_ACTIVITY = (1, 1, 1, 1, 1, 2, 2, 3, 0, 5)
"""Number of sources with commits of the n-th lead: mostly one, sometimes none, rarely all."""

MAINTAINS, IS_CORE = 400, 1_500
"""Minimum commits in one source of a maintainer, and of a member of the core team."""
LINKEDIN_CHANCE = 0.55


class _Samples:
    """Collects rows, so that one COPY fills each table."""

    def __init__(self, vintage: Vintage, seed: int) -> None:
        self.vintage = vintage
        self.luck = random.Random(seed)
        self.rows: dict[str, list[Row]] = {}

    def id(self) -> UUID:
        return UUID(int=self.luck.getrandbits(128), version=4)

    def add(self, word: str, *row: Cell) -> None:
        self.rows.setdefault(word, []).append(row)

    def maybe(self, chance: float, value: Cell) -> Cell:
        return value if self.luck.random() < chance else None

    def score(self, middle: float) -> Decimal:
        return Decimal(str(round(min(100.0, max(0.0, self.luck.gauss(middle, 18))), 1)))

    def lead(self, number: int, project_id: UUID, sources: Sequence[UUID]) -> UUID:
        luck, lead_id = self.luck, self.id()
        name = NAMES[number % len(NAMES)]
        username = username_of_name(name, number)
        on_github = self.vintage is Vintage.DOCUMENT or number % 12 > 0
        company = self.maybe(0.6, luck.choice(COMPANIES))
        self.add(
            "leads", lead_id, 1_000_000 + number if on_github else None, username, self.maybe(0.9, name),
            self.maybe(0.45, f"{username}@example.com"), company, self.maybe(0.65, luck.choice(CITIES)),
            luck.choice(BIOS) if number % 25 else " ".join(luck.choices([bio for bio in BIOS if bio], k=30)),
            f"https://avatars.example.com/u/{1_000_000 + number}" if on_github else None,
            f"https://github.com/{username}" if on_github else None,
            int(luck.paretovariate(1.1) * 4) if on_github else None,
            min(90_000, int(luck.paretovariate(0.9) * 5)) if on_github else None,
            luck.randrange(0, 300) if on_github else None,
        )  # fmt: skip
        commits = self._activity(number, lead_id, sources) if on_github else 0
        self.add("source_leads", self.id(), sources[number % len(sources)], lead_id)
        self._context(number, lead_id, company)
        overall = self.score(35 + min(45, commits / 8))
        self.add(
            "lead_scores", self.id(), project_id, lead_id, overall, self.score(min(90, 20 + commits / 5)), self.score(45),
            self.score(50), self.score(40), overall >= Decimal(60),
            "high" if overall >= Decimal(70) else "medium" if overall >= Decimal(45) else "low",
        )  # fmt: skip
        return lead_id

    def _activity(self, number: int, lead_id: UUID, sources: Sequence[UUID]) -> int:
        """Power law: a few leads have most commits. Returns the lead's commits in the project."""
        many, total = SOURCES_WITH_ACTIVITY[number % len(SOURCES_WITH_ACTIVITY)], 0
        for source_id in self.luck.sample(sources, min(many, len(sources))):
            commits = min(9_000, int(self.luck.paretovariate(0.7)))
            year = int(commits * self.luck.random())
            half = int(year * self.luck.random())
            first = LATEST - timedelta(days=self.luck.randrange(30, 3_000))
            self.add(
                "stats", self.id(), source_id, lead_id, commits, int(half * self.luck.random()), half, year,
                int(commits * 0.3), self.luck.randrange(0, 40), self.luck.randrange(0, 30), self.luck.randrange(0, 90),
                commits > MAINTAINS, commits > IS_CORE, first, first + (LATEST - first) * self.luck.random(),
            )  # fmt: skip
            total += commits
        return total

    def _context(self, number: int, lead_id: UUID, company: Cell) -> None:
        luck = self.luck
        if not (number + 4) % 7:  # not looked up yet
            return
        has_linkedin = luck.random() < LINKEDIN_CHANCE
        self.add(
            "social_context", self.id(), lead_id,
            f"https://www.linkedin.com/in/sample-{number}" if has_linkedin else None,
            luck.choice(HEADLINES) if has_linkedin else None, company if has_linkedin else None,
            luck.choice(POSITIONS) if has_linkedin else None, luck.choice(LEVELS) if has_linkedin else None,
            luck.choice(INDUSTRIES) if has_linkedin else None, luck.randrange(1, 31) if has_linkedin else None,
            luck.sample(SKILLS, luck.randrange(0, 9)),
            luck.choices(("DECISION_MAKER", "KEY_CONTRIBUTOR", "HIGH_IMPACT", None), (2, 5, 2, 1))[0],
            Decimal(str(round(luck.uniform(0.4, 0.99), 2))), luck.choice(REASONS),
        )  # fmt: skip


async def load_samples(
    connection: asyncpg.Connection, vintage: Vintage, seed: int = 7, schema: str = "public"
) -> SampleData:
    """Fills the empty tables of `create_schema`: 200 leads in Acme's project, 50 in Globex's, and five users."""
    samples = _Samples(vintage, seed)
    orgs: dict[str, UUID] = {}
    projects = []
    number = 0
    for name, slug, project_name, many, sources in _ORGANIZATIONS:
        org_id, project_id = samples.id(), samples.id()
        orgs[slug] = org_id
        samples.add("organizations", org_id, name, slug)
        samples.add("org_billing", samples.id(), org_id, slug == ENTERPRISE_SLUG)
        samples.add("projects", project_id, org_id, project_name)
        source_ids = [samples.id() for _ in sources]
        for source_id, full_name in zip(source_ids, sources, strict=True):
            samples.add("sources", source_id, project_id, full_name, f"https://github.com/{full_name}")
        lead_ids = tuple(samples.lead(number + each, project_id, source_ids) for each in range(many))
        number += many
        projects.append(SampleProject(org_id, project_id, project_name, lead_ids))
    users: dict[str, tuple[UUID, UUID, str]] = {}
    for username, slug, role in _USERS:
        user_id = samples.id()
        users[username] = (user_id, orgs[slug], role)
        samples.add("users", user_id, username, f"{username}@example.com")
        samples.add("org_members", samples.id(), orgs[slug], user_id, role)
    await _copy(connection, vintage, samples.rows, schema)
    return SampleData(tuple(orgs.values()), tuple(projects), users)


_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "organizations": ("id", "name", "slug"),
    "org_billing": ("id", "org_id", "is_enterprise"),
    "users": ("id", "username", "email"),
    "org_members": ("id", "org_id", "user_id", "role"),
    "projects": ("id", "org_id", "name"),
    "sources": ("id", "project_id", "full_name", "github_url"),
    "leads": (
        "id", "github_id", "username", "full_name", "email", "company", "location", "bio", "avatar_url", "github_url",
        "public_repos", "followers", "following",
    ),
    "source_leads": ("id", "source_id", "lead_id"),
    "stats": (
        "id", "source_id", "lead_id", "total_commits", "commits_last_3_months", "commits_last_6_months",
        "commits_last_year", "pull_requests", "issues_opened", "issues_closed", "code_reviews", "is_maintainer",
        "is_core_team", "first_commit_date", "last_commit_date",
    ),
    "social_context": (
        "id", "lead_id", "linkedin_url", "linkedin_headline", "current_company", "current_position", "position_level",
        "industry", "years_of_experience", "skills", "classification", "classification_confidence",
        "classification_reasoning",
    ),
    "lead_scores": (
        "id", "project_id", "lead_id", "overall_score", "activity_score", "influence_score", "position_score",
        "engagement_score", "is_qualified_lead", "priority",
    ),
}  # fmt: skip
"""Columns by table, in the order that the foreign keys require."""


async def _copy(
    connection: asyncpg.Connection, vintage: Vintage, rows: Mapping[str, Sequence[Row]], schema: str
) -> None:
    async with connection.transaction():
        for word, columns in _COLUMNS.items():
            await connection.copy_records_to_table(
                name_in(word, vintage),
                schema_name=schema,
                columns=[name_in(column, vintage) for column in columns],
                records=rows.get(word, []),
            )
