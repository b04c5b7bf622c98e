"""Every action of the console has an API twin: each unsafe route of the console is beside an operation of openapi.yaml."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import yaml
from fastapi.routing import APIRoute

from clay_push_service.console.routes import ROUTERS
from clay_push_service.console.session.origin import SAFE_METHODS

DESCRIBED = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text("utf-8"))
OPERATIONS = {operation["operationId"] for methods in DESCRIBED["paths"].values() for operation in methods.values()}
TWINS: Mapping[str, str | None] = MappingProxyType(
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
        "/console/projects/{project_id}": "set_auto_export",
        "/console/keys": "create_service_key",
        "/console/keys/{key_id}/revoke": "revoke_service_key",
        "/console/tokens": "create_results_token",
        "/console/tokens/{token_id}/revoke": "revoke_results_token",
        "/console/privacy/erase": "erase_leads",
        "/console/jobs/{job_id}/cancel": "cancel_job",
        "/console/jobs/{job_id}/retry": "retry_job",
        "/console/leads/preview": "preview",
        "/console/leads/push": "push_filtered",
        "/console/leads/push-one": "push",
        "/console/leads/enrich": "enrich_leads",
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


def test_every_action_of_the_console_names_its_twin() -> None:
    assert set(TWINS) == ACTIONS


def test_every_twin_is_in_the_api() -> None:
    assert {twin for twin in TWINS.values() if twin is not None} - OPERATIONS == set()
