"""Lists every route of the API with valid arguments, for tests that call each without permission. A test fails for a route that is missing here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from uuid import UUID, uuid4

from clay_push_service.callers.caller import Scope
from tests.harness.api import OTHER_WEBHOOK, WEBHOOK, Api
from tests.harness.destination_routes import add_destinations
from tests.harness.enrichment_routes import ENRICHMENT, add_enrichment
from tests.harness.mapping_routes import add_mappings
from tests.harness.routing_routes import add_routing
from tests.harness.schedule_routes import SCHEDULES, add_schedules, schedule_body

EVENT_STREAMS = ("watch_job", "watch_enrichment_job")
"""Routes that stream until the job ends."""
CHANGES_OF_RESULTS = (
    "edit_lead_field", "set_custom_fields", "apply_result", "create_results_token", "revoke_results_token",
    "enrich_leads", "cancel_enrichment_job",
)  # fmt: skip
"""Routes that change results and enriched values."""


@dataclass(frozen=True, slots=True)
class Ids:
    """Ids of the records of one organization."""

    org_id: UUID
    project_id: UUID
    lead_id: UUID
    job_id: UUID
    delivery_id: UUID
    erasure_id: UUID
    scan_id: UUID
    pending_id: UUID
    pending_key_id: UUID
    token_id: UUID
    endpoint_id: UUID
    result_id: UUID
    exclusion_id: UUID
    segment_id: UUID
    enrichment_job_id: UUID
    key_id: UUID
    destination_id: UUID
    workspace_id: UUID
    schedule_id: UUID
    mapping_id: UUID
    template_id: UUID

    @property
    def all(self) -> Sequence[str]:
        return [str(getattr(self, each.name)) for each in fields(self) if each.name != "scan_id"]


@dataclass(frozen=True, slots=True)
class Call:
    path: str
    body: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """`scope`: the scope that a caller needs, or None. `foreign`: calls that refer to records of another organization."""

    method: str
    template: str
    scope: Scope | None
    own: Call
    foreign: Sequence[Call] = field(default=())


def routes(own: Ids, other: Ids) -> dict[str, Route]:  # noqa: PLR0915 - one line for each route
    """Returns the routes by operation id, as in openapi.yaml."""
    found: dict[str, Route] = {}

    def add(
        name: str,
        method: str,
        template: str,
        scope: Scope | None,
        *,
        body: Mapping[str, object] | None = None,
        query: str = "",
        foreign: Sequence[Mapping[str, object]] = (),
        foreign_query: str | None = None,
        documented: str | None = None,
    ) -> None:
        def path(ids: Ids) -> str:
            return template.format(project_id=ids.project_id, job_id=ids.job_id, delivery_id=ids.delivery_id, erasure_id=ids.erasure_id,
                                   pending_id=ids.pending_id, pending_key_id=ids.pending_key_id, lead_id=ids.lead_id,
                                   token_id=ids.token_id, endpoint_id=ids.endpoint_id,
                                   result_id=ids.result_id, exclusion_id=ids.exclusion_id,
                                   segment_id=ids.segment_id,
                                   enrichment_job_id=ids.enrichment_job_id, key_id=ids.key_id, schedule_id=ids.schedule_id,
                                   destination_id=ids.destination_id, workspace_id=ids.workspace_id,
                                   mapping_id=ids.mapping_id, template_id=ids.template_id)  # fmt: skip

        ways = [Call(path(own), each) for each in foreign]
        if path(own) != path(other):
            ways.append(Call(path(other) + query, body))
        if foreign_query is not None:
            ways.append(Call(path(own) + foreign_query, body))
        found[name] = Route(method, documented or template, scope, Call(path(own) + query, body), ways)

    lead, others_lead = str(own.lead_id), str(other.lead_id)
    project, others_project, others_table = str(own.project_id), str(other.project_id), str(other.destination_id)
    add("push", "POST", "/api/clay/push", Scope.PUSH, body={"lead_ids": [lead]},
        foreign=[{"lead_ids": [others_lead]}, {"lead_ids": [lead, others_lead]},
                 {"lead_ids": [others_lead], "project_id": others_project},
                 {"contributor_ids": [lead], "project_id": others_project},
                 {"lead_ids": [lead], "destination_id": others_table}])  # fmt: skip
    add("push_filtered", "POST", "/api/clay/push-filtered", Scope.PUSH, body={"project_id": project},
        foreign=[{"project_id": others_project}, {"project_id": project, "destination_id": others_table}])  # fmt: skip
    add("preview", "POST", "/api/clay/preview", Scope.READ, body={"project_id": project},
        foreign=[{"project_id": others_project}, {"lead_ids": [others_lead]},
                 {"project_id": project, "destination_id": others_table}])  # fmt: skip
    add("read_integration_status", "GET", "/api/clay/status", Scope.READ)
    add("read_daily_activity", "GET", "/api/clay/activity/daily", Scope.READ,
        foreign_query=f"?destination_id={others_table}")  # fmt: skip
    add("list_leads", "GET", "/api/clay/leads", Scope.READ, query=f"?project_id={project}",
        foreign_query=f"?project_id={others_project}")  # fmt: skip
    add("list_jobs", "GET", "/api/clay/jobs", Scope.READ)
    for name, ending in (
        ("get_job", ""), ("list_deliveries", "/leads"), ("download_deliveries", "/leads.csv"), ("watch_job", "/events"),
        ("get_delivery", "/leads/{delivery_id}"),
    ):  # fmt: skip
        add(name, "GET", "/api/clay/jobs/{job_id}" + ending, Scope.READ)
    add("retry_job", "POST", "/api/clay/jobs/{job_id}/retry", Scope.PUSH, body={})
    add("cancel_job", "POST", "/api/clay/jobs/{job_id}/cancel", Scope.PUSH)
    add("read_config", "GET", "/api/clay/config", Scope.READ)
    add("write_config", "PUT", "/api/clay/config", Scope.CONFIG, body={"webhook_url": WEBHOOK})
    add("remove_config", "DELETE", "/api/clay/config", Scope.CONFIG)
    pending = "/api/clay/config/pending/{pending_id}"
    add("confirm_pending_change", "POST", f"{pending}/confirm", Scope.CONFIG, body={})
    add("reject_pending_change", "POST", f"{pending}/reject", Scope.CONFIG)
    add("declare_new_table", "POST", "/api/clay/config/new-table", Scope.CONFIG, body={"version": 1})
    add("test_connection", "POST", "/api/clay/test", Scope.CONFIG)
    keys = "/api/clay/service-keys"
    add("list_service_keys", "GET", keys, Scope.ERASE)
    add("create_service_key", "POST", keys, Scope.ERASE, body={"name": "nightly", "scopes": ["read"]})
    add("revoke_service_key", "DELETE", keys + "/{key_id}", Scope.ERASE)
    add("erase_leads", "POST", "/api/clay/erasures", Scope.ERASE, body={"lead_ids": [lead]})
    add("get_erasure", "GET", "/api/clay/erasures/{erasure_id}", Scope.ERASE)
    add("list_missing_results", "GET", "/api/clay/missing-results", Scope.READ,
        foreign_query=f"?destination_id={others_table}")  # fmt: skip
    add("push_missing_results_again", "POST", "/api/clay/missing-results/push-again", Scope.PUSH,
        foreign_query=f"?destination_id={others_table}")  # fmt: skip
    add_destinations(add, str(other.workspace_id), str(other.mapping_id))
    add("list_exclusions", "GET", "/api/clay/exclusions", Scope.READ)
    add("exclude", "POST", "/api/clay/exclusions", Scope.PUSH, body={"domain": "example.org", "reason": "Partner"},
        foreign=[{"lead_id": others_lead, "reason": "Not ours"},
                 {"segment_id": str(other.segment_id), "reason": "Not ours"}])  # fmt: skip
    add("remove_exclusion", "DELETE", "/api/clay/exclusions/{exclusion_id}", Scope.CONFIG)
    add_routing(add, project, others_project, other.segment_id)
    add(
        "export_lead",
        "POST",
        "/api/clay/exports",
        Scope.CONFIG,
        body={"lead_id": lead},
        foreign=[{"lead_id": others_lead}],
    )
    write_back = "/api/clay/enrichment/write-back"
    add("get_write_back", "GET", write_back, Scope.READ)
    add("set_write_back", "PUT", write_back, Scope.CONFIG, body={"enabled": False})
    add("undo_write_back", "POST", f"{write_back}/undo", Scope.CONFIG, body={})
    add("list_audit_log", "GET", "/api/clay/audit", Scope.CONFIG)
    rule = "/api/clay/projects/{project_id}/auto-export"
    add("get_auto_export", "GET", rule, Scope.READ)
    add("set_auto_export", "PUT", rule, Scope.CONFIG, body={"enabled": True})
    add("preview_auto_export", "GET", f"{rule}/preview", Scope.READ)
    add("run_auto_export", "POST", f"{rule}/run", Scope.PUSH, body={"source_job_id": str(other.scan_id)})
    add("get_lead_enrichment", "GET", "/api/clay/leads/{lead_id}/enrichment", Scope.READ)
    add("edit_lead_field", "PUT", "/api/clay/leads/{lead_id}/enrichment/email", Scope.ENRICH, body={"value": "a@example.com"},
        documented="/api/clay/leads/{lead_id}/enrichment/{field}")  # fmt: skip
    add("get_custom_fields", "GET", "/api/clay/enrichment/custom-fields", Scope.READ)
    add("set_custom_fields", "PUT", "/api/clay/enrichment/custom-fields", Scope.CONFIG, body={"names": ["stage"]})
    add("list_results_tokens", "GET", "/api/clay/results-tokens", Scope.CONFIG)
    add("create_results_token", "POST", "/api/clay/results-tokens", Scope.CONFIG)
    add("revoke_results_token", "DELETE", "/api/clay/results-tokens/{token_id}", Scope.CONFIG)
    add("list_inbound_results", "GET", "/api/clay/results", Scope.RESULTS)
    add("apply_result", "POST", "/api/clay/results/{result_id}/apply", Scope.RESULTS)
    # a header of its own carries the secret: tests/enrichment/inbound/test_receive.py
    add("receive_result", "POST", "/api/clay/results/{endpoint_id}", None, body={})
    add("frontend_status", "GET", "/api/integrations/status", Scope.READ)
    add("frontend_config", "GET", "/api/integrations/clay/config", Scope.READ)
    add("frontend_save_config", "PUT", "/api/integrations/clay/config", Scope.CONFIG, body={"webhook_url": WEBHOOK})
    add("frontend_test", "POST", "/api/integrations/clay/test", Scope.CONFIG)
    add("frontend_stats", "GET", "/api/integrations/clay/stats", Scope.READ)
    add("frontend_activity", "GET", "/api/integrations/clay/activity", Scope.READ)
    add("frontend_push", "POST", "/api/integrations/clay/push", Scope.PUSH, body={"contributor_ids": [lead]},
        foreign=[{"contributor_ids": [others_lead]}, {"contributor_ids": [lead], "project_id": others_project}])  # fmt: skip
    add_enrichment(add, lead, others_lead)
    add_schedules(add, project, others_project)
    add_mappings(add, other.mapping_id, other.template_id, [str(own.lead_id), str(other.lead_id)], own.mapping_id)
    for name, ending in (("get_enrichment_quality", ""), ("download_enrichment_quality", ".csv")):
        add(name, "GET", f"{ENRICHMENT}/quality{ending}", Scope.READ, query=f"?project_id={project}",
            foreign_query=f"?project_id={others_project}")  # fmt: skip
    for name in ("healthz", "readyz"):
        add(name, "GET", f"/{name}", None)
    add("read_metrics", "GET", "/metrics", Scope.OPS)
    add("read_status", "GET", "/status", Scope.OPS)
    return found


async def furnish(app: Api, org_id: UUID, owner: str) -> Ids:
    """Create a project with leads, a webhook, a rule, a scan, a push job that has not started, and an erasure."""
    host = app.host
    project_id = await host.project(org_id)
    lead_id = await host.lead(project_id, full_name=f"Lead of {owner}", company="Acme")
    erased = await host.lead(project_id)
    scan_id = uuid4()

    async def call(method: str, path: str, body: object) -> dict[str, object]:
        answer = await app.send(method, path, owner, org=org_id, json=body)
        assert answer.is_success, answer.text
        found: dict[str, object] = answer.json()
        return found

    await call("PUT", "/api/clay/config", {"webhook_url": WEBHOOK})
    await host.add("org_settings", org_id=org_id, key="CLAY_WEBHOOK_URL", value=OTHER_WEBHOOK)
    await app.sweep_host_settings()
    pending = (await call("GET", "/api/clay/config", None))["pending"]
    assert isinstance(pending, dict)
    await call("PUT", f"{ENRICHMENT}/config", {"api_key": f"clay_key_of_{owner}", "requests_per_minute": 200})
    await host.add("org_settings", org_id=org_id, key="CLAY_API_KEY", value=f"another_key_of_{owner}")
    await app.sweep_api_keys()
    pending_key = (await call("GET", f"{ENRICHMENT}/config", None))["pending"]
    assert isinstance(pending_key, dict)
    erasure = await call("POST", "/api/clay/erasures", {"lead_ids": [str(erased)]})
    added = await call(
        "POST", "/api/clay/exclusions", {"domain": f"{owner.replace('_', '-')}.example", "reason": f"Firm of {owner}"}
    )
    exclusion = added["exclusion"]
    assert isinstance(exclusion, dict)
    path = f"/api/clay/projects/{project_id}/auto-export"
    await call("PUT", path, {"enabled": True})
    run = await call("POST", f"{path}/run", {"source_job_id": str(scan_id)})
    deliveries = await call("GET", f"/api/clay/jobs/{run['job_id']}/leads", None)
    assert isinstance(deliveries["leads"], list)
    token = await call("POST", "/api/clay/results-tokens", None)
    path, view, sent = str(token["path"]), token["view"], {"X-Clay-Push-Token": str(token["token"])}
    assert isinstance(view, dict)
    result = await app.send("POST", path, json={"email": f"{owner}@example.com"}, headers=sent)
    assert result.is_success, result.text
    routine = {"routine_id": "r", "inputs": {"Name": "full_name", "Company": "company"}, "outputs": {"email": "Email"}}
    await call("PUT", f"{ENRICHMENT}/config", {"routines": {"email": routine}})
    named = await host.lead(project_id, full_name=f"Lead of {owner}", company="Acme")
    enrichment = await call("POST", f"/api/clay/leads/{named}/enrich", {"kind": "email", "basis": "consent"})
    segment = await call("POST", "/api/clay/segments", {"name": f"Segment of {owner}", "filters": {"min_score": 80}})
    key = await call("POST", "/api/clay/service-keys", {"name": "nightly", "scopes": ["read"]})
    assert isinstance(key["view"], dict)
    second = {"name": f"Second table of {owner}", "webhook_url": OTHER_WEBHOOK.replace("7c9e", "9e1a")}
    destination = await call("POST", "/api/clay/destinations", second)
    assert isinstance(destination["workspace"], dict)
    schedule = await call("POST", SCHEDULES, schedule_body(str(project_id)))
    mapping = await call("POST", "/api/clay/mappings", {"name": f"Of {owner}", "template": "lean_outbound"})
    template = await call("POST", "/api/clay/templates", {"name": f"Of {owner}", "mapping_id": mapping["id"]})
    return Ids(org_id, project_id, lead_id, UUID(str(run["job_id"])), UUID(deliveries["leads"][0]["delivery_id"]), UUID(str(erasure["id"])), scan_id,
               UUID(str(pending["id"])), UUID(str(pending_key["id"])), UUID(str(view["id"])),
               UUID(str(token["endpoint_id"])), UUID(str(result.json()["result_id"])), UUID(str(exclusion["id"])),
               UUID(str(segment["id"])), UUID(str(enrichment["job_id"])), UUID(str(key["view"]["id"])),
               UUID(str(destination["id"])), UUID(str(destination["workspace"]["id"])),
               UUID(str(schedule["id"])),
               UUID(str(mapping["id"])), UUID(str(template["key"])))  # fmt: skip
