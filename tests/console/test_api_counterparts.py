"""Each state-changing route of the console names the API operation that does the same, and openapi.yaml has that operation."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import yaml
from fastapi.routing import APIRoute

from clay_push_service.console.routes import ROUTERS
from clay_push_service.console.session.origin import SAFE_METHODS

DESCRIBED = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text("utf-8"))
OPERATIONS = {operation["operationId"] for methods in DESCRIBED["paths"].values() for operation in methods.values()}
COUNTERPARTS: Mapping[str, str | None] = MappingProxyType(
    {
        "/console/session": None,  # a caller of the API has its credential with each request, and no session
        "/console/sign-out": None,
        "/console/organization": None,  # the header X-Org-Id
        "/console/integrations/clay/config": "write_config",
        "/console/integrations/clay/test": "test_connection",
        "/console/integrations/clay/remove": "remove_config",
        "/console/integrations/clay/new-table": "declare_new_table",
        "/console/integrations/clay/pending/{pending_id}/confirm": "confirm_pending_change",
        "/console/integrations/clay/pending/{pending_id}/reject": "reject_pending_change",
        "/console/destinations": "create_destination",
        "/console/destinations/{destination_id}": "change_destination",
        "/console/destinations/{destination_id}/test": "check_destination",
        "/console/destinations/{destination_id}/default": "change_destination",
        "/console/destinations/{destination_id}/new-table": "declare_new_table_of_destination",
        "/console/destinations/{destination_id}/archive": "archive_destination",
        "/console/segments": "create_segment",
        "/console/segments/{segment_id}": "change_segment",
        "/console/segments/{segment_id}/delete": "delete_segment",
        "/console/schedules": "create_schedule",
        "/console/schedules/{schedule_id}": "replace_schedule",
        "/console/schedules/{schedule_id}/run": "run_schedule_now",
        "/console/schedules/{schedule_id}/pause": "pause_schedule",
        "/console/schedules/{schedule_id}/resume": "resume_schedule",
        "/console/schedules/{schedule_id}/delete": "delete_schedule",
        "/console/destinations/{destination_id}/mapping": "choose_mapping",
        "/console/mappings": "create_mapping",
        "/console/mappings/draft": "preview_mapping",
        "/console/mappings/{mapping_id}": "change_mapping",
        "/console/mappings/{mapping_id}/archive": "archive_mapping",
        "/console/templates": "save_template",
        "/console/templates/{template_id}/remove": "remove_template",
        "/console/routes": "replace_routes",
        "/console/routes/draft": None,  # arranges the rows of the form and stores nothing; the API takes the whole list
        "/console/workspaces": "create_workspace",
        "/console/workspaces/{workspace_id}": "change_workspace",
        "/console/projects/{project_id}": "set_auto_export",
        "/console/projects/{project_id}/auto-enrich": "set_auto_enrich",
        "/console/keys": "create_service_key",
        "/console/keys/{key_id}/revoke": "revoke_service_key",
        "/console/tokens": "create_results_token",
        "/console/tokens/{token_id}/revoke": "revoke_results_token",
        "/console/privacy/preview": None,  # counts what an erasure would remove; the receipt of the API has the numbers
        "/console/privacy/erase": "erase_leads",
        "/console/exclusions": "exclude",
        "/console/exclusions/{exclusion_id}/remove": "remove_exclusion",
        "/console/missing-results/push-again": "push_missing_results_again",
        "/console/jobs/{job_id}/cancel": "cancel_job",
        "/console/jobs/{job_id}/retry": "retry_job",
        "/console/leads/preview": "preview",
        "/console/leads/push": "push_filtered",
        "/console/leads/push-one": "push",
        "/console/leads/estimate": "estimate_enrichment",
        "/console/leads/enrich": "enrich_leads",
        "/console/enrichment/{job_id}/estimate": "estimate_enrichment",
        "/console/enrichment/{job_id}/cancel": "cancel_enrichment_job",
        "/console/enrichment/settings": "write_enrichment_config",
        "/console/enrichment/settings/routines/{kind}": "write_enrichment_config",
        "/console/enrichment/settings/routines/{kind}/remove": "write_enrichment_config",
        "/console/enrichment/settings/run-webhook": "write_enrichment_config",
        "/console/enrichment/settings/remove-key": "remove_enrichment_key",
        "/console/enrichment/settings/pending/{pending_id}/confirm": "confirm_pending_key",
        "/console/enrichment/settings/pending/{pending_id}/reject": "reject_pending_key",
        "/console/enrichment/settings/resume-rules": "resume_auto_enrich",
        "/console/enrichment/settings/test/{kind}": "check_enrichment",
        "/console/leads/{lead_id}/enrich": "enrich_lead",
        "/console/leads/{lead_id}/fields/{field}": "edit_lead_field",
    }
)
"""The operation that does the same; None: the API needs none, for the reason beside it."""
ACTIONS = {
    route.path
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute) and not SAFE_METHODS.issuperset(route.methods or ())
}


def test_every_action_of_the_console_names_its_api_operation() -> None:
    assert set(COUNTERPARTS) == ACTIONS


def test_every_named_operation_is_in_the_api() -> None:
    assert {name for name in COUNTERPARTS.values() if name is not None} - OPERATIONS == set()
