"""Renders Clay's panel: destination and its state, connection test, quota, figures, last jobs and settings."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from starlette.responses import Response

from clay_push_service.callers.caller import Scope
from clay_push_service.clay.cause import EXPLANATIONS
from clay_push_service.console.pages.integrations.tiles import clay_state
from clay_push_service.console.pages.jobs.sentence import Pill, job_pill, job_sentence, pace_sentence
from clay_push_service.console.pages.overview import charts
from clay_push_service.console.pages.overview.figures import read_figures
from clay_push_service.console.pages.page import Page
from clay_push_service.destination_settings.connection_test.send_row import read_last_test
from clay_push_service.destination_settings.connection_test.stages import ConnectionResult, ConnectionStage
from clay_push_service.destination_settings.host_sync import read_host_problem
from clay_push_service.destination_settings.pending_webhook import read_pending
from clay_push_service.destination_settings.schemas import Config
from clay_push_service.destinations.pace import LEAST_RATE_LIMIT_MS
from clay_push_service.destinations.read import NOT_CONFIGURED, destination_view
from clay_push_service.enrichment.inbound.tokens import list_tokens

STAGE_LABELS: Final[Mapping[ConnectionStage, str]] = MappingProxyType(
    {
        ConnectionStage.ADDRESS: "Address",
        ConnectionStage.DNS: "Host name (DNS)",
        ConnectionStage.CONNECTION: "Connection",
        ConnectionStage.TLS: "Encryption (TLS)",
        ConnectionStage.TOKEN: "Auth token",
        ConnectionStage.ROW: "Sample row",
    }
)
EXAMPLE_URL: Final = "https://api.clay.com/v3/sources/webhook/…"
RESULTS: Final[Mapping[ConnectionResult, Pill]] = MappingProxyType(
    {
        ConnectionResult.PASSED: Pill("Passed", "good", "circle-check"),
        ConnectionResult.FAILED: Pill("Failed", "bad", "circle-x"),
        ConnectionResult.UNCLEAR: Pill("Unclear", "unsure", "circle-help"),
        ConnectionResult.NOT_RUN: Pill("Not run", "none", "circle-minus"),
    }
)


async def show_clay(page: Page) -> Response:
    org_id = page.caller.org_id
    figures = await read_figures(page)
    view = await destination_view(page.connection, org_id)
    problem = await read_host_problem(page.connection, page.tables, org_id, page.settings)
    config = Config.of(view, problem, await read_pending(page.connection, org_id))
    webhook = view.webhook if view else None
    tokens = await list_tokens(page.connection, org_id)
    return await page.render(
        "integrations/clay.html",
        section="integrations",
        title="Clay",
        figures=figures,
        config=config,
        state=clay_state(figures.status),
        reason=EXPLANATIONS[config.reason] if config.reason else None,
        last_test=await read_last_test(page.connection, org_id, webhook.version_id) if webhook else None,
        stage_labels=STAGE_LABELS,
        results=RESULTS,
        has_results_token=bool(tokens),
        results_at=max((each.last_used_at for each in tokens if each.last_used_at is not None), default=None),
        may_configure=Scope.CONFIG in page.caller.scopes,
        not_configured=NOT_CONFIGURED,
        least_rate_limit_ms=LEAST_RATE_LIMIT_MS,
        charts=charts,
        example_url=EXAMPLE_URL,
        job_pill=job_pill,
        job_sentence=job_sentence,
        pace_sentence=pace_sentence,
    )
